"""The head: from measurements to the probability that a reviewer keeps the conversation, and how sure that is.

A Gaussian process on the answers' features in the form that m landmarks give it (Nystroem; Williams and Seeger 2001):
an answer's features are standardised, projected to d dimensions, and compared with the landmarks by a Gaussian kernel.
The score of an answer is linear in these similarities and in a few plain figures; its weights have a posterior
covariance, from which the uncertainty comes: it is large for an answer unlike all that people were asked about.

A conversation's score is half the mean of its answers', half the weakest one's: one bad answer spoils a sample.
`acceptance` is the calibrated logistic of the score, averaged over the posterior (MacKay 1992); a rating is 1 + 9
times that. The file holds the numbers; judges/fit.py makes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from judges.measurement import Measurement
from schemas.errors import JudgeError
from schemas.verdict import RATING_MAX, RATING_MIN

DEFAULT_HEAD = Path(__file__).parent / "heads" / "fitness.safetensors"

CLIP = 6.0
"""Standard deviations at which a feature is cut off: a wild value says that it is wild, not how much."""

WEAKEST = 0.5
"""The share of the weakest answer in a conversation's score; the rest is the mean of all."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Assessment:
    """What the head says of one conversation.

    `acceptance` is the probability that a reviewer keeps it, `uncertainty` its standard deviation (0 to 0.5), `rating`
    1 + 9 * acceptance, `criteria` ratings from 1 to 10 by criterion.
    """

    rating: float
    acceptance: float
    uncertainty: float
    criteria: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Criterion:
    """A logistic model on the conversation's figures: how unlike a certain kind of damage it looks."""

    figures: tuple[str, ...]
    weights: tuple[float, ...]
    offset: float

    def rating(self, scalars: Mapping[str, float]) -> float:
        """1 to 10; a figure that was not measured counts as 0."""
        total = self.offset + sum(
            w * scalars.get(name, 0.0) for name, w in zip(self.figures, self.weights, strict=True)
        )
        return round(RATING_MIN + (RATING_MAX - RATING_MIN) * float(_logistic(total)), 2)


@dataclass(frozen=True, eq=False)
class Head:
    """The numbers of a head. Shapes: w features, d dimensions, m landmarks, p plain figures, n = m + p + 1.

    `centre`, `scale`: (w,); `projection`: (w, d); `landmarks`: (m, d); `plain`: (p,) columns that enter as they are;
    `weights`: (n,); `covariance`: (n, n) of the weights; `slope`, `offset`: the calibration; `facts`: how it was made.
    """

    id: str
    version: int
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    projection: NDArray[np.float16]
    landmarks: NDArray[np.float16]
    plain: NDArray[np.int32]
    weights: NDArray[np.float32]
    covariance: NDArray[np.float16]
    slope: float
    offset: float
    criteria: Mapping[str, Criterion] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Id and version, such as `fitness-1`."""
        return f"{self.id}-{self.version}"

    def digest(self) -> str:
        """SHA-256 of the file that `save` writes."""
        return sha256(self.to_bytes()).hexdigest()

    def similarities(self, vector: NDArray[np.float32]) -> Array:
        """What scores are linear in, of answers: shape (answers, w) to (answers, n)."""
        standard = np.clip((vector.astype(np.float64) - self.centre) * self.scale, -CLIP, CLIP)
        place = standard @ self.projection.astype(np.float64)
        near = _kernel(place, self.landmarks.astype(np.float64)) @ self._root
        return np.concatenate([near, standard[:, self.plain], np.ones((len(vector), 1))], axis=1)

    def conversation(self, vector: NDArray[np.float32]) -> Array:
        """What a conversation's score is linear in, shape (n,): mean and weakest of its answers."""
        rows = self.similarities(vector)
        weakest = rows[int(np.argmin(rows @ self.weights))]
        return np.asarray((1 - WEAKEST) * rows.mean(axis=0) + WEAKEST * weakest)

    def score(self, measurement: Measurement) -> float:
        """The uncalibrated score of a conversation that has an answer."""
        return float(self.conversation(measurement.vector) @ self.weights)

    def assess(self, measurement: Measurement) -> Assessment:
        """Rates a conversation.

        Raises:
            ValueError: nobody answers in it, or the measurement is not of this head's features.
        """
        if not len(measurement.vector) or measurement.vector.shape[1] != len(self.centre):
            raise ValueError(f"features of shape {measurement.vector.shape}, the head needs (1.., {len(self.centre)})")
        row = self.conversation(measurement.vector)
        logit = self.slope * float(row @ self.weights) + self.offset
        variance = self.slope**2 * max(0.0, float(row @ self.covariance.astype(np.float64) @ row))
        acceptance = float(_logistic(logit / math.sqrt(1 + math.pi * variance / 8)))
        return Assessment(
            rating=round(RATING_MIN + (RATING_MAX - RATING_MIN) * acceptance, 2),
            acceptance=round(acceptance, 4),
            uncertainty=round(min(0.5, acceptance * (1 - acceptance) * math.sqrt(variance)), 4),
            criteria={name: criterion.rating(measurement.scalars) for name, criterion in self.criteria.items()},
        )

    @cached_property
    def _root(self) -> Array:
        """The inverse square root of the landmarks' kernel: similarities become coordinates."""
        place = self.landmarks.astype(np.float64)
        values, vectors = np.linalg.eigh(_kernel(place, place) + 1e-6 * np.eye(len(place)))
        return np.asarray((vectors / np.sqrt(np.maximum(values, 1e-6))) @ vectors.T)

    def to_bytes(self) -> bytes:
        """The file's bytes; the same head gives the same ones."""
        arrays = {
            name: np.ascontiguousarray(getattr(self, name))
            for name in ("centre", "scale", "projection", "landmarks", "plain", "weights", "covariance")
        }
        rest = {
            "id": self.id, "version": self.version, "slope": self.slope, "offset": self.offset, "facts": self.facts,
            "criteria": {name: [c.figures, c.weights, c.offset] for name, c in self.criteria.items()},
        }  # fmt: skip
        return bytes(save(arrays, {"head": json.dumps(rest, sort_keys=True, ensure_ascii=False)}))

    def save(self, path: Path) -> None:
        """Writes the file under a temporary name and renames it."""
        temporary = path.with_name(f".{path.name}.tmp")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(self.to_bytes())
        temporary.replace(path)


def load_head(path: Path | None = None) -> Head:
    """The head in a file; without a path the one that ships.

    Raises:
        JudgeError: the file is missing or damaged.
    """
    file = path or DEFAULT_HEAD
    try:
        with safe_open(file, "np") as opened:
            rest = json.loads(opened.metadata()["head"])
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
        criteria = {
            name: Criterion(tuple(figures), tuple(weights), offset)
            for name, (figures, weights, offset) in rest.pop("criteria").items()
        }
        return Head(**arrays, **rest, criteria=criteria)
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise JudgeError(
            f"the judge's head {file} cannot be read ({error}); install Gristmill again, or make one with "
            "`python -m benchmarks.default_head --write`"
        ) from error


def _kernel(a: Array, b: Array) -> Array:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.asarray(np.exp(-np.maximum(squares, 0.0) / 2))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(min(60.0, max(-60.0, -x))))
