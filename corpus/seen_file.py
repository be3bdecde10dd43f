"""The SQLite file behind corpus/seen.py: its tables, what one entry is made of, transactions, and its errors.

It holds hashes, never text: 5 kB for a conversation of 1,000 words.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from corpus import fingerprint, minhash, words
from corpus.fingerprint import Fingerprint, Keys
from corpus.minhash import Banding, Shingles, band_keys, banding_for, signatures
from schemas.errors import CorpusError
from schemas.settings import DedupeSettings

T = TypeVar("T")
Status = Literal["accepted", "seen", "duplicate"]

FORMAT_VERSION = f"1.{words.FORMAT_VERSION}.{minhash.FORMAT_VERSION}.{fingerprint.FORMAT_VERSION}"

_PER_QUERY = 500
"""Values in one `IN (...)`: SQLite allows 32,766; beyond some hundreds a query no longer gets cheaper a value."""

PER_BATCH = 512
"""Conversations whose keys are inserted together, sorted, so that neighbours in the tree are written at once."""

_CACHE_KIB = 64 * 1024

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE nights (sequence INTEGER PRIMARY KEY, night TEXT NOT NULL UNIQUE);
CREATE TABLE entries (
    entry INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL REFERENCES nights,
    content_id TEXT NOT NULL,
    status TEXT NOT NULL,      -- accepted, seen, duplicate (of an entry or of a row of its night: id only)
    n_turns INTEGER NOT NULL,
    n_shingles INTEGER NOT NULL,
    end INTEGER,               -- last link of the chain
    UNIQUE (content_id, sequence)
);
CREATE INDEX entries_of_night ON entries (sequence);
CREATE INDEX entries_by_end ON entries (end) WHERE end IS NOT NULL;
CREATE TABLE contents (        -- apart from the entries, which stay small
    entry INTEGER PRIMARY KEY REFERENCES entries,
    shingles BLOB NOT NULL,    -- sorted little-endian uint32
    links BLOB NOT NULL        -- chain and openings, little-endian int64
);
CREATE TABLE keys (key INTEGER, entry INTEGER, PRIMARY KEY (key, entry)) WITHOUT ROWID;  -- links, openings, bands
"""


class SeenFile:
    """The file, open; made on first use.

    Raises:
        CorpusError: the file is damaged, of another format, locked by another run, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self.errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=30.0, isolation_level=None)
            try:
                self._base.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                self._make_tables()
                self.banding = Banding(*map(int, str(self.fact("banding")).split()))
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Closes it."""
        self._base.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written within, or nothing."""
        with self.errors():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:  # SQLite has rolled back by itself when the disk is full
                    self._base.execute("ROLLBACK")
                raise

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What goes wrong with the file is told as what to do about it."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CorpusError(
                f"the index of seen conversations {self._path} cannot be used: {error}; if the disk is full or the "
                "file read-only or in use by another run, change that; if the file is damaged, move it away, and the "
                "next run rebuilds it from the corpus"
            ) from error

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Runs a statement and gives all its rows."""
        with self.errors():
            return self._base.execute(statement, values).fetchall()

    def first(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        """The first row of a query, if it has one."""
        return next(iter(self.execute(query, *values)), None)

    def look_up(self, query: str, values: Sequence[Any], last: int) -> Iterator[tuple[Any, ...]]:
        """The rows of a query with `IN (?)` and one more argument, asked for a few hundred values at a time."""
        for batch in batches(values, _PER_QUERY):
            marks = ",".join("?" * len(batch))
            yield from self.execute(query.replace("IN (?)", f"IN ({marks})"), *batch, last)

    def fact(self, name: str) -> str | None:
        """A fact about the whole file, None when it has none of that name."""
        found = self.first("SELECT value FROM facts WHERE name = ?", name)
        return str(found[0]) if found else None

    def set_fact(self, name: str, value: str) -> None:
        """Writes such a fact."""
        self.execute("REPLACE INTO facts VALUES (?, ?)", name, value)

    def use(self, banding: Banding) -> None:
        """Makes the kept bands those of `banding`: if the threshold changed, they are cut anew from all shingles."""
        if self.banding == banding:
            return
        self.banding = banding
        with self.transaction():
            self.execute("DELETE FROM keys")
            stored = self.execute("SELECT entry FROM contents ORDER BY entry")
            for entries in batches(stored, PER_BATCH):
                pairs = self._stored_keys([entry for (entry,) in entries])
                self._base.executemany("INSERT INTO keys VALUES (?, ?)", pairs)
            self.set_fact("banding", _name(banding))

    def insert(self, sequence: int, status: Status, marks: Sequence[Fingerprint]) -> None:
        """Adds entries to a night; of duplicates only that they were there."""
        ((last,),) = self.execute("SELECT coalesce(max(entry), 0) FROM entries")
        numbered = list(enumerate(marks, last + 1))
        self._base.executemany(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((i, sequence, m.content_id, status, m.n_turns, len(m.shingles), m.end) for i, m in numbered),
        )
        if status == "duplicate":
            return
        self._base.executemany(
            "INSERT INTO contents VALUES (?, ?, ?)", ((i, m.shingles.tobytes(), m.links.tobytes()) for i, m in numbered)
        )
        self._base.executemany(
            "INSERT INTO keys VALUES (?, ?)", self._keys([(i, m.shingles, m.links) for i, m in numbered])
        )

    def delete(self, entries: Sequence[int]) -> None:
        """Removes entries and all that is kept of them."""
        for batch in batches(entries, PER_BATCH):
            self._base.executemany("DELETE FROM keys WHERE key = ? AND entry = ?", self._stored_keys(batch))
            for table in ("contents", "entries"):
                self._base.executemany(f"DELETE FROM {table} WHERE entry = ?", ((entry,) for entry in batch))

    def _stored_keys(self, entries: Sequence[int]) -> list[tuple[int, int]]:
        rows = self.look_up("SELECT entry, shingles, links FROM contents WHERE entry IN (?) AND ?", entries, 1)
        return self._keys([(i, np.frombuffer(one, "<u4"), np.frombuffer(two, "<i8")) for i, one, two in rows])

    def _keys(self, contents: Sequence[tuple[int, Shingles, Keys]]) -> list[tuple[int, int]]:
        """All (key, entry) of these entries, sorted."""
        pairs = {(link, entry) for entry, _, links in contents for link in links.tolist()}
        compared = [(entry, shingles) for entry, shingles, _ in contents if len(shingles)]
        bands = band_keys(signatures([shingles for _, shingles in compared]), self.banding).view(np.int64)
        for (entry, _), keys in zip(compared, bands.tolist(), strict=True):
            pairs.update((key, entry) for key in keys)
        return sorted(pairs)

    def _make_tables(self) -> None:
        with self.transaction():
            if not self.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'"):
                for statement in _TABLES.split(";\n"):
                    self.execute(statement)
                self.set_fact("format", FORMAT_VERSION)
                self.set_fact("banding", _name(banding_for(DedupeSettings().jaccard_min)))
        if (found := self.fact("format")) != FORMAT_VERSION:
            raise CorpusError(
                f"{self._path} has format {found}, this Gristmill reads {FORMAT_VERSION}; move the file away, and the "
                "next run rebuilds it from the corpus (what was seen but not accepted is judged again)"
            )


def _name(banding: Banding) -> str:
    return f"{banding.n_bands} {banding.n_rows}"


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """The values in lists of this length; the last may be shorter."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch
