"""Champion against challenger on the frozen part: who gives people's decisions the higher probability, and how surely.

The measure is the logarithmic loss of the probability that each gave (a proper score: nobody gains by saying another
probability than the true one). The certainty is that of the paired sign-flip test (Fisher 1935; Yeh 2000 for comparing
systems): were both equally good, each group's difference could as well have the other sign; the p-value is the share of
such flips in which the challenger comes off at least as well. Conversations of one group count as one observation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import shake_256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judges.agreement import Agreement, agreement
from judges.lessons import Lesson

CLIP = 0.01
"""Acceptances count as at least 1 % and at most 99 %: one certain error costs 4.6, so no single decision decides."""

N_FLIPS = 9_999
"""The p-value's own error at 0.05 is sqrt(0.05 * 0.95 / 10,000) = 0.002."""

_AT_ONCE = 256
"""Flips in memory at once: 256 * 10,000 groups of 4 bytes are 10 MB."""


@dataclass(frozen=True)
class Duel:
    """How two heads fared on the same frozen conversations.

    Losses are means over groups, in nats; `p_value` is that of "the challenger is no better". `champion` and
    `challenger` are their agreements with the majority of reviewers at the acceptance 0.5, draws left out.
    """

    n: int
    n_groups: int
    champion_loss: float
    challenger_loss: float
    p_value: float
    champion: Agreement | None
    challenger: Agreement | None

    def is_won(self, confidence: float) -> bool:
        """Whether the challenger is better with this confidence."""
        return self.challenger_loss < self.champion_loss and self.p_value <= 1 - confidence

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)


def duel(frozen: Sequence[Lesson], champion: Mapping[str, float], challenger: Mapping[str, float]) -> Duel:
    """Compares acceptances by content id on frozen lessons, of which there is at least one."""
    groups: dict[str, list[tuple[float, float]]] = {}
    for lesson in frozen:
        pair = (loss(champion[lesson.content_id], lesson.keep), loss(challenger[lesson.content_id], lesson.keep))
        groups.setdefault(lesson.group, []).append(pair)
    means = np.array([np.mean(groups[group], axis=0) for group in sorted(groups)])
    return Duel(
        n=len(frozen),
        n_groups=len(groups),
        champion_loss=round(float(means[:, 0].mean()), 6),
        challenger_loss=round(float(means[:, 1].mean()), 6),
        p_value=round(sign_flip_p(means[:, 0] - means[:, 1], seed=" ".join(sorted(groups))), 6),
        champion=_agreement(frozen, champion),
        challenger=_agreement(frozen, challenger),
    )


def loss(acceptance: float, keep: float) -> float:
    """The logarithmic loss of an acceptance where this share of the reviewers keep, in nats."""
    p = min(1 - CLIP, max(CLIP, acceptance))
    return -keep * math.log(p) - (1 - keep) * math.log(1 - p)


def sign_flip_p(differences: NDArray[np.float64], *, seed: str) -> float:
    """The one-sided p-value of "the mean difference is not above 0"; the same input gives the same value everywhere.

    The signs are bits of a hash of the seed, because the streams of a library's generators may change with it.
    """
    observed = float(differences.sum())
    width = -(-len(differences) // 8)
    bits = np.frombuffer(shake_256(seed.encode()).digest(width * N_FLIPS), np.uint8).reshape(N_FLIPS, width)
    n_as_good = 0
    for begin in range(0, N_FLIPS, _AT_ONCE):
        signs = np.unpackbits(bits[begin : begin + _AT_ONCE], axis=1)[:, : len(differences)] * 2.0 - 1.0
        n_as_good += int((signs @ differences >= observed - 1e-9).sum())
    return (1 + n_as_good) / (1 + N_FLIPS)


def _agreement(frozen: Sequence[Lesson], acceptances: Mapping[str, float]) -> Agreement | None:
    clear = [(acceptances[one.content_id] >= 0.5, one.is_kept) for one in frozen if one.is_kept is not None]
    return agreement([expected for expected, _ in clear], [bool(kept) for _, kept in clear])
