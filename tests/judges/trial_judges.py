"""Small judges for trials: each keeps the law that a trial should find out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from judges.trial_pairs import Label, TrialPair
from schemas.conversation import Turn
from schemas.verdict import JudgeIdentity, Unrated, Verdict

TOPICS = ("mill", "quern", "flour", "sieve", "wheel", "sluice", "bran", "grain", "sack", "miller")


class FormulaJudge:
    """Accepts by a formula of the turns and the place in the call; an answer that says `silence` is not rated."""

    identity = JudgeIdentity("formula", "m", "d" * 64, "r", "d" * 64)

    def __init__(
        self, acceptance: Callable[[Sequence[Turn], int], float], *, is_calibrated: bool = True, feature: str = ""
    ) -> None:
        self._acceptance, self._is_calibrated, self._feature = acceptance, is_calibrated, feature

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        for place, turns in enumerate(conversations):
            if "silence" in turns[-1].content:
                yield Unrated("unrated_no_reply", "nobody there")
                continue
            share = self._acceptance(turns, place)
            features = {self._feature: share} if self._feature else {}
            acceptance = share if self._is_calibrated else None
            yield Verdict(1 + 9 * share, self.identity, acceptance=acceptance, features=features, n_tokens=7)


def by_length(turns: Sequence[Turn], place: int) -> float:
    """The longer, the better."""
    return 1 - math.exp(-len(turns[-1].content.split()) / 40)


def make_pairs(n: int, label: Callable[[int], Label] = lambda n: "a", language: str = "") -> list[TrialPair]:
    """Pairs whose answer a is always the longer one."""
    return [
        TrialPair(
            id=str(number),
            prompt=(Turn("user", f"What does the {TOPICS[number % 10]} of mill number {number} do?"),),
            a=f"The {TOPICS[number % 10]} turns grain to flour. It is as old as bread. " + f"Part {number} is. " * 3,
            b=f"It is {TOPICS[number % 10]} {number}.",
            label=label(number),
            group=("small", "large")[number % 2],
            language=language,
        )
        for number in range(n)
    ]
