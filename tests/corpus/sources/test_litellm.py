"""LiteLLM: calls become conversations."""

import json

import pytest

from corpus.sources.litellm import last_calls, read, recognise
from corpus.sources.problems import NoContent


def exchange(n):
    return [{"role": "user", "content": f"Question {n}?"}, {"role": "assistant", "content": f"Answer {n}."}]


def call(name, n_turns, session="s", **more):
    *history, answer = [message for n in range(n_turns) for message in exchange(n)]
    answer = {**answer, "tool_calls": None, "provider_specific_fields": None}
    response = {"choices": [{"finish_reason": "stop", "message": answer}]}
    facts = {"id": name, "call_type": "acompletion", "status": "success", "model": "m", "session_id": session}
    return {**facts, "messages": history, "response": response, "startTime": "2026-11-01 09:30:00.5", **more}


def stored(record):
    """The row of the spend table: JSON in strings."""
    plain = {**record, "request_id": record["id"], "metadata": json.dumps({"user_api_key_user_id": "ada"})}
    return {**plain, "messages": json.dumps(record["messages"]), "response": json.dumps(record["response"])}


def last(*records):
    is_last = last_calls(records)
    return [record["id"] for record in records if is_last(record)]


def test_both_kinds_of_record_are_the_same_conversation():
    """A payload has objects, a row of the table has strings."""
    one, other = read(call("x", 2)), read(stored(call("x", 2)))
    assert one.messages == other.messages
    assert [message.text() for message in one.messages] == ["Question 0?", "Answer 0.", "Question 1?", "Answer 1."]
    assert (one.user, other.user) == (None, "ada")
    assert one.created_at == "2026-11-01T09:30:00.500000Z"
    assert recognise(call("x", 1))


def test_the_calls_of_a_growing_chat_are_one_conversation():
    """In whatever order they were logged, in both kinds."""
    assert last(call("1", 1), call("3", 3), call("2", 2)) == ["3"]
    assert last(stored(call("1", 1)), call("2", 2)) == ["2"]


def test_what_clients_change_in_the_history_does_not_matter():
    """They strip answers, leave reasoning out, and send parts for strings."""
    first, second = call("1", 1), call("2", 2)
    first["response"]["choices"][0]["message"] |= {"content": "Answer 0.\n", "reasoning_content": "hm"}
    second["messages"][0]["content"] = [{"type": "text", "text": "Question 0?"}]
    assert last(first, second) == ["2"]


def test_calls_of_other_sessions_and_other_answers_stay_apart():
    """Equal beginnings are common: two people ask the same."""
    assert last(call("1", 1, "s"), call("2", 2, "t")) == ["1", "2"]
    other = call("2", 2)
    other["messages"][1]["content"] = "Something else."
    assert last(call("1", 1), other) == ["1", "2"]
    assert last(call("1", 1, None, trace_id="t"), call("2", 2, None, trace_id="t")) == ["2"]
    assert last(call("1", 1, "", end_user="u"), call("2", 2, "", end_user="u")) == ["2"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "failure", "response": {}},
        {"messages": "{}", "response": "{}"},
        {"messages": "[]"},
        {"response": None},
        {"messages": [{"role": "user", "content": "redacted-by-litellm"}]},
        {"call_type": "aembedding", "messages": ["text"], "response": {"data": [{"embedding": [0.1]}]}},
    ],
)
def test_calls_without_content_are_no_conversations(change):
    """Prompts not stored, failures, redacted logs, embeddings: whole records that say nothing."""
    record = call("1", 1) | change
    with pytest.raises(NoContent):
        read(record)
    assert last(record) == ["1"]


def test_a_cut_answer_bears_its_status():
    """So that the screen can drop it."""
    record = call("1", 1)
    record["response"]["choices"][0]["finish_reason"] = "length"
    assert read(record).messages[-1].status == "length"
