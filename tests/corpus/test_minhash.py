"""MinHash against its definition and against datasketch, the reference implementation."""

import random
import re
from itertools import combinations

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.minhash import (
    N_BINS,
    SHINGLE_WORDS,
    Banding,
    band_keys,
    banding_for,
    jaccard,
    shingle_sets,
    signatures,
)
from corpus.words import word_hashes

PARTS = (
    ["the gardener", "our teacher", "a small shop", "her brother", "the printer", "this recipe", "the committee"],
    ["keeps", "repairs", "explains", "forgets", "paints", "measures", "orders", "translates", "compares"],
    ["the broken gate", "three tomato plants", "a long letter", "the first chapter", "the list of names"],
    ["before lunch", "in the rain", "without a plan", "for the neighbours", "at the station", "twice a week"],
)


def sentences(rng: random.Random, n: int) -> list[str]:
    """Plain English with a number in each sentence, so that 5-grams of different texts rarely meet."""
    return [" ".join(rng.choice(part) for part in PARTS) + f", number {rng.randrange(10**6)}." for _ in range(n)]


def estimate(one: np.ndarray, other: np.ndarray) -> float:
    """The Jaccard similarity that two signatures suggest: the share of equal minima."""
    return float((one == other).mean())


def planted_pairs(n_pairs: int, seed: int = 7) -> list[tuple[str, str]]:
    """Pairs of conversations in which the second repeats the first but for its end: Jaccard from 0.5 to 1.0."""
    rng = random.Random(seed)
    pairs = []
    for number in range(n_pairs):
        own = sentences(rng, rng.randrange(12, 60))
        kept = round(len(own) * (0.66 + 0.34 * number / (n_pairs - 1)))  # k of n gives a Jaccard of k / (2n - k)
        pairs.append((" ".join(own), " ".join(own[:kept] + sentences(rng, len(own) - kept))))
    return pairs


def true_shingles(text: str) -> set[tuple[str, ...]]:
    """The definition, on strings."""
    said = re.findall(r"\w+", text.lower())
    return {tuple(said[i : i + SHINGLE_WORDS]) for i in range(max(1, len(said) - SHINGLE_WORDS + 1))}


def true_jaccard(one: set, other: set) -> float:
    return len(one & other) / len(one | other)


def reference(shingles: set[tuple[str, ...]]) -> MinHash:
    signature = MinHash(num_perm=N_BINS, seed=1)
    signature.update_batch([" ".join(shingle).encode() for shingle in shingles])
    return signature


@pytest.fixture(scope="module")
def planted() -> list[str]:
    """400 texts: text 2n and text 2n + 1 are a pair."""
    return [text for pair in planted_pairs(200) for text in pair]


def test_verified_pairs_are_those_of_datasketch(planted):
    """The fast path may compute otherwise, but what it finds must be what the reference finds."""
    truth = [true_shingles(text) for text in planted]
    index = MinHashLSH(num_perm=N_BINS, params=(42, 3))  # wide: misses 1 in 10^13 at 0.8
    marks = [reference(shingles) for shingles in truth]
    for number, mark in enumerate(marks):
        index.insert(number, mark)
    met = {tuple(sorted((number, other))) for number, mark in enumerate(marks) for other in index.query(mark)}
    expected = {pair for pair in met if pair[0] != pair[1] and true_jaccard(truth[pair[0]], truth[pair[1]]) >= 0.8}
    brute = {(i, j) for i, j in combinations(range(len(truth)), 2) if true_jaccard(truth[i], truth[j]) >= 0.8}
    assert expected == brute

    sets = shingle_sets(word_hashes(planted))
    keys = band_keys(signatures(sets), banding_for(0.8))
    candidates = {(i, j) for i, j in combinations(range(len(planted)), 2) if (keys[i] == keys[j]).any()}
    found = {(i, j) for i, j in candidates if jaccard(sets[i], sets[j]) >= 0.8}
    assert len(brute) > 60
    assert found <= brute
    # 1 - RECALL_MIN of pairs at the threshold may be missed, fewer above it: of some 100 pairs one at most.
    assert len(brute - found) <= 1


def test_true_similarity_agrees_with_the_definition(planted):
    """Verification must not be an estimate: 32-bit shingles give the Jaccard similarity of the words themselves."""
    sets = shingle_sets(word_hashes(planted))
    for number in range(0, len(planted), 2):
        expected = true_jaccard(true_shingles(planted[number]), true_shingles(planted[number + 1]))
        assert jaccard(sets[number], sets[number + 1]) == pytest.approx(expected, abs=0.002)


