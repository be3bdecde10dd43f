"""Drift: does the judge still see the same kind of conversations, and do people still decide as it expects?

**Distributions.** The ratings and acceptances of a night against those of the nights before that the same judge rated,
by the population stability index over their tenths: sum of (p - q) ln(p / q). Credit scoring has long taken
0.1 for a shift worth a look and 0.25 for a change of population (Siddiqi 2006). In small samples the index is large by
chance: without any drift it is about chi-squared with (bins - 1) degrees times (1/n + 1/m) (Yurdakul 2018). The bound
is the larger of the setting and that distribution's 99.9 % point, so an alarm means large *and* not by chance.

**Agreement.** The decisions of the newest reviewed nights against those of the nights before, each beside what the
judge's acceptance had said when the sample was proposed: Fisher's exact test, one-sided, at 0.001 over all cuts between
old and new, so that without any drift an alarm comes at most once in a thousand nights; and only if the share fell by
at least the setting, 0.1. So a change is found whether it shows in one large night or in several small ones. Simulated,
30 decisions a night at 80 %: 1 of 3,000 nights rang; 8 when the 80 % themselves varied by 5 points from night to night,
219 when by 10 (reviewers so unsteady are worth a question).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judges.agreement import agreement
from schemas.decision import DecidedSample

Floats = NDArray[np.float64]

N_BINS = 10
CHI_SQUARED_999 = (10.828, 13.816, 16.266, 18.467, 20.515, 22.458, 24.322, 26.124, 27.877)
"""The 99.9 % points of chi-squared with 1 to 9 degrees of freedom."""

MIN_RATED = 50
"""Conversations on each side of a comparison: five in each tenth, Cochran's (1954) rule for chi-squared."""

MIN_DECIDED = 8
"""Decisions on each side. The test is exact for any number, and 0 of 4 after 40 of 40 would be enough for it; but a
handful of decisions is one reviewer's morning."""

ALARM_P = 0.001


@dataclass(frozen=True)
class RatedNight:
    """What one judge (by identity digest) gave to all conversations of a night; acceptances empty if it gives none."""

    night: str
    judge: str
    ratings: Floats
    acceptances: Floats


@dataclass(frozen=True)
class Shift:
    """How far a distribution moved: the index, and the bound above which it is an alarm; None without enough data."""

    what: str
    index: float | None
    bound: float | None
    n: int
    n_before: int

    @property
    def is_alarm(self) -> bool:
        """Whether it moved beyond the bound."""
        return self.index is not None and self.bound is not None and self.index > self.bound


@dataclass(frozen=True)
class NightAgreement:
    """Of a night's decisions, how many were as the judge expected; intervals of 95 %.

    Kappa is None where the judge expected, or people said, the same of all.
    """

    night: str
    n: int
    n_agreed: int
    share_low: float
    share_high: float
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None


@dataclass(frozen=True)
class Fall:
    """The newest decisions against those before: counts, shares, and how surely it is a fall (p, one-sided)."""

    nights: tuple[str, ...]
    n: int
    n_agreed: int
    n_before: int
    n_agreed_before: int
    p_value: float
    is_alarm: bool


@dataclass(frozen=True)
class Drift:
    """What was found for a night; `alarms` are sentences for people, empty when all is as it was."""

    night: str
    shifts: tuple[Shift, ...] = ()
    agreement: tuple[NightAgreement, ...] = ()
    fall: Fall | None = None
    alarms: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)


def find_drift(
    tonight: RatedNight,
    before: Sequence[RatedNight],
    decided: Sequence[DecidedSample],
    *,
    nights: int,
    psi_max: float,
    fall_max: float,
) -> Drift:
    """Compares a night and the newest decisions with what was before them.

    Args:
        tonight: the night.
        before: earlier nights in their order; those of another judge are passed over.
        decided: reviewed samples of any nights.
        nights: how many earlier nights are the reference.
        psi_max: the index that counts as moved.
        fall_max: how far the share of agreed decisions may fall.
    """
    same = [one for one in before if one.judge == tonight.judge][-nights:]
    shifts = (
        _shift("ratings", tonight.ratings, [one.ratings for one in same], psi_max),
        _shift("acceptances", tonight.acceptances, [one.acceptances for one in same], psi_max),
    )
    by_night = agreement_by_night(decided)
    fall = find_fall(by_night, nights=nights, fall_max=fall_max)
    alarms = [_told_shift(shift) for shift in shifts if shift.is_alarm]
    alarms += [_told_fall(fall)] if fall and fall.is_alarm else []
    return Drift(tonight.night, shifts, by_night, fall, tuple(alarms))


def _shift(what: str, values: Floats, before: Sequence[Floats], psi_max: float) -> Shift:
    reference = np.concatenate(before) if before else np.array([])
    n, n_before = len(values), len(reference)
    if n < MIN_RATED or n_before < MIN_RATED:
        return Shift(what, None, None, n, n_before)
    index, n_bins = stability_index(reference, values)
    by_chance = CHI_SQUARED_999[n_bins - 2] * (1 / n + 1 / n_before) if n_bins > 1 else 0.0
    return Shift(what, round(index, 4), round(max(psi_max, by_chance), 4), n, n_before)


