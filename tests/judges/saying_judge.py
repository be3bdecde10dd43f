"""A judge that says of each conversation what its plan says, and counts what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from judges.members import Member
from schemas.conversation import Turn
from schemas.verdict import JudgeIdentity, Unrated, Verdict

Said = float | tuple[float, float, float] | Unrated
"""A rating; or rating, acceptance, uncertainty; or none."""

DOWN = Unrated("unrated_no_reply", "nobody there", is_retryable=True)
TOO_LONG = Unrated("unrated_too_long", "9,000 tokens")
NO_NUMBER = Unrated("unrated_bad_reply", "a poem", is_retryable=True)


def talk(number: int) -> list[Turn]:
    """A conversation that tells its number."""
    return [Turn("user", f"question {number}"), Turn("assistant", f"answer {number}")]


def number_of(turns: Sequence[Turn]) -> int:
    return int(turns[0].content.split()[-1])


class SayingJudge:
    """Rates by a plan of the conversation's number; each rating costs 10 tokens, each token `price_per_token`."""

    def __init__(
        self, name: str, plan: Callable[[int], Said], *, price_per_token: float = 0.0, embedding: str = ""
    ) -> None:
        self.identity = JudgeIdentity(name, "m", f"digest of {name}", "r", "d")
        self._plan, self._price, self._embedding = plan, price_per_token, embedding
        self.asked: list[int] = []
        self.calls: list[int] = []

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        self.calls.append(len(conversations))
        for turns in conversations:
            self.asked.append(number_of(turns))
            said = self._plan(number_of(turns))
            if isinstance(said, Unrated):
                yield said
                continue
            rating, acceptance, uncertainty = said if isinstance(said, tuple) else (said, None, None)
            kept = {"uncertainty": uncertainty, "embedding": self._embedding}
            yield Verdict(rating, self.identity, acceptance, n_tokens=10, seconds=0.5, **kept)  # type: ignore[arg-type]

    def price(self, n_tokens: int) -> float:
        return n_tokens * self._price


def member(name: str, plan: Callable[[int], Said], threshold: float | None = None) -> Member:
    """A saying judge under its own name."""
    return Member(name, SayingJudge(name, plan), threshold=threshold)
