"""OpenAI messages, ShareGPT and the gateway's log: roles, parts, pairs."""

import json

import pytest

from corpus.sources import gristmill_log, openai_messages, sharegpt
from corpus.sources.problems import UnreadableRecord
from corpus.sources.registry import recognised
from schemas.conversation import Conversation, Source

USER, ANSWER = {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}


def conversation(draft):
    return Conversation(Source("s", "x", draft.native_id), draft.messages, draft.active_leaf)


def turns(draft):
    return [(turn.role, turn.content) for turn in conversation(draft).turns()]


def test_standard_messages_with_tools():
    """Calls, results, developer prompts, function calls of old."""
    call = {"id": "k", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    record = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            USER,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "k", "content": "2"},
            {"role": "assistant", "content": "Two.", "function_call": {"name": "f", "arguments": {"x": [1]}}},
        ],
        "tools": [{"type": "function", "function": {"name": "add"}}],
    }
    draft = openai_messages.read(record)
    assert turns(draft) == [
        ("system", "Be brief."),
        ("user", "Hi?"),
        ("assistant", '<tool_call>add({"a": 1})</tool_call>'),
        ("tool", "2"),
        ("assistant", 'Two.\n<tool_call>f({"x":[1]})</tool_call>'),
    ]
    assert draft.messages[0].parts[-1].data == {"raw": {"tools": record["tools"]}}
    assert draft.messages[3].parts[0].data["call_id"] == "k"


def test_parts_with_values_and_weights():
    """The v1 data sets weigh the user's messages 0, which must not hide them; an assistant's 0 must."""
    record = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "value": "See"}, {"type": "image_url", "value": "a.jpg"}]},
            {
                "role": "assistant",
                "content": [{"type": "reasoning", "value": "hm"}, {"type": "text", "value": "A cat."}],
            },
            {"role": "user", "content": [{"type": "text", "value": "Sure?"}], "loss_weight": 0.0},
            {"role": "assistant", "content": [{"type": "tool_call", "value": '{"name": "look", "arguments": {}}'}]},
            {"role": "assistant", "content": "Bad.", "loss_weight": 0.0},
        ]
    }
    draft = openai_messages.read(record)
    assert turns(draft) == [
        ("user", "See\n[image]"),
        ("assistant", "A cat."),
        ("user", "Sure?"),
        ("assistant", "<tool_call>look({})</tool_call>"),
    ]
    assert [part.kind for part in draft.messages[1].parts] == ["reasoning", "text"]


def test_inline_images_are_replaced_by_their_digest():
    """Megabytes of base64 are no text."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}}
    part = openai_messages.read({"messages": [{"role": "user", "content": [image]}]}).messages[0].parts[0]
    assert part.data["reference"].startswith("data:image/png;base64,sha256:")
    assert len(part.data["reference"]) < 100


@pytest.mark.parametrize(
    "record",
    [
        {"chosen_messages": [USER, ANSWER], "rejected_messages": [USER, {**ANSWER, "content": "No."}]},
        {"prompt": "Hi?", "chosen": "Hello.", "rejected": "No."},
        {"prompt": [USER], "chosen": [ANSWER], "rejected": {"role": "assistant", "content": "No."}},
        {"prompt": "Hi?", "chosen": [USER, ANSWER], "rejected": [USER, {**ANSWER, "content": "No."}]},
        {"messages": [USER], "chosen": ANSWER, "rejected": {**ANSWER, "content": "No."}},
        {
            "input": {"messages": [USER]},
            "preferred_output": [ANSWER],
            "non_preferred_output": [{**ANSWER, "content": "No."}],
        },
        {
            "conversations": [{"from": "human", "value": "Hi?"}],
            "chosen": {"from": "gpt", "value": "Hello."},
            "rejected": {"from": "gpt", "value": "No."},
        },
    ],
)
def test_a_preference_pair_is_a_tree_with_two_rated_siblings(record):
    """Whatever its spelling; the chosen answer is the active one."""
    draft = recognised(record).read(record, ())
    assert turns(draft) == [("user", "Hi?"), ("assistant", "Hello.")]
    chosen, rejected = draft.messages[1], draft.messages[2]
    assert (chosen.parent_id, rejected.parent_id) == (draft.messages[0].id, draft.messages[0].id)
    rated = [(item.kind, item.message_id, item.value) for item in draft.feedback]
    assert rated == [("pairwise", chosen.id, 1.0), ("pairwise", rejected.id, 0.0)]


def test_prompt_and_completion():
    """TRL's names for it."""
    record = {"prompt": [USER], "completion": [ANSWER], "id": 7, "created_at": 1793525400, "user": {"id": "ada"}}
    draft = openai_messages.read(record)
    assert turns(draft) == [("user", "Hi?"), ("assistant", "Hello.")]
    assert (draft.native_id, draft.created_at, draft.user) == ("7", "2026-11-01T09:30:00Z", "ada")


