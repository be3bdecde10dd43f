"""What becomes of a sample: the votes on it, counted by a stated rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.decision import Decision, votes

Outcome = Literal["kept", "rejected", "edited", "held"]
Conflict = Literal["hold", "majority", "any_reject"]


@dataclass(frozen=True)
class Result:
    """What became of a proposed sample, and for an edited one the id of what stands in its place."""

    outcome: Outcome
    edited_id: str | None = None


KEPT = Result("kept")


def tally(decisions: Iterable[Decision], roots: Mapping[str, str], conflict: Conflict) -> dict[str, Result]:
    """The result of every proposed sample that a person decided on.

    A reviewer has one vote a sample, their latest, whether on the sample or on what somebody made of it. A vote to
    keep and an edit both speak for it. Without votes against it, it stands; against it alone, it goes. Where votes
    stand against each other, the larger side wins; at a draw `hold` waits for one more vote and `majority` rejects.
    With `any_reject` one vote against it is enough. Of several edits the latest stands.

    Args:
        decisions: of one night.
        roots: sample or edit to the proposed sample behind it; decisions on others are passed over.
        conflict: the rule.
    """
    by_root = votes_by_root(decisions, roots)
    return {root: _result(root, list(given.values()), conflict) for root, given in by_root.items()}


def votes_by_root(decisions: Iterable[Decision], roots: Mapping[str, str]) -> dict[str, dict[str, Decision]]:
    """Proposed sample to reviewer to their vote, the latest on the sample or on what was made of it; both sorted."""
    found: dict[str, dict[str, Decision]] = {}
    for sample_id, given in votes(decisions).items():
        if sample_id in roots:
            family = found.setdefault(roots[sample_id], {})
            for vote in given:
                before = family.get(vote.reviewer)
                family[vote.reviewer] = max(before, vote, key=_age) if before else vote
    return {root: dict(sorted(found[root].items())) for root in sorted(found)}


def _age(vote: Decision) -> tuple[str, bytes]:
    return vote.decided_at, vote.line()


def _result(root: str, given: Sequence[Decision], conflict: Conflict) -> Result:
    against = sum(vote.verdict == "reject" for vote in given)
    speaking_for = len(given) - against
    if against and (conflict == "any_reject" or against > speaking_for):
        return Result("rejected")
    if against == speaking_for:
        return Result("held" if conflict == "hold" else "rejected")
    edits = [vote for vote in given if _edit_of(vote, root)]
    return Result("edited", _edit_of(max(edits, key=_age), root)) if edits else KEPT


def _edit_of(vote: Decision, root: str) -> str | None:
    """The edit that a vote speaks for: its own, or somebody's that it keeps."""
    if vote.verdict == "edit":
        return vote.edited_id
    return vote.sample_id if vote.verdict == "keep" and vote.sample_id != root else None
