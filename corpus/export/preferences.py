"""Which of two replies people preferred, from what a sample says of the replies that stood beside its path.

A sample's path is what people kept in review. Beside a turn stand other replies to the same messages, with a vote
(1, -1: a user's thumb, or -1 for the words that a reviewer's edit replaced) and a rank (0 is best), where the log has
them. One reply is better than another when

- **vote**: it stands in the path or has the vote 1, and the other has the vote -1;
- **rank**: both are ranked, and its rank is lower. The path's reply bears no rank in a sample; where replies beside it
  are ranked and none is the best (rank 0), it is taken for the best, because a ranking has one and the user's log ends
  on it.

What a vote and a rank say may contradict each other; then there is no preference. A reply with the vote -1 is never
chosen. Each reply beside the path is rejected at most once, against one better reply: the path's if it is better, else
the one with the best vote, then the lowest rank, then the first.

A regeneration that nobody voted on or ranked is no preference: a user who asks again may want another answer rather
than a better one. That the user went on with the path's reply is weak evidence (signal "branch"), used only when it is
asked for, and only against replies without any vote or rank.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import CorpusError


@dataclass(frozen=True, slots=True)
class Pair:
    """Two replies to the same messages, the better one first; `signal` is "vote", "rank" or "branch"."""

    chosen: str
    rejected: str
    signal: str


@dataclass(frozen=True, slots=True)
class _Reply:
    content: str
    rank: int | None
    vote: int | None
    is_path: bool = False


def pairs(
    messages: Sequence[Mapping[str, str]], alternatives: Sequence[Mapping[str, Any]], *, with_weak: bool = False
) -> Iterator[tuple[int, Pair | str]]:
    """Per reply beside the path, in the sample's order: its turn, and the pair in which it is rejected or why in none.

    Raises:
        CorpusError: a reply stands beside no message of the assistant.
    """
    replies = {turn: _replies_at(turn, messages, alternatives) for turn in {one["turn"] for one in alternatives}}
    seen: dict[int, int] = {}
    for one in alternatives:
        turn = one["turn"]
        seen[turn] = seen.get(turn, 0) + 1
        yield turn, _pair(replies[turn], seen[turn], with_weak)


def _replies_at(
    turn: int, messages: Sequence[Mapping[str, str]], alternatives: Sequence[Mapping[str, Any]]
) -> list[_Reply]:
    """The path's reply, then those beside it."""
    if not 0 <= turn < len(messages) or messages[turn]["role"] != "assistant":
        raise CorpusError(f"a reply stands beside message {turn}, which is not the assistant's; mend the sample")
    beside = [_Reply(one["content"], one["rank"], one["vote"]) for one in alternatives if one["turn"] == turn]
    ranks = {reply.rank for reply in beside} - {None}
    path_rank = 0 if ranks and 0 not in ranks else None
    return [_Reply(messages[turn]["content"], path_rank, None, is_path=True), *beside]


def _pair(replies: Sequence[_Reply], number: int, with_weak: bool) -> Pair | str:
    """The pair in which reply `number` is rejected, or the reason why there is none."""
    rejected = replies[number]
    better, is_contradictory = [], False
    for place, other in enumerate(replies):
        signal = _signal(other, rejected)
        if signal == "contradictory":
            is_contradictory = True
        elif signal and other.vote != -1:
            better.append((_merit(other, place), other, signal))
    if better:
        _, chosen, signal = min(better, key=lambda item: item[0])
        return Pair(chosen.content, rejected.content, signal)
    if is_contradictory:
        return "contradictory_signals"
    if with_weak and rejected.vote is None and rejected.rank is None:
        return Pair(replies[0].content, rejected.content, "branch")
    return "no_preference"


def _signal(one: _Reply, other: _Reply) -> str | None:
    """Why the one is better than the other: "vote", "rank", "contradictory", or None when nothing says so."""
    by_vote, by_rank = _is_better_voted(one, other), _is_better_ranked(one, other)
    if (by_vote and _is_better_ranked(other, one)) or (by_rank and _is_better_voted(other, one)):
        return "contradictory"
    return "vote" if by_vote else "rank" if by_rank else None


def _is_better_voted(one: _Reply, other: _Reply) -> bool:
    return other.vote == -1 and (one.is_path or one.vote == 1)


def _is_better_ranked(one: _Reply, other: _Reply) -> bool:
    return one.rank is not None and other.rank is not None and one.rank < other.rank


def _merit(reply: _Reply, place: int) -> tuple[bool, bool, bool, int, int]:
    """Sorts the best to be chosen first."""
    return not reply.is_path, reply.vote != 1, reply.rank is None, reply.rank or 0, place
