"""Fitting: the weights that it finds are where the loss is least, also with labels that may be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from judges.fit import Design, regress


def hard_design(seed: int) -> tuple[Design, np.ndarray, np.ndarray]:
    """Few rows in many directions, wide scores and a loose prior: full steps leap over the bottom."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(120, 40)) * random.choice([0.1, 1.0, 6.0], size=40)
    target = (rows @ random.normal(size=40) + random.normal(size=120) > 0).astype(float)
    design = Design(rows, target, np.ones(120), np.full(120, 0.05))
    return design, np.zeros(40), 0.05 * np.eye(40)


def loss(design: Design, weights: np.ndarray, precision: np.ndarray) -> float:
    p = 0.05 + 0.9 / (1 + np.exp(-np.clip(design.rows @ weights, -40, 40)))
    said = design.target * np.log(p) + (1 - design.target) * np.log(1 - p)
    return float(0.5 * weights @ precision @ weights - said.sum())


@pytest.mark.parametrize("seed", range(12))
def test_no_direction_leads_further_down(seed: int) -> None:
    """A fit that leaps about ends anywhere, and a challenger made of it loses for no reason of its own."""
    design, mean, precision = hard_design(seed)
    weights, covariance = regress(design, mean, precision)
    least = loss(design, weights, precision)
    random = np.random.default_rng(99)
    for _ in range(50):
        aside = weights + 0.05 * random.normal(size=40)
        assert loss(design, aside, precision) >= least - 1e-6
    assert np.all(np.linalg.eigvalsh(covariance) > 0)
