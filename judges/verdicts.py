"""The verdicts of all nights, in DuckDB: the same judge never judges the same conversation twice."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import orjson

from schemas.canonical import canonical_bytes
from schemas.errors import JudgeError
from schemas.verdict import Verdict

_TABLE = """
CREATE TABLE IF NOT EXISTS {name} (
    judge VARCHAR, content_id VARCHAR, sequence INTEGER, verdict VARCHAR, PRIMARY KEY (judge, content_id)
)
"""


class VerdictStore:
    """Verdicts by judge and content id, in one file. Connections are short: DuckDB has one writer.

    What was added is there after a kill, or none of it: each `add` is a transaction.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, judge: str, content_ids: Sequence[str]) -> dict[str, Verdict]:
        """The known verdicts of a judge (by identity digest) by content id."""
        with self._connected() as connection:
            sql = "SELECT content_id, verdict FROM verdicts WHERE judge = ? AND content_id IN (SELECT unnest(?))"
            rows = connection.execute(sql, [judge, list(content_ids)]).fetchall()
        return {content_id: Verdict.from_json(orjson.loads(text)) for content_id, text in rows}

    def add(self, judge: str, sequence: int, verdicts: Mapping[str, Verdict]) -> None:
        """Keeps verdicts by content id, all or none; `sequence` is the number of the night that judged."""
        rows = [
            (judge, key, sequence, canonical_bytes(verdict.to_json()).decode()) for key, verdict in verdicts.items()
        ]
        if not rows:
            return
        with self._connected() as connection:
            connection.execute("BEGIN")
            connection.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?)", rows)
            connection.execute("COMMIT")

    def forget(self, content_ids: Collection[str]) -> int:
        """Removes all verdicts on these conversations, as retraction demands, and says how many there were.

        An embedding tells what a conversation was about, and DuckDB leaves deleted rows in its file: the others go into
        a new file that takes its place.
        """
        new = self._path.with_name(f".{self._path.name}.new")
        new.unlink(missing_ok=True)
        ids = sorted(content_ids)
        with self._connected() as connection:
            sql = "SELECT count(*) FROM verdicts WHERE content_id IN (SELECT unnest(?))"
            (n_gone,) = connection.execute(sql, [ids]).fetchone() or (0,)
            quoted = str(new).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS kept")
            connection.execute(_TABLE.format(name="kept.verdicts"))
            sql = "INSERT INTO kept.verdicts SELECT * FROM verdicts WHERE content_id NOT IN (SELECT unnest(?))"
            connection.execute(sql, [ids])
            connection.execute("DETACH kept")
        new.replace(self._path)
        return int(n_gone)

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with duckdb.connect(self._path) as connection:
                connection.execute(_TABLE.format(name="verdicts"))
                yield connection
        except (duckdb.Error, OSError) as error:
            raise JudgeError(
                f"the verdicts in {self._path} cannot be used ({str(error).splitlines()[0]}); "
                "if another run holds them, wait for it; if the file is damaged, delete it: verdicts are made again"
            ) from error