def test_estimates_are_unbiased_beside_truth_and_datasketch(planted):
    """One permutation with densification must estimate as truly as 128 permutations, short texts included."""
    sets = shingle_sets(word_hashes(planted))
    minima = signatures(sets)
    ours, theirs = [], []
    for number in range(0, len(planted), 2):
        one, other = true_shingles(planted[number]), true_shingles(planted[number + 1])
        expected = true_jaccard(one, other)
        ours.append(estimate(minima[number], minima[number + 1]) - expected)
        theirs.append(reference(one).jaccard(reference(other)) - expected)
    # One estimate has a standard error of at most 0.044, the mean of 200 of 0.0031: four of them.
    assert abs(np.mean(ours)) < 0.0125
    assert abs(np.mean(theirs)) < 0.0125
    assert np.std(ours) < 1.25 * np.std(theirs)


@pytest.mark.parametrize("n_words", [6, 9, 14, 30, 90])
def test_short_texts_are_estimated_without_bias(n_words):
    """Most bins of a short text are empty and borrow; borrowing in one order everywhere would tie bins together."""
    rng = random.Random(n_words)
    errors = []
    for _ in range(300):
        own = [f"w{rng.randrange(10**9)}" for _ in range(n_words)]
        texts = [" ".join(own), " ".join([*own[:-1], "changed"])]
        sets = shingle_sets(word_hashes(texts))
        minima = signatures(sets)
        errors.append(estimate(minima[0], minima[1]) - jaccard(sets[0], sets[1]))
    # With few shingles the scatter is that of the shared bins; the mean of 300 stays within four standard errors.
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(300) + 1e-9


def test_recall_of_planted_near_duplicates_follows_the_s_curve():
    """At each similarity the share of pairs that become candidates is what the comment in the code promises."""
    rng = random.Random(3)
    banding = banding_for(0.8)
    for aim, n_shared in ((0.5, 100), (0.8, 133), (0.9, 142)):
        met = 0
        for _ in range(300):
            own = [rng.getrandbits(32) for _ in range(n_shared)]
            rest = [rng.getrandbits(32) for _ in range(2 * (150 - n_shared))]
            half = len(rest) // 2
            sets = [np.unique(np.array(own + part, np.uint32)) for part in (rest[:half], rest[half:])]
            keys = band_keys(signatures(sets), banding)
            met += bool((keys[0] == keys[1]).any())
        similarity = n_shared / (300 - n_shared)
        assert similarity == pytest.approx(aim, abs=0.005)
        expected = banding.recall(similarity)
        # Bins are correlated through borrowing, so a little wider than four binomial standard errors.
        assert abs(met / 300 - expected) < 4 * np.sqrt(expected * (1 - expected) / 300) + 0.03


def test_the_curve_of_the_docstring_is_computed():
    """The figures beside the code come from the formula."""
    banding = banding_for(0.8)
    assert banding == Banding(21, 6)
    assert [round(banding.recall(tenth / 10), 3) for tenth in range(3, 10)] == [
        0.015, 0.083, 0.282, 0.633, 0.928, 0.998, 1.0,
    ]  # fmt: skip
    assert banding_for(0.5) == Banding(42, 3)
    assert banding_for(1.0) == Banding(1, 128)
    assert banding_for(0.01) == Banding(128, 1)


@given(st.floats(0.05, 1.0))
def test_every_threshold_has_a_banding_that_finds_its_pairs(jaccard_min):
    """A user may set another threshold; the bands follow."""
    assert banding_for(jaccard_min).recall(jaccard_min) >= 0.995


def test_texts_of_few_words_are_one_shingle():
    """Otherwise 'Hello there' and 'Thank you' would both be empty and equal."""
    sets = shingle_sets(word_hashes(["", "Hello", "hello!", "hello hello", "one two three four five", "…"]))
    assert [len(one) for one in sets] == [0, 1, 1, 1, 1, 0]
    assert jaccard(sets[1], sets[2]) == 1.0
    assert jaccard(sets[1], sets[3]) == 0.0
    assert jaccard(sets[0], sets[5]) == 0.0


@settings(max_examples=60)
@given(st.lists(st.text(alphabet="ab \n", max_size=40), max_size=6))
def test_shingles_do_not_depend_on_the_texts_beside_them(texts):
    """Texts are hashed in groups; a 5-gram that ran into the next text would change with the group."""
    together = shingle_sets(word_hashes(texts))
    for text, shingles in zip(texts, together, strict=True):
        assert np.array_equal(shingles, shingle_sets(word_hashes([text]))[0])
        expected = len(true_shingles(text)) if re.search(r"\w", text) else 0
        assert len(shingles) == expected
    minima = signatures(together)
    for row, shingles in zip(minima, together, strict=True):
        assert np.array_equal(row, signatures([shingles])[0])


def test_signatures_are_golden():
    """Kept bands are compared with tomorrow's: if this fails, FORMAT_VERSION must be raised."""
    text = "The quick brown fox jumps over the lazy dog and then it sleeps for a while under the old tree."
    sets = shingle_sets(word_hashes([text]))
    keys = band_keys(signatures(sets), Banding(2, 3))
    assert keys.tolist() == [[3755492282133159346, 6432451770891801834]]
