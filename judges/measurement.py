"""What a reading of a conversation gives to the head: a vector for each answer, and figures that people can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LIKELIHOODS = ("ll_mean", "ll_spread", "ll_start", "ll_end", "ll_alone", "ll_gain")
"""Log-probabilities in nats a token: mean and spread over an answer, its first tokens, its end, its beginning without
the question, and what the question explains of it."""

COSINES = ("relevance", "relevance_end", "unity", "misplaced")
"""Of sentence vectors, see judges/features.py."""


@dataclass(frozen=True)
class Measurement:
    """The measurements of one conversation.

    `vector` has a row for each answer and a column for each feature of `judges.features.BLOCKS`, shape (answers,
    `judges.features.WIDTH`). `scalars` are figures of the whole conversation by name. `n_tokens` were computed.
    `embedding` is what it is about, a unit vector of the sentence model; zeros where nothing is said.
    """

    scalars: Mapping[str, float]
    vector: NDArray[np.float32]
    n_tokens: int = 0
    embedding: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
