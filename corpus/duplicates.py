"""Which rows of a night repeat another: the decision of `deduplicate`, apart from its files.

The order of survivors: what earlier nights accepted, then what they saw, then tonight's rows, the longest first (more
turns, then more words), and among equally long ones the smallest content id and the smallest conversation id. Rows are
taken in that order; a row is dropped when it is a verified duplicate of an entry or of a row that was *kept*, never
because it resembles another dropped one. So of a chain A ~ B ~ C in which A and C differ, two stay. The result does not
depend on the order of the rows in the file, and taking the kept rows alone drops nothing more.

Withdrawn rows come before all others: they are dropped, and what repeats them is dropped, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from corpus.fingerprint import Keys
from corpus.minhash import Shingles, jaccard, n_shared
from corpus.seen import Earlier, Seen, preference
from corpus.spill import Spill

Kind = Literal["exact", "prefix", "near", "withdrawn"]

_PER_LOOK_UP = 512
"""Rows whose keys are looked up together: it bounds what is held of the index and lets its reads be sorted."""


_VERIFIED_AT_MOST = 128
"""Candidates of one row that are compared, those that share the most bands first. Only large families of chats just
below the threshold (one long prompt, many short answers) have more, and 17,000 of them would cost 17,000^2 / 2
comparisons of 15 microseconds, half an hour. A pair at 0.8 shares 5.5 bands of 21 on average, one at 0.7 shares 2.5."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of tonight. `place` is its number in the file, `spilled` the number of its fingerprint.

    `exact` is the entry with the same content id; then nothing else is known of the row, or needed.
    """

    place: int
    conversation_id: str
    content_id: str
    exact: Earlier | None = None
    spilled: int = -1
    length: tuple[int, int] = (0, 0)
    n_shingles: int = 0
    end: int | None = None
    last_opening: int | None = None


Peer = Candidate | Earlier


@dataclass(frozen=True, slots=True)
class Repeat:
    """Why a row is dropped: `of` is the survivor, None for a row that was itself withdrawn, as `tombstone` says."""

    kind: Kind
    of: Peer | None = None
    jaccard: float | None = None
    tombstone: str = ""

    def evidence(self) -> str:
        """The survivor's id (tonight's conversation id, or an earlier night's content id) and the similarity."""
        if self.of is None:
            return self.tombstone
        night = f" of night {self.of.night or 'unknown'}" if isinstance(self.of, Earlier) else ""
        return f"of {peer_id(self.of)}{night}" + ("" if self.jaccard is None else f" jaccard {self.jaccard:.2f}")


def peer_id(peer: Peer) -> str:
    """The name of a survivor in evidence and clusters."""
    return peer.content_id if isinstance(peer, Earlier) else peer.conversation_id


@dataclass
class Night:
    """Tonight's rows: candidates in the order of the file, their fingerprints, and all their keys in a row.

    `keys` holds for each fingerprint its bands, then its links and openings; `ends[n]` is where those of the n-th end.
    """

    candidates: list[Candidate]
    spill: Spill
    keys: Keys
    ends: npt.NDArray[np.int64]
    n_bands: int

    @cached_property
    def _is_shared(self) -> npt.NDArray[np.bool_]:
        """By key, whether another row has it, too: the others, most of them, need no table."""
        ranked = np.sort(self.keys)
        repeated = ranked[1:][ranked[1:] == ranked[:-1]]
        places = np.searchsorted(repeated, self.keys)
        return np.append(repeated, 0).take(places) == self.keys if len(repeated) else np.zeros(len(self.keys), np.bool_)

    def _span(self, row: Candidate) -> slice:
        return slice(int(self.ends[row.spilled - 1]) if row.spilled else 0, int(self.ends[row.spilled]))

    def shared_keys(self, row: Candidate) -> list[int]:
        """The keys of a row that some other row of tonight has."""
        span = self._span(row)
        return list(self.keys[span][self._is_shared[span]].tolist())

    def bands(self, row: Candidate) -> list[int]:
        """The bands of a row; none for one without words."""
        start = self._span(row).start
        return list(self.keys[start : start + self.n_bands].tolist()) if row.n_shingles else []

    def questions(self, row: Candidate) -> list[int]:
        """The keys under which an entry stands that the row may repeat."""
        return [*self.bands(row), *(key for key in (row.end, row.last_opening) if key is not None)]


@dataclass
class Findings:
    """By place in the file: what is dropped, and the content id of the entry that a kept row extends.

    `n_candidates` are pairs that met in a band, `n_verified` those of them whose true similarity is high enough.
    """

    repeats: dict[int, Repeat] = field(default_factory=dict)
    extends: dict[int, str] = field(default_factory=dict)
    n_candidates: int = 0
    n_verified: int = 0


def find_repeats(
    night: Night, *, jaccard_min: float, seen: Seen | None, before: int, withdrawn: Mapping[str, str]
) -> Findings:
    """What `deduplicate` drops, compared with tonight's rows and with the entries of nights before `before`.

    `withdrawn` are the content ids that must not return, with the evidence.
    """
    return _Search(night, jaccard_min, seen, before, withdrawn).run()


