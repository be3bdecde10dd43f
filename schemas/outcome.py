"""What every step returns: kept, dropped (why), or held (a person is needed). Nothing vanishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """The value goes on to the next step."""

    value: T


@dataclass(frozen=True, slots=True)
class Dropped:
    """The value stops here.

    `reason` is a code of `schemas.reasons`; `evidence` says what was found, without text of the conversation that
    could be personal.
    """

    reason: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """The value waits for a person, locally. Fields as in `Dropped`."""

    reason: str
    evidence: str = ""


Outcome = Kept[T] | Dropped | Held


STANDARD_KEYS = frozenset({"step", "in", "kept", "dropped", "held", "seconds", "outputs"})
"""What the JSON of every step holds."""


@dataclass(frozen=True)
class StepReport:
    """The counts of one step. The law in = kept + dropped + held is checked when it is made.

    `seconds` is wall time; `outputs` are paths as strings; `facts` are further JSON values of the step, under names of
    their own: not those of `STANDARD_KEYS`, which it would hide in its JSON.
    """

    step: str
    n_in: int
    kept: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    outputs: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the law of counts, and that no fact hides one of them."""
        hidden = STANDARD_KEYS & self.facts.keys()
        assert not hidden, f"{self.step}: {', '.join(sorted(hidden))} cannot be a fact, every report has it already"
        out = self.kept + sum(self.dropped.values()) + sum(self.held.values())
        assert self.n_in == out, f"{self.step}: {self.n_in} in, but {out} kept, dropped and held"

    def to_json(self) -> dict[str, Any]:
        """The step's JSON of the command line: step, in, kept, dropped, held, seconds, outputs and the facts."""
        return {
            "step": self.step,
            "in": self.n_in,
            "kept": self.kept,
            "dropped": dict(sorted(self.dropped.items())),
            "held": dict(sorted(self.held.items())),
            "seconds": round(self.seconds, 3),
            "outputs": list(self.outputs),
            **self.facts,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> StepReport:
        """The report that `to_json` wrote."""
        return cls(
            step=plain["step"],
            n_in=plain["in"],
            kept=plain["kept"],
            dropped=plain["dropped"],
            held=plain["held"],
            seconds=plain["seconds"],
            outputs=tuple(plain["outputs"]),
            facts={key: value for key, value in plain.items() if key not in STANDARD_KEYS},
        )
