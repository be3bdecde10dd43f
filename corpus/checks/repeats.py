"""What a change adds and the corpus has already: ids, near-duplicates, and what was withdrawn.

The whole corpus is read once, whatever the change is: 3,700 real chats (27 MB) a second on one core, so 27 s for
100,000 samples and four and a half minutes for a million; memory grows with the change alone, besides one batch of
files. A change that adds no sample costs nothing. A night was compared with kept fingerprints (`Seen`) before already.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from corpus.bulk import BulkObjects
from corpus.checks.problem import Problem, problem
from corpus.checks.text_file import ParsedLine
from corpus.fingerprint import Fingerprint, fingerprints
from corpus.minhash import band_keys, banding_for, jaccard, signatures
from corpus.proposal import origin_of
from corpus.tombstones import Withdrawn
from schemas.conversation import Turn, content_id
from schemas.errors import CorpusError

_PER_BATCH = 64
_VERIFIED_AT_MOST = 128
"""Candidates of one line that are compared, those that share the most bands first, as in `deduplicate`."""

_ID = re.compile(rb'[{,]"id":"([0-9a-f]{32})"')
"""The id of a canonical line: inside a text the quotes are escaped, and no other key is called so."""


@dataclass(frozen=True)
class Added:
    """A line that a change adds, with the content id of its messages.

    `origin` is the same for a sample and the edits of it, None for what is no sample of a night.
    """

    line: ParsedLine
    content_id: str
    origin: str | None = None

    @classmethod
    def of(cls, line: ParsedLine, *, is_sample: bool = False) -> Added:
        """That of a line with sound messages."""
        return cls(line, content_id(_turns(line.plain)), origin_of(line.plain) if is_sample else None)

    def is_version_of(self, other: Added) -> bool:
        """Whether both are of one sample: which of them stays is the reviewers' to say."""
        return self.origin is not None and self.origin == other.origin

    def found(self, code: str, what: str) -> Problem:
        """A problem of the line."""
        return problem(self.line.path, self.line.number, code, what)


def withdrawn_problems(added: Sequence[Added], withdrawn: Withdrawn) -> Iterator[Problem]:
    """The lines that a tombstone keeps out."""
    if not withdrawn.stones:
        return
    for one, mark in zip(added, _marks(added), strict=True):
        origin = one.line.plain.get("provenance", {})
        named = withdrawn.named(one.content_id, origin.get("conversation_id"), origin.get("subject"))
        if why := named or withdrawn.resembled(mark):
            yield one.found("withdrawn", why)


def repeat_problems(
    added: Sequence[Added],
    earlier: Callable[[], Iterator[bytes]],
    *,
    jaccard_min: float | None,
    on_bytes: Callable[[int], None] | None = None,
) -> Iterator[Problem]:
    """The lines that repeat another of the change, or one of the corpus.

    Args:
        added: the lines, in the order in which the first of two alike counts as the original.
        earlier: gives the files of samples that the corpus has.
        jaccard_min: near-duplicates share this much of their word 5-grams; None: only equal ones are looked for.
        on_bytes: called with the size of each file read.
    """
    if not added:
        return
    search = _Search(added, jaccard_min)
    yield from search.within()
    for content in earlier():
        yield from search.against(content)
        if on_bytes:
            on_bytes(len(content))
    yield from search.nearest()


def repeated(added: Sequence[Added], earlier: Iterable[bytes], jaccard_min: float) -> dict[str, str]:
    """Content id of each added line that a file of the corpus repeats, and the id of what it repeats most."""
    search = _Search(added, jaccard_min)
    for content in earlier:
        for _ in search.against(content):
            pass
    return search.repeats()


