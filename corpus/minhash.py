"""Near-duplicates: shingles, MinHash signatures, bands, and the true Jaccard similarity that decides.

A text's shingles are its word 5-grams as sorted, unique 32-bit hashes; they are what is kept. A signature is derived
from them by one-permutation hashing (Li, Owen, Zhang 2012): the top 7 bits of a shingle choose one of 128 bins and
each bin keeps its least shingle. As the shingles are sorted, that is one binary search a bin, where the classic scheme
computes 128 hashes a shingle. An empty bin borrows from another bin in an order of its own, which leaves the
estimate unbiased (optimal densification, Shrivastava 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.words import Words, mix

FORMAT_VERSION = 1
"""To be raised whenever shingles or signatures of any text change: what was kept becomes void."""

SHINGLE_WORDS = 5
"""Word 5-grams, as in datatrove's MinHash and RefinedWeb (Penedo et al. 2023, G.3.1): shorter ones meet by chance."""

N_BINS = 128
"""Minima in a signature: the standard error of an estimate at Jaccard 0.8 is sqrt(0.8 * 0.2 / 128) = 0.035."""

Shingles = npt.NDArray[np.uint32]
"""Sorted and unique. Among the 2,400 shingles of two chats of 1,200 words, two different ones meet in 32 bits with
probability 2400^2 / 2 / 2^32 = 0.0007, and then move the Jaccard similarity by less than 0.001."""

_BIN_BITS = np.uint32(32 - (N_BINS.bit_length() - 1))
_EMPTY = np.uint32(0xFFFFFFFF)
_MULTIPLIERS = mix(np.arange(1, N_BINS + 1, dtype=np.uint64)) | np.uint64(1)


class Banding(NamedTuple):
    """A signature cut into `n_bands` bands of `n_rows` minima; two texts that agree in one band are candidates."""

    n_bands: int
    n_rows: int

    def recall(self, jaccard: float) -> float:
        """The probability that two texts of this similarity become candidates: the S-curve 1 - (1 - s^r)^b."""
        return 1.0 - float((1.0 - jaccard**self.n_rows) ** self.n_bands)


RECALL_MIN = 0.995
"""Of the pairs exactly at the threshold, this share must become candidates; the more similar are found more surely."""


