"""A panel: several judges rate every conversation, and one verdict is made of theirs.

**The rating.** `mean` and `median` of the members' ratings, or by `vote` 1 + 9 * the share of members that would keep
the conversation, which are those that rate it at or above their own threshold. With the usual threshold of 6.0 a vote
passes with more than 0.55 of the members, so with a majority; one half is 5.5.

**Disagreement** is the standard deviation over the members of what is combined: of their ratings, in a vote of its ones
and tens. It stands in the verdict's features beside each member's rating; where it is above the bound the conversation
is held, because a mean of 2 and 9 is nobody's word.

**A member without a verdict.** One that may answer on another night (its server is down) is waited for: the verdicts of
a panel are those of all its members, not of who was up. One that cannot rate this conversation abstains; the others
decide if they are more than half of the panel, else nobody does.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Literal

from judges.members import (
    ComposedJudge,
    Conversations,
    Member,
    first_embedding,
    is_under_weather,
    ratings_by_name,
)
from schemas.errors import SettingsError
from schemas.verdict import RATING_MAX, RATING_MIN, Unrated, Verdict

Combine = Literal["mean", "median", "vote"]

MAX_DISAGREEMENT = {"mean": 2.0, "median": 2.0, "vote": (RATING_MAX - RATING_MIN) / 2}
"""2.0: two judges four points apart, as 4 and 8 on either side of the usual threshold; of three, one that is more than
4.2 points from the other two. For a vote the largest possible, so that a majority is enough unless the settings say
otherwise."""


class PanelJudge(ComposedJudge):
    """Rates with all members. The order in which they are given changes nothing.

    Args:
        members: two or more; for a vote each with a threshold.
        combine: the rule.
        max_disagreement: conversations with more are held; None: `MAX_DISAGREEMENT`.

    Raises:
        SettingsError: a voter has no threshold, or two members are the same judge.
    """

    def __init__(
        self, members: Sequence[Member], *, combine: Combine = "mean", max_disagreement: float | None = None
    ) -> None:
        members = sorted(members, key=lambda member: member.name)
        thresholds = {member.name: member.threshold for member in members} if combine == "vote" else {}
        if missing := [name for name, threshold in thresholds.items() if threshold is None]:
            raise SettingsError(
                f"{missing[0]!r} cannot vote without a threshold, the rating from which it keeps; set it"
            )
        self._combine = combine
        self._bound = MAX_DISAGREEMENT[combine] if max_disagreement is None else max_disagreement
        told = f"{combine} of {', '.join(map(str, members))}"
        rule = {"combine": combine, "max_disagreement": self._bound, "thresholds": thresholds, "version": 1}
        super().__init__(members, kind="panel", told=told, rule=rule)

    def _window(self, conversations: Conversations) -> Iterator[Verdict | Unrated]:
        """Members work side by side, as far as they work ahead of what is taken from them."""
        with ExitStack() as stack:
            streams = [stack.enter_context(closing(member.judge(conversations))) for member in self._members]
            for results in zip(*streams, strict=True):
                yield self._combined(results)

    def _combined(self, results: Sequence[Verdict | Unrated]) -> Verdict | Unrated:
        said = dict(zip(self._members, results, strict=True))
        verdicts = {member: result for member, result in said.items() if isinstance(result, Verdict)}
        if held := _undecided(said, len(verdicts)):
            return held
        values = [self._value(member, verdict) for member, verdict in verdicts.items()]
        disagreement = statistics.pstdev(values)
        if disagreement > self._bound:
            ratings = ", ".join(f"{member.name} {verdict.rating:g}" for member, verdict in verdicts.items())
            return Unrated("judges_disagree", f"standard deviation {disagreement:.2f} above {self._bound:g}: {ratings}")
        return self._verdict(list(verdicts.values()), values, _features(verdicts, disagreement))

    def _value(self, member: Member, verdict: Verdict) -> float:
        """What of a verdict is combined."""
        if self._combine != "vote":
            return verdict.rating
        assert member.threshold is not None
        return RATING_MAX if verdict.rating >= member.threshold else RATING_MIN

    def _verdict(self, verdicts: Sequence[Verdict], values: Sequence[float], features: Mapping[str, float]) -> Verdict:
        acceptances = [] if self._combine == "vote" else _of_all([one.acceptance for one in verdicts])
        uncertainties = _of_all([one.uncertainty for one in verdicts]) if acceptances else []
        return Verdict(
            rating=round(self._middle(values), 2),
            judge=self.identity,
            acceptance=round(self._middle(acceptances), 4) if acceptances else None,
            criteria=self._criteria(verdicts),
            features=features,
            n_tokens=sum(one.n_tokens for one in verdicts),
            seconds=round(math.fsum(one.seconds for one in verdicts), 4),
            uncertainty=round(_mixed(acceptances, uncertainties), 4) if uncertainties else None,
            embedding=first_embedding(verdicts),
        )

    def _middle(self, values: Sequence[float]) -> float:
        """The median, or the mean; a vote is the mean of its ones and tens."""
        if self._combine == "median":
            return statistics.median(values)
        return math.fsum(values) / len(values)

    def _criteria(self, verdicts: Sequence[Verdict]) -> dict[str, float]:
        """Each criterion by the members that rate it."""
        names = sorted({name for verdict in verdicts for name in verdict.criteria})
        return {
            name: round(self._middle([v.criteria[name] for v in verdicts if name in v.criteria]), 2) for name in names
        }


def _undecided(said: Mapping[Member, Verdict | Unrated], n_rated: int) -> Unrated | None:
    """Why there is no verdict: one is waited for, or too many abstain."""
    silent = {member: result for member, result in said.items() if isinstance(result, Unrated)}
    down = {member: result for member, result in silent.items() if is_under_weather(result)}
    if down:
        member, result = next(iter(down.items()))
        return Unrated(result.reason, f"{member.name}: {result.evidence}", is_retryable=True)
    if 2 * n_rated > len(said):
        return None
    reasons = ", ".join(f"{member.name} {result.reason}" for member, result in silent.items())
    first = next(iter(silent.values()))
    is_retryable = any(result.is_retryable for result in silent.values())
    return Unrated(first.reason, f"{len(silent)} of {len(said)} judges gave no rating: {reasons}", is_retryable)


def _features(verdicts: Mapping[Member, Verdict], disagreement: float) -> dict[str, float]:
    ratings = ratings_by_name({member.name: verdict for member, verdict in verdicts.items()})
    return {**ratings, "disagreement": round(disagreement, 4)}


def _of_all(values: Sequence[float | None]) -> list[float]:
    """The values, none where one is missing: a mean over some would change with who gives one."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def _mixed(acceptances: Sequence[float], uncertainties: Sequence[float]) -> float:
    """Standard deviation of a mixture: the members' own variances, and how far they lie apart (law of total variance).

    No less than for independent members, which judges of the same text are not.
    """
    within = math.fsum(one**2 for one in uncertainties) / len(uncertainties)
    return min(0.5, math.sqrt(within + statistics.pvariance(acceptances)))
