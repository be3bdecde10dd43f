"""Fingerprints of a night on disk while they wait: memory stays small however many conversations a night brings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np

from corpus.fingerprint import Fingerprint, Keys
from corpus.minhash import Shingles
from corpus.stage import disk_errors


class Spill:
    """An unnamed file of shingles and links in `folder`; the system removes it, also when the process is killed.

    Use as a context manager. A fingerprint added is known by its number, counted from 0.

    Raises:
        CorpusError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: list[tuple[int, int, int, int]] = []  # offset, then shingles, links of the chain, openings
        self._end = 0

    def __enter__(self) -> Spill:
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 (closed in __exit__)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, mark: Fingerprint) -> int:
        """Writes one fingerprint and gives its number."""
        block = mark.shingles.tobytes() + mark.chain.tobytes() + mark.openings.tobytes()
        with disk_errors(self._folder):
            left = memoryview(block)
            while left:  # an unbuffered write may be partial
                left = left[self._file.write(left) :]
        self._places.append((self._end, len(mark.shingles), len(mark.chain), len(mark.openings)))
        self._end += len(block)
        return len(self._places) - 1

    def shingles(self, number: int) -> Shingles:
        """The shingles of one fingerprint."""
        start, n_shingles, _, _ = self._places[number]
        return np.frombuffer(self._read(start, 4 * n_shingles), np.uint32)

    def links(self, number: int) -> tuple[Keys, Keys]:
        """The chain and the openings of one fingerprint."""
        start, n_shingles, n_chain, n_openings = self._places[number]
        both = np.frombuffer(self._read(start + 4 * n_shingles, 8 * (n_chain + n_openings)), np.int64)
        return both[:n_chain], both[n_chain:]

    def _read(self, start: int, n_bytes: int) -> bytes:
        with disk_errors(self._folder):
            return os.pread(self._file.fileno(), n_bytes, start)
