"""What earlier nights have read of the logs, so that a night's cost follows what is new.

Two tables in one SQLite file: for each file how far it was read, and the ids of the conversations that were pulled.
Every entry bears the sequence number of its night. A night sees the entries of nights before it and never its own, so a
night that was killed and is run again reads the same; its entries are replaced in one transaction, after its output is
in place. Entries belong to a source as it was configured (`source_key`): when its type, consent or licence changes they
no longer count, and what was held for want of consent gets another chance.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from schemas.errors import CorpusError

_TABLES = """
CREATE TABLE IF NOT EXISTS files (
    source_key TEXT, path BLOB, sequence INTEGER, night TEXT, size INTEGER, mtime_ns INTEGER, digest TEXT,
    offset INTEGER, line INTEGER, offset_digest TEXT,
    PRIMARY KEY (source_key, path, sequence)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS conversations (
    source_key TEXT, id BLOB, sequence INTEGER, PRIMARY KEY (source_key, id, sequence)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS conversations_by_night ON conversations (sequence);
"""


@dataclass(frozen=True, slots=True)
class FileMark:
    """How far a file was read.

    `size` in bytes, `mtime_ns` and `digest` (SHA-256) are those of the file then. A log of lines was read up to
    `offset`, where line `line` begins, and `offset_digest` is the SHA-256 of what is before it; else `offset` is 0.
    """

    size: int
    mtime_ns: int
    digest: str
    offset: int = 0
    line: int = 1
    offset_digest: str = ""


class Watermarks:
    """The marks of all nights, in a file that is made when it is missing. Use as a context manager.

    Raises:
        CorpusError: the file cannot be used; the message says what to do.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Watermarks:
        self._guarded(self._connect)
        return self

    def _connect(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
        self._connection.executescript(_TABLES)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def file_mark(self, source_key: str, path: Path, *, before: int) -> FileMark | None:
        """How far the last night before `before` read a file; None when none did."""
        sql = (
            "SELECT size, mtime_ns, digest, offset, line, offset_digest FROM files"
            " WHERE source_key = ? AND path = ? AND sequence < ? ORDER BY sequence DESC LIMIT 1"
        )
        row = self._guarded(lambda: self._connection.execute(sql, (source_key, _key(path), before)).fetchone())
        return FileMark(*row) if row else None

    def is_pulled(self, source_key: str, conversation_id: str, *, before: int) -> bool:
        """Whether a night before `before` pulled this conversation from this source."""
        sql = "SELECT 1 FROM conversations WHERE source_key = ? AND id = ? AND sequence < ?"
        values = (source_key, bytes.fromhex(conversation_id), before)
        return self._guarded(lambda: self._connection.execute(sql, values).fetchone()) is not None

    def replace(
        self,
        sequence: int,
        night: str,
        files: Iterable[tuple[str, Path, FileMark]],
        conversations: Iterable[tuple[str, str]],
    ) -> None:
        """Puts these in place of all entries of a night, in one transaction.

        Args:
            sequence: the night's number.
            night: its date.
            files: source key, path and mark.
            conversations: source key and conversation id.
        """
        rows = [(key, _key(path), sequence, night, *astuple(mark)) for key, path, mark in files]
        ids = ((key, bytes.fromhex(conversation_id), sequence) for key, conversation_id in conversations)

        def write() -> None:
            self._forget(sequence)
            self._connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._connection.executemany("INSERT OR IGNORE INTO conversations VALUES (?, ?, ?)", ids)

        self._in_transaction(write)

    def forget(self, sequence: int) -> None:
        """Removes all entries of a night, so that later ones read what it read."""
        self._in_transaction(lambda: self._forget(sequence))

    def _forget(self, sequence: int) -> None:
        self._connection.execute("DELETE FROM files WHERE sequence = ?", (sequence,))
        self._connection.execute("DELETE FROM conversations WHERE sequence = ?", (sequence,))

    def _in_transaction(self, write: Callable[[], None]) -> None:
        def run() -> None:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                write()
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

        self._guarded(run)

    def _guarded(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except sqlite3.OperationalError as error:
            raise CorpusError(f"{self._path} cannot be used ({error}); free space or allow writing there") from error
        except sqlite3.DatabaseError as error:
            advice = "delete it and run the night again: all logs are then read anew, what the corpus has stays"
            raise CorpusError(f"{self._path} is damaged ({error}); {advice}") from error
        except OSError as error:
            raise CorpusError(f"{self._path} cannot be used: {error.strerror or error}") from error


def _key(path: Path) -> bytes:
    return os.fsencode(path)
