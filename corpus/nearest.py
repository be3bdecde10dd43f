"""The samples of a night that are most like one, by the words that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.words import word_hashes

TEXT_CHARACTERS = 20_000
"""Of a sample's text that is looked at: some 3,500 words, beyond which hardly a new one comes."""

SHARED_MIN = 0.08
"""A lesser share is what any two conversations have in common: on a night of 184 of the example logs, pairs share 0.02
in the median and less than 0.08 in 99 of 100."""


@dataclass(frozen=True)
class Neighbour:
    """A sample by its number, and the share of words that the two have in common: 0 to 1, rare words weigh more."""

    number: int
    shared: float


class Neighbourhood:
    """The words of many texts, to be asked for the nearest of each.

    The likeness is the Jaccard similarity of the two sets of words, each word weighed by its inverse document
    frequency, log(texts / texts with the word).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        found = [np.unique(words) for words in word_hashes([text[:TEXT_CHARACTERS] for text in texts])]
        sizes = np.array([len(words) for words in found], np.int64)
        everything = np.concatenate(found) if found else np.empty(0, np.uint64)
        _, self._words, n_texts = np.unique(everything, return_inverse=True, return_counts=True)
        self._ends = np.concatenate([[0], np.cumsum(sizes)])
        self._weights = np.log(len(texts) / n_texts) if len(texts) else np.empty(0)
        owners = np.repeat(np.arange(len(texts)), sizes)
        self._holders = owners[np.argsort(self._words, kind="stable")]
        self._first = np.concatenate([[0], np.cumsum(n_texts)])
        self._mass = np.bincount(owners, self._weights[self._words], minlength=len(texts))

    def nearest(self, number: int, n: int) -> list[Neighbour]:
        """The `n` most alike, the likest first, of those that share at least `SHARED_MIN`."""
        common = self._common(number)
        whole = self._mass + self._mass[number] - common
        shared = np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)
        shared[number] = 0.0
        order = np.lexsort((np.arange(len(shared)), -shared))[:n]
        return [Neighbour(int(one), float(shared[one])) for one in order if shared[one] >= SHARED_MIN]

    def _common(self, number: int) -> npt.NDArray[np.float64]:
        """The weight of the words that each text has in common with this one."""
        common = np.zeros(len(self._mass))
        for word in self._words[self._ends[number] : self._ends[number + 1]]:
            common[self._holders[self._first[word] : self._first[word + 1]]] += self._weights[word]
        return common
