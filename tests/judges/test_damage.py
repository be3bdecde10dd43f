"""Damage is sure, repeatable, and leaves alone what it is not about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.damage import OPERATIONS
from schemas.conversation import Turn

ANSWER = "A quern is a pair of stones. The upper stone turns on the lower one and grinds the grain. Hands turn it."
CHAT = (
    Turn("user", "What is a quern?"), Turn("assistant", ANSWER),
    Turn("user", "How is the flour sifted?"), Turn("assistant", "It is shaken through cloth. First the bran stays. "
    "Then the fine flour falls through into the chest below."),
)  # fmt: skip
OTHER = (Turn("user", "How do boats float?"), Turn("assistant", "They push aside as much water as they weigh."))
WITHIN = ("swapped", "elsewhere_within")


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_changes_answers_only_and_the_same_each_time(name: str) -> None:
    """A damaged question would make the label unsure; a different damage each run, the head's bytes."""
    damaged = OPERATIONS[name](CHAT, OTHER)
    assert damaged != CHAT
    assert damaged == OPERATIONS[name](CHAT, OTHER)
    assert [turn.role for turn in damaged] == [turn.role for turn in CHAT]
    assert [turn for turn in damaged if turn.role == "user"] == [turn for turn in CHAT if turn.role == "user"]
    assert all(turn.content.strip() for turn in damaged)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in WITHIN])
def test_the_last_answer_alone_is_damaged(name: str) -> None:
    """Which turn is at fault is part of the label."""
    assert OPERATIONS[name](CHAT, OTHER)[:-1] == CHAT[:-1]


@pytest.mark.parametrize("name", WITHIN)
def test_what_needs_two_answers_leaves_one_alone(name: str) -> None:
    """What cannot be applied gives the turns back, and the caller passes over it."""
    assert OPERATIONS[name](CHAT[:2], OTHER) == CHAT[:2]


@given(st.text(min_size=1, max_size=80), st.text(max_size=80))
def test_no_text_breaks_an_operation(answer: str, question: str) -> None:
    """Chats hold anything: nothing but line ends, one word, another script."""
    turns = (Turn("user", question), Turn("assistant", answer))
    for operation in OPERATIONS.values():
        damaged = operation(turns, OTHER)
        assert damaged[0] == turns[0]
        assert damaged == turns or damaged[-1].content.strip()
