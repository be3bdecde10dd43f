"""A real head on eight made-up features, and conversations that a reviewer with another taste likes or not."""

from collections.abc import Callable

import numpy as np

from benchmarks.judge_rounds import Talk
from judges.fit import Example, Shape, blank_head, fit_head
from judges.head import N_FIGURES, Head
from judges.measurement import Measurement
from schemas.conversation import Turn
from schemas.verdict import JudgeIdentity

WIDTH = 8
"""Features that vary; a head has at least the figures, and the rest of them are 0."""
IDENTITY = JudgeIdentity("embedded", "made up", "0" * 64, "fitness-1", "1" * 64, prompt_digest="2" * 64)


def default_head() -> Head:
    """A head that likes what has much of features 0 and 1."""
    rows = np.random.default_rng(1).normal(size=(200, WIDTH)).astype(np.float32)
    shape = Shape((("all", N_FIGURES),), {"all": 1.0}, n_dimensions=WIDTH, n_landmarks=48)
    blank = blank_head(padded(rows), shape, head_id="fitness", version=1, plain=range(WIDTH))
    likes = [Example(measurement(row), float(row[0] + row[1] > 0), str(n)) for n, row in enumerate(rows)]
    return fit_head(blank, likes, name="fitness")


def measurement(row) -> Measurement:
    """Of a conversation with one answer."""
    return Measurement({}, padded(np.asarray(row, np.float32).reshape(1, WIDTH)))


def padded(rows: np.ndarray) -> np.ndarray:
    """Rows of the width that a head needs."""
    return np.pad(rows, ((0, 0), (0, N_FIGURES - WIDTH)))


def other_taste(row) -> bool:
    """Likes feature 2, and feature 0 the less the more of it there is; keeps about two of three."""
    return bool(row[2] - 0.5 * row[0] + 0.5 > 0)


def talks(n: int, seed: int, likes: Callable[[np.ndarray], bool] = other_taste) -> list[Talk]:
    """So many different conversations; the same seed gives the same ones."""
    rows = np.random.default_rng(seed).normal(size=(n, WIDTH)).astype(np.float32)
    return [
        Talk(
            (Turn("user", f"Question {number} of night {seed}?"), Turn("assistant", f"Answer {number}.")),
            measurement(row),
            likes(row),
        )
        for number, row in enumerate(rows)
    ]
