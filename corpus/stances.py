"""What each reviewer says now, from what they did one after the other: box by box, line by line.

Only what somebody did themselves changes what they say: so the order in which several people's commits came to lie on
a branch does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from schemas.decision import Choice, Decision

Way = Literal["box", "line"]
"""How somebody decided with plain git: by a ballot box, or by the sample's line in its shard."""


@dataclass(frozen=True)
class Act:
    """Who did something (a pseudonym), when (ISO 8601 UTC) and in which commit."""

    reviewer: str
    at: str
    commit: str


class Stances:
    """What people said on one night's branch.

    `foreign` are decisions that somebody added for another reviewer, with who did so.
    """

    def __init__(self, branch: str) -> None:
        self._branch = branch
        self._plain: dict[tuple[Way, str, str], Decision] = {}
        self._written: dict[Decision, None] = {}
        self._withdrawn: dict[Decision, None] = {}
        self.foreign: dict[Decision, Act] = {}

    def reject(self, act: Act, way: Way, sample_id: str) -> None:
        """They unticked its box, or deleted its line."""
        self._say(act, way, sample_id, "reject")

    def edit(self, act: Act, sample_id: str, edited_id: str) -> None:
        """They changed its messages."""
        self._say(act, "line", sample_id, "edit", edited_id)

    def restore(self, act: Act, way: Way, sample_id: str) -> None:
        """They ticked its box or put its line back: what they said is withdrawn, what another said is contradicted."""
        if said := self._plain.pop((way, act.reviewer, sample_id), None):
            self._withdrawn[said] = None
        else:
            self._say(act, way, sample_id, "keep")

    def has_edited(self, act: Act, sample_id: str) -> bool:
        """Whether what they now say of its line is an edit."""
        said = self._plain.get(("line", act.reviewer, sample_id))
        return said is not None and said.verdict == "edit"

    def write(self, act: Act, decision: Decision) -> None:
        """They added a line of decisions."""
        if decision.reviewer != act.reviewer:
            self.foreign.setdefault(decision, act)
            return
        self._written[decision] = None
        self._withdrawn.pop(decision, None)

    def erase(self, act: Act, decision: Decision) -> None:
        """They removed a line of decisions: their own is withdrawn, another's stays."""
        if decision.reviewer == act.reviewer and decision in self._written:
            del self._written[decision]
            self._withdrawn[decision] = None

    def decisions(self) -> set[Decision]:
        """All that is said and not withdrawn; what was said in two ways is there once, as its author wrote it."""
        latest: dict[tuple[str, str], Decision] = {}
        for one in self._written:
            key = (one.reviewer, one.sample_id)
            latest[key] = max(latest[key], one, key=_age) if key in latest else one
        written = {_said(one) for one in latest.values()}
        return {*self._written, *(one for one in self._plain.values() if _said(one) not in written)}

    def withdrawn(self) -> Iterable[Decision]:
        """What was said once and taken back by its author."""
        return [one for one in self._withdrawn if one not in self._written]

    def _say(self, act: Act, way: Way, sample_id: str, verdict: Choice, edited_id: str | None = None) -> None:
        said = Decision(sample_id, verdict, act.reviewer, act.at, self._branch, edited_id=edited_id)
        before = self._plain.pop((way, act.reviewer, sample_id), None)
        if before and before != said:
            self._withdrawn[before] = None
        self._withdrawn.pop(said, None)
        self._plain[way, act.reviewer, sample_id] = said


def _age(decision: Decision) -> tuple[str, bytes]:
    return decision.decided_at, decision.line()


def _said(decision: Decision) -> tuple[str, str, str]:
    """Who said what of which sample; an edit is known by what came of it, whichever version it was made of."""
    return decision.reviewer, decision.verdict, decision.edited_id or decision.sample_id


def marked(decision: Decision, honeypots: Iterable[str]) -> Decision:
    """The decision with its mark as one on a honeypot set as it is, whatever its author wrote."""
    return replace(decision, is_honeypot=decision.sample_id in honeypots)
