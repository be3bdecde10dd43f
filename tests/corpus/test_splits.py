"""Splits: no group crosses, nothing moves as the corpus grows, and what cannot be satisfied is left out."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.minhash import shingle_sets, signatures
from corpus.near import near_pairs
from corpus.splits import NO_SPLIT, SplitRule, Ties, assign, split_of
from corpus.words import word_hashes
from schemas.release import SPLITS
from tests.corpus.release_corpus import words

RULE = SplitRule(validation_share=0.2, test_share=0.3)


def ties_of(texts: list[str], keys: list[tuple[int, int]] = (), ids: list[int] | None = None) -> Ties:
    """Samples with these texts; `keys` are (sample, key)."""
    numbers = ids or list(range(1, len(texts) + 1))
    minima = signatures(shingle_sets(word_hashes(texts))) if texts else np.empty((0, 128), np.uint32)
    return Ties(
        ids=np.array([number.to_bytes(16) for number in numbers], "S16"),
        signatures=minima.astype(np.uint16),
        comparable=np.array([n for n, text in enumerate(texts) if text], np.int64),
        keys=np.array([key for _, key in keys], np.uint64),
        owners=np.array([owner for owner, _ in keys], np.int64),
        ranks=np.arange(len(texts)),
    )


def new(n: int) -> np.ndarray:
    """No sample was in an earlier release."""
    return np.full(n, NO_SPLIT, np.int8)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=24),
    st.lists(st.tuples(st.integers(0, 23), st.integers(1, 9)), max_size=24),
    st.lists(st.integers(-1, 2), min_size=24, max_size=24),
)
def test_no_tie_leads_from_one_split_to_another(
    families: list[int], keys: list[tuple[int, int]], earlier: list[int]
) -> None:
    """A model that has seen a sample's neighbour in training is not fairly asked it; whatever earlier releases say."""
    texts = [f"{words(family, 60)} {words(1000 + n, 4)}" for n, family in enumerate(families)]
    ties = ties_of(texts, [(owner, key) for owner, key in keys if owner < len(texts)])
    assigned = assign(ties, np.array(earlier[: len(texts)], np.int8), RULE)
    splits = assigned.splits.tolist()
    tied = list(near_pairs(ties.signatures, np.arange(len(texts))))
    for key in set(ties.keys.tolist()):
        tied += list(itertools.combinations(ties.owners[ties.keys == key].tolist(), 2))
    assert all(NO_SPLIT in (splits[a], splits[b]) or splits[a] == splits[b] for a, b in tied)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=2, max_size=30), st.integers(1, 29))
def test_a_sample_keeps_its_split_however_the_corpus_grows(families: list[int], n_first: int) -> None:
    """Who trained on a release must not find its training text in the next one's holdout."""
    texts = [f"{words(family, 60)} {words(1000 + n, 4)}" for n, family in enumerate(families)]
    n_first = min(n_first, len(texts))
    keys = [(n, 1 + family % 4) for n, family in enumerate(families) if family < 6]
    first = assign(ties_of(texts[:n_first], [one for one in keys if one[0] < n_first]), new(n_first), RULE).splits
    earlier = np.concatenate([first, new(len(texts) - n_first)])
    second = assign(ties_of(texts, keys), earlier, RULE).splits
    assert second[:n_first].tolist() == first.tolist()


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_samples_decides_nothing(order: list[int]) -> None:
    """The same corpus is read in the same order; but a split is a property of samples, not of places in files."""
    texts = [f"{words(n // 3, 60)} {words(1000 + n, 4)}" for n in range(12)]
    straight = assign(ties_of(texts), new(12), RULE).splits
    mixed = assign(ties_of([texts[n] for n in order], ids=[n + 1 for n in order]), new(12), RULE).splits
    assert mixed.tolist() == straight[list(order)].tolist()


def test_a_new_sample_between_two_splits_is_left_out_and_those_behind_it_are_not() -> None:
    """Two groups that a newcomer ties together keep their splits; only the newcomer has none."""
    texts = [words(n, 40) for n in range(4)]
    keys = [(0, 1), (1, 2), (2, 1), (2, 2), (3, 2)]
    earlier = np.array([SPLITS.index("train"), SPLITS.index("test"), NO_SPLIT, NO_SPLIT], np.int8)
    splits = assign(ties_of(texts, keys), earlier, RULE).splits.tolist()
    assert splits == [SPLITS.index("train"), SPLITS.index("test"), NO_SPLIT, SPLITS.index("test")]


def test_training_yields_where_two_samples_of_an_earlier_release_belong_together() -> None:
    """The holdout stays sealed; what cannot be satisfied leaves training."""
    earlier = np.array([SPLITS.index("train"), SPLITS.index("test"), SPLITS.index("validation")], np.int8)
    splits = assign(ties_of([words(n, 40) for n in range(3)], [(0, 1), (1, 1), (2, 1)]), earlier, RULE).splits
    assert splits.tolist() == [NO_SPLIT, SPLITS.index("test"), NO_SPLIT]


def test_what_is_withdrawn_ties_nothing_together() -> None:
    """A bridge that has left the corpus is no bridge."""
    keys = [(0, 1), (1, 1), (1, 2), (2, 2)]
    without = np.array([False, True, False])
    earlier = np.array([SPLITS.index("train"), NO_SPLIT, SPLITS.index("test")], np.int8)
    ties = ties_of([words(n, 40) for n in range(3)], [one for one in keys if one[0] != 1])
    assert assign(ties, earlier, RULE, without).splits.tolist() == [0, NO_SPLIT, 2]


def test_a_large_group_is_for_training() -> None:
    """A holdout that is one contributor's measures that contributor: no group is more than a fifth of its split."""
    held = next(f"{n:032x}" for n in range(99) if split_of(f"{n:032x}", 1, 1000, RULE) == "test")
    assert split_of(held, 60, 1000, RULE) == "test"  # a fifth of 300
    assert split_of(held, 61, 1000, RULE) == "train"


def test_shares_of_new_groups_are_as_asked() -> None:
    """Of 20,000 groups 0.3 are for test: the standard error is 0.0032, so four of them are allowed."""
    found = [split_of(f"{n:032x}", 1, 20_000, RULE) for n in range(20_000)]
    assert abs(found.count("test") / 20_000 - 0.3) < 4 * 0.0032
    assert abs(found.count("validation") / 20_000 - 0.2) < 4 * 0.0032


def test_a_run_of_texts_that_are_all_alike_is_one_group() -> None:
    """A template with a thousand fillings meets in every band; it must neither cost n^2 nor be torn apart."""
    template = words(1, 80)
    texts = [f"{template} {words(n, 2)}" for n in range(300)] + [words(10_000 + n, 80) for n in range(300)]
    groups = assign(ties_of(texts), new(600), RULE).groups
    assert len(set(groups[:300].tolist())) == 1
    assert len(set(groups[300:].tolist())) == 300
