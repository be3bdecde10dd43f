"""The figures of a trial: how far ratings agree with people's preferences. Pure arithmetic on arrays.

Throughout, `margins` says by how much the judge prefers the answer that people preferred: above 0 it decided as they
did, below 0 against them, 0 not at all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z95 = 1.959964
"""The normal quantile of 0.975."""

SURE = 1e-6
"""Acceptances are taken as at least this and at most 1 minus this, so that their log odds are finite."""

N_BINS = 10
"""Bins of the reliability curve, each a tenth wide (Guo et al. 2017, On Calibration of Modern Neural Networks, has 15;
most trials have fewer pairs than their test sets)."""

MATCHED = 0.10
"""Lengths that differ by less than this part of the longer one are alike."""

Numbers = NDArray[np.float64]


def wilson(n_right: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson 1927, Probable Inference); (0, 1) of nothing.

    Unlike the normal interval it stays within 0 and 1 and holds its level for few trials and proportions near 1.
    """
    if n == 0:
        return 0.0, 1.0
    share, z2 = n_right / n, Z95 * Z95
    middle = share + z2 / (2 * n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))


@dataclass(frozen=True)
class Share:
    """The share of pairs decided as people did; an undecided one counts one half, as a coin would have it."""

    n: int
    n_right: float

    @classmethod
    def of(cls, margins: Iterable[float]) -> Share:
        """The share over pairs with these margins."""
        signs = np.sign(np.fromiter(margins, np.float64))
        return cls(len(signs), float((signs + 1).sum() / 2))

    @property
    def accuracy(self) -> float | None:
        """From 0 to 1; None of no pairs."""
        return self.n_right / self.n if self.n else None

    def to_json(self) -> dict[str, Any]:
        """`n`, `accuracy` and `ci95`, the Wilson interval."""
        if self.accuracy is None:
            return {"n": 0, "accuracy": None, "ci95": None}
        return {"n": self.n, "accuracy": round(self.accuracy, 4), "ci95": rounded(wilson(self.n_right, self.n))}


def rounded(values: Iterable[float]) -> list[float]:
    """Values with four decimals: more than any trial of fewer than 10,000 pairs can tell."""
    return [round(float(value), 4) for value in values]


def cohens_kappa(people: Sequence[str], judge: Sequence[str]) -> float | None:
    """Agreement beyond chance (Cohen 1960): (p_o - p_e) / (1 - p_e), p_e from both sides' own shares of each answer.

    None without pairs, and where both give one and the same answer throughout (chance agreement is complete).
    """
    n = len(people)
    if n == 0:
        return None
    said, judged = Counter(people), Counter(judge)
    observed = sum(one == other for one, other in zip(people, judge, strict=True)) / n
    expected = sum(said[answer] * judged[answer] for answer in said) / (n * n)
    return None if expected == 1 else (observed - expected) / (1 - expected)


def auc(good: ArrayLike, bad: ArrayLike) -> float | None:
    """The probability that a good one lies above a bad one, ties one half; None where one side is empty.

    That is the area under the ROC curve, and the statistic of Mann and Whitney (1947) over its largest value.
    """
    above, below = np.asarray(good, np.float64), np.sort(np.asarray(bad, np.float64))
    if not len(above) or not len(below):
        return None
    wins = np.searchsorted(below, above, "left") + np.searchsorted(below, above, "right")
    return float(wins.sum() / 2 / (len(above) * len(below)))


def auc_of_margins(margins: ArrayLike) -> float | None:
    """The AUC of telling from the signed margin which answer people preferred.

    Each pair stands in both orders, once as `margin` and once as `-margin`, so it does not matter which answer was
    called a. More than accuracy, it asks that large margins are right more often than small ones.
    """
    values = np.asarray(margins, np.float64)
    return auc(values, -values)


def logit(acceptance: ArrayLike) -> Numbers:
    """Log odds, with what is surer than `SURE` taken as that sure."""
    share = np.clip(np.asarray(acceptance, np.float64), SURE, 1 - SURE)
    return np.asarray(np.log(share / (1 - share)))


def pair_probability(acceptance: ArrayLike, other: ArrayLike) -> Numbers:
    """The probability that the first answer is preferred: sigmoid(logit(acceptance) - logit(other)).

    That is the model of Bradley and Terry (1952) with each answer's odds of being kept as its strength: what a judge
    that rates each answer by itself says about the two together.
    """
    return np.asarray(1 / (1 + np.exp(logit(other) - logit(acceptance))))


