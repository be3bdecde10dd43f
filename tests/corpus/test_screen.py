"""screen on rows and tables: what it mends, redacts and holds, and that nothing gets lost."""

import os
import signal
from collections import Counter
from dataclasses import replace

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.screen import killed, screen, screen_row
from corpus.screen_pool import in_processes
from corpus.stage import StageWriter, rejects_path
from schemas.canonical import canonical_bytes
from schemas.contracts import failures, stage_contracts
from schemas.conversation import Conversation, Feedback, Part, Source, content_id
from schemas.errors import InputError, SettingsError
from schemas.outcome import Dropped, Held, Kept
from schemas.settings import ScreenSettings
from schemas.tables import PULLED
from tests.corpus.screened_talks import ANSWER, BAD, GOOD, QUESTION, kept, message, outcome, reason, talk

DEFAULTS = ScreenSettings()


def test_a_rule_that_does_not_exist_is_refused_with_the_nearest_name(tmp_path):
    """A typing error must not silently leave a rule on."""
    with pytest.raises(SettingsError, match="did you mean 'refusal'"):
        screen(
            written(tmp_path, [talk(QUESTION, ANSWER)]),
            tmp_path / "out.parquet",
            ScreenSettings(disabled_rules=["refusl"]),
        )


def test_stray_control_characters_are_removed_and_counted():
    """Text pasted from a terminal or a PDF has a few; Open WebUI removes NUL itself."""
    tree = canonical_bytes(talk(QUESTION + "\0\0", ANSWER + "\x1b\0").to_json()).decode()
    columns, found, counts = screen_row(tree, DEFAULTS)
    assert isinstance(found, Kept)
    assert columns["messages"][0]["content"] == QUESTION
    assert "\\u0000" not in columns["tree"]
    assert counts["repairs:characters_removed"] == 4


def test_a_greeting_before_the_question_is_hidden_and_kept_in_the_tree():
    """Support bots speak first; trainers want the user to."""
    columns = kept(talk(("assistant", "Welcome! What can I do?"), ("user", QUESTION), ("assistant", ANSWER)))
    assert [turn["role"] for turn in columns["messages"]] == ["user", "assistant"]
    assert len(orjson.loads(columns["tree"])["messages"]) == 3


def test_two_answers_in_a_row_are_joined_with_their_children_and_feedback():
    """Some logs write "let me look that up" and the tool call as two messages."""
    parts = [Part("tool_call", data={"id": "a", "name": "look", "arguments": "{}"})]
    messages = (
        message(0, "user", QUESTION),
        message(1, "assistant", "Let me look that up."),
        message(2, "assistant", parts),
        message(3, "tool", [Part("tool_result", "light", {"call_id": "a", "name": "look", "is_error": False})]),
        message(4, "assistant", ANSWER),
    )
    feedback = (Feedback("thumb", 1.0, "human", message_id="2"),)
    columns = kept(Conversation(Source("bot", "test", "1"), messages, "4", feedback=feedback))
    assert [turn["role"] for turn in columns["messages"]] == ["user", "assistant", "tool", "assistant"]
    tree = Conversation.from_json(orjson.loads(columns["tree"]))
    assert tree.messages[1].text().startswith("Let me look that up.\n<tool_call>look")
    assert tree.feedback[0].message_id == "1"


def test_answers_with_siblings_are_not_joined():
    """Joining would move a sibling under another parent, which makes it an answer to something else."""
    messages = (
        *talk(("user", QUESTION), ("assistant", "One."), ("assistant", ANSWER)).messages,
        message(9, "assistant", "Two.", "1"),
    )
    assert reason(Conversation(Source("bot", "test", "1"), messages, "2")) == "not_alternating"


def test_a_kept_row_is_redacted_in_messages_and_tree_and_has_their_ids():
    """Downstream publishes messages and siblings, and refuses a row in which the two differ."""
    mail, name = "m.holloway@ceramics.example", "Margaret Holloway"
    first = talk(f"This is about my order. My name is {name}, {mail}. {QUESTION}", f"Dear {name},\n\n{ANSWER}")
    sibling = message(7, "assistant", f"{ANSWER} I wrote to {mail}.", "0")
    columns = kept(Conversation(first.source, (*first.messages, sibling), "1", title=f"Order of {name}"))
    everything = orjson.dumps({key: columns[key] for key in columns}).decode()
    assert mail not in everything and "Holloway" not in everything
    tree = Conversation.from_json(orjson.loads(columns["tree"]))
    assert [{"role": turn.role, "content": turn.content} for turn in tree.turns()] == columns["messages"]
    assert columns["content_id"] == content_id(tree.turns())
    assert orjson.loads(columns["redactions"]) == {"EMAIL": 2, "PERSON": 3}


def test_too_much_to_redact_is_held_for_a_person():
    """A customer list belongs to nobody's training data without a look."""
    rows = ", ".join(f"customer{n}@mail.example" for n in range(5))
    found = outcome(talk(f"Sort these: {rows}", ANSWER), max_redactions=4)
    assert found == Held("too_many_secrets", "more than 4 values: EMAIL 5")


