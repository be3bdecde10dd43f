"""Many records that must be read again in another order than they came, with only their keys in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Generic, NamedTuple, TypeVar

from corpus.stage import disk_errors

Key = TypeVar("Key")


class Entry(NamedTuple, Generic[Key]):
    """A record's key, and where its bytes lie."""

    key: Key
    offset: int
    n_bytes: int


class Spool(Generic[Key]):
    """An unnamed file of records in `folder`: it vanishes with the process, even one that is killed.

    Use as a context manager.

    Raises:
        CorpusError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.entries: list[Entry[Key]] = []

    def __enter__(self) -> Spool[Key]:
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 (closed in __exit__)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with disk_errors(self._folder):
            self._file.close()

    def add(self, key: Key, record: bytes) -> None:
        """Keeps one record."""
        with disk_errors(self._folder):
            offset = self._file.seek(0, 2)
            self._file.write(record)
        self.entries.append(Entry(key, offset, len(record)))

    def read(self, entry: Entry[Key]) -> bytes:
        """The record of one of `entries`."""
        with disk_errors(self._folder):
            self._file.seek(entry.offset)
            return self._file.read(entry.n_bytes)