class _Search:
    def __init__(
        self, night: Night, jaccard_min: float, seen: Seen | None, before: int, withdrawn: Mapping[str, str]
    ) -> None:
        self._night, self._seen, self._before = night, seen, before
        self._jaccard_min, self._withdrawn = jaccard_min, withdrawn
        self._findings = Findings()
        self._survivors: dict[str, Candidate] = {}  # by content id
        self._tonight: dict[int, list[Candidate]] = {}  # survivors by shared key
        self._entries: dict[int, list[Earlier]] = {}  # of earlier nights, by key: those that the present rows ask for
        self._entries_by_end: dict[int, list[Earlier]] = {}

    def run(self) -> Findings:
        rows = sorted(self._night.candidates, key=self._rank)
        for start in range(0, len(rows), _PER_LOOK_UP):
            some = rows[start : start + _PER_LOOK_UP]
            self._look_up([row for row in some if row.exact is None])
            for row in some:
                self._settle(row)
        return self._findings

    def _rank(self, row: Candidate) -> tuple[bool, int, int, str, str]:
        turns, words = row.length
        return row.content_id not in self._withdrawn, -turns, -words, row.content_id, row.conversation_id

    def _look_up(self, rows: Sequence[Candidate]) -> None:
        if self._seen is None:
            return
        questions = {key for row in rows for key in self._night.questions(row)}
        beginnings = {link for row in rows for link in self._beginnings(row)}
        self._entries = self._seen.by_key(questions, self._before)
        self._entries_by_end = self._seen.by_end(beginnings, self._before)

    def _beginnings(self, row: Candidate) -> list[int]:
        """The links of a row's chain but the last, the longest beginning first."""
        chain, _ = self._night.spill.links(row.spilled)
        return list(chain[:-1][::-1].tolist())

    def _settle(self, row: Candidate) -> None:
        repeat = self._repeat(row)
        if repeat is not None:
            self._findings.repeats[row.place] = repeat
        elif (extended := self._extended(row)) is not None:
            self._findings.extends[row.place] = extended.content_id
        if repeat is None or (repeat.kind == "withdrawn" and row.exact is None):
            self._survivors.setdefault(row.content_id, row)
            for key in self._night.shared_keys(row):
                self._tonight.setdefault(key, []).append(row)

    def _repeat(self, row: Candidate) -> Repeat | None:
        if row.content_id in self._withdrawn:
            return Repeat("withdrawn", tombstone=self._withdrawn[row.content_id])
        if exact := row.exact or self._survivors.get(row.content_id):
            return Repeat("exact", exact)
        return self._best(self._prefixes(row)) or self._best(self._nears(row))

    def _best(self, repeats: Iterator[Repeat]) -> Repeat | None:
        return min(repeats, key=_preference, default=None)

    def _extended(self, row: Candidate) -> Earlier | None:
        if self._seen is None:
            return None
        found = (self._entries_by_end.get(link) for link in self._beginnings(row))
        return min(next(filter(None, found), []), key=preference, default=None)

    def _peers(self, keys: Sequence[int]) -> list[Peer]:
        """The entries and survivors that have one of these keys, each once; those that share the most keys first."""
        found = [peer for key in keys for peer in (*self._entries.get(key, ()), *self._tonight.get(key, ()))]
        shared = Counter(map(id, found))
        peers = {id(peer): peer for peer in found}.values()
        return sorted(peers, key=lambda peer: (-shared[id(peer)], isinstance(peer, Candidate), _identity(peer)))

    def _prefixes(self, row: Candidate) -> Iterator[Repeat]:
        for peer in self._peers([] if row.end is None else [row.end]):
            # Equal turns under different content ids: only the system prompt differs.
            is_longer = peer.end != row.end
            yield Repeat("prefix", peer) if is_longer else Repeat("near", peer, 1.0)
        for peer in self._peers([] if row.last_opening is None else [row.last_opening]):
            if peer.n_shingles > row.n_shingles and self._is_cut(row, peer):
                yield Repeat("prefix", peer)

    def _is_cut(self, row: Candidate, peer: Peer) -> bool:
        """Whether all that a row says stands in its peer, but for its last shingle, which the cut may have spoilt."""
        return n_shared(self._shingles(row), self._shingles(peer)) >= row.n_shingles - 1

    def _nears(self, row: Candidate) -> Iterator[Repeat]:
        peers = self._peers(self._night.bands(row))
        self._findings.n_candidates += len(peers)
        for peer in peers[:_VERIFIED_AT_MOST]:
            few, many = sorted((row.n_shingles, peer.n_shingles))
            if few < self._jaccard_min * many:  # the sizes alone bound the similarity
                continue
            similarity = jaccard(self._shingles(row), self._shingles(peer))
            if similarity >= self._jaccard_min:
                self._findings.n_verified += 1
                yield Repeat("near", peer, similarity)

    def _shingles(self, peer: Peer) -> Shingles:
        if isinstance(peer, Candidate):
            return self._night.spill.shingles(peer.spilled)
        assert self._seen is not None
        return self._seen.shingles(peer.entry)


def _preference(repeat: Repeat) -> tuple[bool, bool, float, tuple[str, str]]:
    """Sorts repeats: of accepted, of seen, of tonight; then the most similar, then the smallest id."""
    peer = repeat.of
    assert peer is not None
    is_accepted = isinstance(peer, Earlier) and peer.status == "accepted"
    return not is_accepted, isinstance(peer, Candidate), -(repeat.jaccard or 0.0), _identity(peer)


def _identity(peer: Peer) -> tuple[str, str]:
    return peer.content_id, peer.night if isinstance(peer, Earlier) else peer.conversation_id
