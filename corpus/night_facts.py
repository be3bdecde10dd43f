"""What the night's page says, as plain values: counts, shares, and the few conversations that are shown whole.

corpus/gather.py fills them from the night's folder; a step that is missing leaves its values empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corpus.stages import STEPS
from schemas.outcome import StepReport
from schemas.verdict import JudgeIdentity


@dataclass(frozen=True)
class Share:
    """A part of the night: how many conversations, and how many of them were picked."""

    name: str
    n: int
    n_picked: int


@dataclass(frozen=True)
class Bin:
    """A bar of a histogram: `low` belongs to it, `high` does not (but for the last one of the ratings)."""

    low: float
    high: float
    n: int
    n_picked: int


@dataclass(frozen=True)
class SourceCounts:
    """One source: read = dropped + held + picked + what is still under way on an unfinished night."""

    name: str
    n: int
    n_dropped: int
    n_held: int
    n_picked: int
    median_rating: float | None


@dataclass(frozen=True)
class HeldGroup:
    """Conversations of one source that wait for a person for one reason."""

    step: str
    reason: str
    source: str
    n: int
    example_id: str


@dataclass(frozen=True)
class UnreadableRecord:
    """Where a record stands that could not be read. Its text is not here: nobody has redacted it."""

    file: str
    where: str
    reason: str


@dataclass(frozen=True)
class Cluster:
    """Conversations that say the same: the one kept, and how its repeats were recognised.

    `night` is the earlier night that the survivor comes from, None for this one. `n_by_kind` counts the repeats;
    `jaccard` is the range of the verified similarities of the listed near-duplicates, None without any.
    """

    survivor: str
    night: str | None
    title: str
    size: int
    n_by_kind: Mapping[str, int]
    jaccard: tuple[float, float] | None


@dataclass(frozen=True)
class ShownTurn:
    """A turn, with at most `corpus.gather.N_CHARACTERS` of its text."""

    role: str
    content: str
    n_characters: int


@dataclass(frozen=True)
class ShownConversation:
    """A conversation as the page shows it: `head`, then what is left out, then `last` (None when head has all).

    `criteria` are (name, rating); `redactions` (class, count). `reason` says why it was not picked, "" if it was.
    """

    id: str
    rating: float
    acceptance: float | None
    criteria: tuple[tuple[str, float], ...]
    source: str
    language: str
    model: str
    n_words: int
    n_turns: int
    n_characters: int
    redactions: tuple[tuple[str, int], ...]
    head: tuple[ShownTurn, ...]
    last: ShownTurn | None
    reason: str = ""


@dataclass(frozen=True)
class Reviewed:
    """Of the `n` decisions on a night's samples, how many were as the judge expected; `share` is the 95 % interval.

    `kappa` is None where the judge expected, or people said, the same of all.
    """

    night: str
    n: int
    n_agreed: int
    share: tuple[float, float]
    kappa: float | None


@dataclass(frozen=True)
class MemberShare:
    """A member of the panel or cascade: how many of the night's ratings it had a part in, and what it cost.

    `n_judged`, `tokens` and `cost` are of the run that made this night; earlier verdicts cost nothing.
    """

    name: str
    n_rated: int
    n_judged: int
    tokens: int
    cost: float


@dataclass(frozen=True)
class Disagreement:
    """Standard deviations between the members of a panel over the night's ratings; those held are not among them."""

    median: float
    tenth_largest: float
    n_held: int


@dataclass(frozen=True)
class Shift:
    """How far the night's ratings or acceptances lie from earlier nights': above `bound` is an alarm."""

    what: str
    index: float
    bound: float


@dataclass(frozen=True)
class NightFacts:
    """All that the page says of a night. `steps` are the complete ones; `judges` are (identity, rated by it).

    `alarms` are sentences on what a person should look at; `reviewed` are the nights that people decided on, the last
    one last.
    """

    night: str
    steps: tuple[StepReport, ...] = ()
    proposal: Mapping[str, Any] | None = None
    held: tuple[HeldGroup, ...] = ()
    ratings: tuple[Bin, ...] = ()
    threshold: float | None = None
    languages: tuple[Share, ...] = ()
    lengths: tuple[Bin, ...] = ()
    sources: tuple[SourceCounts, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    redactions: tuple[tuple[str, int], ...] = ()
    judges: tuple[tuple[JudgeIdentity, int], ...] = ()
    unreadable: tuple[UnreadableRecord, ...] = ()
    n_unreadable: int = 0
    best: tuple[ShownConversation, ...] = ()
    nearest_misses: tuple[ShownConversation, ...] = ()
    missing_steps: tuple[str, ...] = field(default=tuple(STEPS))
    alarms: tuple[str, ...] = ()
    shifts: tuple[Shift, ...] = ()
    reviewed: tuple[Reviewed, ...] = ()
    members: tuple[MemberShare, ...] = ()
    disagreement: Disagreement | None = None

    def step(self, name: str) -> StepReport | None:
        """The counts of a step, None when it did not end."""
        return next((step for step in self.steps if step.step == name), None)

    def fact(self, step: str, name: str) -> Any:
        """A further value of a step's report, None where there is none."""
        report = self.step(step)
        return report.facts.get(name) if report else None

    @property
    def n_read(self) -> int:
        """Conversations that came into the night."""
        return self.steps[0].n_in if self.steps else 0

    @property
    def n_dropped(self) -> int:
        """Conversations that were dropped by any step."""
        return sum(sum(step.dropped.values()) for step in self.steps)

    @property
    def n_held(self) -> int:
        """Conversations that wait for a person."""
        return sum(sum(step.held.values()) for step in self.steps)

    @property
    def n_picked(self) -> int:
        """Conversations that went through the last complete step."""
        return self.steps[-1].kept if self.steps else 0
