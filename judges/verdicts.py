"""The verdicts of all nights, in DuckDB: the same judge never judges the same conversation twice.

The embeddings stand in a column of their own, so that all of them can be read without the verdicts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import orjson

from schemas.canonical import canonical_bytes
from schemas.errors import JudgeError
from schemas.verdict import Verdict

_TABLE = """
CREATE TABLE IF NOT EXISTS verdicts (
    judge VARCHAR, content_id VARCHAR, sequence INTEGER, verdict VARCHAR, embedding VARCHAR,
    PRIMARY KEY (judge, content_id)
);
ALTER TABLE verdicts ADD COLUMN IF NOT EXISTS embedding VARCHAR
"""

_AT_ONCE = 50_000
"""Embeddings in memory at once: 26 MB of text."""


class VerdictStore:
    """Verdicts by judge and content id, in one file. Connections are short: DuckDB has one writer.

    What was added is there after a kill, or none of it: each `add` is a transaction.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, judge: str, content_ids: Sequence[str]) -> dict[str, Verdict]:
        """The known verdicts of a judge (by identity digest) by content id."""
        with self._connected() as connection:
            sql = (
                "SELECT content_id, verdict, coalesce(embedding, '') FROM verdicts "
                "WHERE judge = ? AND content_id IN (SELECT unnest(?))"
            )
            rows = connection.execute(sql, [judge, list(content_ids)]).fetchall()
        return {
            content_id: replace(Verdict.from_json(orjson.loads(text)), embedding=embedding)
            for content_id, text, embedding in rows
        }

    def add(self, judge: str, sequence: int, verdicts: Mapping[str, Verdict]) -> None:
        """Keeps verdicts by content id, all or none; `sequence` is the number of the night that judged."""
        rows = [
            (
                judge,
                key,
                sequence,
                canonical_bytes(replace(verdict, embedding="").to_json()).decode(),
                verdict.embedding,
            )
            for key, verdict in verdicts.items()
        ]
        if not rows:
            return
        with self._connected() as connection:
            connection.execute("BEGIN")
            connection.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")

    def embeddings(self, model: str) -> Iterator[tuple[list[str], list[str]]]:
        """Content ids and embeddings of a model (`schemas.embedding.model_of`), in parts, by content id."""
        with self._connected() as connection:
            sql = (
                "SELECT content_id, min(embedding) FROM verdicts WHERE starts_with(embedding, ?) "
                "GROUP BY content_id ORDER BY content_id"
            )
            found = connection.execute(sql, [f"{model}:"])
            while rows := found.fetchmany(_AT_ONCE):
                yield [key for key, _ in rows], [text for _, text in rows]

    def forget(self, content_ids: Collection[str]) -> int:
        """Removes all verdicts on these conversations, as retraction demands, and says how many there were."""
        with self._connected() as connection:
            sql = "DELETE FROM verdicts WHERE content_id IN (SELECT unnest(?)) RETURNING content_id"
            return len(connection.execute(sql, [sorted(content_ids)]).fetchall()) if content_ids else 0

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with duckdb.connect(self._path) as connection:
                connection.execute(_TABLE)
                yield connection
        except (duckdb.Error, OSError) as error:
            raise JudgeError(
                f"the verdicts in {self._path} cannot be used ({str(error).splitlines()[0]}); "
                "if another run holds them, wait for it; if the file is damaged, delete it: verdicts are made again"
            ) from error
