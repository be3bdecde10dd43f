"""A head learns from pairs and decisions, and its figures come from prompts that it did not see."""

import random

import numpy as np
import pytest

from judges.labels import Label
from judges.train import train
from schemas.conversation import Turn
from tests.judges.small_head import WIDTH, default_head, measurement

CHAMPION = default_head()


def made(n, seed=3):
    """Labels by somebody who likes feature 2, which the champion does not know, and what was measured."""
    rows = np.random.default_rng(seed).normal(size=(2 * n, WIDTH))
    talks = [(Turn("user", f"Q{i // 2}"), Turn("assistant", f"A{i}")) for i in range(2 * n)]
    measured = {turns: measurement(row) for turns, row in zip(talks, rows, strict=True)}
    labels = []
    for i in range(0, 2 * n, 2):
        better, worse = (i, i + 1) if rows[i][2] > rows[i + 1][2] else (i + 1, i)
        labels.append(Label(f"{i:012}", talks[better], talks[worse]))
        labels.append(Label(f"{i:012}", talks[i], keep=float(rows[i][2] > 0)))
    return labels, measured


def test_it_learns_what_people_like_and_says_so():
    """The figures before and after are the reason to use the new head, or not to."""
    labels, measured = made(200)
    trained = train(labels, measured, CHAMPION, name="mine")
    assert (trained.n_pairs, trained.n_decisions, trained.n_unmeasured) == (200, 200, 0)
    assert trained.after["accuracy"] > 0.8 > 0.6 > trained.before["accuracy"]
    assert trained.after["auc"] > 0.85 > trained.before["auc"]
    low, high = trained.after["ci95"]
    assert low < trained.after["accuracy"] < high


def test_what_was_not_seen_is_what_is_tried():
    """With labels by the toss of a coin nothing can be learned: a figure above chance would be one of the training."""
    labels, measured = made(300)
    draw = random.Random(5)
    tossed = [
        one if one.worse is None or draw.random() < 0.5 else Label(one.group, one.worse, one.better) for one in labels
    ]
    pairs = [one for one in tossed if one.worse is not None]
    low, high = train(pairs, measured, CHAMPION, name="mine").after["ci95"]
    assert low < 0.5 < high


def test_the_order_of_labels_does_not_matter():
    """The same labels in another file order must give the same bytes."""
    labels, measured = made(30)
    other = random.Random(1).sample(labels, len(labels))
    first, second = (train(part, measured, CHAMPION, name="mine").head.digest() for part in (labels, other))
    assert first == second != CHAMPION.digest()


def test_what_could_not_be_read_is_left_out_and_counted():
    """A conversation too long for the judge says nothing of the others."""
    labels, measured = made(30)
    del measured[labels[0].better]
    trained = train(labels, measured, CHAMPION, name="mine")
    assert trained.n_unmeasured + trained.n_pairs + trained.n_decisions == len(labels)
    assert trained.n_unmeasured >= 1


@pytest.mark.parametrize("n", [0, 4])
def test_few_prompts_give_no_figures(n):
    """A share of four is no figure."""
    labels, measured = made(n)
    trained = train(labels, measured, CHAMPION, name="mine")
    assert trained.before == trained.after == {"accuracy": None, "ci95": None, "auc": None}
