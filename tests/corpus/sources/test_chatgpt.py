"""The traps of the ChatGPT export."""

import pytest

from corpus.sources.chatgpt import read, recognise
from corpus.sources.problems import UnreadableRecord


def node(key, parent, role="user", text="Hello", kind="text", **more):
    content = more.pop("content", {"content_type": kind, "parts": [text]})
    name = more.pop("name", None)
    message = {"id": f"m-{key}", "author": {"role": role, "name": name}, "content": content, "recipient": "all", **more}
    return key, {"id": key, "parent": parent, "children": [], "message": message}


def chat(*nodes, **more):
    root = ("root", {"id": "root", "parent": None, "children": [], "message": None})
    return {"conversation_id": "c", "mapping": dict([root, *nodes]), **more}


def turns(draft):
    from schemas.conversation import Conversation, Source

    conversation = Conversation(Source("s", "chatgpt", "c"), draft.messages, draft.active_leaf)
    return [(turn.role, turn.content) for turn in conversation.turns()]


def test_nodes_without_a_message_are_passed_through():
    """The root is one; a chain of them may stand anywhere."""
    silent = {"id": "gap", "parent": "u", "children": [], "message": None}
    draft = read(chat(node("u", "root"), ("gap", silent), node("a", "gap", "assistant", "Hi"), current_node="a"))
    assert [(message.id, message.parent_id) for message in draft.messages] == [("u", None), ("a", "u")]
    assert turns(draft) == [("user", "Hello"), ("assistant", "Hi")]


def test_what_the_user_did_not_see_stays_in_the_tree_and_out_of_the_turns():
    """Weight 0, hidden messages and custom instructions, which are a person's profile."""
    profile = {"content_type": "user_editable_context", "user_profile": "I am Ada", "user_instructions": "Be brief"}
    draft = read(
        chat(
            node("s", "root", "system", "", weight=0.0),
            node("p", "s", "user", content=profile),
            node("h", "p", "system", "hidden", metadata={"is_visually_hidden_from_conversation": True}),
            node("u", "h"),
            node("a", "u", "assistant", "Hi", metadata={"model_slug": "gpt-x"}),
            current_node="a",
        )
    )
    assert turns(draft) == [("user", "Hello"), ("assistant", "Hi")]
    assert [message.weight for message in draft.messages] == [0, 0, 0, 1, 1]
    assert draft.messages[1].parts[0].text == "I am Ada\nBe brief"
    assert draft.messages[4].model == "gpt-x"


def test_a_message_to_a_tool_is_a_call_and_its_answer_a_result():
    """Read as an answer, it would teach the model to answer in code."""
    code = {"content_type": "code", "language": "unknown", "text": 'search("owls")'}
    quote = {"content_type": "tether_quote", "title": "Owls", "text": "They fly at night.", "url": "https://x.example"}
    output = {"content_type": "execution_output", "text": "42"}
    draft = read(
        chat(
            node("u", "root"),
            node("c", "u", "assistant", content=code, recipient="browser"),
            node("t", "c", "tool", content=quote, name="browser"),
            node("o", "t", "tool", content=output, name="python"),
            node("a", "o", "assistant", "At night \ue200cite\ue202turn0\ue201they fly."),
            current_node="a",
        )
    )
    call, result = draft.messages[1].parts[0], draft.messages[2].parts[0]
    assert (call.kind, call.data["name"], call.data["arguments"]) == ("tool_call", "browser", 'search("owls")')
    assert (result.kind, result.text, result.data["name"]) == ("tool_result", "Owls\nThey fly at night.", "browser")
    assert draft.messages[3].parts[0].text == "42"
    assert [part.kind for part in draft.messages[4].parts] == ["text", "unknown"]
    assert draft.messages[4].text() == "At night they fly."


def test_a_call_whose_results_nobody_saw_is_no_turn():
    """What the browser read has weight 0; the calls left alone would be answers in a row, and none of them one."""
    draft = read(
        chat(
            node("u", "root"),
            node("c", "u", "assistant", 'search("owls")', recipient="browser"),
            node("t", "c", "tool", "page 1", name="browser", weight=0.0),
            node("d", "t", "assistant", "open(1)", recipient="browser"),
            node("v", "d", "tool", "page 2", name="browser", weight=0.0),
            node("w", "v", "tool", "page 3", name="browser", weight=0.0),
            node("a", "w", "assistant", "At night they fly."),
            current_node="a",
        )
    )
    assert turns(draft) == [("user", "Hello"), ("assistant", "At night they fly.")]
    assert [m.parts[0].kind for m in draft.messages if m.weight == 0] == ["tool_call", "tool_result"] * 2 + [
        "tool_result"
    ], "kept in the tree"


