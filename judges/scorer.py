"""The scorer: a linear head on cheap features, until a trained head takes its place behind the same interface.

The weights are data with a version and a digest (judges/heads/cheap.toml), made by a command of benchmarks/. How far it
agrees with people is measured there and written in judges/README.md; it must not be presented as better than that.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from judges.measures import VERSION, measure
from schemas.canonical import digest
from schemas.conversation import Turn
from schemas.errors import JudgeError
from schemas.verdict import RATING_MAX, RATING_MIN

DEFAULT_HEAD = Path(__file__).parent / "heads" / "cheap.toml"


@dataclass(frozen=True, slots=True)
class Head:
    """Weights by feature, the map from score to rating, and which features speak for which criterion.

    A score is the weighted sum of features; a rating is 1 + 9 / (1 + exp(-slope * (score - centre))). A
    criterion's rating is what the rating would be if only its own features differed from the typical ones.
    """

    id: str
    version: int
    slope: float
    centre: float
    weights: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]]
    criteria: Mapping[str, tuple[str, ...]]
    typical: Mapping[str, float]

    @property
    def name(self) -> str:
        """Id and version, such as `cheap-1`."""
        return f"{self.id}-{self.version}"

    def digest(self) -> str:
        """SHA-256 of all parameters and of the version of the features."""
        return digest([VERSION, asdict(self)])

    def score(self, features: Mapping[str, float]) -> float:
        """The weighted sum; a feature that was not measured counts with its typical value."""
        return sum(weight * self._value(name, features) for name, weight in self.weights.items())

    def rating(self, features: Mapping[str, float]) -> float:
        """1 to 10, two decimals."""
        return self._rating(self.score(features))

    def criterion(self, name: str, features: Mapping[str, float]) -> float:
        """The rating as it would be if all but this criterion's features had their typical values."""
        own = self.criteria[name]
        return self.rating({**self.typical, **{key: value for key, value in features.items() if key in own}})

    def _value(self, name: str, features: Mapping[str, float]) -> float:
        low, high = self.bounds.get(name, (0.0, 1.0))
        return min(high, max(low, features.get(name, self.typical.get(name, 0.0))))

    def _rating(self, score: float) -> float:
        share = 1 / (1 + math.exp(min(60.0, max(-60.0, -self.slope * (score - self.centre)))))
        return round(RATING_MIN + (RATING_MAX - RATING_MIN) * share, 2)


def load_head(path: Path | None = None) -> Head:
    """The head in a TOML file; without a path the one that ships.

    Raises:
        JudgeError: the file is missing or damaged.
    """
    file = path or DEFAULT_HEAD
    try:
        plain: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        return Head(
            id=str(plain["id"]),
            version=int(plain["version"]),
            slope=float(plain["slope"]),
            centre=float(plain["centre"]),
            weights=_numbers(plain["weights"]),
            bounds={name: (float(low), float(high)) for name, (low, high) in plain["bounds"].items()},
            criteria={name: tuple(features) for name, features in plain["criteria"].items()},
            typical=_numbers(plain["typical"]),
        )
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise JudgeError(
            f"the judge's head {file} cannot be read ({error}); install Gristmill again, or make the head with "
            "`python -m benchmarks.judge_agreement --fit`"
        ) from error


def _numbers(plain: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in plain.items()}


@dataclass(frozen=True, slots=True)
class Score:
    """A rating, ratings by criterion, and the features that they were made from."""

    rating: float
    criteria: Mapping[str, float]
    features: Mapping[str, float]


def score_conversation(
    turns: Sequence[Turn], reading: Mapping[str, float], head: Head, criteria: Sequence[str]
) -> Score:
    """Rates by the text's cheap features and the reading's likelihoods.

    Args:
        turns: the conversation; at least one turn is the assistant's.
        reading: `Reading.features`.
        head: the weights.
        criteria: the rubric's criteria; those that the head has no features for are left out.
    """
    features = {**measure(turns), **reading}
    by_criterion = {name: head.criterion(name, features) for name in criteria if name in head.criteria}
    return Score(rating=head.rating(features), criteria=by_criterion, features=features)