@pytest.mark.parametrize("tree", ["{}", "not json", '{"messages": []}', '"\\ud800"'])
def test_what_cannot_be_screened_is_held_with_the_errors_name_alone(tree):
    """Promise 1: nothing leaves unscreened; and an error's message could quote the text."""
    columns, found, _ = screen_row(tree, DEFAULTS)
    assert columns is None
    assert isinstance(found, Held)
    assert found.reason == "failed_screen"
    assert found.evidence.isidentifier()


def test_a_broken_path_is_held():
    """Cyclic parents are hostile or damaged; neither may stop the night."""
    messages = (message(0, "user", QUESTION, "1"), message(1, "assistant", ANSWER, "0"))
    assert outcome(Conversation(Source("b", "t", "1"), messages, "1")) == Held("failed_screen", "InputError")


def row(conversation, number=0):
    turns = conversation.turns() if conversation.active_leaf else []
    return {
        "conversation_id": f"{number:032x}",
        "source": "bot",
        "system": "test",
        "native_id": str(number),
        "created_at": None,
        "model": None,
        "language": None,
        "consent": "form",
        "licence": "CC0-1.0",
        "subject": None,
        "n_messages": len(turns),
        "n_branches": conversation.n_branches(),
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        "tree": canonical_bytes(conversation.to_json()).decode(),
    }


def written(folder, conversations):
    path = folder / "pulled.parquet"
    with StageWriter(path, PULLED) as writer:
        for number, conversation in enumerate(conversations):
            writer.write(row(conversation, number))
    return path


ALL = [*BAD.values(), *GOOD.values()]


def test_rows_keep_their_order_and_add_up_and_satisfy_the_contract(tmp_path):
    """The law: in = kept + dropped + held, and the next step reads what this one wrote."""
    source, output, calls = written(tmp_path, ALL), tmp_path / "screened.parquet", []
    report = screen(source, output, DEFAULTS, on_row=lambda: calls.append(1))
    assert (report.n_in, report.kept, sum(report.dropped.values())) == (len(ALL), len(GOOD), len(BAD))
    assert len(calls) == len(ALL)
    assert report.facts["rules"] == dict.fromkeys(sorted(BAD), 1)
    frame = pl.read_parquet(output)
    assert failures(frame, stage_contracts()["screened"]) == []
    assert frame["native_id"].to_list() == [str(len(BAD) + n) for n in range(len(GOOD))]
    rejected = pl.read_parquet(rejects_path(output))
    assert Counter(rejected["reason"]) == Counter(report.dropped)


def test_model_and_consent_of_a_row_are_redacted_like_its_tree(tmp_path):
    """They go into the public sample from the row's own columns."""
    answer = replace(message(1, "assistant", ANSWER, "0"), model="/home/jroe/m.gguf")
    conversation = Conversation(
        Source("b", "t", "1"), (message(0, "user", QUESTION), answer), "1", consent="by jane.roe@mail.example"
    )
    source = written(tmp_path, [conversation])
    screen(source, tmp_path / "screened.parquet", DEFAULTS)
    (kept,) = pl.read_parquet(tmp_path / "screened.parquet").to_dicts()
    assert (kept["model"], kept["consent"]) == ("/home/[USERNAME_1]/m.gguf", "by [EMAIL_1]")
    assert orjson.loads(kept["redactions"]) == {"EMAIL": 1, "USERNAME": 1}


def test_worker_processes_give_the_same_bytes(tmp_path):
    """Same inputs, same bytes, on one core and on two."""
    source = written(tmp_path, ALL * 3)
    outputs = [tmp_path / f"{n}.parquet" for n in (1, 2)]
    reports = [screen(source, output, DEFAULTS, n_processes=n) for n, output in enumerate(outputs, start=1)]
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert rejects_path(outputs[0]).read_bytes() == rejects_path(outputs[1]).read_bytes()
    assert reports[0].facts == reports[1].facts


def deadly(trees):
    """Work that one conversation kills: stands for a message that exhausts memory."""
    if any("kill me" in tree for tree in trees):
        os.kill(os.getpid(), signal.SIGKILL)
    return [(None, Kept(None), Counter()) for _ in trees]


def test_a_worker_that_is_killed_loses_no_row():
    """The system kills a process that takes too much memory; the conversation that did it is held, the rest goes on."""
    rows = [{"number": n, "tree": "kill me" if n == 70 else "fine"} for n in range(150)]
    done = list(in_processes(iter(rows), deadly, killed, 2))
    assert [row["number"] for row, _ in done] == list(range(150))
    assert [row["number"] for row, result in done if isinstance(result[1], Held)] == [70]


def test_input_of_another_step_is_refused(tmp_path):
    """The message names what is missing and what to run."""
    with pytest.raises(InputError, match="does not exist"):
        screen(tmp_path / "nothing.parquet", tmp_path / "out.parquet", DEFAULTS)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text(max_size=60)),
        min_size=1,
        max_size=6,
    )
)
def test_every_conversation_has_exactly_one_outcome(turns):
    """Whatever people and programs write, it is kept, dropped or held, and a kept one has a question and an answer."""
    columns, found, _ = screen_row(canonical_bytes(talk(*turns).to_json()).decode(), ScreenSettings(min_words=0))
    assert isinstance(found, Dropped) or (isinstance(found, Kept) and columns is not None), found
    if columns:
        roles = [turn["role"] for turn in columns["messages"]]
        assert "user" in roles
        assert roles[-1] == "assistant"
