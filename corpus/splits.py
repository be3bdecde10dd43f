"""Which samples are for training, for validation, and for the sealed holdout: by groups that no split tears apart.

**Groups.** Samples belong together when their texts are near (corpus/near.py), when they are of one contributor, of one
conversation (so an edit stays with what it was made from, and branches of a tree stay together), or when one goes on
where the other ends (`extends`); and so on along such ties.

**A new group** gets its split from a hash of its smallest sample id: below `test_share` the holdout, below that plus
`validation_share` validation, else training. A group that would make up more than a fifth of its split is for training
however its hash falls: a holdout of one contributor measures that contributor.

**As the corpus grows** a sample keeps the split of the earlier release, and new samples join the split of the group
that they are tied to. A new sample that is tied to two splits belongs to neither and is left out. So is one of an
earlier release that is found to be tied to another split: the holdout stays, then validation, and training yields.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.near import Joined, Members, Signatures, join_near, near_pairs
from schemas.errors import InputError
from schemas.release import SPLITS, Split

RULE = "gristmill-groups-1"
"""To be raised whenever the same samples would be split otherwise; earlier releases keep what they have."""

NO_SPLIT = -1
_TRAIN, _VALIDATION, _TEST = range(len(SPLITS))
_FIRST_KEPT = (_TEST, _VALIDATION, _TRAIN, NO_SPLIT)
"""Who stays where ties lead to two splits; the new ones come last."""

_PART_OF_SPLIT_MAX = 5
"""One fifth: of a holdout with less than five groups the figures would be those of a contributor or a template."""


@dataclass(frozen=True)
class SplitRule:
    """The shares of new groups that are set aside, 0 to 1."""

    validation_share: float
    test_share: float
    name: str = RULE

    def to_json(self) -> dict[str, Any]:
        """As the manifest states it."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> SplitRule:
        """The rule that a manifest states.

        Raises:
            InputError: it is not one that this version knows.
        """
        if plain.get("name") != RULE or set(plain) != {"name", "validation_share", "test_share"}:
            raise InputError(f"samples are split by the rule {plain.get('name')!r:.60}; this Gristmill knows {RULE}")
        shares = [plain["validation_share"], plain["test_share"]]
        if any(not isinstance(share, (int, float)) or not 0 <= share <= 1 for share in shares) or sum(shares) > 1:
            raise InputError("the shares of validation and test must lie between 0 and 1, and so must their sum")
        return cls(float(shares[0]), float(shares[1]))


@dataclass(frozen=True)
class Ties:
    """What `n` samples are grouped by, by their number.

    `ids` are 16 bytes each. `comparable` are the samples whose text has a word. `keys` and `owners` say which sample
    bears which key; samples with a key in common belong together. `ranks` orders new samples in time.
    """

    ids: npt.NDArray[np.bytes_]
    signatures: Signatures
    comparable: Members
    keys: npt.NDArray[np.uint64]
    owners: Members
    ranks: Members


@dataclass(frozen=True)
class Assigned:
    """By sample: its split as a number into `SPLITS` (`NO_SPLIT`: left out) and its group (that of a member)."""

    splits: npt.NDArray[np.int8]
    groups: Members


def split_of(group_id: str, n_members: int, n_samples: int, rule: SplitRule) -> Split:
    """The split of a new group with this smallest id, of a corpus with `n_samples`."""
    drawn = int.from_bytes(hashlib.sha256(f"{rule.name} {group_id}".encode()).digest()[:8]) / 2**64
    if drawn < rule.test_share:
        found, share = _TEST, rule.test_share
    elif drawn < rule.test_share + rule.validation_share:
        found, share = _VALIDATION, rule.validation_share
    else:
        return SPLITS[_TRAIN]
    limit = max(1.0, n_samples * share / _PART_OF_SPLIT_MAX)
    return SPLITS[found] if n_members <= limit else SPLITS[_TRAIN]


def assign(
    ties: Ties, earlier: npt.NDArray[np.int8], rule: SplitRule, without: npt.NDArray[np.bool_] | None = None
) -> Assigned:
    """The split of every sample.

    Args:
        ties: the samples, in any order: the result does not depend on it.
        earlier: the split that each had in the release before, `NO_SPLIT` for a new one.
        rule: for new groups.
        without: samples that get no split and tie nothing together.
    """
    absent = np.flatnonzero(without) if without is not None else np.empty(0, np.int64)
    earlier = earlier.copy()
    earlier[absent] = NO_SPLIT
    joined = Joined(len(ties.ids))
    joined.join_equal(ties.keys, ties.owners)
    join_near(joined, ties.signatures, ties.comparable)
    groups, torn_out = _untangled(ties, earlier, joined.roots)
    left_out = np.concatenate([torn_out, absent]).astype(np.int64)
    splits = earlier.copy()
    for members, split in _split_groups(ties.ids, groups, earlier, left_out, rule):
        splits[members] = split
    splits[left_out] = NO_SPLIT
    return Assigned(splits, groups)


