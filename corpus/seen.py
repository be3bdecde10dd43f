"""What the corpus ever accepted or saw: fingerprints kept in `var/`, so that a night costs what its new data costs.

One SQLite file, because the question is a few dozen point look-ups for each new conversation: a B-tree answers them in
time that hardly grows with the corpus, while a column store reads its whole index every night. Measured for a night of
500 conversations on 2 cores, with made-up keys: beside 100,000 kept conversations 0.02 s, and 0.04 s by a scan in
DuckDB; beside 1,000,000 0.06 s and 0.33 s (benchmarks/dedupe.py measures both with real ones). It holds hashes, never
text: 5 kB for a conversation of 1,000 words.

Nights have a sequence: the order in which they were first recorded. A night sees only the nights before it, also when
it is run again after later ones, so killing it at any instant and repeating it gives the same result. `record` replaces
a night's entries in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

import numpy as np

from corpus import fingerprint, minhash, words
from corpus.fingerprint import Fingerprint, Keys, fingerprints
from corpus.minhash import Banding, Shingles, band_keys, banding_for, signatures
from schemas.conversation import Turn
from schemas.errors import CorpusError
from schemas.settings import DedupeSettings

T = TypeVar("T")
Status = Literal["accepted", "seen", "duplicate"]

FORMAT_VERSION = f"1.{words.FORMAT_VERSION}.{minhash.FORMAT_VERSION}.{fingerprint.FORMAT_VERSION}"

_PER_QUERY = 500
"""Values in one `IN (...)`: SQLite allows 32,766; beyond some hundreds a query no longer gets cheaper a value."""

_PER_BATCH = 512
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


def _entries(asked: str) -> str:
    """The query for a column and the fields of `Earlier`."""
    fields = "entry, content_id, night, status, n_turns, n_shingles, end"
    return f"SELECT {asked}, {fields} FROM entries JOIN nights USING (sequence)"


@dataclass(frozen=True, slots=True)
class Earlier:
    """An entry of a night before: what a duplicate of tonight may repeat."""

    entry: int
    content_id: str
    night: str
    status: Status
    n_turns: int
    n_shingles: int
    end: int | None


class Seen:
    """The kept fingerprints. Use as a context manager; the file is made on first use.

    Raises:
        CorpusError: the file is damaged, of another format, locked by another run, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._overlooked: frozenset[str] = frozenset()

    def __enter__(self) -> Seen:
        with self._errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, timeout=30.0, isolation_level=None)
            try:
                self._base.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                self._make_tables()
                self.banding = Banding(*map(int, self._fact("banding").split()))
            except BaseException:
                self._base.close()
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._base.close()

    def use(self, banding: Banding) -> None:
        """Makes the kept bands those of `banding`: if the threshold changed, they are cut anew from all shingles."""
        if self.banding == banding:
            return
        self.banding = banding
        with self._transaction():
            self._base.execute("DELETE FROM keys")
            stored = self._base.execute("SELECT entry FROM contents ORDER BY entry").fetchall()
            for entries in _batches(stored, _PER_BATCH):
                pairs = self._stored_keys([entry for (entry,) in entries])
                self._base.executemany("INSERT INTO keys VALUES (?, ?)", pairs)
            self._base.execute("REPLACE INTO facts VALUES ('banding', ?)", (_name(banding),))

    def overlook(self, content_ids: Collection[str]) -> None:
        """Lets the questions pass over entries of these ids, for what was seen before and is to be judged again.

        What the corpus accepted is not passed over. Nothing is removed.
        """
        self._overlooked = frozenset(content_ids)

    def _answers(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, Earlier]]:
        """First column and entry of each row that counts; the other columns are those of `Earlier`."""
        entries: dict[int, Earlier] = {}  # one object an entry: a family of chats meets in many keys
        for first, *columns in rows:
            one = entries.setdefault(columns[0], Earlier(*columns))
            if one.status == "accepted" or one.content_id not in self._overlooked:
                yield first, one

    def sequence(self, night: str | None) -> int:
        """The place of a night among those recorded; a new night (or None) stands after all."""
        with self._errors():
            found = self._base.execute("SELECT sequence FROM nights WHERE night = ?", (night,)).fetchone()
            last = self._base.execute("SELECT coalesce(max(sequence), 0) FROM nights").fetchone()
        return int(found[0] if found else last[0] + 1)

    def by_content_id(self, content_ids: Collection[str], before: int) -> dict[str, Earlier]:
        """The entries of these ids from nights before that sequence; of several the accepted, then the first."""
        query = f"{_entries('content_id')} WHERE content_id IN (?) AND sequence < ?"
        found = [one for _, one in self._answers(self._look_up(query, sorted(content_ids), before))]
        return {one.content_id: one for one in sorted(found, key=preference, reverse=True)}

    def by_end(self, ends: Collection[int], before: int) -> dict[int, list[Earlier]]:
        """The entries whose whole chain ends in one of these links, by link."""
        query = f"{_entries('end')} WHERE end IN (?) AND sequence < ?"
        return _grouped(self._answers(self._look_up(query, sorted(ends), before)))

    def by_key(self, keys: Collection[int], before: int) -> dict[int, list[Earlier]]:
        """The entries that have one of these links, openings or bands, by key."""
        query = f"{_entries('key')} JOIN keys USING (entry) WHERE key IN (?) AND sequence < ?"
        return _grouped(self._answers(self._look_up(query, sorted(keys), before)))

    def meeting(self, keys: Collection[int], before: int, at_most: int) -> Iterator[Earlier]:
        """The entries that have these links, openings or bands, once for each; of one key the first recorded."""
        entries = "SELECT entry FROM keys WHERE key = ? ORDER BY entry LIMIT ?"
        query = f"{_entries('entry')} WHERE entry IN ({entries}) AND sequence < ?"
        with self._errors():
            for key in sorted(keys):
                for _, one in self._answers(self._base.execute(query, (key, at_most, before)).fetchall()):
                    yield one

    def shingles(self, entry: int) -> Shingles:
        """The shingles of one entry that is no duplicate."""
        with self._errors():
            (blob,) = self._base.execute("SELECT shingles FROM contents WHERE entry = ?", (entry,)).fetchone()
        return np.frombuffer(blob, "<u4")

    def counts(self) -> dict[str, int]:
        """How many entries have each status."""
        with self._errors():
            return dict(self._base.execute("SELECT status, count(*) FROM entries GROUP BY status ORDER BY status"))

    def record(self, night: str, kept: Iterable[Fingerprint], duplicates: Iterable[str]) -> None:
        """Makes these the night's entries, in one transaction; those that already stand there cost nothing.

        `duplicates` are content ids of dropped rows, which are known by id alone. Accepted samples stay.
        """
        with self._transaction():
            sequence = self._known_night(night) or self._new_night(night)
            query = "SELECT content_id, entry, status FROM entries WHERE sequence = ?"
            gone = {content_id: (entry, status) for content_id, entry, status in self._base.execute(query, (sequence,))}
            changed: list[int] = []
            bare = (_bare(content_id) for content_id in duplicates)
            done: set[str] = set()
            statuses: list[tuple[Status, Iterable[Fingerprint]]] = [("seen", kept), ("duplicate", bare)]
            for status, marks in statuses:
                new = _not_there(marks, status, gone, changed, done)
                for batch in _batches(new, _PER_BATCH):
                    self._delete(changed)
                    changed.clear()
                    self._insert(sequence, status, batch)
            self._delete([entry for entry, status in gone.values() if status != "accepted"])

    def forget_night(self, night: str) -> None:
        """Removes a night that was given up: what it saw counts as new, and its date as never run.

        A night with accepted samples keeps those, and its place in the sequence.
        """
        self.record(night, [], [])
        with self._transaction():
            self._base.execute(
                "DELETE FROM nights WHERE night = ? AND sequence NOT IN (SELECT sequence FROM entries)", (night,)
            )

    def corpus_head(self) -> str | None:
        """The commit up to which `add_accepted` has read the corpus; None in a new index, which must read all."""
        with self._errors():
            found = self._base.execute("SELECT value FROM facts WHERE name = 'corpus_head'").fetchone()
        return found[0] if found else None

    def add_accepted(self, samples: Iterable[Mapping[str, Any]], *, head: str | None = None) -> int:
        """Adds samples of the corpus repository (its lines, parsed) and says how many were new; idempotent.

        A fresh machine passes all lines, later only new ones; `head` is the commit they go up to, remembered in the
        same transaction, so that an index that was lost and made anew knows that it has read nothing.

        Nights that are not known yet get their sequence in the order of their names, after the known ones and before
        any that runs later.

        Raises:
            CorpusError: a line is not a sample.
        """
        n_new = 0
        with self._transaction():
            new_nights: dict[str, int] = {}  # under a negative number until all are known
            for batch in _batches(samples, _PER_BATCH):
                read = [_read_sample(sample) for sample in batch]
                marks = fingerprints([(sample_id, turns) for _, sample_id, turns in read])
                for (night, _, _), mark in zip(read, marks, strict=True):
                    place = self._known_night(night) or new_nights.setdefault(night, -1 - len(new_nights))
                    n_new += self._accept(place, mark)
            for night in sorted(new_nights):
                final = (self._new_night(night), new_nights[night])
                self._base.execute("UPDATE entries SET sequence = ? WHERE sequence = ?", final)
            if head is not None:
                self._base.execute("REPLACE INTO facts VALUES ('corpus_head', ?)", (head,))
        return n_new

    def forget(self, content_ids: Collection[str]) -> int:
        """Removes every entry of these ids, as retraction demands, and says how many there were."""
        with self._transaction():
            found = self._look_up("SELECT entry FROM entries WHERE content_id IN (?) AND ?", sorted(content_ids), 1)
            gone = [entry for (entry,) in found]
            self._delete(gone)
        return len(gone)

    def _known_night(self, night: str) -> int | None:
        found = self._base.execute("SELECT sequence FROM nights WHERE night = ?", (night,)).fetchone()
        return int(found[0]) if found else None

    def _new_night(self, night: str) -> int:
        sequence = self.sequence(None)
        self._base.execute("INSERT INTO nights VALUES (?, ?)", (sequence, night))
        return sequence

    def _accept(self, sequence: int, mark: Fingerprint) -> int:
        query = "SELECT entry, status FROM entries WHERE content_id = ? AND sequence = ?"
        entry, status = self._base.execute(query, (mark.content_id, sequence)).fetchone() or (None, None)
        if status == "accepted":
            return 0
        if status == "seen":
            self._base.execute("UPDATE entries SET status = 'accepted' WHERE entry = ?", (entry,))
            return 1
        self._delete([] if entry is None else [entry])
        self._insert(sequence, "accepted", [mark])
        return 1

    def _insert(self, sequence: int, status: Status, marks: Sequence[Fingerprint]) -> None:
        (last,) = self._base.execute("SELECT coalesce(max(entry), 0) FROM entries").fetchone()
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

    def _delete(self, entries: Sequence[int]) -> None:
        for batch in _batches(entries, _PER_BATCH):
            self._base.executemany("DELETE FROM keys WHERE key = ? AND entry = ?", self._stored_keys(batch))
            for table in ("contents", "entries"):
                self._base.executemany(f"DELETE FROM {table} WHERE entry = ?", ((entry,) for entry in batch))

    def _stored_keys(self, entries: Sequence[int]) -> list[tuple[int, int]]:
        rows = self._look_up("SELECT entry, shingles, links FROM contents WHERE entry IN (?) AND ?", entries, 1)
        return self._keys([(i, np.frombuffer(one, "<u4"), np.frombuffer(two, "<i8")) for i, one, two in rows])

    def _keys(self, contents: Sequence[tuple[int, Shingles, Keys]]) -> list[tuple[int, int]]:
        """All (key, entry) of these entries, sorted."""
        pairs = {(link, entry) for entry, _, links in contents for link in links.tolist()}
        compared = [(entry, shingles) for entry, shingles, _ in contents if len(shingles)]
        bands = band_keys(signatures([shingles for _, shingles in compared]), self.banding).view(np.int64)
        for (entry, _), keys in zip(compared, bands.tolist(), strict=True):
            pairs.update((key, entry) for key in keys)
        return sorted(pairs)

    def _look_up(self, query: str, values: Sequence[Any], last: int) -> Iterator[tuple[Any, ...]]:
        """The rows of a query with `IN (?)` and one more argument, asked for a few hundred values at a time."""
        with self._errors():
            for batch in _batches(values, _PER_QUERY):
                marks = ",".join("?" * len(batch))
                yield from self._base.execute(query.replace("IN (?)", f"IN ({marks})"), (*batch, last)).fetchall()

    def _make_tables(self) -> None:
        with self._transaction():
            if not self._base.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
                for statement in _TABLES.split(";\n"):
                    self._base.execute(statement)
                facts = [("format", FORMAT_VERSION), ("banding", _name(banding_for(DedupeSettings().jaccard_min)))]
                self._base.executemany("INSERT INTO facts VALUES (?, ?)", facts)
        if (found := self._fact("format")) != FORMAT_VERSION:
            raise CorpusError(
                f"{self.path} has format {found}, this Gristmill reads {FORMAT_VERSION}; move the file away, and the "
                "next run rebuilds it from the corpus (what was seen but not accepted is judged again)"
            )

    def _fact(self, name: str) -> str:
        (value,) = self._base.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(value)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:  # SQLite has rolled back by itself when the disk is full
                    self._base.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CorpusError(
                f"the index of seen conversations {self.path} cannot be used: {error}; if the disk is full or the file "
                "read-only or in use by another run, change that; if the file is damaged, move it away, and the next "
                "run rebuilds it from the corpus"
            ) from error


