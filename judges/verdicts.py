"""The verdicts of all nights, in DuckDB: the same judge never judges the same conversation twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import orjson

from schemas.canonical import canonical_bytes
from schemas.errors import JudgeError
from schemas.verdict import Verdict

_TABLE = """
CREATE TABLE IF NOT EXISTS verdicts (
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
