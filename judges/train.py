"""Trains a head on labels, and tries it on prompts that it did not see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from judges.fit import Example, Preference, fit_head
from judges.head import Head
from judges.labels import Label, Turns
from judges.measurement import Measurement
from judges.trial import auc, wilson

N_FOLDS = 5
MIN_GROUPS = 10
"""Fewer prompts give folds of one, whose figures say nothing."""

Measured = Mapping[Turns, Measurement]


@dataclass(frozen=True)
class Trained:
    """The head from all labels, and the figures of heads from four fifths of the prompts on the last fifth.

    `before` is of the head that learning began with, `after` of those that learned: `accuracy` of pairs with its 95 %
    interval, `auc` of kept against rejected conversations; None where there are no such labels or too few prompts.
    """

    head: Head
    n_pairs: int
    n_decisions: int
    n_unmeasured: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def train(labels: Sequence[Label], measured: Measured, champion: Head, *, name: str) -> Trained:
    """Learns from labels, with `champion` as what was believed before; the same labels give the same head.

    Args:
        labels: what people said.
        measured: by conversation; labels on one that is missing are left out and counted.
        champion: the head that learning begins with.
        name: id of the new head.
    """
    usable = [one for one in labels if all(_has_answer(measured, turns) for turns in one.conversations())]
    groups = sorted({one.group for one in usable})
    scores: dict[str, list[tuple[float, Label]]] = {"before": [], "after": []}
    for fold in range(N_FOLDS if len(groups) >= MIN_GROUPS else 0):
        apart = set(groups[fold::N_FOLDS])
        learned = _fitted([one for one in usable if one.group not in apart], measured, champion, name)
        held = [one for one in usable if one.group in apart]
        for key, head in (("before", champion), ("after", learned)):
            scores[key] += [(_score(head, one, measured), one) for one in held]
    return Trained(
        head=_fitted(usable, measured, champion, name),
        n_pairs=sum(one.worse is not None for one in usable),
        n_decisions=sum(one.worse is None for one in usable),
        n_unmeasured=len(labels) - len(usable),
        before=_figures(scores["before"]),
        after=_figures(scores["after"]),
    )


def _has_answer(measured: Measured, turns: Turns) -> bool:
    return turns in measured and len(measured[turns].vector) > 0


def _fitted(labels: Collection[Label], measured: Measured, champion: Head, name: str) -> Head:
    examples = [Example(measured[one.better], one.keep, one.group, one.weight) for one in labels if one.worse is None]
    pairs = [
        Preference(measured[one.better], measured[one.worse], one.group, one.weight)
        for one in labels
        if one.worse is not None
    ]
    return fit_head(champion, examples, pairs, name=name)


def _score(head: Head, label: Label, measured: Measured) -> float:
    """A pair's margin, or a conversation's score."""
    worse = head.score(measured[label.worse]) if label.worse is not None else 0.0
    return head.score(measured[label.better]) - worse


def _figures(scored: Sequence[tuple[float, Label]]) -> dict[str, Any]:
    margins = np.array([score for score, label in scored if label.worse is not None])
    kept = [score for score, label in scored if label.worse is None and label.keep > 0.5]
    rejected = [score for score, label in scored if label.worse is None and label.keep < 0.5]
    right = float((margins > 0).sum() + 0.5 * (margins == 0).sum())
    return {
        "accuracy": right / len(margins) if len(margins) else None,
        "ci95": list(wilson(right, len(margins))) if len(margins) else None,
        "auc": auc(kept, rejected),
    }
