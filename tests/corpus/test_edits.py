"""An edit keeps what was changed as the rejected side of a pair, and never keeps what was to be taken out."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.edits import edited_line, only_redacts
from schemas.canonical import canonical_bytes
from schemas.conversation import Turn, content_id
from schemas.errors import InputError

ASKED, ANSWERED, THANKED, CLOSED = "What is grist?", "Corn.", "Thanks, I am Jane.", "You are welcome, Jane."
MESSAGES = [
    {"role": role, "content": content}
    for role, content in zip(["user", "assistant"] * 2, [ASKED, ANSWERED, THANKED, CLOSED], strict=True)
]
BESIDE = [
    {"turn": 1, "content": "No idea.", "rank": 1, "vote": None},
    {"turn": 3, "content": "Bye, Jane.", "rank": None, "vote": 1},
]
SAMPLE = {"format": 1, "id": "0" * 32, "expert": "general", "messages": MESSAGES, "alternatives": BESIDE, "verdict": {}}
LINE = canonical_bytes(SAMPLE)


def edited(*texts: str) -> dict:
    messages = [{**one, "content": text} for one, text in zip(MESSAGES, texts, strict=False)]
    sample_id, line = edited_line(LINE, messages)
    sample = orjson.loads(line)
    assert sample["id"] == sample_id == content_id([Turn(**one) for one in messages])
    assert line == canonical_bytes(sample) + b"\n" and sample["messages"] == messages
    assert {key: sample[key] for key in ("format", "expert", "verdict")} == {
        "format": 1,
        "expert": "general",
        "verdict": {},
    }
    return sample


def test_a_changed_answer_stays_as_the_rejected_one():
    """What the reviewer wrote is chosen, what the model wrote is rejected."""
    sample = edited(ASKED, "Corn that is to be ground.", THANKED, CLOSED)
    original = {"turn": 1, "content": ANSWERED, "rank": None, "vote": -1}
    assert sample["alternatives"] == [BESIDE[0], original, BESIDE[1]]


def test_a_changed_question_takes_its_answers_with_it():
    """The replies beside answered another question, and may hold what was taken out of it."""
    sample = edited(ASKED, ANSWERED, "Thanks, I am [NAME_1].", "You are welcome.")
    assert sample["alternatives"] == [BESIDE[0]] and b"Jane" not in orjson.dumps(sample)


def test_a_redaction_does_not_bring_back_what_it_took_out():
    """The placeholder is put there so that the name is gone."""
    sample = edited(ASKED, ANSWERED, THANKED, "You are welcome, [NAME_1].")
    assert sample["alternatives"] == BESIDE


def test_the_end_may_be_left_out_with_what_stood_beside_it():
    """A conversation that goes wrong late is good until then."""
    sample = edited(ASKED, ANSWERED)
    assert sample["alternatives"] == [BESIDE[0]] and len(sample["messages"]) == 2


def test_an_answer_replaced_by_one_that_stood_beside_it_is_there_once():
    """Choosing the sibling makes the old path the rejected one."""
    sample = edited(ASKED, "No idea.", THANKED, CLOSED)
    assert [one["content"] for one in sample["alternatives"]] == [ANSWERED, "Bye, Jane."]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        MESSAGES,
        MESSAGES[:3],
        MESSAGES[::-1],
        [*MESSAGES, MESSAGES[0]],
        [MESSAGES[0], {"role": "assistant", "content": " \n"}],
        [MESSAGES[0], {"role": "assistant", "content": "half a \ud800 character"}],
        [MESSAGES[0], {"role": "assistant", "content": 7}],
        [MESSAGES[0], {"role": "assistant", "content": "x", "name": "y"}],
        [MESSAGES[0], {"role": "system", "content": "x"}],
        ["x", "y"],
    ],
)
def test_what_is_no_edit_is_refused(messages):
    """Messages come from pull requests."""
    with pytest.raises(InputError):
        edited_line(LINE, messages)


@given(st.lists(st.text(alphabet="ab ", min_size=1), min_size=1, max_size=5), st.data())
def test_replacing_passages_by_placeholders_is_a_redaction(pieces, data):
    """Whatever was replaced, and wherever."""
    hidden = data.draw(st.lists(st.text(min_size=1), min_size=len(pieces) - 1, max_size=len(pieces) - 1))
    before = "".join(a + b for a, b in zip(pieces, [*hidden, ""], strict=True))
    after = "".join(a + b for a, b in zip(pieces, [*["[NAME_1]"] * len(hidden), ""], strict=True))
    assert only_redacts(before, after) is bool(hidden)
    assert not only_redacts(before, after + "!") or before.endswith("!")
