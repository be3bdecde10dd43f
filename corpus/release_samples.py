"""The samples of the corpus as a release sees them: one pass over all shards, which keeps numbers and no text.

Shards are read in pieces of whole lines, on all cores when there is much to read. A line is anybody's text until it is
found to be a sample: what is not stops the release, with its place.
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
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from corpus.bulk import BulkObjects
from corpus.minhash import shingle_sets, signatures
from corpus.near import Signatures
from corpus.objects import Entry
from corpus.splits import Ties
from corpus.words import word_hashes
from schemas.canonical import canonical_bytes, short_id
from schemas.conversation import ROLES
from schemas.errors import CorpusError
from schemas.sample import FORMAT_VERSION

SHARD = re.compile(r"data/(?P<expert>[a-z0-9][a-z0-9-]{0,40})/(?P<month>\d{4}-\d\d)/(?P<night>\d{4}-\d\d-\d\d)\.jsonl")

_PIECE_BYTES = 2**20
"""Of a shard in the hands of one process at once: some 400 samples."""

_PIECES_AHEAD = 32
"""For each process: there is work for the half second in which git brings the next 64 MiB of shards."""

_SMALL_BYTES = 24 * 2**20
"""A process takes 0.7 s to start and reads 20 to 40 MB/s, so less than this is quicker without."""

_PLAIN_FILE = "100644"

CODED = ("language", "licence", "model", "source", "judge")
"""Facts of which a corpus has few different values: kept as numbers."""


class Piece(NamedTuple):
    """Whole lines of a shard; `first` is the number of the first one, counted from 1."""

    path: str
    expert: str
    first: int
    content: bytes


@dataclass(frozen=True)
class PieceFacts:
    """What is kept of the lines of a piece, by line. `coded` has the values and each line's number of one."""

    ids: npt.NDArray[np.bytes_]
    signatures: Signatures
    has_words: npt.NDArray[np.bool_]
    keys: npt.NDArray[np.uint64]  # (lines, 4), see `_keys_of`; 0 for none
    ratings: npt.NDArray[np.float32]
    n_messages: npt.NDArray[np.int32]
    n_words: npt.NDArray[np.int32]
    coded: Mapping[str, tuple[list[str], npt.NDArray[np.int32]]]


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


# One piece, in a process of its own.


def read_piece(piece: Piece) -> PieceFacts:
    """What is kept of the lines of a piece. Raises: CorpusError: a line is no sample."""
    samples = [_parsed(line, piece, number) for number, line in enumerate(_lines(piece.content), piece.first)]
    words = word_hashes([_spoken(sample) for sample in samples])
    minima = signatures(shingle_sets(words))
    lengths = np.array([len(one) for one in words], np.int32)
    return PieceFacts(
        ids=np.array([bytes.fromhex(sample["id"]) for sample in samples], "S16"),
        signatures=minima.astype(np.uint16),  # its lowest 16 bits
        has_words=lengths > 0,
        keys=np.array([_keys_of(sample) for sample in samples], np.uint64).reshape(-1, 4),
        ratings=np.array([sample["verdict"]["rating"] for sample in samples], np.float32),
        n_messages=np.array([len(sample["messages"]) for sample in samples], np.int32),
        n_words=lengths,
        coded={name: _numbered([_coded(sample, name) for sample in samples]) for name in CODED},
    )


def _lines(content: bytes) -> list[bytes]:
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _parsed(line: bytes, piece: Piece, number: int) -> dict[str, Any]:
    """The sample in a line, as far as a release reads it; everything else was checked when it came in."""
    place = f"{piece.path}, line {number}"
    try:
        sample: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise CorpusError(f"the corpus has a damaged line ({place}): {error}; mend it there") from error
    try:
        problem = _problem(sample, piece.expert)
    except (KeyError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {str(error)[:60]!a}"
    if problem:
        raise CorpusError(f"the corpus has a line that is no sample ({place}: {problem}); mend it there")
    return sample


def _problem(sample: Mapping[str, Any], expert: str) -> str | None:
    """What is wrong with a line, None when nothing is. Raises KeyError and the like where its form is another one."""
    messages, origin = sample["messages"], sample["provenance"]
    if sample["format"] != FORMAT_VERSION:
        return f"its format is not {FORMAT_VERSION}"
    said = [[message["role"], message["content"]] for message in messages]
    if not said or not all(role in ROLES and isinstance(content, str) for role, content in said):
        return "its messages are not roles and texts"
    if sample["id"] != short_id(said):
        return "its id is not that of its messages: the text was changed"
    if sample["expert"] != expert:
        return "it is in the folder of another expert"
    if type(sample["verdict"]["rating"]) not in (int, float):
        return "its rating is no number"
    if not all(isinstance(origin[name], str) for name in ("conversation_id", "licence", "source")):
        return "its provenance is not of its form"
    if not all(origin[name] is None or isinstance(origin[name], str) for name in _MAY_BE_NULL):
        return "its provenance is not of its form"
    return None


_MAY_BE_NULL = ("subject", "extends", "language", "model")


def _spoken(sample: Mapping[str, Any]) -> str:
    """As corpus/fingerprint.py: what the system says to everybody makes nobody alike."""
    said = (message["content"] for message in sample["messages"] if message["role"] in ("user", "assistant"))
    return "\n".join(said)


def _keys_of(sample: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Its id, the id that it goes on from, its conversation and its contributor."""
    origin = sample["provenance"]
    return (
        key_of("sample", sample["id"]),
        key_of("sample", origin["extends"]),
        key_of("conversation", origin["conversation_id"]),
        key_of("subject", origin["subject"]),
    )


def key_of(kind: str, name: str | None) -> int:
    """A name as a number, 0 for none. Two of 10^7 names meet with probability 10^14 / 2 / 2^64, under 3e-6."""
    if not name:
        return 0
    said = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(said, digest_size=8, person=kind.encode()).digest())


def _coded(sample: Mapping[str, Any], name: str) -> str:
    if name == "judge":
        return canonical_bytes(sample["verdict"]["judge"]).decode()
    return str(sample["provenance"][name] or "")


def _numbered(found: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int32]]:
    numbers: dict[str, int] = {}
    places = [numbers.setdefault(value, len(numbers)) for value in found]
    return list(numbers), np.array(places, np.int32)


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