@dataclass(frozen=True)
class Bin:
    """A bin of the reliability curve: probabilities from `low` to `high`, their mean, and how often they came true."""

    low: float
    high: float
    n: int
    mean_probability: float
    share: float

    def to_json(self) -> dict[str, Any]:
        """With the Wilson interval of `share`."""
        ends = rounded(wilson(self.share * self.n, self.n))
        figures = (self.low, self.high, self.mean_probability, self.share)
        names = ("low", "high", "mean_probability", "share")
        return {**dict(zip(names, rounded(figures), strict=True)), "n": self.n, "ci95": ends}


def calibration_bins(probabilities: ArrayLike) -> list[Bin]:
    """The reliability curve of the probabilities that were given to what people preferred; empty bins are left out.

    Each pair stands in both orders (p came true, 1 - p did not), so the curve is symmetric about one half, and the
    upper half says it all: `n` of both halves together is twice the number of pairs.
    """
    p = np.asarray(probabilities, np.float64)
    both, came_true = np.concatenate([p, 1 - p]), np.concatenate([np.ones(len(p)), np.zeros(len(p))])
    place = np.minimum((both * N_BINS).astype(int), N_BINS - 1)
    return [
        Bin(
            k / N_BINS, (k + 1) / N_BINS, int(inside.sum()), float(both[inside].mean()), float(came_true[inside].mean())
        )
        for k in range(N_BINS)
        if (inside := place == k).any()
    ]


def expected_calibration_error(bins: Sequence[Bin]) -> float | None:
    """The mean gap between a bin's mean probability and its share, weighted by n; None without bins.

    The definition of Naeini et al. (2015) and Guo et al. (2017).
    """
    n = sum(one.n for one in bins)
    return sum(one.n * abs(one.mean_probability - one.share) for one in bins) / n if n else None


def calibration_error_by_chance(bins: Sequence[Bin]) -> float | None:
    """The calibration error that a perfectly calibrated judge would show on so few pairs, by sampling alone.

    The mean absolute deviation of a binomial share about its probability, sqrt(2 p (1 - p) / (pi n)) in the normal
    approximation. A bin and its mirror image hold the same pairs, so each has n independent ones; the bin around one
    half would hold each pair twice, but with an even number of bins there is none.
    """
    n = sum(one.n for one in bins)
    noise = [one.n * math.sqrt(2 * one.mean_probability * (1 - one.mean_probability) / math.pi / one.n) for one in bins]
    return sum(noise) / n if n else None


def is_length_matched(n_words: int, n_others: int) -> bool:
    """Whether two lengths differ by less than `MATCHED` of the longer one."""
    return abs(n_words - n_others) < MATCHED * max(n_words, n_others)


def thirds(lengths: Sequence[float]) -> list[str]:
    """For each length the name of its third: `up to 34 words`, `35 to 90 words`, `91 words and more`.

    Equal lengths are never parted, so a third may be empty.
    """
    if not lengths:
        return []
    low, high = (int(end) for end in np.quantile(lengths, [1 / 3, 2 / 3], method="lower"))
    names = (f"up to {low} words", f"{low + 1} to {high} words", f"{high + 1} words and more")
    return [names[0 if length < low + 1 else 1 if length < high + 1 else 2] for length in lengths]


def shares_by(names: Sequence[str], margins: Sequence[float], baseline: Sequence[float]) -> dict[str, dict[str, Any]]:
    """The share of each name, in order of appearance, with `longer`: the accuracy of the baseline on the same pairs."""
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(names):
        rows = [row for row, one in enumerate(names) if one == name]
        longer = Share.of(baseline[row] for row in rows).to_json()["accuracy"]
        found[name] = {**Share.of(margins[row] for row in rows).to_json(), "longer": longer}
    return found


def histogram(values: ArrayLike, edges: Sequence[float]) -> list[int]:
    """Counts between the edges; the last bin includes its right edge."""
    return [int(n) for n in np.histogram(np.asarray(values, np.float64), np.asarray(edges))[0]]


def confusion(people: Sequence[str], judge: Sequence[str], labels: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """How often the judge said what, by what people said."""
    counts = Counter(zip(people, judge, strict=True))
    return {said: {judged: counts[said, judged] for judged in labels} for said in labels}


def or_none(function: Callable[[float], float], value: float | None) -> float | None:
    """The function of a value, None of none."""
    return None if value is None else function(value)
