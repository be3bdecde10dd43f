"""Makes heads: the default one from labelled pairs and damage, and a champion's successor from reviewers' decisions.

Both are penalised logistic regressions on what `Head.similarities` gives. A pair counts by the difference of its two
answers, so that only what tells them apart is learned (Bradley and Terry 1952); a decision by the conversation's row.

People err, and not all sets alike. A label's `noise` is the probability that its giver says the opposite of what most
would say; the loss is that of the label as it would come out after this error (forward correction; Patrini et al.
2017), so a wrong label costs a bounded amount instead of bending the head.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from judges.head import CLIP, N_FIGURES, N_READ, Array, Head
from judges.measurement import Measurement

N_ITERATIONS = 60
MIN_STEP = 1e-9
MAX_HALVINGS = 30

DRIFT = 0.6
"""Standard deviation by which a reviewer's taste may differ from the champion's in each weight, beside the champion's
own doubt: about that of the default head's weights, so a taste may be another one altogether."""

DAMAGE_NOISE = 0.01
"""How often an answer of the labelled sets is damaged as it stands, or damage does no harm: PandaLM has cut answers."""

DECISION_NOISE = 0.05
"""How often a reviewer decides against what most would decide. PandaLM's annotators disagree with the two others in 3 %
of what is not a tie; a reviewer in a hurry errs more."""


@dataclass(frozen=True)
class Example:
    """A conversation with the probability that it should be kept: 1, 0, or the share of the reviewers who kept it."""

    measurement: Measurement
    keep: float
    group: str
    weight: float = 1.0


@dataclass(frozen=True)
class Preference:
    """Two conversations of which people preferred the first."""

    better: Measurement
    worse: Measurement
    group: str
    weight: float = 1.0


@dataclass(frozen=True)
class Design:
    """A regression's data. Shapes: `rows` (k, n), the rest (k,): target 0..1, weight above 0, noise 0..0.5."""

    rows: Array
    target: Array
    weight: Array
    noise: Array

    @classmethod
    def of_pairs(cls, better: Array, worse: Array, *, weight: Array, noise: Array) -> Design:
        """Pairs of answers, from the rows of each."""
        return cls(better - worse, np.ones(len(better)), weight, noise)

    def __add__(self, other: Design) -> Design:
        """Both sets of data."""
        return Design(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in self.__dataclass_fields__))

    def part(self, chosen: NDArray[np.bool_]) -> Design:
        """The chosen rows."""
        return Design(*(getattr(self, n)[chosen] for n in self.__dataclass_fields__))


def regress(design: Design, prior_mean: Array, prior_precision: Array) -> tuple[Array, Array]:
    """The most probable weights and their covariance (Laplace), shapes (n,) and (n, n).

    Args:
        design: the data.
        prior_mean: shape (n,).
        prior_precision: shape (n, n), positive definite.
    """
    weights = prior_mean.copy()
    for _ in range(N_ITERATIONS):
        gradient, curvature = _derivatives(design, weights)
        hessian = (design.rows * curvature[:, None]).T @ design.rows + prior_precision
        slope = design.rows.T @ gradient - prior_precision @ (weights - prior_mean)
        step = np.asarray(np.linalg.solve(hessian, slope), np.float64)
        step *= min(1.0, 5.0 / (float(np.abs(step).max()) + 1e-12))
        step = _shortened(design, weights, step, prior_mean, prior_precision)
        weights = weights + step
        if float(np.abs(step).max()) < MIN_STEP:
            break
    _, curvature = _derivatives(design, weights)
    hessian = (design.rows * curvature[:, None]).T @ design.rows + prior_precision
    return weights, np.asarray(np.linalg.inv(hessian))


def _shortened(design: Design, weights: Array, step: Array, prior_mean: Array, prior_precision: Array) -> Array:
    """The step, halved until it does not lead uphill: labels that may be wrong make the loss no bowl."""
    before = _loss(design, weights, prior_mean, prior_precision)
    for _ in range(MAX_HALVINGS):
        if _loss(design, weights + step, prior_mean, prior_precision) <= before + 1e-9 * abs(before):
            return step
        step = step / 2
    return np.zeros_like(step)


