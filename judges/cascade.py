"""A cascade: the first judge rates everything, each next one only what the one before is unsure of.

**Unsure** is a rating less than `margin` from the threshold, or one with an uncertainty above `max_uncertainty`, as far
as the judge knows its uncertainty; and no rating at all, where the judge cannot rate the conversation. A rating of the
embedded judge is 1 + 9 * its acceptance, so one margin serves judges with an acceptance and those without.

**The verdict** is that of the last judge asked, whose word stands, however unsure it is. It has that judge's acceptance
and criteria, and the rating of each judge asked as a feature.

**A judge without a verdict.** One that may answer on another night (its server is down) is waited for, and the
conversation is held: the verdict of a judge that was unsure does not pass for an answer, and the next one is not paid
for the outage of the one before. If the last judge cannot rate the conversation, it is held likewise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from judges.members import (
    ComposedJudge,
    Conversations,
    Member,
    all_of,
    first_embedding,
    is_under_weather,
    ratings_by_name,
)
from schemas.verdict import Unrated, Verdict

Answers = list[tuple[Member, Verdict | Unrated]]
"""Who was asked about one conversation, and what they said."""


class CascadeJudge(ComposedJudge):
    """Asks its members one after the other, each about those conversations that leave the one before unsure.

    Args:
        members: two or more, the cheapest first.
        threshold: the rating from which a conversation is kept.
        margin: ratings nearer to the threshold are unsure.
        max_uncertainty: ratings more uncertain (standard deviation of the acceptance) are unsure.

    Raises:
        SettingsError: two members are the same judge.
    """

    def __init__(self, members: Sequence[Member], *, threshold: float, margin: float, max_uncertainty: float) -> None:
        self._threshold, self._margin, self._max_uncertainty = threshold, margin, max_uncertainty
        told = ", then ".join(map(str, members))
        rule = {"threshold": threshold, "margin": margin, "max_uncertainty": max_uncertainty, "version": 1}
        super().__init__(members, kind="cascade", told=told, rule=rule)

    def is_unsure(self, result: Verdict | Unrated) -> bool:
        """Whether the next judge is asked."""
        if isinstance(result, Unrated):
            return not is_under_weather(result)
        is_vague = result.uncertainty is not None and result.uncertainty > self._max_uncertainty
        return is_vague or abs(result.rating - self._threshold) < self._margin

    def _window(self, conversations: Conversations) -> Iterator[Verdict | Unrated]:
        answers: list[Answers] = [[] for _ in conversations]
        asked = list(range(len(conversations)))
        for member in self._members:
            results = all_of(member, [conversations[place] for place in asked])
            for place, result in zip(asked, results, strict=True):
                answers[place].append((member, result))
            asked = [place for place, result in zip(asked, results, strict=True) if self.is_unsure(result)]
        return (self._last_word(one) for one in answers)

    def _last_word(self, answers: Answers) -> Verdict | Unrated:
        member, result = answers[-1]
        if isinstance(result, Unrated):
            return replace(result, evidence=f"{member.name}: {result.evidence}")
        verdicts = {asked.name: said for asked, said in answers if isinstance(said, Verdict)}
        return replace(
            result,
            judge=self.identity,
            features={**result.features, **ratings_by_name(verdicts)},
            n_tokens=sum(said.n_tokens for said in verdicts.values()),
            seconds=round(math.fsum(said.seconds for said in verdicts.values()), 4),
            embedding=first_embedding(verdicts.values()),
        )