def preference(one: Earlier) -> tuple[bool, str, int]:
    """Sorts entries: accepted first, then the smallest content id, then the first recorded."""
    return one.status != "accepted", one.content_id, one.entry


def _not_there(
    marks: Iterable[Fingerprint],
    status: str,
    gone: dict[str, tuple[int, str]],
    changed: list[int],
    done: set[str],
) -> Iterator[Fingerprint]:
    """The fingerprints that are not stored under this status yet.

    Takes out of `gone` what stays, moves to `changed` what is replaced, and adds to `done` each id (given once only).
    """
    for mark in marks:
        if mark.content_id in done:
            continue
        done.add(mark.content_id)
        entry, kept_status = gone.pop(mark.content_id, (0, ""))
        if kept_status in (status, "accepted"):
            continue
        if entry:
            changed.append(entry)
        yield mark


def _bare(content_id: str) -> Fingerprint:
    return Fingerprint(content_id, 0, 0, np.empty(0, np.int64), np.empty(0, np.int64), None, np.empty(0, np.uint32))


def _read_sample(sample: Mapping[str, Any]) -> tuple[str, str, list[Turn]]:
    """Night, id and turns of a sample."""
    try:
        turns = [Turn(message["role"], message["content"]) for message in sample["messages"]]
        return str(sample.get("provenance", {}).get("night") or ""), str(sample["id"]), turns
    except (KeyError, TypeError, AttributeError) as error:
        named = sample.get("id") if isinstance(sample, Mapping) else None
        raise CorpusError(f"a corpus line (id {named!r}) is not a sample: {error!r}; repair that line") from error


def _name(banding: Banding) -> str:
    return f"{banding.n_bands} {banding.n_rows}"


def _grouped(pairs: Iterable[tuple[int, Earlier]]) -> dict[int, list[Earlier]]:
    groups: dict[int, list[Earlier]] = {}
    for key, one in pairs:
        groups.setdefault(key, []).append(one)
    return groups


def _batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch
