"""No shape of a record is a surprise: whatever stands where a log has something else, the reason is one of ours."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.sources.problems import NoContent, UnreadableRecord
from corpus.sources.registry import TYPES
from schemas.conversation import Conversation, Source

_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "x", "{}", '[{"a":1}]', "user"])
)
_words = "role content type text value id parent parentId message author mapping messages history currentId from name"
_words += " arguments function tool_calls annotation rating details output files parts metadata weight status thoughts"
_words += " recipient content_type labels rank replies message_id deleted response choices feedback kind by meta data"
_anything = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_words.split()), inner, max_size=5),
    max_leaves=12,
)
_message = {"role": "user", "content": "Hi", "id": "1", "parentId": None, "parent_id": None}
SKELETONS = {
    "gristmill": {"gristmill_log": 1, "id": "g", "messages": [_message], "feedback": [], "active_leaf": "1"},
    "chatgpt": {
        "mapping": {
            "1": {
                "message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["Hi"]}},
                "parent": None,
            }
        },
        "current_node": "1",
    },
    "open-webui": {"id": "c", "chat": {"history": {"messages": {"1": _message}, "currentId": "1"}, "params": {}}},
    "oasst": {
        "message_tree_id": "t",
        "prompt": {
            "message_id": "t",
            "role": "prompter",
            "text": "Hi",
            "review_result": True,
            "replies": [],
            "labels": {},
        },
    },
    "litellm": {
        "call_type": "x",
        "messages": [_message],
        "response": {"choices": [{"message": {"role": "assistant", "content": "Hello"}}]},
        "metadata": {},
    },
    "sharegpt": {"conversations": [{"from": "human", "value": "Hi"}], "id": "1", "tools": "[]"},
    "openai-messages": {"messages": [_message], "tools": [], "user": {}, "metadata": {}},
}


def places(value, at=()):
    """Every place inside a JSON value."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from places(below, (*at, key))


def replaced(value, at, new):
    """The value with another one at a place."""
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = replaced(copy[at[0]], at[1:], new)
    return copy


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_record_in_any_shape_is_read_or_refused(kind, data):
    """A record costs only itself, and says why; anything else is a defect of ours."""
    record = SKELETONS[kind.name]
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.sampled_from([place for place in places(record) if place]))
        new = data.draw(_anything)
        record = replaced(record, at, new)
    if not kind.recognise(record):
        return
    try:
        if kind.select:
            kind.select([record])(record)
        draft = kind.read(record, [data.draw(st.dictionaries(st.sampled_from(_words.split()), _anything, max_size=3))])
    except (UnreadableRecord, NoContent) as error:
        assert str(error)
        return
    conversation = Conversation(Source("s", kind.system, draft.native_id), draft.messages, draft.active_leaf)
    assert Conversation.from_json(conversation.to_json()) == conversation
    assert conversation.turns() is not None
    assert isinstance(draft.native_id, str)


@given(_anything)
def test_recognition_never_raises(value):
    """It sees every object of every file."""
    for kind in TYPES:
        assert kind.recognise(value if isinstance(value, dict) else {"messages": value}) in (True, False)
