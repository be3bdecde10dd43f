"""What the corpus ever accepted or saw: fingerprints kept in `var/`, so that a night costs what its new data costs.

One SQLite file, because the question is a few dozen point look-ups for each new conversation: a B-tree answers them in
time that hardly grows with the corpus, while a column store reads its whole index every night. Measured for a night of
500 conversations on 2 cores, with made-up keys: beside 100,000 kept conversations 0.02 s, and 0.04 s by a scan in
DuckDB; beside 1,000,000 0.06 s and 0.33 s (benchmarks/dedupe.py measures both with real ones). It is
kept in the file of corpus/seen_file.py: hashes, never text.

Nights have a sequence: the order in which they were first recorded. A night sees only the nights before it, also when
it is run again after later ones, so killing it at any instant and repeating it gives the same result. `record` replaces
a night's entries in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from corpus.fingerprint import Fingerprint, fingerprints
from corpus.minhash import Banding, Shingles
from corpus.seen_file import PER_BATCH, SeenFile, Status, batches
from schemas.conversation import Turn
from schemas.errors import CorpusError


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
        self._file = SeenFile(self.path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    @property
    def banding(self) -> Banding:
        """How the kept signatures are cut into bands."""
        return self._file.banding

    def use(self, banding: Banding) -> None:
        """Makes the kept bands those of `banding`: if the threshold changed, they are cut anew from all shingles."""
        self._file.use(banding)

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
        ((last,),) = self._file.execute("SELECT coalesce(max(sequence), 0) FROM nights")
        return self._known_night(night) or int(last) + 1

    def by_content_id(self, content_ids: Collection[str], before: int) -> dict[str, Earlier]:
        """The entries of these ids from nights before that sequence; of several the accepted, then the first."""
        query = f"{_entries('content_id')} WHERE content_id IN (?) AND sequence < ?"
        found = [one for _, one in self._answers(self._file.look_up(query, sorted(content_ids), before))]
        return {one.content_id: one for one in sorted(found, key=preference, reverse=True)}

    def by_end(self, ends: Collection[int], before: int) -> dict[int, list[Earlier]]:
        """The entries whose whole chain ends in one of these links, by link."""
        query = f"{_entries('end')} WHERE end IN (?) AND sequence < ?"
        return _grouped(self._answers(self._file.look_up(query, sorted(ends), before)))

    def by_key(self, keys: Collection[int], before: int) -> dict[int, list[Earlier]]:
        """The entries that have one of these links, openings or bands, by key."""
        query = f"{_entries('key')} JOIN keys USING (entry) WHERE key IN (?) AND sequence < ?"
        return _grouped(self._answers(self._file.look_up(query, sorted(keys), before)))

    def meeting(self, keys: Collection[int], before: int, at_most: int) -> Iterator[Earlier]:
        """The entries that have these links, openings or bands, once for each; of one key the first recorded."""
        entries = "SELECT entry FROM keys WHERE key = ? ORDER BY entry LIMIT ?"
        query = f"{_entries('entry')} WHERE entry IN ({entries}) AND sequence < ?"
        for key in sorted(keys):
            for _, one in self._answers(self._file.execute(query, key, at_most, before)):
                yield one

    def shingles(self, entry: int) -> Shingles:
        """The shingles of one entry that is no duplicate."""
        ((blob,),) = self._file.execute("SELECT shingles FROM contents WHERE entry = ?", entry)
        return np.frombuffer(blob, "<u4")

    def counts(self) -> dict[str, int]:
        """How many entries have each status."""
        found = self._file.execute("SELECT status, count(*) FROM entries GROUP BY status ORDER BY status")
        return dict(found)

    def record(self, night: str, kept: Iterable[Fingerprint], duplicates: Iterable[str]) -> None:
        """Makes these the night's entries, in one transaction; those that already stand there cost nothing.

        `duplicates` are content ids of dropped rows, which are known by id alone. Accepted samples stay.
        """
        with self._file.transaction():
            sequence = self._known_night(night) or self._new_night(night)
            query = "SELECT content_id, entry, status FROM entries WHERE sequence = ?"
            gone = {content_id: (entry, status) for content_id, entry, status in self._file.execute(query, sequence)}
            changed: list[int] = []
            bare = (_bare(content_id) for content_id in duplicates)
            done: set[str] = set()
            statuses: list[tuple[Status, Iterable[Fingerprint]]] = [("seen", kept), ("duplicate", bare)]
            for status, marks in statuses:
                new = _not_there(marks, status, gone, changed, done)
                for batch in batches(new, PER_BATCH):
                    self._file.delete(changed)
                    changed.clear()
                    self._file.insert(sequence, status, batch)
            self._file.delete([entry for entry, status in gone.values() if status != "accepted"])

    def forget_night(self, night: str) -> None:
        """Removes a night that was given up: what it saw counts as new, and its date as never run.

        A night with accepted samples keeps those, and its place in the sequence.
        """
        self.record(night, [], [])
        with self._file.transaction():
            self._file.execute(
                "DELETE FROM nights WHERE night = ? AND sequence NOT IN (SELECT sequence FROM entries)", night
            )

    def corpus_head(self) -> str | None:
        """The commit up to which `add_accepted` has read the corpus; None in a new index, which must read all."""
        return self._file.fact("corpus_head")

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
        with self._file.transaction():
            new_nights: dict[str, int] = {}  # under a negative number until all are known
            for batch in batches(samples, PER_BATCH):
                read = [_read_sample(sample) for sample in batch]
                marks = fingerprints([(sample_id, turns) for _, sample_id, turns in read])
                for (night, _, _), mark in zip(read, marks, strict=True):
                    place = self._known_night(night) or new_nights.setdefault(night, -1 - len(new_nights))
                    n_new += self._accept(place, mark)
            for night in sorted(new_nights):
                final = (self._new_night(night), new_nights[night])
                self._file.execute("UPDATE entries SET sequence = ? WHERE sequence = ?", *final)
            if head is not None:
                self._file.set_fact("corpus_head", head)
        return n_new

    def forget(self, content_ids: Collection[str]) -> int:
        """Removes every entry of these ids, as retraction demands, and says how many there were."""
        with self._file.transaction():
            found = self._file.look_up(
                "SELECT entry FROM entries WHERE content_id IN (?) AND ?", sorted(content_ids), 1
            )
            gone = [entry for (entry,) in found]
            self._file.delete(gone)
        return len(gone)

    def _known_night(self, night: str | None) -> int | None:
        found = self._file.first("SELECT sequence FROM nights WHERE night = ?", night)
        return int(found[0]) if found else None

    def _new_night(self, night: str) -> int:
        sequence = self.sequence(None)
        self._file.execute("INSERT INTO nights VALUES (?, ?)", sequence, night)
        return sequence

    def _accept(self, sequence: int, mark: Fingerprint) -> int:
        query = "SELECT entry, status FROM entries WHERE content_id = ? AND sequence = ?"
        entry, status = self._file.first(query, mark.content_id, sequence) or (None, None)
        if status == "accepted":
            return 0
        if status == "seen":
            self._file.execute("UPDATE entries SET status = 'accepted' WHERE entry = ?", entry)
            return 1
        self._file.delete([] if entry is None else [entry])
        self._file.insert(sequence, "accepted", [mark])
        return 1


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


def _grouped(pairs: Iterable[tuple[int, Earlier]]) -> dict[int, list[Earlier]]:
    groups: dict[int, list[Earlier]] = {}
    for key, one in pairs:
        groups.setdefault(key, []).append(one)
    return groups