class _Search:
    """The added lines, ready to be compared with the corpus, one file after the other."""

    def __init__(self, added: Sequence[Added], jaccard_min: float | None) -> None:
        self._added = added
        self._jaccard_min = jaccard_min
        self._by_id: dict[str, list[int]] = {}
        for place, one in enumerate(added):
            self._by_id.setdefault(one.content_id, []).append(place)
        self._near: dict[int, tuple[float, str]] = {}
        self._is_exact: set[int] = set()
        if jaccard_min is not None:
            self._banding = banding_for(jaccard_min)
            self._marks = list(_marks(added))
            self._by_band: dict[int, list[int]] = {}
            for place, bands in enumerate(self._bands(self._marks)):
                for band in bands:
                    self._by_band.setdefault(band, []).append(place)

    def within(self) -> Iterator[Problem]:
        """Lines that repeat an earlier line of the change."""
        for places in self._by_id.values():
            first = self._added[places[0]].line
            for place in places[1:]:
                self._is_exact.add(place)
                if self._added[place].is_version_of(self._added[places[0]]):
                    continue
                yield self._added[place].found("exact_duplicate", f"it says the same as {first.path}:{first.number}")
        if self._jaccard_min is None:
            return
        for place, bands in enumerate(self._bands(self._marks)):
            met = Counter(other for band in bands for other in self._by_band[band] if other < place)
            for other in _most_met(met):
                if other not in self._is_exact and place not in self._is_exact:
                    if self._added[place].is_version_of(self._added[other]):
                        continue
                    line = self._added[other].line
                    self._compare(place, self._marks[other], f"{line.path}:{line.number}")

    def against(self, content: bytes) -> Iterator[Problem]:
        """Lines whose id stands in a file of the corpus; near-duplicates are kept for `nearest`."""
        lines = [line for line in content.split(b"\n") if line]
        for line in lines:
            known = _id(line)
            for place in self._by_id.get(known, ()):
                if place not in self._is_exact:
                    self._is_exact.add(place)
                    yield self._added[place].found("exact_duplicate", f"the corpus has it as {known}")
        if self._jaccard_min is not None:
            for start in range(0, len(lines), _PER_BATCH):
                self._compare_batch(lines[start : start + _PER_BATCH])

    def nearest(self) -> Iterator[Problem]:
        """Each near-duplicate with the most similar of what it repeats."""
        for place, (similarity, of) in sorted(self._near.items()):
            if place not in self._is_exact:
                found = f"it shares {similarity:.2f} of its word 5-grams with {of}"
                yield self._added[place].found("near_duplicate", found)

    def repeats(self) -> dict[str, str]:
        """What was found so far, by content id; lines that are equal repeat themselves."""
        near = {self._added[place].content_id: of for place, (_, of) in sorted(self._near.items())}
        return near | {one: one for one in sorted(self._added[place].content_id for place in self._is_exact)}

    def _compare_batch(self, lines: Sequence[bytes]) -> None:
        marks = list(fingerprints([_known(line) for line in lines]))
        for mark, bands in zip(marks, self._bands(marks), strict=True):
            met = Counter(place for band in bands for place in self._by_band.get(band, ()))
            for place in _most_met(met):
                if mark.content_id != self._added[place].content_id:
                    self._compare(place, mark, mark.content_id)

    def _compare(self, place: int, mark: Fingerprint, of: str) -> None:
        assert self._jaccard_min is not None
        few, many = sorted((len(self._marks[place].shingles), len(mark.shingles)))
        if few < self._jaccard_min * many:  # the sizes alone bound the similarity
            return
        similarity = jaccard(self._marks[place].shingles, mark.shingles)
        if similarity >= self._jaccard_min:
            self._near[place] = max(self._near.get(place, (0.0, "")), (similarity, of))

    def _bands(self, marks: Sequence[Fingerprint]) -> Iterator[list[int]]:
        """The bands of each mark; of those asked about the corpus only the ones that the change has."""
        for start in range(0, len(marks), _PER_BATCH):
            some = marks[start : start + _PER_BATCH]
            keys = band_keys(signatures([mark.shingles for mark in some]), self._banding)
            for mark, row in zip(some, keys, strict=True):
                yield row.tolist() if len(mark.shingles) else []


def _most_met(met: Counter[int]) -> list[int]:
    return [place for place, _ in sorted(met.items(), key=lambda item: (-item[1], item[0]))[:_VERIFIED_AT_MOST]]


def _marks(added: Sequence[Added]) -> Iterator[Fingerprint]:
    for start in range(0, len(added), _PER_BATCH):
        yield from fingerprints([(one.content_id, _turns(one.line.plain)) for one in added[start : start + _PER_BATCH]])


def _id(line: bytes) -> str:
    """The id of a line of the corpus; a contribution has none until it is computed."""
    found = _ID.search(line)
    return found[1].decode() if found else _known(line)[0]


def _known(line: bytes) -> tuple[str, list[Turn]]:
    try:
        turns = _turns(orjson.loads(line))
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CorpusError("the base has a line of samples that cannot be read; mend it there first") from error
    return content_id(turns), turns


def _turns(plain: Mapping[str, object]) -> list[Turn]:
    messages = plain["messages"]
    if not isinstance(messages, list):
        raise TypeError("messages")
    return [Turn(message["role"], message["content"]) for message in messages]


def corpus_files(
    store: BulkObjects, commit: str, folders: Sequence[str], leaving_out: Collection[str]
) -> Iterator[bytes]:
    """The files of lines that a commit has in some folders, apart from some paths."""
    entries = [one for folder in folders for one in store.entries(commit, folder)]
    wanted = [one.blob for one in entries if one.path not in leaving_out and one.path.endswith(".jsonl")]
    yield from (content for _, content in store.blobs(dict.fromkeys(wanted)))
