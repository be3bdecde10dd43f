"""Samples that say nearly the same, found among all of them at once: for splits, where a pair must not be torn apart.

Deduplication asks which of two texts is a repeat, and verifies with all shingles of both (corpus/duplicates.py). Here
the question is coarser and is asked of the whole corpus, so a signature is what is kept of a text: 128 minima of
16 bits, 256 bytes, 256 MB for a million samples. Two texts are near when at least half of the minima are equal.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from corpus.minhash import N_BINS, banding_for

JACCARD_MIN = 0.5
"""Of word 5-grams; two texts of equal length then share two thirds of them (2s / (1 + s)). Deduplication has folded
what is above 0.8. Below 0.5 chats share what a model says to everybody; above, they share the matter, and a model that
has seen one is no longer fairly asked the other."""

N_EQUAL_MIN = round(N_BINS * JACCARD_MIN)
"""64 of 128. The standard error of the estimate at 0.5 is sqrt(0.25 / 128) = 0.044: pairs at 0.6 are found in 99 of 100
cases, pairs at 0.4 are taken for near in one of 100. Either error moves a pair between "one group" and "two groups",
never a sample between splits. By chance two minima of 16 bits are equal in one of 65,536 cases."""

_BANDING = banding_for(JACCARD_MIN)
"""42 bands of 3 minima: 995 of 1,000 pairs with exactly 64 equal minima meet in a band."""

_ALL_PAIRS_UP_TO = 16
"""Texts that agree in a band and are all compared with each other; of more, see `_pivoted`."""

_PIVOTS = 64
"""Rounds for the texts of one large run; 64 families of texts with one beginning are found, and the others meet in the
other 41 bands."""

_PAIRS_AT_ONCE = 2**17
"""Pairs compared at once: two gathered arrays of 32 MB each."""

Signatures = npt.NDArray[np.uint16]
Members = npt.NDArray[np.int64]
Pairs = tuple[Members, Members]


class Joined:
    """Members 0 to n - 1 in sets that can be joined; `roots` names each member's set by its smallest member."""

    def __init__(self, n: int) -> None:
        self.roots: Members = np.arange(n, dtype=np.int64)

    def join(self, one: Members, other: Members) -> None:
        """Joins the sets of each pair."""
        roots = self.roots
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            a, b = _root(roots, a), _root(roots, b)
            roots[max(a, b)] = min(a, b)
        while not np.array_equal(jumped := roots[roots], roots):
            roots = jumped
        self.roots = roots

    def join_equal(self, keys: npt.NDArray[np.uint64], members: Members) -> None:
        """Joins all members that have a key in common; a member may stand there several times."""
        order = np.argsort(keys, kind="stable")
        is_same = keys[order][1:] == keys[order][:-1]
        self.join(members[order][:-1][is_same], members[order][1:][is_same])


def _root(roots: Members, at: int) -> int:
    while (up := int(roots[at])) != at:
        at = up
    return at


def join_near(joined: Joined, signatures: Signatures, comparable: Members) -> None:
    """Joins the sets of all near pairs among the `comparable` members (those whose text has a word)."""
    for candidates in _met(signatures, comparable):
        one, other = candidates
        is_open = joined.roots[one] != joined.roots[other]  # most near pairs meet in several bands
        joined.join(*_near(signatures, one[is_open], other[is_open]))


def near_pairs(signatures: Signatures, members: Members) -> Iterator[tuple[int, int]]:
    """All near pairs among some members, each once, the smaller member first."""
    found = [_near(signatures, *candidates) for candidates in _met(signatures, members)]
    pairs = {(min(a, b), max(a, b)) for one, other in found for a, b in zip(one.tolist(), other.tolist(), strict=True)}
    yield from sorted(pairs)


def _near(signatures: Signatures, one: Members, other: Members) -> Pairs:
    """The pairs whose texts are near."""
    kept = [np.empty(0, np.int64)]
    for start in range(0, len(one), _PAIRS_AT_ONCE):
        at = slice(start, start + _PAIRS_AT_ONCE)
        n_equal = (signatures[one[at]] == signatures[other[at]]).sum(axis=1)
        kept.append(np.flatnonzero(n_equal >= N_EQUAL_MIN) + start)
    near = np.concatenate(kept)
    return one[near], other[near]


def _met(signatures: Signatures, members: Members) -> Iterator[Pairs]:
    """The candidates of each band: members that agree in all of its minima."""
    n_bands, n_rows = _BANDING
    for band in range(n_bands if len(members) > 1 else 0):
        keys = np.zeros(len(members), np.uint64)
        for row in range(band * n_rows, (band + 1) * n_rows):
            keys = (keys << np.uint64(16)) | signatures[members, row]
        order = np.argsort(keys, kind="stable")
        yield from _in_runs(signatures, keys[order], members[order])


def _in_runs(signatures: Signatures, keys: npt.NDArray[np.uint64], members: Members) -> Iterator[Pairs]:
    """The pairs within runs of equal keys."""
    borders = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]]))
    lengths = np.diff(borders)
    is_large = lengths > _ALL_PAIRS_UP_TO
    small = np.repeat(~is_large & (lengths > 1), lengths)
    some, own = members[small], keys[small]
    for apart in range(1, _ALL_PAIRS_UP_TO):
        is_same = own[apart:] == own[:-apart]
        if not is_same.any():
            break
        yield some[:-apart][is_same], some[apart:][is_same]
    for run in np.flatnonzero(is_large).tolist():
        yield from _pivoted(signatures, members[borders[run] : borders[run + 1]])


def _pivoted(signatures: Signatures, run: Members) -> Iterator[Pairs]:
    """Each in turn with all that none before it was near to: a large run is mostly one family, found in one round."""
    for _ in range(_PIVOTS):
        if len(run) < 2:
            return
        first, others = np.full(len(run) - 1, run[0]), run[1:]
        n_equal = np.concatenate([
            (signatures[others[start : start + _PAIRS_AT_ONCE]] == signatures[run[0]]).sum(axis=1)
            for start in range(0, len(others), _PAIRS_AT_ONCE)
        ])  # fmt: skip
        is_near = n_equal >= N_EQUAL_MIN
        yield first[is_near], others[is_near]
        run = others[~is_near]
