"""No text can look like the fence around it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from judges.fence import fenced, fenced_text, mark
from schemas.conversation import Turn

TURNS = st.lists(
    st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text(alphabet="[0123456789abcdef] \n", max_size=300)),
    min_size=1,
    max_size=4,
)


@given(TURNS)
def test_the_mark_occurs_in_no_turn(turns: list[Turn]) -> None:
    """Otherwise a conversation could end its own fence and speak to the judge."""
    sign = mark(turns)
    assert not any(sign in turn.content for turn in turns)
    assert fenced_text(turns).count(sign) == len(turns) + 1
    assert mark(turns) == sign


def test_a_text_that_holds_every_short_mark_gets_a_longer_one() -> None:
    """All 65,536 marks of four digits in one text are not enough to break out."""
    text = "".join(f"[{n:04x}]" for n in range(65_536))
    sign = mark([Turn("user", text)])
    assert len(sign) > 6
    assert sign not in text


def test_the_words_of_each_turn_are_marked_as_its_own() -> None:
    """Likelihoods are taken of the assistant's words, not of the fence."""
    turns = [Turn("user", "why?"), Turn("assistant", "because")]
    assert [(piece.turn, piece.text) for piece in fenced(turns) if piece.turn is not None] == [
        (0, "why?"),
        (1, "because"),
    ]
