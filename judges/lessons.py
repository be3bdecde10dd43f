"""What the judge can learn from reviewers: conversations with the share of people who keep them, in two parts.

One part is frozen: a fifth, chosen by a hash, that no head is ever trained on and that is never exported for training;
champion and challenger are compared there. Conversations that begin with the same question belong together, so that no
question stands on both sides: records of one conversation at different lengths, regenerated answers and edits do.

Reviewers keep most of what they see. Nothing is weighed against that: `acceptance` is to be the probability that a
reviewer keeps a conversation, and weights would move it away from the true one. The rarer side is protected otherwise:
a round is played only when there are enough of it, and heads are compared by the logarithmic loss, under which "keep
everything" is worth what it says and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas.canonical import short_id
from schemas.conversation import Turn
from schemas.decision import DecidedSample

FROZEN_ONE_IN = 5
"""One in five: with it a test of 40 conversations stands beside 160 to learn from."""


@dataclass(frozen=True)
class Lesson:
    """A conversation and what people think of it: `keep` is the share of reviewers, 0 to 1.

    `group` is shared by all conversations that begin with the same question. `is_edited` marks what a reviewer made of
    another one; `reasons` are the words of those who did not keep it.
    """

    content_id: str
    turns: tuple[Turn, ...]
    keep: float
    group: str
    night: str
    is_edited: bool = False
    is_mended: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def is_frozen(self) -> bool:
        """Whether it is of the part that no head is trained on."""
        return int(short_id(["frozen", self.group]), 16) % FROZEN_ONE_IN == 0

    @property
    def is_kept(self) -> bool | None:
        """What most reviewers say; None for a draw."""
        return None if self.keep == 0.5 else self.keep > 0.5


def group_of(turns: Sequence[Turn]) -> str:
    """The id of the question that a conversation begins with; case and white space do not count."""
    opening = next((turn.content for turn in turns if turn.role == "user"), "")
    return short_id(["opening", " ".join(opening.casefold().split())])


def lessons(samples: Iterable[DecidedSample]) -> list[Lesson]:
    """One lesson a sample and one for each edit of it, sorted by content id.

    An edit says no to the original and yes to what it made of it; both are in the original's group, so that they are on
    the same side. A conversation decided on in two nights counts with the later one.
    """
    found: dict[str, Lesson] = {}
    for sample in sorted(samples, key=lambda one: (one.night, one.sample_id)):
        group = group_of(sample.turns)
        said = tuple(vote.reason for vote in sample.votes if vote.verdict != "keep" and vote.reason.strip())
        mended = any(vote.verdict == "edit" for vote in sample.votes)
        found[sample.sample_id] = Lesson(
            sample.sample_id, sample.turns, sample.keep, group, sample.night, is_mended=mended, reasons=said
        )
        for content_id, turns in sample.edits.items():
            found.setdefault(content_id, Lesson(content_id, turns, 1.0, group, sample.night, is_edited=True))
    return [found[content_id] for content_id in sorted(found)]
