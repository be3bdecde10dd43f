"""How far two say the same of the same conversations: share, Cohen's kappa, and their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from judges.trial import Z95, wilson


@dataclass(frozen=True)
class Agreement:
    """Of n decisions, `n_agreed` were as expected. Intervals are of 95 %.

    Kappa is None where both sides say one and the same of all: then nothing goes beyond chance.
    """

    n: int
    n_agreed: int
    share: float
    share_interval: tuple[float, float]
    kappa: float | None
    kappa_interval: tuple[float, float] | None


def agreement(expected: Sequence[bool], decided: Sequence[bool]) -> Agreement | None:
    """Between what a judge expected and what people decided, in the same order; None without any decision.

    The share's interval is Wilson's (1927), kappa's the large-sample one of Cohen (1960): kappa +- 1.96 *
    sqrt(p (1 - p) / (n (1 - chance)^2)).
    """
    n = len(decided)
    if not n:
        return None
    n_agreed = sum(a == b for a, b in zip(expected, decided, strict=True))
    share, yes_a, yes_b = n_agreed / n, sum(expected) / n, sum(decided) / n
    chance = yes_a * yes_b + (1 - yes_a) * (1 - yes_b)
    kappa = interval = None
    if chance < 1:
        kappa = (share - chance) / (1 - chance)
        half = Z95 * math.sqrt(share * (1 - share) / n) / (1 - chance)
        interval = (max(-1.0, kappa - half), min(1.0, kappa + half))
    return Agreement(n, n_agreed, share, wilson(n_agreed, n), kappa, interval)