def test_a_row_without_an_id_is_named_by_what_it_says():
    """So that it is the same conversation wherever the row stands."""
    record = {"messages": [USER, ANSWER]}
    assert openai_messages.read(record).native_id == openai_messages.read({**record, "source": "x"}).native_id


def test_sharegpt_roles_calls_and_labels():
    """All the words that dumps use; a call is JSON in a value."""
    record = {
        "id": "abc_17",
        "system": "Be kind.",
        "tools": "[]",
        "conversations": [
            {"from": "human", "value": "Weather?"},
            {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Bonn"}}'},
            {"from": "observation", "value": '{"sky": "grey"}'},
            {"from": "bing", "value": "Grey."},
            {"from": "user", "value": ""},
            {"from": "gpt", "value": None},
        ],
        "label": False,
    }
    draft = sharegpt.read(record)
    assert turns(draft) == [
        ("system", "Be kind."),
        ("user", "Weather?"),
        ("assistant", '<tool_call>weather({"city":"Bonn"})</tool_call>'),
        ("tool", '{"sky": "grey"}'),
        ("assistant", "Grey."),
    ]
    assert [(item.kind, item.value) for item in draft.feedback] == [("label", 0.0)]


def test_an_empty_list_of_turns_is_an_empty_conversation():
    """Large dumps hold some; the screen says that nobody asks anything."""
    draft = sharegpt.read({"id": "x", "conversations": []})
    assert (draft.messages, draft.active_leaf, turns(draft)) == ((), "", [])


def test_an_unknown_role_is_refused_by_name():
    """A guess would put words into the wrong mouth."""
    with pytest.raises(UnreadableRecord, match="'narrator'"):
        sharegpt.read({"conversations": [{"from": "narrator", "value": "Once"}]})
    with pytest.raises(UnreadableRecord, match="not an object"):
        openai_messages.read({"messages": [USER, "text"]})


def gateway(**more):
    messages = [
        {"id": "1", "parent_id": None, "role": "user", "content": "Hi?", "created_at": "2026-11-01T09:30:00Z"},
        {"id": "2", "parent_id": "1", "role": "assistant", "content": "Hello.", "created_at": "2026-11-01T09:30:01Z"},
        {"id": "3", "parent_id": "1", "role": "assistant", "content": "Hey.", "model": "other"},
    ]
    feedback = [{"message_id": "2", "kind": "thumb", "value": 1, "by": "human", "at": "2026-11-01T09:31:00Z"}]
    facts = {"gristmill_log": 1, "id": "g1", "started_at": "2026-11-01T09:30:00Z", "user": "ada", "model": "smol"}
    return {**facts, "messages": messages, "active_leaf": "2", "feedback": feedback, **more}


def test_the_gateways_log():
    """Its specification is the module's docstring."""
    draft = gristmill_log.read(json.loads(json.dumps(gateway(consent="asked", licence="CC0-1.0"))))
    assert turns(draft) == [("user", "Hi?"), ("assistant", "Hello.")]
    assert [message.model for message in draft.messages] == [None, "smol", "other"]
    assert (draft.consent, draft.licence, draft.user) == ("asked", "CC0-1.0", "ada")
    assert draft.feedback[0].value == 1.0
    assert gristmill_log.read(gateway(consent=False)).is_refused
    assert gristmill_log.read(gateway(active_leaf="gone")).active_leaf == "2"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"gristmill_log": 2}, "version 2"),
        ({"id": None}, "'id' is missing"),
        ({"messages": [{"role": "user", "content": "x"}]}, "'id' is missing"),
        ({"feedback": [{"kind": "applause", "by": "human"}]}, "feedback"),
    ],
)
def test_a_gateway_log_that_breaks_the_format_is_refused(change, says):
    """A log of a later version may mean something else by the same keys."""
    with pytest.raises(UnreadableRecord, match=says):
        gristmill_log.read(gateway(**change))
