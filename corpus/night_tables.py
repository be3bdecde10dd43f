"""A night's stage files as SQL tables: the aggregates and the few rows that the night's page shows.

DuckDB reads the Parquet files where they lie, so memory is bounded by `MEMORY` whatever the night's size. A step that
is missing is an empty table, so every question has an answer on an unfinished night.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from corpus.stage import rejects_path
from corpus.stages import STEPS, stage_file
from schemas.errors import InputError
from schemas.tables import REJECTED
from schemas.verdict import RATING_MAX, RATING_MIN

MEMORY = "512MB"
"""DuckDB's limit. The widest scan decodes one row group a thread, of at most 16 MiB (`corpus.stage.GROUP_BYTES`)."""

BIN_WIDTH = 0.5
N_BINS = round((RATING_MAX - RATING_MIN) / BIN_WIDTH)

Found = list[tuple[Any, ...]]


class NightTables:
    """The tables of one night, named as their files: `judged`, `judged_rejects`; `rejects` has all with their step.

    Use as a context manager.

    Raises:
        InputError: a file is damaged or was written by another version.
    """

    def __init__(self, folder: Path, complete: Sequence[str]) -> None:
        self._folder = folder
        self._database = duckdb.connect(
            ":memory:",
            config={"memory_limit": MEMORY, "threads": 2, "autoinstall_known_extensions": False, "TimeZone": "UTC"},
        )
        for step, (stem, schema) in STEPS.items():
            path = stage_file(folder, step)
            self._add(stem, path, schema, is_there=step in complete)
            self._add(f"{stem}_rejects", rejects_path(path), REJECTED, is_there=step in complete)
        parts = [
            f"SELECT '{step}' AS step, {number} AS place, * FROM {stem}_rejects"
            for number, (step, (stem, _)) in enumerate(STEPS.items())
        ]
        self._ask(f"CREATE VIEW rejects AS {' UNION ALL '.join(parts)}")

    def _add(self, name: str, path: Path, schema: pa.Schema, *, is_there: bool) -> None:
        if is_there and path.exists():
            columns = ", ".join(schema.names)
            place = glob.escape(str(path)).replace("'", "''")  # a view's query takes no parameters
            self._ask(f"CREATE VIEW \"{name}\" AS SELECT {columns} FROM read_parquet('{place}')")
        else:
            self._database.register(name, schema.empty_table())

    def __enter__(self) -> NightTables:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def _ask(self, query: str, *parameters: Any) -> Found:
        try:
            return self._database.execute(query, parameters).fetchall()
        except _DAMAGE as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"the tables of {self._folder} cannot be read: {reason}; run `gristmill run --night "
                f"{self._folder.name}`, which makes what is damaged again"
            ) from error

    def ratings(self) -> Found:
        """(bin, rated, of them picked) from `RATING_MIN` up; a bin holds its lower edge, the last one also the 10."""
        return self._ask(
            f"""SELECT least(floor((rating - {RATING_MIN}) / {BIN_WIDTH}), {N_BINS - 1})::INT AS bin, {_COUNTS}
            FROM judged {_PICKED} GROUP BY bin ORDER BY bin"""
        )

    def languages(self) -> Found:
        """(code, screened, of them picked), the commonest first; an unknown one is ''."""
        return self._ask(
            f"""SELECT coalesce(language, '') AS language, {_COUNTS}
            FROM screened {_PICKED} GROUP BY ALL ORDER BY count(*) DESC, language"""
        )

    def lengths(self) -> Found:
        """(floor of log2 of the words, screened, of them picked), the shortest first."""
        return self._ask(
            f"""SELECT length(bin(greatest(n_words, 1))) - 1 AS exponent, {_COUNTS}
            FROM screened {_PICKED} GROUP BY exponent ORDER BY exponent"""
        )

    def sources(self) -> Found:
        """(source, read, dropped, held, picked, median rating or None), the largest first."""
        return self._ask(
            """WITH seen AS (
                SELECT source, 1 AS n, 0 AS dropped, 0 AS held, 0 AS picked, NULL AS rating FROM pulled
                UNION ALL SELECT source, (step = 'pull')::INT, (status = 'dropped')::INT, (status = 'held')::INT,
                    0, NULL FROM rejects
                UNION ALL SELECT source, 0, 0, 0, 1, NULL FROM selected
                UNION ALL SELECT source, 0, 0, 0, 0, rating FROM judged)
            SELECT source, sum(n)::INT, sum(dropped)::INT, sum(held)::INT, sum(picked)::INT, median(rating)
            FROM seen GROUP BY source ORDER BY sum(n) DESC, source"""
        )

    def held(self) -> Found:
        """(step, reason, source, conversations, the smallest of their ids), in the order of the road."""
        return self._ask(
            """SELECT step, reason, source, count(*), min(conversation_id) FROM rejects WHERE status = 'held'
            GROUP BY place, step, reason, source ORDER BY place, count(*) DESC, reason, source"""
        )

    def redactions(self) -> Found:
        """(class, replaced), the commonest first."""
        return self._ask(
            """SELECT key, sum((redactions->>key)::BIGINT)::INT AS n
            FROM (SELECT redactions, unnest(json_keys(redactions)) AS key FROM screened WHERE redactions <> '{}')
            GROUP BY key HAVING n > 0 ORDER BY n DESC, key"""
        )

    def judges(self) -> Found:
        """(JSON of the judge's identity, conversations it rated), the busiest first."""
        return self._ask("SELECT verdict->'judge' AS judge, count(*) FROM judged GROUP BY ALL ORDER BY 2 DESC, 1")

    def members(self) -> Found:
        """(member, conversations that it rated) of panels and cascades, the busiest first."""
        return self._ask(
            f"""SELECT key[{len(_MEMBER) + 1}:], count(*) FROM (
                SELECT unnest(json_keys(verdict->'features')) AS key FROM judged
                WHERE (verdict->'judge'->>'name') IN ('panel', 'cascade'))
            WHERE starts_with(key, '{_MEMBER}') GROUP BY ALL ORDER BY 2 DESC, 1"""
        )

    def disagreement(self) -> tuple[float, float] | None:
        """The median of the members' standard deviations and the value that a tenth exceeds; None without a panel."""
        found = self._ask(
            """SELECT median(apart), quantile_cont(apart, 0.9)
            FROM (SELECT (verdict->'features'->>'disagreement')::DOUBLE AS apart FROM judged)"""
        )
        return None if found[0][0] is None else (found[0][0], found[0][1])

    def titles(self, ids: Sequence[str], n_characters: int) -> dict[str, str]:
        """What the user says first, by conversation id, of those ids that are among the distinct."""
        found = self._ask(
            f"""SELECT conversation_id,
                [left(turn.content, {int(n_characters)}) FOR turn IN messages IF turn.role = 'user'][1]
            FROM "distinct" WHERE {_AMONG}""",
            list(ids),
        )
        return {name: title or "" for name, title in found}

    def best(self, n: int) -> list[str]:
        """Ids of the picks with the highest ratings; ties go to the smaller content id, as in select."""
        found = self._ask("SELECT conversation_id FROM selected ORDER BY rating DESC, content_id LIMIT ?", n)
        return [name for (name,) in found]

    def nearest_misses(self, n: int) -> dict[str, str]:
        """Id to reason of the best that were not picked: those below the threshold first, then those over a quota."""
        return dict(
            self._ask(
                """SELECT conversation_id, reason FROM judged JOIN selected_rejects USING (conversation_id)
                ORDER BY reason <> 'below_threshold', rating DESC, content_id LIMIT ?""",
                n,
            )
        )

    def conversations(self, ids: Sequence[str], n_turns: int, n_characters: int) -> Iterator[dict[str, Any]]:
        """The rated conversations with these ids, in their order; of each, the first turns and the last, cut short.

        `head` and `last` hold `{role, content, n_characters}` with at most `n_characters` of the content; the text of
        the rest never reaches Python, so a conversation of any size may stand among them.
        """
        shown = f"{{role: turn.role, content: left(turn.content, {n_characters}), n_characters: length(turn.content)}}"
        found = self._ask(
            f"""SELECT {", ".join(_COLUMNS)}, verdict->'criteria', len(messages),
                [{shown} FOR turn IN messages[1:{n_turns}]], [{shown} FOR turn IN messages[-1:]],
                list_sum([length(turn.content) FOR turn IN messages])::BIGINT
            FROM judged WHERE {_AMONG}""",
            list(ids),
        )
        names = (*_COLUMNS, "criteria", "n_turns", "head", "last", "n_characters")
        rows = {row[0]: dict(zip(names, row, strict=True)) for row in found}
        return (rows[name] for name in ids if name in rows)


_MEMBER = "rating_"
"""What the names of the features begin with that hold the members' ratings in a panel's or cascade's verdict."""

_PICKED = "LEFT JOIN (SELECT conversation_id AS picked FROM selected) ON conversation_id = picked"
_COUNTS = "count(*), count(picked)"
_AMONG = "conversation_id IN (SELECT unnest(?::VARCHAR[]))"
_COLUMNS = ("conversation_id", "source", "language", "model", "n_words", "redactions", "rating", "acceptance")
_DAMAGE = (
    duckdb.BinderException,  # a column is missing
    duckdb.ConversionException,
    duckdb.DataError,
    duckdb.InvalidInputException,  # not Parquet, not JSON
    duckdb.IOException,
    duckdb.SerializationException,
)
