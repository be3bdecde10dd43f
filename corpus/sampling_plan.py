"""Which samples of a night to read, so that a bad night is found with a stated probability.

Acceptance sampling as in Dodge and Romig, "A method of sampling inspection" (Bell System Technical Journal 8, 1929), in
the form of ISO 2859-2: an isolated lot, a limiting quality, and the acceptance number 0. Of N samples n are drawn by
lot; one bad one among them condemns the night. With D bad ones the draw misses all with the hypergeometric probability
C(N - D, n) / C(N, n), computed in whole numbers, so it is the same on every machine and holds for small nights, too.

Beside the draw the doubtful ones and the first ones of a contributor are always read. They are no part of the draw, so
they can only make finding a bad night more probable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any, Literal

from schemas.canonical import digest
from schemas.errors import SettingsError

Why = Literal["drawn", "doubtful", "new contributor"]


@dataclass(frozen=True)
class SamplingPlan:
    """The samples to read.

    `n_samples` is the size of the night and `n` that of the draw; a night with at least `n_bad` bad ones (a larger
    share than `bad_share`) is found with `probability`. `why` is by id, in the order of ids; of several reasons it has
    the most particular one.
    """

    n_samples: int
    n: int
    n_bad: int
    probability: float
    bad_share: float
    seed: str
    why: Mapping[str, Why]

    def to_json(self) -> dict[str, Any]:
        """What a night's record has of it."""
        return {
            "samples": self.n_samples,
            "n": self.n,
            "probability": self.probability,
            "bad_share": self.bad_share,
            "seed": self.seed,
            "ids": list(self.why),
        }


def plan_reading(
    ids: Collection[str],
    *,
    night: str,
    bad_share: float,
    confidence: float,
    doubtful: Collection[str] = (),
    new_contributors: Collection[str] = (),
    tests: Collection[str] = (),
) -> SamplingPlan:
    """The plan of a night; the same arguments give the same plan.

    Args:
        ids: the night's samples, at least one.
        night: its date, part of the seed.
        bad_share: a night with a larger share of bad samples than this is to be found, 0 to 1.
        confidence: with this probability at least, 0 to 1.
        doubtful: those of the ids that the judge is least sure of.
        new_contributors: those of the ids whose contributor the corpus does not know yet.
        tests: ids of samples that are no part of the night and are slipped into the draw.

    Raises:
        SettingsError: a share or probability is not between 0 and 1.
    """
    for name, value in (("bad_share", bad_share), ("confidence", confidence)):
        if not 0 < value < 1:
            raise SettingsError(f"review.{name} = {value} does not lie between 0 and 1; write 0.05 for one in twenty")
    seed = digest({"night": night, "ids": sorted(ids)})
    n_bad = least_bad(len(ids), bad_share)
    n = n_to_draw(len(ids), n_bad, confidence)
    drawn = sorted(ids, key=lambda one: digest([seed, one]))[:n]
    why: dict[str, Why] = dict.fromkeys((*drawn, *tests), "drawn")
    why |= dict.fromkeys(new_contributors, "new contributor")
    why |= dict.fromkeys(doubtful, "doubtful")
    return SamplingPlan(
        n_samples=len(ids),
        n=n,
        n_bad=n_bad,
        probability=float(probability_of_finding(len(ids), n_bad, n)),
        bad_share=bad_share,
        seed=seed,
        why={one: why[one] for one in sorted(why)},
    )


def least_bad(n_samples: int, bad_share: float) -> int:
    """The smallest number of bad samples that is a larger share than `bad_share`."""
    return int(Fraction(str(bad_share)) * n_samples) + 1


def n_to_draw(n_samples: int, n_bad: int, confidence: float) -> int:
    """The size of the smallest draw that holds at least one of `n_bad` with this probability.

    By doubling, then bisection, since the probability grows with the draw.
    """
    wanted = Fraction(str(confidence))
    most = n_samples - n_bad + 1  # so many cannot miss them all
    low, high = 0, 1
    while high < most and probability_of_finding(n_samples, n_bad, high) < wanted:
        low, high = high, min(2 * high, most)
    while low + 1 < high:
        middle = (low + high) // 2
        if probability_of_finding(n_samples, n_bad, middle) < wanted:
            low = middle
        else:
            high = middle
    return high


def probability_of_finding(n_samples: int, n_bad: int, n: int) -> Fraction:
    """The probability that `n` drawn of `n_samples` hold at least one of `n_bad`."""
    return 1 - Fraction(comb(n_samples - n_bad, n), comb(n_samples, n))
