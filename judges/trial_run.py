"""The trial: a judge rates labelled pairs, damaged answers and attacked conversations, and the figures come out.

Everything is judged answer by answer, as in the night. What the figures mean: judges/trial_figures.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Any

from judges.damage import OPERATIONS
from judges.injection import ATTACKS, NEUTRAL, Attempt, attempts, shift, shifts
from judges.trial_figures import Figures, adversarial_figures, order_figures
from judges.trial_pairs import TrialPair
from schemas.conversation import Turn
from schemas.verdict import Judge, Unrated, Verdict

Turns = tuple[Turn, ...]
OnJudged = Callable[[int], None]

N_ATTACKED = 23
"""Good and poor conversations each that attacks are put into, at most. Not a multiple of the number of places, so that
each place meets each conversation."""

_WARM_UP = (Turn("user", "Is the mill open today?"), Turn("assistant", "Yes, it is open until six."))


@dataclass(frozen=True)
class Plan:
    """What is tried beyond the pairs themselves.

    `threshold` is the rating that keeps a conversation. `n_again` pairs are judged again in swapped order;
    `n_adversarial` better answers meet each operation of damage; each attack is made at each place in `n_injected` good
    and as many poor conversations. 0 leaves a part out. `attacks` are strings by family.
    """

    threshold: float
    n_again: int = 100
    n_adversarial: int = 30
    n_injected: int = 1
    attacks: Mapping[str, Sequence[str]] = field(default_factory=lambda: ATTACKS)


@dataclass(frozen=True)
class Judging:
    """Verdicts by conversation, and what they took: wall seconds, and tokens that were computed."""

    verdicts: Mapping[Turns, Verdict | Unrated]
    seconds: float
    n_tokens: int


def judge_all(judge: Judge, conversations: Iterable[Turns], on_judged: OnJudged | None = None) -> Judging:
    """Judges each distinct conversation once, in order of first appearance."""
    asked = list(dict.fromkeys(conversations))
    if not asked:
        return Judging({}, 0.0, 0)
    started = time.perf_counter()
    results: list[Verdict | Unrated] = []
    for result in judge.judge(asked):
        results.append(result)
        if on_judged:
            on_judged(1)
    seconds = time.perf_counter() - started
    n_tokens = sum(result.n_tokens for result in results if isinstance(result, Verdict))
    return Judging(dict(zip(asked, results, strict=True)), seconds, n_tokens)


class Trial:
    """A trial of some pairs: `n_conversations` are to be judged, `run` judges them.

    The parts that are samples (judged again, damaged, attacked) are chosen by the hash of their text: the same pairs
    give the same parts, in whatever order they come.
    """

    def __init__(self, pairs: Sequence[TrialPair], plan: Plan) -> None:
        self._pairs, self._plan = list(pairs), plan
        self._chosen = sorted(self._pairs, key=lambda pair: sha256(repr(pair).encode("utf-8")).digest())
        self._again = self._chosen[: plan.n_again]

    @property
    def n_conversations(self) -> int:
        """Conversations that `run` will have judged, and `on_judged` is told of."""
        first, again, extra = (len(dict.fromkeys(part)) for part in (self._first, self._swapped, self._extra))
        return first + again + extra

    @cached_property
    def _first(self) -> list[Turns]:
        return [pair.conversation(side) for pair in self._pairs for side in ("a", "b")]

    @cached_property
    def _swapped(self) -> list[Turns]:
        return [pair.conversation(side) for pair in self._again for side in ("b", "a")]

    @cached_property
    def _better(self) -> list[Turns]:
        """Distinct better answers, one a prompt, in the order of their hash."""
        by_prompt: dict[Turns, Turns] = {}
        for pair in self._chosen:
            if (both := pair.better_and_worse()) and both[0][-1].content.strip():
                by_prompt.setdefault(pair.prompt, both[0])
        return list(by_prompt.values())

    @cached_property
    def damaged(self) -> list[tuple[str, Turns, Turns]]:
        """Operation, better answer and the same damaged; the other conversation is the next prompt's."""
        part = self._better[: self._plan.n_adversarial]
        found = []
        for good, other in zip(part, [*part[1:], *part[:1]], strict=True):
            for name, operation in OPERATIONS.items():
                poor = operation(good, other)
                if poor != good:
                    found.append((name, good, poor))
        return found

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Attacks on better answers and on the same damaged, a different operation from one to the next."""
        good = self._better[:N_ATTACKED]
        operations = list(OPERATIONS.values())
        changed = (operations[n % len(operations)](*two) for n, two in enumerate(pairwise([*good, *good[:1]])))
        poor = [turns for turns in changed if turns not in good]
        return list(attempts(good, poor, self._plan.attacks, self._plan.n_injected))

    @cached_property
    def _extra(self) -> list[Turns]:
        conversations = [turns for _, *both in self.damaged for turns in both]
        conversations += [turns for one in self.attempts for turns in (one.plain, one.attacked)]
        known = set(self._first)
        return [turns for turns in conversations if turns not in known]

    def run(self, judge: Judge, on_judged: OnJudged | None = None) -> dict[str, Any]:
        """The figures, as JSON; see `Figures` for their meaning.

        The clock runs while the pairs are judged for the first time, and only then; the model is loaded before.

        Raises:
            JudgeError: the judge cannot work, or no pair could be rated.
        """
        list(judge.judge([_WARM_UP]))
        first = judge_all(judge, self._first, on_judged)
        again = judge_all(judge, self._swapped, on_judged)
        extra = judge_all(judge, self._extra, on_judged)
        figures = Figures(self._pairs, first.verdicts)
        every = {**first.verdicts, **extra.verdicts}
        return {
            **figures.to_json(),
            **order_figures(self._again, first.verdicts, again.verdicts),
            "adversarial": adversarial_figures(self.damaged, every),
            "injection": shifts(self.attempts, every, self._plan.threshold),
            "injection_total": self._shift(every, is_neutral=False),
            "injection_neutral": self._shift(every, is_neutral=True),
            "threshold": self._plan.threshold,
            "conversations_per_s": _rate(len(first.verdicts), first.seconds),
            "tokens_per_s": _rate(first.n_tokens, first.seconds),
            "judge": asdict(judge.identity),
        }

    def _shift(self, verdicts: Mapping[Turns, Verdict | Unrated], *, is_neutral: bool) -> dict[str, Any]:
        """Of all attacks, or of the control: text that asks for nothing in the same places."""
        part = [one for one in self.attempts if (one.family == NEUTRAL) == is_neutral]
        return shift(part, verdicts, self._plan.threshold)


def _rate(n: int, seconds: float) -> float:
    return round(n / seconds, 2) if seconds > 0 else 0.0