def _loss(design: Design, weights: Array, prior_mean: Array, prior_precision: Array) -> float:
    """Minus the logarithm of the posterior, up to a constant."""
    p = 1 / (1 + np.exp(-np.clip(design.rows @ weights, -40, 40)))
    seen = np.clip(design.noise + (1 - 2 * design.noise) * p, 1e-9, 1 - 1e-9)
    said = design.target * np.log(seen) + (1 - design.target) * np.log(1 - seen)
    away = weights - prior_mean
    return float(0.5 * away @ prior_precision @ away - design.weight @ said)


def _derivatives(design: Design, weights: Array) -> tuple[Array, Array]:
    """Of the log-likelihood by score: the gradient, and the expected curvature (Fisher scoring), shapes (k,)."""
    p = 1 / (1 + np.exp(-np.clip(design.rows @ weights, -40, 40)))
    seen = np.clip(design.noise + (1 - 2 * design.noise) * p, 1e-9, 1 - 1e-9)
    slope = (1 - 2 * design.noise) * p * (1 - p)
    gradient = design.weight * (design.target - seen) / (seen * (1 - seen)) * slope
    return gradient, design.weight * slope**2 / (seen * (1 - seen))


@dataclass(frozen=True)
class Shape:
    """What is chosen about a head before it is fitted; how the values were found stands in judges/README.md.

    `spread`: the kernel's length in units of the median distance between answers; `stiffness`: standard deviation of
    the score before any data; `stiffness_plain`, `stiffness_intact`: those of the weights of a plain figure and
    of the probability of being intact.
    """

    blocks: tuple[tuple[str, int], ...]
    block_weight: Mapping[str, float]
    n_dimensions: int = 64
    n_landmarks: int = 256
    spread: float = 0.8
    stiffness: float = 3.0
    stiffness_plain: float = 0.3
    stiffness_intact: float = 0.5