@pytest.mark.parametrize("last_weight", [0.0, 1.0])
def test_a_call_with_a_result_that_was_shown_stays(last_weight):
    """Of several results one that was shown is enough; a call without any result (it was cut off) stays, too."""
    draft = read(
        chat(
            node("u", "root"),
            node("c", "u", "assistant", "draw()", recipient="python"),
            node("t", "c", "tool", "1", name="python", weight=0.0),
            node("s", "t", "tool", "2", name="python", weight=1.0),
            node("a", "s", "assistant", "There."),
            node("e", "a", "assistant", "more()", recipient="python", weight=last_weight),
            current_node="e",
        )
    )
    assert [m.weight for m in draft.messages] == [1, 1, 0, 1, 1, last_weight]


def test_thoughts_images_and_what_nobody_knows_are_kept():
    """Unknown content types are kept, never lost."""
    thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "Plan", "content": "First..."}]}
    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://1"}
    pieces = {"content_type": "multimodal_text", "parts": ["See", image, {"content_type": "new"}]}
    future = {"content_type": "hologram", "data": 1}
    draft = read(
        chat(
            node("u", "root", content=pieces, metadata={"attachments": [{"id": "file-9", "name": "cv.pdf"}]}),
            node("t", "u", "assistant", content=thoughts),
            node("f", "t", "assistant", content=future),
        )
    )
    assert [part.kind for part in draft.messages[0].parts] == ["text", "image", "unknown", "file"]
    assert draft.messages[1].parts[0].text == "Plan\nFirst..."
    assert draft.messages[2].parts[0].data == {"raw": future}


def test_without_current_node_the_last_created_leaf_is_active_and_marked():
    """Hand-made exports lack it; times may be null."""
    nodes = [node("u", "root", create_time=None), node("a", "u", "assistant", "old", create_time=1793525400.0)]
    draft = read(chat(*nodes, node("b", "u", "assistant", "new", create_time=1793525500.0)))
    assert (draft.active_leaf, draft.format_version) == ("b", "active leaf guessed")
    assert read(chat(*nodes, current_node="gone")).active_leaf == "a"
    assert read(chat(*nodes, current_node="a")).format_version == ""


def test_a_cut_answer_bears_its_status():
    """So that the screen can drop it."""
    draft = read(chat(node("u", "root"), node("a", "u", "assistant", "Hel", status="in_progress")))
    assert [message.status for message in draft.messages] == [None, "in_progress"]


def test_dangling_parents_become_roots_and_cycles_are_refused():
    """A tree that is damaged is repaired where it can be, and named where it cannot."""
    draft = read(chat(node("u", "gone"), node("a", "u", "assistant", "Hi"), current_node="a"))
    assert (draft.messages[0].parent_id, draft.messages[0].status) == (None, "parent_missing")
    with pytest.raises(UnreadableRecord, match="cycle"):
        read(chat(node("u", "a"), node("a", "u", "assistant", "Hi")))
    with pytest.raises(UnreadableRecord, match="cycle"):
        read(chat(node("u", "u")))


def test_ten_thousand_turns_are_no_problem():
    """No recursion anywhere."""
    nodes = [node(str(n), str(n - 1) if n else "root", ("user", "assistant")[n % 2]) for n in range(10_000)]
    draft = read(chat(*reversed(nodes), current_node="9999"))
    assert len(turns(draft)) == 10_000


def test_ratings_of_the_side_file_find_their_message():
    """Keyed by conversation and message; an unknown message means the conversation."""
    rows = [{"id": "a", "rating": "thumbsDown"}, {"message_id": "gone", "rating": "thumbs_up"}, {"rating": "odd"}]
    draft = read(chat(node("u", "root"), node("a", "u", "assistant")), rows)
    assert [(item.value, item.message_id) for item in draft.feedback] == [(-1.0, "a"), (1.0, None)]


def test_only_mappings_of_nodes_are_recognised():
    """`mapping` is a common word."""
    assert recognise(chat())
    assert recognise({"mapping": {}})
    assert not recognise({"mapping": {"a": "b"}})
    assert not recognise({"mapping": ["a"]})