def _split_groups(
    ids: npt.NDArray[np.bytes_], groups: Members, earlier: npt.NDArray[np.int8], left_out: Members, rule: SplitRule
) -> Iterator[tuple[Members, int]]:
    """The members of each group with the split that one of them had, or that the hash gives."""
    is_in = np.ones(len(groups), np.bool_)
    is_in[left_out] = False
    order = np.lexsort((ids, groups))
    order = order[is_in[order]]
    if not len(order):
        return
    borders = np.flatnonzero(np.concatenate([[True], groups[order][1:] != groups[order][:-1], [True]])).tolist()
    known = np.maximum.reduceat(earlier[order], borders[:-1]).tolist()
    for first, end, split in zip(borders[:-1], borders[1:], known, strict=True):
        if split == NO_SPLIT:
            name = ids[order[first]].ljust(16, b"\0").hex()  # numpy drops zeros at the end
            split = SPLITS.index(split_of(name, end - first, len(groups), rule))
        yield order[first:end], split


# What belongs to two splits.


def _untangled(ties: Ties, earlier: npt.NDArray[np.int8], roots: Members) -> tuple[Members, Members]:
    """The groups, with those that hold two splits of the earlier release taken apart, and who had to leave for it."""
    torn = _torn(earlier, roots)
    if not len(torn):
        return roots, torn
    members = np.flatnonzero(np.isin(roots, torn))
    untangled = _Untangling(earlier)
    by_key = _neighbours_by_key(ties, members)
    near = _neighbours(near_pairs(ties.signatures, np.intersect1d(members, ties.comparable)))
    for member in sorted(members.tolist(), key=lambda one: (_FIRST_KEPT.index(earlier[one]), ties.ranks[one])):
        untangled.add(member, by_key[member], near[member])
    groups = roots.copy()
    for member in members.tolist():
        groups[member] = untangled.root(member)
    return groups, np.array(sorted(untangled.left_out), np.int64)


def _torn(earlier: npt.NDArray[np.int8], roots: Members) -> Members:
    """The groups that hold two splits."""
    known = np.flatnonzero(earlier != NO_SPLIT)
    pairs = np.unique(np.stack([roots[known], earlier[known].astype(np.int64)]), axis=1)
    found, n_splits = np.unique(pairs[0], return_counts=True)
    return found[n_splits > 1]


def _neighbours_by_key(ties: Ties, members: Members) -> Mapping[int, list[int]]:
    """Member to the keys that it bears."""
    found: dict[int, list[int]] = defaultdict(list)
    at = np.isin(ties.owners, members)
    for key, owner in zip(ties.keys[at].tolist(), ties.owners[at].tolist(), strict=True):
        found[owner].append(key)
    return found


def _neighbours(pairs: Iterable[tuple[int, int]]) -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for one, other in pairs:
        found[one].append(other)
        found[other].append(one)
    return found


class _Untangling:
    """Adds samples one after the other, and leaves out the one that would tie two splits together."""

    def __init__(self, earlier: npt.NDArray[np.int8]) -> None:
        self._earlier = earlier
        self._up: dict[int, int] = {}
        self._split: dict[int, int] = {}  # by root
        self._by_key: dict[int, int] = {}  # a member that bears it
        self.left_out: set[int] = set()

    def add(self, member: int, keys: Iterable[int], near: Iterable[int]) -> None:
        tied = [self._by_key[key] for key in keys if key in self._by_key] + [one for one in near if one in self._up]
        roots = {self.root(one) for one in tied}
        splits = {self._split[root] for root in roots} | {int(self._earlier[member])}
        if len(splits - {NO_SPLIT}) > 1:
            self.left_out.add(member)
            return
        root = min([member, *roots])
        self._up[member] = member
        for one in (member, *roots):
            self._up[one] = root
        self._split[root] = max(splits)
        self._by_key |= dict.fromkeys(keys, member)

    def root(self, member: int) -> int:
        """The smallest member of the set; one that was left out is a set of its own."""
        while (up := self._up.get(member, member)) != member:
            member = up
        return member
