"""How doubtful a verdict is: which samples people should read first, and which always.

The rule of the order: where the judge knows its own uncertainty, by how many standard deviations the acceptance lies
from one half; without uncertainties, by how far it lies from one half; without acceptances, by the rating. The
least of each comes first. A night has one rule, the one that all of its verdicts allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Rule = Literal["deviations", "acceptance", "rating"]

ACCEPTANCE_MARGIN = 0.1
"""An acceptance this near to one half is doubtful: of ten such samples reviewers keep four to six."""

RATING_MARGIN = 0.5
"""Without acceptances, ratings this little above the threshold are doubtful: a bin of the histogram."""

UNCERTAINTY_MIN = 0.001
"""Uncertainties are given to four places; below this, the number of deviations would be made of rounding."""


@dataclass(frozen=True)
class Sureness:
    """What a verdict says of itself: rating 1 to 10, acceptance 0 to 1 and its standard deviation, None if unknown."""

    rating: float
    acceptance: float | None = None
    uncertainty: float | None = None


def rule_of(night: Sequence[Sureness]) -> Rule:
    """The rule that all verdicts of a night allow."""
    if any(one.acceptance is None for one in night):
        return "rating"
    return "acceptance" if any(one.uncertainty is None for one in night) else "deviations"


def certainty(one: Sureness, rule: Rule) -> float:
    """The number by which a night is read, the smallest first."""
    if rule == "rating" or one.acceptance is None:
        return one.rating
    distance = abs(one.acceptance - 0.5)
    if rule == "acceptance" or one.uncertainty is None:
        return distance
    return distance / max(one.uncertainty, UNCERTAINTY_MIN)


def is_doubtful(one: Sureness, threshold: float | None) -> bool:
    """Whether a person should read it whatever else is read."""
    if one.acceptance is not None:
        return abs(one.acceptance - 0.5) < ACCEPTANCE_MARGIN
    return threshold is not None and one.rating < threshold + RATING_MARGIN
