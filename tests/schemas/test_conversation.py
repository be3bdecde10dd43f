"""The values in the middle: identity, paths and flattening."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical import canonical_bytes, short_id
from schemas.conversation import Conversation, Feedback, Message, Part, Source, content_id
from schemas.errors import InputError


def message(id: str, parent: str | None, role: str = "user", text: str = "hello", **more) -> Message:
    return Message(id, parent, role, (Part("text", text),), **more)


def conversation(*messages: Message, leaf: str | None = None, **more) -> Conversation:
    return Conversation(Source("s", "test", "n1"), messages, leaf or messages[-1].id, **more)


texts = st.text(st.characters(codec="utf-8"), max_size=40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, json_values, max_size=5))
def test_equal_values_have_equal_bytes_whatever_the_order_of_keys(value):
    """Identity rests on it: a dictionary read in another order is the same value."""
    reordered = dict(reversed(value.items()))
    assert canonical_bytes(value) == canonical_bytes(reordered)


def test_a_lone_surrogate_has_no_canonical_bytes():
    """UTF-8 cannot carry it; replacing it silently would give two texts one id."""
    with pytest.raises(TypeError):
        canonical_bytes({"text": "\ud800"})


@given(st.lists(texts, min_size=1, max_size=6), st.integers(0, 5))
def test_a_conversation_survives_json(contents, n_ratings):
    """Stage files hold conversations as JSON; nothing may be lost on the way."""
    chain = [message(str(i), str(i - 1) if i else None, text=text) for i, text in enumerate(contents)]
    feedback = tuple(Feedback("thumb", 1.0, "human", str(i)) for i in range(n_ratings))
    value = conversation(*chain, feedback=feedback, title="t", created_at="2026-11-01T00:00:00Z")
    assert Conversation.from_json(value.to_json()) == value


def test_the_path_follows_the_active_leaf_and_siblings_are_kept():
    """A regenerated answer is not on the path, but it is a preference pair."""
    tree = conversation(
        message("q", None), message("a1", "q", "assistant", "one"), message("a2", "q", "assistant", "two"), leaf="a2"
    )
    assert [turn.content for turn in tree.turns()] == ["hello", "two"]
    assert tree.n_branches() == 2


def test_hidden_and_empty_messages_are_not_turns():
    """Weight 0 means that the user never saw it."""
    tree = conversation(message("s", None, "system", weight=0), message("u", "s"), message("a", "u", "assistant", " "))
    assert [turn.role for turn in tree.turns()] == ["user"]


@pytest.mark.parametrize("parent", ["b", "nowhere"])
def test_cycles_and_unknown_parents_are_refused(parent):
    """A walk over hostile parents must end, with a clear error."""
    tree = conversation(message("a", parent), message("b", "a"), leaf="a")
    with pytest.raises(InputError, match="cycle|not in the conversation"):
        tree.path()


def test_the_id_depends_on_what_was_said_and_not_on_where_it_was_read():
    """Moving a log must not make new conversations of old ones."""
    one = conversation(message("a", None))
    moved = Conversation(Source("other", "test", "n1", file_digest="x"), one.messages, "a", consent="yes")
    changed = conversation(message("a", None, text="hello!"))
    assert one.id == moved.id != changed.id


def test_the_content_id_is_that_of_the_turns_alone():
    """Two users who had the same chat give one sample."""
    one = conversation(message("a", None))
    other = Conversation(Source("s", "elsewhere", "n9"), (message("zz", None),), "zz")
    assert content_id(one.turns()) == content_id(other.turns()) == short_id([["user", "hello"]])