def blank_head(rows: NDArray[np.float32], shape: Shape, *, head_id: str, version: int, plain: Sequence[int]) -> Head:
    """A head that has seen answers, shape (answers, w), but no label: scales, directions and landmarks are set."""
    wide = rows.astype(np.float64)
    centre, scale = wide.mean(axis=0), 1 / (wide.std(axis=0) + 1e-6)
    alpha = np.concatenate([np.full(n, shape.block_weight[name] / np.sqrt(n)) for name, n in shape.blocks])
    standard = np.clip((wide - centre) * scale, -CLIP, CLIP) * alpha
    values, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
    kept = vectors[:, ::-1][:, : shape.n_dimensions]
    kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    place = standard @ kept
    chosen = np.linspace(0, len(place) - 1, min(shape.n_landmarks, len(place))).astype(int)
    squares = ((place[chosen, None] - place[None, chosen]) ** 2).sum(axis=2)
    length = shape.spread * float(np.sqrt(np.median(squares[squares > 0])))
    n = len(chosen) + len(plain) + 2
    return Head(
        id=head_id,
        version=version,
        centre=centre.astype(np.float32),
        scale=scale.astype(np.float32),
        projection=(kept * alpha[:, None] / length).astype(np.float16),
        landmarks=(place[chosen] / length).astype(np.float16),
        plain=np.asarray(plain, np.int32),
        weights=np.zeros(n, np.float32),
        covariance=np.eye(n, dtype=np.float16),
        intact=np.zeros(2 * N_FIGURES + N_READ * (N_READ - 1) // 2 + len(chosen) + 1, np.float32),
        slope=1.0,
        offset=0.0,
    )


INTACT_RIDGE = 0.12
"""Penalty of the model of damage: of 0.04, 0.12 and 2 the one that told damage of prompts kept apart best."""


def with_intact(head: Head, sound: NDArray[np.float32], damaged: NDArray[np.float32]) -> Head:
    """The head with its model of damage fitted to intact and to damaged answers, shapes (answers, w).

    Both sides weigh the same, so log-odds of 0 mean: as like the one as the other.
    """
    rows = np.concatenate([head.signs(sound), head.signs(damaged)])
    target = np.concatenate([np.ones(len(sound)), np.zeros(len(damaged))])
    share = np.where(target == 1, len(target) / (2 * len(sound)), len(target) / (2 * len(damaged)))
    precision = np.full(rows.shape[1], INTACT_RIDGE)
    precision[-1] = 1e-6  # the constant is free
    design = Design(rows, target, share, np.full(len(rows), DAMAGE_NOISE))
    weights, _ = regress(design, np.zeros(rows.shape[1]), np.diag(precision))
    return replace(head, intact=weights.astype(np.float32))


def prior_precision(head: Head, shape: Shape) -> Array:
    """Of the weights before any data, shape (n, n)."""
    n_plain = len(head.plain)
    n_near = len(head.weights) - n_plain - 2
    deviation = [shape.stiffness] * n_near + [shape.stiffness_plain] * n_plain + [shape.stiffness_intact, 1.0]
    return np.diag(1 / np.square(deviation))


def with_weights(head: Head, weights: Array, covariance: Array) -> Head:
    """The head with other weights, rounded as the file holds them."""
    return replace(head, weights=weights.astype(np.float32), covariance=covariance.astype(np.float16))


def at_known_level(head: Head, rows: Array) -> Head:
    """The head with the covariance that its weights have once the mean score of these rows is known, shape (k, n).

    Pairs tell nothing of the level that all scores have in common; the calibration does. What is left is the doubt
    about how far one conversation lies from the others (conditioning of a normal distribution on one sum).
    """
    covariance = head.covariance.astype(np.float64)
    mean = rows.mean(axis=0)
    shared = covariance @ mean
    known = covariance - np.outer(shared, shared) / (mean @ shared)
    return replace(head, covariance=known.astype(np.float16))


def fit_head(champion: Head, examples: Sequence[Example], preferences: Sequence[Preference] = (), *, name: str) -> Head:
    """A champion's successor, from reviewers' decisions; the same examples in any order give the same head.

    The champion's weights are the prior, loosened by `DRIFT`: where reviewers have said nothing its opinion stays. The
    calibration is fitted anew with them, since it is the reviewers who keep.

    Args:
        champion: the head so far.
        examples: decisions; those without an answer in them are left out.
        preferences: pairs; those without an answer on both sides are left out.
        name: id of the new head; its version is the champion's plus 1 where the id is the same.
    """
    version = champion.version + 1 if champion.id == name else 1
    designs = [
        *_of_examples(champion, [one for one in examples if len(one.measurement.vector)]),
        *_of_preferences(champion, [one for one in preferences if len(one.better.vector) and len(one.worse.vector)]),
    ]
    if not designs:
        return replace(champion, id=name, version=version)
    covariance = champion.covariance.astype(np.float64) + DRIFT**2 * np.eye(len(champion.weights))
    weights, posterior = regress(
        reduce(add, designs), _calibrated(champion), np.asarray(np.linalg.inv(covariance * champion.slope**2))
    )
    made = replace(champion, id=name, version=version, slope=1.0, offset=0.0)
    return with_weights(made, weights, posterior)


def _of_examples(champion: Head, usable: Sequence[Example]) -> Iterator[Design]:
    ordered = sorted(usable, key=lambda one: (one.group, one.keep, one.measurement.vector.tobytes()))
    if ordered:
        yield Design(
            np.stack([champion.conversation(one.measurement.vector) for one in ordered]),
            np.array([one.keep for one in ordered]),
            np.array([one.weight for one in ordered]),
            np.full(len(ordered), DECISION_NOISE),
        )


def _of_preferences(champion: Head, usable: Sequence[Preference]) -> Iterator[Design]:
    ordered = sorted(usable, key=lambda one: (one.group, one.better.vector.tobytes(), one.worse.vector.tobytes()))
    if ordered:
        better, worse = (
            np.stack([champion.conversation(side.vector) for side in sides])
            for sides in ([one.better for one in ordered], [one.worse for one in ordered])
        )
        weight = np.array([one.weight for one in ordered])
        yield Design.of_pairs(better, worse, weight=weight, noise=np.full(len(ordered), DECISION_NOISE))


def _calibrated(head: Head) -> Array:
    """The weights that give the calibrated score: slope and offset folded in (the last column of the rows is 1)."""
    folded = head.weights.astype(np.float64) * head.slope
    folded[-1] += head.offset
    return folded
