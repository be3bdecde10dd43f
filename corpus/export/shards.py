"""Writers of shards: JSON lines and Parquet, with bounded memory, and a digest of each file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.export.formats import Format, Record
from corpus.stage import disk_errors
from schemas.canonical import canonical_bytes, file_digest

GROUP_ROWS, GROUP_BYTES = 1_000, 16 * 2**20
"""A row group of Parquet is written when either is reached: a bound on what is held in memory."""


@dataclass(frozen=True)
class WrittenFile:
    """A file of an export; `path` is relative to it, `rows` is None for what holds no rows."""

    path: str
    sha256: str
    n_bytes: int
    rows: int | None = None


class LinesFile:
    """A file of lines beside the shards. Use as a context manager; `finish` gives what was written.

    Raises:
        CorpusError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._path, self._name = root / name, name
        self._digest = hashlib.sha256()
        self._n_bytes = 0

    def __enter__(self) -> LinesFile:
        with disk_errors(self._path):
            self._file = self._path.open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with disk_errors(self._path):
            self._file.close()

    def write(self, line: bytes) -> None:
        """Writes a line, which ends with a line feed."""
        with disk_errors(self._path):
            self._file.write(line)
        self._digest.update(line)
        self._n_bytes += len(line)

    def finish(self) -> WrittenFile:
        """Ends the file."""
        with disk_errors(self._path):
            self._file.close()
        return WrittenFile(self._name, self._digest.hexdigest(), self._n_bytes)


class _Shard(Protocol):
    """One open file."""

    n_bytes: int
    n_rows: int

    def add(self, record: Record, line: bytes) -> None:
        """Adds a record; `line` are its canonical bytes."""

    def close(self) -> str:
        """Ends the file and gives its SHA-256."""


class _LinesShard:
    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._digest = hashlib.sha256()
        self.n_bytes = self.n_rows = 0

    def add(self, record: Record, line: bytes) -> None:  # noqa: ARG002 (the protocol's)
        self._file.write(line + b"\n")
        self._digest.update(line + b"\n")
        self.n_bytes += len(line) + 1
        self.n_rows += 1

    def close(self) -> str:
        self._file.close()
        return self._digest.hexdigest()


class _ParquetShard:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._waiting: list[Record] = []
        self._n_waiting_bytes = self.n_bytes = self.n_rows = 0

    def add(self, record: Record, line: bytes) -> None:
        self._waiting.append(record)
        self._n_waiting_bytes += len(line)
        self.n_bytes += len(line)  # as JSON: the same bound for both kinds of files, whatever is compressed
        self.n_rows += 1
        if len(self._waiting) >= GROUP_ROWS or self._n_waiting_bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_pylist(self._waiting, schema=self._schema))
        self._waiting, self._n_waiting_bytes = [], 0

    def close(self) -> str:
        self._flush()
        self._writer.close()
        return file_digest(self._path)


class Shards:
    """The files of one configuration and split; a new one begins when a record would make it larger than allowed.

    Use as a context manager; `finish` names them, because a name says how many there are.

    Raises:
        CorpusError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, root: Path, form: Format, schema: pa.Schema | None, *, folder: str, split: str) -> None:
        self._root, self._form, self._schema, self._folder, self._split = root, form, schema, folder, split
        self._open: _Shard | None = None
        self._done: list[tuple[str, int]] = []
        self.n_rows = 0

    def __enter__(self) -> Shards:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def add(self, record: Record) -> None:
        """Writes one record."""
        line = canonical_bytes(record)
        with disk_errors(self._root):
            if self._open and self._open.n_bytes + len(line) + 1 > self._form.shard_bytes:
                self._close()
            if self._open is None:
                self._open = self._begin()
            self._open.add(record, line)
        self.n_rows += 1

    def _begin(self) -> _Shard:
        path = self._temporary(len(self._done))
        path.parent.mkdir(parents=True, exist_ok=True)
        return _ParquetShard(path, self._schema) if self._form.is_parquet else _LinesShard(path)

    def _close(self) -> None:
        if self._open is not None:
            shard, self._open = self._open, None
            with disk_errors(self._root):
                self._done.append((shard.close(), shard.n_rows))

    def _temporary(self, number: int) -> Path:
        return self._root / self._path(number, 0)

    def _path(self, number: int, total: int) -> str:
        layout = self._form.layout.format(folder=self._folder, split=self._split, number=number, total=total)
        return f"{layout}.{self._form.ending}"

    def finish(self) -> Iterator[WrittenFile]:
        """Ends the last file and gives all under their lasting names."""
        self._close()
        for number, (sha256, n_rows) in enumerate(self._done):
            path = self._path(number, len(self._done))
            with disk_errors(self._root):
                self._temporary(number).rename(self._root / path)
                yield WrittenFile(path, sha256, (self._root / path).stat().st_size, n_rows)