def stability_index(reference: Floats, values: Floats) -> tuple[float, int]:
    """The population stability index, and the number of bins: the tenths of both together, fewer where values coincide.

    Tenths of the reference alone would not see values that leave it where it is all alike. A bin ends with its upper
    edge. Half a conversation is added to each count, so that an empty bin weighs what could have been in it.
    """
    edges = np.unique(np.quantile(np.concatenate([reference, values]), np.arange(1, N_BINS) / N_BINS, method="lower"))
    counts = [np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1) for side in (reference, values)]
    if counts[0][-1] == counts[1][-1] == 0:  # nothing lies above the highest edge
        counts = [side[:-1] for side in counts]
    p, q = ((side + 0.5) / (side + 0.5).sum() for side in counts)
    return float(((q - p) * np.log(q / p)).sum()), len(p)


def agreement_by_night(decided: Sequence[DecidedSample]) -> tuple[NightAgreement, ...]:
    """How each night's decisions agree with what the judge expected, the first night first.

    The judge expects a sample to be kept when the acceptance in its verdict is at least 0.5; people decide by majority.
    Draws, and samples whose verdict has no acceptance, are left out.
    """
    pairs: dict[str, list[tuple[bool, bool]]] = {}
    for sample in sorted(decided, key=lambda one: (one.night, one.sample_id)):
        if sample.acceptance is not None and sample.is_kept is not None:
            pairs.setdefault(sample.night, []).append((sample.acceptance >= 0.5, sample.is_kept))
    return tuple(_night_agreement(night, found) for night, found in pairs.items())


def _night_agreement(night: str, pairs: Sequence[tuple[bool, bool]]) -> NightAgreement:
    found = agreement([expected for expected, _ in pairs], [decided for _, decided in pairs])
    assert found is not None, "a night has at least one decision"
    low, high = found.kappa_interval or (None, None)
    return NightAgreement(night, found.n, found.n_agreed, *found.share_interval, found.kappa, low, high)


def find_fall(by_night: Sequence[NightAgreement], *, nights: int, fall_max: float) -> Fall | None:
    """The newest nights with decisions against those right before, cut where the fall is surest.

    Either side has 1 to `nights` nights, so that what a worse head expected weeks ago hides nothing, and at least
    `MIN_DECIDED` decisions; the p-value is multiplied by the number of cuts looked at (Bonferroni). None without one.
    """
    n = len(by_night)
    places = [(low, at) for at in range(max(1, n - nights), n) for low in range(max(0, at - nights), at)]
    cuts = [cut for low, at in places if (cut := _cut(by_night[low:at], by_night[at:]))]
    if not cuts:
        return None
    surest = min(cuts, key=lambda cut: (cut.p_value, cut.nights, cut.n_before))
    p = min(1.0, surest.p_value * len(cuts))
    fell = surest.n_agreed_before / surest.n_before - surest.n_agreed / surest.n
    return replace(surest, p_value=p, is_alarm=p < ALARM_P and fell >= fall_max)


def _cut(before: Sequence[NightAgreement], newest: Sequence[NightAgreement]) -> Fall | None:
    n, n_agreed = sum(one.n for one in newest), sum(one.n_agreed for one in newest)
    n_before, n_agreed_before = sum(one.n for one in before), sum(one.n_agreed for one in before)
    if n < MIN_DECIDED or n_before < MIN_DECIDED:
        return None
    p = fisher_p(n_agreed, n, n_agreed_before, n_before)
    return Fall(tuple(one.night for one in newest), n, n_agreed, n_before, n_agreed_before, p, False)


def fisher_p(n_yes: int, n: int, n_yes_before: int, n_before: int) -> float:
    """How often a share as low as `n_yes` of `n` comes about if both sides have the same one (Fisher 1935)."""
    total, yes = n + n_before, n_yes + n_yes_before
    low = max(0, yes - n_before)
    logs = [_log_choose(n, k) + _log_choose(n_before, yes - k) for k in range(low, n_yes + 1)]
    return min(1.0, math.fsum(math.exp(value - _log_choose(total, yes)) for value in logs))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _told_shift(shift: Shift) -> str:
    return (
        f"the {shift.what} of this night are distributed otherwise than before (stability index {shift.index:.2f}, "
        f"bound {shift.bound:.2f}): look at what came in, and read some samples before you trust the threshold"
    )


def _told_fall(fall: Fall) -> str:
    span = fall.nights[0] if len(fall.nights) == 1 else f"{fall.nights[0]} to {fall.nights[-1]}"
    return (
        f"reviewers of {span} decided as the judge expected in {fall.n_agreed} of {fall.n} cases, before that in "
        f"{fall.n_agreed_before} of {fall.n_before} (p = {fall.p_value:.1g}): ask them why; if the taste is meant to "
        f'change, set decisions_since = "{fall.nights[0]}" under [judge_round] and run `gristmill judge round`'
    )
