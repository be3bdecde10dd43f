"""A table in `var/` whose rows belong to nights, one SQLite file each: what contributors gave, what was picked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from schemas.errors import CorpusError


class NightStore:
    """The file, made on first use. Use as a context manager. What is deleted is overwritten.

    A subclass names its table `picks` in `TABLE`, with a column `sequence`, and says in `LOST` what deleting the file
    would cost.

    Raises:
        CorpusError: the file is damaged, locked by another run, or cannot be written; the message says what to do.
    """

    TABLE: ClassVar[str]
    LOST: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        with self._errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self._base.execute("PRAGMA secure_delete = ON")
            self._base.executescript(self.TABLE)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._base.close()

    def _replace(self, sequence: int, rows: Iterable[tuple[Any, ...]]) -> None:
        """Makes these the rows of a night, all or none."""
        with self._transaction():
            self._base.execute("DELETE FROM picks WHERE sequence = ?", (sequence,))
            for row in rows:
                self._base.execute(f"INSERT OR IGNORE INTO picks VALUES ({','.join('?' * len(row))})", row)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CorpusError(
                f"{self.path} cannot be used ({error}); if another run holds it, wait for it; free space or allow "
                f"writing there, or, if it is damaged, delete it: {self.LOST}"
            ) from error
