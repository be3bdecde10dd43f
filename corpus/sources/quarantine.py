"""The quarantine: one JSON line for each record that could not be read, with its place and its beginning."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from corpus.stage import disk_errors
from schemas.canonical import canonical_bytes


class Quarantine:
    """Writes `NAME.quarantine.jsonl` beside an output; the file appears when it is complete, and only if it is needed.

    It holds beginnings of records, so it stays on this machine. Use as a context manager.

    Raises:
        CorpusError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(f"{output.stem}.quarantine.jsonl")
        self.n_entries = 0
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> Quarantine:
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("wb")
        return self

    def write(self, entry: Mapping[str, Any]) -> None:
        """Adds one record."""
        with disk_errors(self.path):
            self._file.write(canonical_bytes(entry) + b"\n")
        self.n_entries += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            with disk_errors(self.path):
                self._file.close()
                if kind is None and self.n_entries:
                    self._temporary.replace(self.path)
                elif kind is None:
                    self.path.unlink(missing_ok=True)
        finally:
            self._temporary.unlink(missing_ok=True)
