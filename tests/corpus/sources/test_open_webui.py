"""The traps of Open WebUI."""

from corpus.sources.details import split_details
from corpus.sources.open_webui import read, recognise
from schemas.conversation import Conversation, Source


def message(key, parent, role="user", content="Hello", **more):
    return key, {"id": key, "parentId": parent, "childrenIds": [], "role": role, "content": content, **more}


def row(*messages, current="a", **more):
    chat = {"title": "T", "history": {"messages": dict(messages), "currentId": current}, **more.pop("chat", {})}
    return {"id": "c1", "user_id": "u1", "title": "T", "chat": chat, "created_at": 1793525400, **more}


def turns(draft):
    conversation = Conversation(Source("s", "openwebui", "c"), draft.messages, draft.active_leaf)
    return [(turn.role, turn.content) for turn in conversation.turns()]


def test_a_row_a_bare_chat_and_a_feedback_row_are_the_same_conversation():
    """Three exports of one thing."""
    whole = row(message("u", None), message("a", "u", "assistant", "Hi", model="m", timestamp=1793525401))
    bare = {**whole["chat"], "id": "c1"}
    rating = {
        "id": "f",
        "type": "rating",
        "data": {"rating": -1},
        "meta": {"message_id": "a"},
        "snapshot": {"chat": whole},
    }
    drafts = [read(record) for record in (whole, bare, rating)]
    assert all(recognise(record) for record in (whole, bare, rating))
    assert {draft.messages for draft in drafts} == {drafts[0].messages}
    assert {draft.native_id for draft in drafts} == {"c1"}
    assert [(item.kind, item.value) for item in drafts[2].feedback] == [("thumb", -1.0)]


def test_output_is_preferred_and_tool_results_become_messages_of_their_own():
    """The embedded HTML is for the page; results are not the assistant's words."""
    output = [
        {"type": "reasoning", "content": [{"type": "output_text", "text": "I need the weather."}]},
        {"type": "function_call", "call_id": "k", "name": "weather", "arguments": '{"city": "Bonn"}'},
        {"type": "function_call_output", "call_id": "k", "output": [{"type": "input_text", "text": "rain"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Take an umbrella."}]},
        {"type": "brand_new"},
    ]
    draft = read(row(message("u", None), message("a", "u", "assistant", "<details>x</details>ignored", output=output)))
    assert turns(draft) == [
        ("user", "Hello"),
        ("assistant", '<tool_call>weather({"city": "Bonn"})</tool_call>'),
        ("tool", "rain"),
        ("assistant", "Take an umbrella."),
    ]
    assert draft.active_leaf == draft.messages[-1].id == "a"
    assert [part.kind for part in draft.messages[-1].parts] == ["text", "unknown"]


def test_details_are_taken_apart_where_there_is_no_output():
    """Older rows have nothing else."""
    content = (
        '<details type="reasoning" done="true"><summary>Thought</summary>\n&gt; a &lt; b\n&gt; so</details>\n'
        '<details type="tool_calls" done="true" id="k" name="add" arguments="{&quot;a&quot;: 1}" '
        'result="&quot;2&quot;"><summary>Done</summary></details>\nIt is <b>2</b>.'
    )
    reasoning, call, result, text = split_details(content)
    assert reasoning.text == "a < b\nso"
    assert call.data == {"id": "k", "name": "add", "arguments": '{"a": 1}'}
    assert (result.kind, result.text) == ("tool_result", "2")
    assert text.text == "It is <b>2</b>."


def test_details_of_the_author_stay_in_the_text():
    """People ask for collapsible HTML, and get it."""
    content = "Here: <details><summary>More</summary>inside</details> and <details open>x</details>"
    assert [part.text for part in split_details(content)] == [content]


def test_a_block_that_was_cut_off_is_what_it_began_as():
    """The answer stopped while the model was thinking."""
    assert [part.kind for part in split_details('Well.<details type="reasoning"><summary>..</summary>\n> hm')] == [
        "text",
        "reasoning",
    ]


def test_a_lost_leaf_and_dangling_children_are_repaired():
    """As the program does itself when it loads the chat."""
    nodes = [message("u", "gone"), message("a", "u", "assistant", timestamp=1), message("b", "u", "assistant", "B")]
    nodes[1][1]["childrenIds"] = ["nowhere"]
    draft = read(row(*nodes, current="lost"))
    assert (draft.active_leaf, draft.format_version) == ("b", "active leaf guessed")
    assert draft.messages[0].parent_id is None


def test_the_systems_prompt_is_the_root():
    """It stands in the chat's parameters, not among its messages."""
    draft = read(row(message("u", None), message("a", "u", "assistant"), chat={"params": {"system": "Be brief."}}))
    assert turns(draft)[0] == ("system", "Be brief.")
    assert draft.messages[1].parent_id == draft.messages[0].id


def test_failed_and_unfinished_answers_bear_a_status():
    """So that the screen can drop them."""
    nodes = [
        message("u", None),
        message("a", "u", "assistant", done=False),
        message("b", "u", "assistant", error={"x": 1}),
    ]
    assert [m.status for m in read(row(*nodes)).messages] == [None, "unfinished", "error"]


def test_ratings_in_the_message_and_in_the_table_count_once():
    """The table mirrors the annotation; numbers may be strings."""
    annotation = {"rating": 1, "reason": "accurate", "details": {"rating": "9"}, "comment": "great"}
    side = [{"data": {**annotation, "rating": "1"}, "meta": {"chat_id": "c1", "message_id": "a"}}]
    draft = read(row(message("u", None), message("a", "u", "assistant", annotation=annotation)), side)
    found = [(item.kind, item.value, item.message_id) for item in draft.feedback]
    assert found == [("thumb", 1.0, "a"), ("scalar", 9.0, "a"), ("label", "accurate", "a"), ("comment", "great", "a")]


def test_a_chat_with_only_the_old_flat_list_is_read():
    """Before there was a tree."""
    flat = {
        "messages": [{"id": "1", "role": "user", "content": "Hi"}, {"id": "2", "role": "assistant", "content": "Yo"}]
    }
    assert turns(read({"id": "c", "chat": flat})) == [("user", "Hi"), ("assistant", "Yo")]
