"""Train to train: what reviewers decided makes a challenger, which becomes the judge only if it is shown to be better.

The challenger is always fitted anew from the head that ships and all decisions outside the frozen part, so it depends
on the decisions alone and not on the rounds before: nothing is learned twice. Champion and challenger meet on the
frozen part (judges/duel.py). Of a hundred rounds whose challenger is no better, `1 - confidence` promote it by chance.

Doing it again does nothing as long as the decisions are the same, and the same decisions give the same heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from judges.duel import Duel, duel
from judges.fit import Example, fit_head
from judges.head import Head
from judges.lessons import Lesson, lessons
from judges.measurement import Measurement
from judges.registry import HeadRegistry, JudgeRound
from schemas.canonical import digest
from schemas.conversation import Turn
from schemas.decision import DecidedSample

Measure = Callable[[Mapping[str, Sequence[Turn]]], Mapping[str, Measurement]]
"""Conversations by content id to their measurements; what cannot be read is left out."""

MIN_RARER_LEARNED = 10
"""Decisions of the rarer kind to learn from: ten for each free parameter (Peduzzi et al. 1996), and only the general
level is free; all others are held by the champion's own weights."""

MIN_RARER_FROZEN, MIN_GROUPS_FROZEN = 5, 8
"""Of the frozen part. Five decisions can by themselves come out right by chance with 2^-5 = 0.03, below 0.05: fewer of
the rarer kind could never show anything. Of eight questions one may speak for the champion: 9 / 2^8 = 0.035."""


def play_round(
    samples: Sequence[DecidedSample],
    *,
    measure: Measure,
    registry: HeadRegistry,
    default: Head,
    confidence: float,
) -> JudgeRound:
    """Plays a round on all decided samples and records it, unless nothing is new or there are too few; idempotent.

    Args:
        samples: what people decided on, in any order.
        measure: gives the measurements.
        registry: where heads and rounds are kept.
        default: the head that ships.
        confidence: with which the challenger must be better, such as 0.95.

    Raises:
        JudgeError: the judge cannot measure, or the registry cannot be read or written.
    """
    found = lessons(samples)
    last = registry.last_round()
    key = _digest(found, default, confidence)
    if last and last.lessons == key:
        return replace(last, state="nothing_new", message="nothing new: no decision since the last round", duel={})
    now = JudgeRound(
        state="too_few",
        message="",
        number=(last.number if last else 0) + 1,
        lessons=key,
        n_decided=len(samples),
        confidence=confidence,
        champion=last.champion if last else default.digest(),
        shadow=last.shadow if last else "",
    )
    if lack := _lack(found):
        return replace(now, number=0, message=lack)
    measured = measure({lesson.content_id: lesson.turns for lesson in found})
    usable = [lesson for lesson in found if _has_answer(measured.get(lesson.content_id))]
    now = replace(now, n_unmeasured=len(found) - len(usable))
    if lack := _lack(usable):
        return replace(now, number=0, message=f"{lack} ({now.n_unmeasured} could not be measured)")
    return _Round(now, registry, default, usable, measured).played()


def _has_answer(made: Measurement | None) -> bool:
    return made is not None and len(made.vector) > 0


def _digest(found: Sequence[Lesson], default: Head, confidence: float) -> str:
    return digest([[[one.content_id, one.keep, one.group] for one in found], default.digest(), confidence])


def _lack(found: Sequence[Lesson]) -> str:
    """What is missing for a round, as a sentence; "" when nothing is."""
    learned, frozen = _rarer(found, is_frozen=False), _rarer(found, is_frozen=True)
    n_groups = len({one.group for one in found if one.is_frozen})
    if learned >= MIN_RARER_LEARNED and frozen >= MIN_RARER_FROZEN and n_groups >= MIN_GROUPS_FROZEN:
        return ""
    return (
        f"too few decisions for a round: of the rarer kind (kept or not) {learned} to learn from, {frozen} to test on, "
        f"and {n_groups} questions in the frozen fifth; it takes {MIN_RARER_LEARNED}, {MIN_RARER_FROZEN} and "
        f"{MIN_GROUPS_FROZEN}. Review goes on as it is"
    )


def _rarer(found: Sequence[Lesson], *, is_frozen: bool) -> int:
    clear = [one.is_kept for one in found if one.is_frozen == is_frozen and one.is_kept is not None]
    return min(sum(map(bool, clear)), len(clear) - sum(map(bool, clear)))


@dataclass(frozen=True)
class _Round:
    """A round that is being played."""

    now: JudgeRound
    registry: HeadRegistry
    default: Head
    lessons: Sequence[Lesson]
    measured: Mapping[str, Measurement]

    def played(self) -> JudgeRound:
        champion = self.registry.champion() or self.default
        challenger = self._challenger()
        frozen = [one for one in self.lessons if one.is_frozen]
        said = {name: self._acceptances(head, frozen) for name, head in self._heads(champion, challenger)}
        result = duel(frozen, said["champion"], said["challenger"])
        is_won = result.is_won(self.now.confidence)
        ended = replace(
            self.now,
            state="promoted" if is_won else "refused",
            message=_told(challenger, result, self.now.confidence, is_won=is_won),
            n_learned=len(self.lessons) - len(frozen),
            champion=(challenger if is_won else champion).digest(),
            shadow=champion.digest() if is_won else self.now.shadow,
            challenger=challenger.digest(),
            challenger_name=challenger.name,
            duel=result.to_json(),
        )
        self.registry.record(ended, [champion, challenger] if is_won else [], _lines(frozen, said))
        return ended

    def _challenger(self) -> Head:
        """The head that the decisions make of the default one; its facts say of which decisions."""
        examples = [
            Example(self.measured[one.content_id], one.keep, one.group) for one in self.lessons if not one.is_frozen
        ]
        fitted = fit_head(self.default, examples, name=f"{self.default.id}-reviewed")
        facts = {"default": self.default.digest(), "lessons": self.now.lessons, "n_lessons": len(examples)}
        return replace(fitted, version=self.now.number, facts=facts)

    def _heads(self, champion: Head, challenger: Head) -> Iterator[tuple[str, Head]]:
        yield from (("champion", champion), ("challenger", challenger), ("default", self.default))
        if shadow := self.registry.shadow():
            yield "shadow", shadow

    def _acceptances(self, head: Head, frozen: Sequence[Lesson]) -> dict[str, float]:
        return {one.content_id: head.assess(self.measured[one.content_id]).acceptance for one in frozen}


def _lines(frozen: Sequence[Lesson], said: Mapping[str, Mapping[str, float]]) -> Iterator[dict[str, Any]]:
    """What each head says of each frozen conversation, beside what people said."""
    for one in frozen:
        acceptances = {name: of[one.content_id] for name, of in said.items()}
        yield {"content_id": one.content_id, "night": one.night, "keep": one.keep, "acceptance": acceptances}


def _told(challenger: Head, result: Duel, confidence: float, *, is_won: bool) -> str:
    """The round in one sentence."""
    figures = (
        f"loss {result.challenger_loss:.3f} against {result.champion_loss:.3f} on {result.n} frozen decisions "
        f"(p = {result.p_value:.4f}, {confidence:.0%} confidence asked)"
    )
    end = "better, so it judges from now on" if is_won else "not shown to be better, so the champion stays"
    return f"{challenger.name} is {end}: {figures}"
