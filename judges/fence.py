"""Conversation text as data inside a fence: no text can look like the fence, since the mark is chosen against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from schemas.conversation import Turn

MARK_LENGTH = 4
"""Hexadecimal characters of a mark at first: 65,536 marks, and each costs a judge about six tokens a turn."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of prompt text. `turn` is the index of the turn whose words it is, None for the fence itself."""

    text: str
    turn: int | None = None


def mark(turns: Sequence[Turn]) -> str:
    """A mark such as `[3fa9]` that occurs in no turn; the same turns give the same mark."""
    seed = sha256("\0".join(turn.content for turn in turns).encode("utf-8", "surrogatepass")).hexdigest()
    for tries in range(10_000):
        length = MARK_LENGTH + tries // 8
        found = sha256(f"{seed}{tries}".encode()).hexdigest() * (length // 64 + 1)
        candidate = f"[{found[:length]}]"
        if not any(candidate in turn.content for turn in turns):
            return candidate
    raise AssertionError("a text cannot hold marks of every length")


def fenced(turns: Sequence[Turn]) -> Iterator[Piece]:
    """The turns between marked lines: `[3fa9] user`, its words, ..., `[3fa9] end of the conversation`."""
    sign = mark(turns)
    for index, turn in enumerate(turns):
        yield Piece(f"{sign} {turn.role}\n")
        yield Piece(turn.content, turn=index)
        yield Piece("\n")
    yield Piece(f"{sign} end of the conversation\n")


def fenced_text(turns: Sequence[Turn]) -> str:
    """`fenced` as one string, for judges that take text."""
    return "".join(piece.text for piece in fenced(turns))
