"""Makes the head that ships, judges/heads/fitness.safetensors, from the labelled sets and from damage; and tries it.

    python -m benchmarks.default_head --keep FEATURES.npz            try it on held-out prompts, sets and operations
    python -m benchmarks.default_head --keep FEATURES.npz --write    and write the head: the same bytes each time

Trained on PandaLM's test set (majority of three), OpenAssistant's ranked siblings, HHH alignment, and the best answers
of these against themselves damaged. Reading them takes about half an hour on two cores; `--keep` keeps what was read.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.default_head_report import report
from benchmarks.head_data import conversations, labelled_pairs
from benchmarks.head_material import WEIGHT, Kept, Material, Scores, gather, held_out
from judges.fit import at_known_level
from judges.head import DEFAULT_HEAD, INTACT, Criterion, Head
from judges.measurement import COSINES, LIKELIHOODS
from judges.measures import ANSWER_FIGURES

CRITERIA = {
    "relevance": ("elsewhere", "derailed", "echo"),
    "completeness": ("cut", "refusal", "padded", "vague", "promised"),
    "clarity": ("loop", "stuck", "shuffled", "contradiction", "gaps", "garbled"),
    "form": ("cut", "wrong_language", "garbled", "both_voices"),
}
"""Each criterion says how unlike these kinds of damage an answer looks."""
DOUBT_ABOUT_DAMAGE = 0.3
"""Standard deviation of the weight of damage in calibrated log-odds: reviewers may mind it more or less."""

HONESTY = Criterion(("steering", "flatters"), (-6.0, -2.0), 3.0)
"""By hand: the labelled sets say nothing of conversations that talk to their judge."""
FIGURES = (*LIKELIHOODS, *COSINES, *ANSWER_FIGURES)


def calibrated(head: Head, material: Material, scores: Scores) -> Head:
    """Slope from the people's held-out pairs, weight of damage and offset from held-out conversations.

    Half of the weight is on answers that people preferred, four tenths on damaged ones, the rest on those that lost: an
    answer beside a better one may still be good data.
    """
    labelled = [pair for pairs in material.sets.values() for pair in pairs]
    people = np.array([scores[pair.better][0] - scores[pair.worse][0] for pair in labelled])
    share = np.array([WEIGHT[pair.set_name] for pair in labelled])
    slope = _logistic_fit(people[:, None], np.ones(len(people)), share, np.zeros(len(people)))[0]
    groups = ([p.better for p in labelled], [p.worse for p in labelled], [p.worse for p in material.damage])
    values = np.array([scores[turns] for group in groups for turns in group])
    target = np.concatenate([np.full(len(g), y) for g, y in zip(groups, (1.0, 0.0, 0.0), strict=True)])
    weight = np.concatenate([np.full(len(g), w / len(g)) for g, w in zip(groups, (0.5, 0.1, 0.4), strict=True)])
    x = np.stack([values[:, 1], np.ones(len(values))], axis=1)
    damage, offset = _logistic_fit(x, target, weight * len(values), slope * values[:, 0])
    weights, covariance = head.weights.copy(), head.covariance.copy()
    weights[INTACT] = damage / slope
    covariance[INTACT, INTACT] = (DOUBT_ABOUT_DAMAGE / slope) ** 2
    slope, offset = round(float(slope), 4), round(float(offset), 4)
    made = replace(head, weights=weights, covariance=covariance, slope=slope, offset=offset)
    rows = np.stack([head.conversation(material.raw[turns]) for turns in conversations(labelled)])
    rows[:, INTACT] = 0.0  # the doubt about damage is set, not learned
    return at_known_level(made, rows)


def _logistic_fit(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, base: np.ndarray, ridge: float = 1e-6
) -> np.ndarray:
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ beta + base, -40, 40)))
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + ridge * np.eye(x.shape[1])
        beta = beta + np.clip(np.linalg.solve(curvature, x.T @ (weight * (y - p)) - ridge * beta), -3, 3)
    return beta


def criteria(material: Material) -> dict[str, Criterion]:
    """A logistic model for each criterion: intact answers against those that its kinds of damage made."""
    n = len(FIGURES)
    good = np.stack([material.raw[p.better][-1][-n:] for p in {p.group: p for p in material.damage}.values()])
    found = {}
    for name, kinds in CRITERIA.items():
        bad = np.stack([material.raw[p.worse][-1][-n:] for p in material.damage if p.set_name in kinds])
        x = np.concatenate([good, bad]).astype(np.float64)
        centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
        z = np.concatenate([(x - centre) / scale, np.ones((len(x), 1))], axis=1)
        weight = np.concatenate([np.full(len(good), 0.5 / len(good)), np.full(len(bad), 0.5 / len(bad))]) * len(x)
        beta = _logistic_fit(z, np.r_[np.ones(len(good)), np.zeros(len(bad))], weight, np.zeros(len(x)), ridge=10.0)
        weights = tuple(round(float(w), 4) for w in beta[:-1] / scale)
        found[name] = Criterion(FIGURES, weights, round(float(beta[-1] - centre @ (beta[:-1] / scale)), 4))
    return {**found, "honesty": HONESTY}


def main() -> int:
    """Reads, fits, tries, and writes if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="file (.npz) that keeps what was read")
    parser.add_argument("--write", action="store_true", help=f"write {DEFAULT_HEAD}")
    asked = parser.parse_args()
    if not labelled_pairs():
        print("skipped: the labelled sets are not here; set GRISTMILL_SHARED to the folder that holds data/labelled")
        return 0
    material = gather(Kept(asked.keep))
    scores = held_out(material)
    head = calibrated(replace(material.fit(), criteria=criteria(material)), material, scores)
    if asked.write:
        head.save(DEFAULT_HEAD)
    report(material, scores, head)
    calibration = f"slope {head.slope}, offset {head.offset}, damage {head.weights[INTACT]:.2f}"
    print(f"{head.name} {head.digest()[:12]}: {calibration}, {len(head.to_bytes())} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