def banding_for(jaccard_min: float) -> Banding:
    """The steepest banding of 128 minima that finds `RECALL_MIN` of the pairs at `jaccard_min`.

    For 0.8 it is 21 bands of 6 rows. Its S-curve:

        similarity   0.3     0.4     0.5     0.6     0.7     0.8     0.9
        candidates   0.015   0.083   0.282   0.633   0.928   0.998   1.000

    (0.8^6 = 0.262 and 1 - 0.738^21 = 0.998; one row more gives 18 bands and 0.986.) For 0.5 it is 42 bands of 3
    rows. Below 0.04 even single rows miss more than that share: 1 - 0.96^128 = 0.995.
    """
    for n_rows in range(N_BINS, 1, -1):
        banding = Banding(N_BINS // n_rows, n_rows)
        if banding.recall(jaccard_min) >= RECALL_MIN:
            return banding
    return Banding(N_BINS, 1)


def shingle_sets(words: Sequence[Words]) -> list[Shingles]:
    """One set a text, from the word hashes of `corpus.words`.

    A text of one to four words is a single shingle over all of them; one without words has none.
    """
    if not words:
        return []
    lengths = np.array([len(text) for text in words], np.int64)
    texts = np.repeat(np.arange(len(words), dtype=np.uint64), np.maximum(np.minimum(lengths, 1), lengths - 4))
    grams = _grams(words, lengths)
    keys = (texts << np.uint64(32)) | (mix(grams) >> np.uint64(32))
    keys.sort()
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if len(keys) else keys
    borders = np.searchsorted(keys, np.arange(1, len(words), dtype=np.uint64) << np.uint64(32))
    return np.split(keys.astype(np.uint32), borders)


def _grams(words: Sequence[Words], lengths: npt.NDArray[np.int64]) -> Words:
    """The 5-grams of each text in turn, as sums of weighted word hashes; texts do not run into each other."""
    line = np.concatenate([*words, np.zeros(SHINGLE_WORDS, np.uint64)])
    grams = gram_hashes(line, SHINGLE_WORDS)
    ends = np.cumsum(lengths)
    is_gram = np.ones(int(ends[-1]), np.bool_)
    for back in range(1, SHINGLE_WORDS):  # the last four words of a text begin no 5-gram of it
        is_gram[(ends - back)[lengths >= back]] = False
    short = np.flatnonzero((lengths > 0) & (lengths < SHINGLE_WORDS))
    for text in short.tolist():
        first = int(ends[text] - lengths[text])
        is_gram[first] = True
        grams[first] = (words[text] * _MULTIPLIERS[: len(words[text])]).sum()
    return grams[: len(is_gram)][is_gram]


def gram_hashes(words: Words, n: int) -> Words:
    """The hash of each run of `n` words, before mixing: the sum of word times an odd constant of its place."""
    n_grams = max(0, len(words) - n + 1)
    grams = np.zeros(n_grams, np.uint64)
    for place in range(n):
        grams += words[place : place + n_grams] * _MULTIPLIERS[place]
    return grams


def signatures(sets: Sequence[Shingles]) -> npt.NDArray[np.uint32]:
    """An array (n texts, 128) of minima; a row of a text without shingles is all ones and must not be compared."""
    if not sets:
        return np.empty((0, N_BINS), np.uint32)
    lengths = np.array([len(one) for one in sets])
    texts = np.repeat(np.arange(len(sets), dtype=np.uint64), lengths)
    keys = (texts << np.uint64(32)) | np.concatenate(sets)
    bins = np.arange(N_BINS, dtype=np.uint64) << np.uint64(_BIN_BITS)
    floors = (np.arange(len(sets), dtype=np.uint64)[:, None] << np.uint64(32)) | bins
    places = np.searchsorted(keys, floors)
    least = np.append(keys, np.uint64(2**64 - 1)).take(places)
    is_filled = (least >> np.uint64(_BIN_BITS)) == (floors >> np.uint64(_BIN_BITS))
    minima = np.where(is_filled, least.astype(np.uint32), _EMPTY)
    for text in np.flatnonzero(~is_filled.all(axis=1) & (lengths > 0)).tolist():
        _densify(minima[text], is_filled[text])
    return minima


def _densify(minima: npt.NDArray[np.uint32], is_filled: npt.NDArray[np.bool_]) -> None:
    """Fills each empty bin from the first filled one in its own order: uniform over the filled, so unbiased."""
    empty = np.flatnonzero(~is_filled)
    orders = _orders()[empty]
    first = is_filled[orders].argmax(axis=1)
    minima[empty] = minima[orders[np.arange(len(empty)), first]]


@cache
def _orders() -> npt.NDArray[np.intp]:
    """For each bin a fixed random order of all bins: the ranks of mixed numbers, the same on every machine."""
    numbers = mix(np.arange(1, N_BINS * N_BINS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return numbers.reshape(N_BINS, N_BINS).argsort(axis=1, kind="stable")


def band_keys(minima: npt.NDArray[np.uint32], banding: Banding) -> Words:
    """An array (n texts, n bands) of 64-bit keys; the band's number is part of its key."""
    n_bands, n_rows = banding
    rows = minima[:, : n_bands * n_rows].reshape(-1, n_bands, n_rows).astype(np.uint64)
    sums = (mix(rows + np.uint64(1)) * _MULTIPLIERS[:n_rows]).sum(axis=2, dtype=np.uint64)
    return mix(sums + mix(np.arange(1, n_bands + 1, dtype=np.uint64)))


def jaccard(one: Shingles, other: Shingles) -> float:
    """Shared shingles over all shingles of two sets; 0 when both are empty, as nothing is shared."""
    shared = n_shared(one, other)
    union = one.size + other.size - shared
    return shared / union if union else 0.0


def n_shared(one: Shingles, other: Shingles) -> int:
    """How many shingles two sets have in common."""
    return int(np.intersect1d(one, other, assume_unique=True).size)
