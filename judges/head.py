"""The head: from measurements to the probability that a reviewer keeps the conversation, and how sure that is.

A Gaussian process on the answers' features in the form that m landmarks give it (Nystroem; Williams and Seeger 2001):
an answer's features are standardised, projected to d dimensions, and compared with the landmarks by a Gaussian kernel.
The score of an answer is linear in these similarities and in a few plain figures; its weights have a posterior
covariance, from which the uncertainty comes: it is large for an answer unlike all that people were asked about.

Beside it stands a second model, fitted to intact and to damaged answers: how probable it is that an answer is whole and
in its place. The logarithm of that enters the score as one more figure: near 0 for any sound answer, so that it hardly
moves what people prefer among those, and falling without bound for a damaged one.

A conversation's score is half the mean of its answers', half the weakest one's: one bad answer spoils a sample. Whether
it is intact is weighed against the case that one of its answers, nobody knows which, is not. `acceptance` is the
calibrated logistic of the score, averaged over the posterior (MacKay 1992); a rating is 1 + 9 times that. The file
holds the numbers; judges/fit.py makes them.
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

from judges.measurement import COSINES, LIKELIHOODS, Measurement
from judges.measures import ANSWER_FIGURES
from schemas.errors import JudgeError
from schemas.verdict import RATING_MAX, RATING_MIN

DEFAULT_HEAD = Path(__file__).parent / "heads" / "fitness.safetensors"

CLIP = 6.0
"""Standard deviations at which a feature is cut off: a wild value says that it is wild, not how much."""

WEAKEST = 0.5
"""The share of the weakest answer in a conversation's score; the rest is the mean of all."""

N_READ = len(LIKELIHOODS) + len(COSINES)
N_FIGURES = N_READ + len(ANSWER_FIGURES)
"""Features at the end that people can read: likelihoods, cosines, and figures of the text."""

INTACT = -2
"""Where the logarithm of the probability that nothing is damaged stands in a row; the last entry is 1."""

PRIOR = 1.0
"""Log-odds that an answer is intact before it is read, 3 to 1. Tried, the weight of damage chosen anew each time: at 0
the same power to tell damage cost PandaLM's pairs half a point more, at 2 and 3 it told less than people need."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Assessment:
    """What the head says of one conversation.

    `acceptance` is the probability that a reviewer keeps it, `uncertainty` its standard deviation (0 to 0.5), `rating`
    1 + 9 * acceptance, `intact` the probability that no answer is damaged or out of place, `criteria` ratings from 1 to
    10 by criterion.
    """

    rating: float
    acceptance: float
    uncertainty: float
    intact: float
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
        return _out_of_ten(float(_logistic(total)))


@dataclass(frozen=True, eq=False)
class Head:
    """The numbers of a head. Shapes: w features, d dimensions, m landmarks, p plain figures, n = m + p + 2.

    `centre`, `scale`: (w,); `projection`: (w, d); `landmarks`: (m, d); `plain`: (p,) columns that enter as they are;
    `weights`: (n,); `covariance`: (n, n) of the weights; `intact`: (q,) weights of the model of damage, see `signs`;
    `slope`, `offset`: the calibration; `facts`: how it was made.
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
    intact: NDArray[np.float32]
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
        standard, near = self._placed(vector)
        intact = -np.logaddexp(0, -PRIOR - self._intact(standard, near))
        return np.concatenate([near, standard[:, self.plain], intact[:, None], np.ones((len(vector), 1))], axis=1)

    def conversation(self, vector: NDArray[np.float32]) -> Array:
        """What a conversation's score is linear in, shape (n,): the mean and the weakest of its answers."""
        rows = self.similarities(vector)
        weakest = rows[int(np.argmin(rows @ self.weights))]
        row = np.asarray((1 - WEAKEST) * rows.mean(axis=0) + WEAKEST * weakest)
        row[INTACT] = -np.logaddexp(0, -PRIOR - self.intactness(vector))
        return row

    def intactness(self, vector: NDArray[np.float32]) -> float:
        """Log-odds that all answers of a conversation are intact, against that one of them, any, is damaged."""
        against = -self._intact(*self._placed(vector))
        return -float(np.logaddexp.reduce(against) - math.log(len(against)))

    def signs(self, vector: NDArray[np.float32]) -> Array:
        """What the log-odds of an intact answer are linear in, shape (answers, q).

        The figures at the end of the features, their squares, the products of likelihoods and cosines, the
        similarities, and 1.
        """
        return _signs(*self._placed(vector))

    def _placed(self, vector: NDArray[np.float32]) -> tuple[Array, Array]:
        """Standardised features, and coordinates among the landmarks."""
        standard = np.clip((vector.astype(np.float64) - self.centre) * self.scale, -CLIP, CLIP)
        place = standard @ self.projection.astype(np.float64)
        return standard, np.asarray(_kernel(place, self.landmarks.astype(np.float64)) @ self._root)

    def _intact(self, standard: Array, near: Array) -> Array:
        return np.asarray(_signs(standard, near) @ self.intact.astype(np.float64))

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
            rating=_out_of_ten(acceptance),
            acceptance=round(acceptance, 4),
            uncertainty=round(min(0.5, acceptance * (1 - acceptance) * math.sqrt(variance)), 4),
            intact=round(float(_logistic(PRIOR + self.intactness(measurement.vector))), 4),
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
            for name in ("centre", "scale", "projection", "landmarks", "plain", "weights", "covariance", "intact")
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


def _signs(standard: Array, near: Array) -> Array:
    figures = standard[:, -N_FIGURES:]
    pairs = [figures[:, i] * figures[:, j] for i in range(N_READ) for j in range(i)]
    bent = np.clip(np.concatenate([figures**2 - 1, np.stack(pairs, axis=1)], axis=1), -CLIP, CLIP)
    return np.concatenate([figures, bent, near, np.ones((len(near), 1))], axis=1)


def _kernel(a: Array, b: Array) -> Array:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.asarray(np.exp(-np.maximum(squares, 0.0) / 2))


def _out_of_ten(probability: float) -> float:
    return round(RATING_MIN + (RATING_MAX - RATING_MIN) * probability, 2)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(min(60.0, max(-60.0, -x))))
