"""The samples of the corpus as a release sees them: one pass over all shards, which keeps numbers and no text.

Shards are read in pieces of whole lines (corpus/release_pieces.py), on all cores when there is much to read.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt

from corpus.bulk import BulkObjects
from corpus.objects import Entry
from corpus.release_pieces import CODED, Piece, PieceFacts, key_of, read_piece
from corpus.splits import Ties
from schemas.errors import CorpusError

SHARD = re.compile(r"data/(?P<expert>[a-z0-9][a-z0-9-]{0,40})/(?P<month>\d{4}-\d\d)/(?P<night>\d{4}-\d\d-\d\d)\.jsonl")

_PIECE_BYTES = 2**20
"""Of a shard in the hands of one process at once: some 400 samples."""

_PIECES_AHEAD = 32
"""For each process: there is work for the half second in which git brings the next 64 MiB of shards."""

_SMALL_BYTES = 24 * 2**20
"""A process takes 0.7 s to start and reads 20 to 40 MB/s, so less than this is quicker without."""

_PLAIN_FILE = "100644"


@dataclass(frozen=True)
class Shard:
    """A shard of the corpus; its samples are the numbers from `first` on."""

    path: str
    expert: str
    night: str
    blob: str
    sha256: str
    n_bytes: int
    first: int
    n_samples: int

    @property
    def samples(self) -> slice:
        """The places of its samples."""
        return slice(self.first, self.first + self.n_samples)


@dataclass(frozen=True)
class Samples:
    """All samples, shard by shard by path, line by line. `values` are those that the numbers of `coded` mean."""

    shards: tuple[Shard, ...]
    facts: PieceFacts
    values: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.facts.ids)

    def ties(self, without: npt.NDArray[np.bool_]) -> Ties:
        """What they are grouped by; those `without` tie nothing together."""
        nights = sorted({shard.night for shard in self.shards})
        numbers = [nights.index(shard.night) for shard in self.shards]
        night = np.repeat(np.array(numbers, np.int64), [shard.n_samples for shard in self.shards])
        ranks = np.empty(len(self), np.int64)
        ranks[np.lexsort((self.facts.ids, night))] = np.arange(len(self))
        owners, columns = np.nonzero(np.where(without[:, None], 0, self.facts.keys))
        return Ties(
            ids=self.facts.ids,
            signatures=self.facts.signatures,
            comparable=np.flatnonzero(self.facts.has_words & ~without),
            keys=self.facts.keys[owners, columns],
            owners=owners,
            ranks=ranks,
        )

    def counts(self, name: str, chosen: npt.NDArray[np.bool_]) -> dict[str, int]:
        """How many of the chosen samples have each value of a coded fact, the most frequent first."""
        values = self.values[name]
        n = np.bincount(self.facts.coded[name][1][chosen], minlength=len(values)).tolist()
        found = ((value, count) for value, count in zip(values, n, strict=True) if count)
        return dict(sorted(found, key=lambda pair: (-pair[1], pair[0])))


def read_samples(store: BulkObjects, commit: str, on_bytes: Callable[[int], None] = lambda n: None) -> Samples:
    """The samples of a commit. `on_bytes` is told of each piece read.

    Raises:
        CorpusError: a file below data/ is no shard, or a line no sample; the message names the place.
    """
    entries = shard_entries(store, commit)
    sha256: dict[str, str] = {}
    n_lines = dict.fromkeys((entry.path for entry in entries), 0)
    parts: list[PieceFacts] = []
    for piece, facts in _read(_pieces(store, entries, sha256), sum(entry.n_bytes for entry in entries)):
        parts.append(facts)
        n_lines[piece.path] += len(facts.ids)
        on_bytes(len(piece.content))
    facts, values = _together(parts)
    return Samples(tuple(_shards(entries, n_lines, sha256)), facts, values)


def shard_entries(store: BulkObjects, commit: str) -> list[Entry]:
    """The shards of a commit, by path. Raises: CorpusError: a file below data/ is no shard."""
    entries = store.entries(commit, "data")
    for entry in entries:
        if entry.mode != _PLAIN_FILE or not SHARD.fullmatch(entry.path):
            raise CorpusError(
                f"{entry.path[:120]!a} of the corpus is no shard, a plain file data/<expert>/<yyyy-mm>/<night>.jsonl; "
                "remove it there"
            )
    return entries


def _shards(entries: Iterable[Entry], n_lines: Mapping[str, int], sha256: Mapping[str, str]) -> Iterator[Shard]:
    first = 0
    for entry in entries:
        named = SHARD.fullmatch(entry.path)
        assert named
        n = n_lines[entry.path]
        yield Shard(
            entry.path, named["expert"], named["night"], entry.blob, sha256[entry.path], entry.n_bytes, first, n
        )
        first += n


def _pieces(store: BulkObjects, entries: Sequence[Entry], sha256: dict[str, str]) -> Iterator[Piece]:
    """The lines of all shards, in order; notes the digest of each shard."""
    contents = store.blobs(entry.blob for entry in entries)
    for entry, (_, content) in zip(entries, contents, strict=True):
        sha256[entry.path] = hashlib.sha256(content).hexdigest()
        expert = entry.path.split("/")[1]
        at, first = 0, 1
        while at < len(content):
            end = content.find(b"\n", min(at + _PIECE_BYTES, len(content)) - 1) + 1 or len(content)
            piece = Piece(entry.path, expert, first, content[at:end])
            first += piece.content.count(b"\n")
            at = end
            yield piece


def _read(pieces: Iterator[Piece], n_bytes: int) -> Iterator[tuple[Piece, PieceFacts]]:
    """Each piece with its facts, in order."""
    n_processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_bytes < _SMALL_BYTES or n_processes < 2:
        for piece in pieces:
            yield piece, read_piece(piece)
        return
    # Started anew, not forked: the caller may have threads.
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as workers:
        waiting: deque[tuple[Piece, Future[PieceFacts]]] = deque()
        try:
            for piece in pieces:
                waiting.append((piece, workers.submit(read_piece, piece)))
                if len(waiting) > _PIECES_AHEAD * n_processes:
                    first, facts = waiting.popleft()
                    yield first, facts.result()
            for first, facts in waiting:
                yield first, facts.result()
        finally:
            workers.shutdown(wait=True, cancel_futures=True)


def _together(parts: Sequence[PieceFacts]) -> tuple[PieceFacts, dict[str, tuple[str, ...]]]:
    """The facts of all pieces in a row, with one numbering of the values."""
    values = {name: sorted({value for part in parts for value in part.coded[name][0]}) for name in CODED}
    numbers = {name: {value: n for n, value in enumerate(found)} for name, found in values.items()}
    coded: dict[str, tuple[list[str], npt.NDArray[np.int32]]] = {}
    for name in CODED:
        own = [np.array([numbers[name][value] for value in part.coded[name][0]], np.int32) for part in parts]
        renumbered = [table[part.coded[name][1]] for table, part in zip(own, parts, strict=True)]
        coded[name] = ([], np.concatenate([*renumbered, np.empty(0, np.int32)]))
    empty = read_piece(Piece("", "", 1, b""))
    arrays = {
        name: np.concatenate([getattr(part, name) for part in [empty, *parts]])
        for name in ("ids", "signatures", "has_words", "keys", "ratings", "n_messages", "n_words")
    }
    return PieceFacts(**arrays, coded=coded), {name: tuple(found) for name, found in values.items()}


def withdrawn_keys(ids: Iterable[str], conversation_ids: Iterable[str], subjects: Iterable[str]) -> set[int]:
    """The keys that a withdrawn sample bears."""
    named = (("sample", ids), ("conversation", conversation_ids), ("subject", subjects))
    return {key_of(kind, name) for kind, names in named for name in names}


def bearing(facts: PieceFacts, keys: set[int]) -> npt.NDArray[np.bool_]:
    """Which samples bear one of these keys as their own: going on from a withdrawn one does not count."""
    own = facts.keys[:, [0, 2, 3]]
    found = np.isin(own, np.array(sorted(keys), np.uint64))
    return np.asarray(found.any(axis=1), np.bool_)


def repeated(ids: npt.NDArray[np.bytes_]) -> npt.NDArray[np.bool_]:
    """Which samples have the id of one before them."""
    _, first = np.unique(ids, return_index=True)
    is_repeat = np.ones(len(ids), np.bool_)
    is_repeat[first] = False
    return is_repeat
