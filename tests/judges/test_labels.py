"""Labels in every form that people give them become pairs and decisions, and what is none is named."""

import json

import pytest

from judges.labels import read_labels
from schemas.errors import InputError

ASKED = [{"role": "user", "content": "Why is the sky blue?"}]
TALK = [*ASKED, {"role": "assistant", "content": "Air scatters short waves more than long ones."}]


def write(path, *lines):
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_each_form_gives_its_labels(tmp_path):
    """Whoever has ranks or ratings must not have to turn them into pairs first."""
    labels, damaged = read_labels(
        write(
            tmp_path / "labels.jsonl",
            {"prompt": ASKED, "a": "Because.", "b": "Air scatters it.", "label": "b"},
            {"prompt": ASKED, "answers": ["best", "middle", "worst"]},
            {"messages": TALK, "keep": False},
            {"messages": TALK, "rating": 7, "scale": [1, 10]},
            {"prompt": ASKED, "a": "x", "b": "y", "label": "tie"},
        )
    )
    assert not damaged
    pair, *ranked = labels[:4]
    assert (pair.better[-1].content, pair.worse[-1].content) == ("Air scatters it.", "Because.")
    assert [(one.better[-1].content, one.worse[-1].content, one.weight) for one in ranked] == [
        ("best", "middle", 0.5),
        ("best", "worst", 0.5),
        ("middle", "worst", 0.5),
    ]
    assert [(one.keep, one.worse) for one in labels[4:]] == [(0.0, None), (6 / 9, None)]
    assert len({one.group for one in labels}) == 1, "all speak of one prompt, so all are on one side of a test"


@pytest.mark.parametrize(
    "line",
    [
        {"messages": TALK, "keep": "yes"},
        {"messages": TALK, "rating": 11, "scale": [1, 10]},
        {"messages": TALK, "rating": 5},
        {"messages": TALK, "rating": 5, "scale": [10, 1]},
        {"messages": TALK, "rating": True, "scale": [0, 1]},
        {"prompt": ASKED, "answers": ["alone"]},
        {"prompt": ASKED, "a": "x", "b": "y", "label": "c"},
        {"messages": [], "keep": True},
        {"text": "hello"},
        ["keep"],
        '{"messages": ',
    ],
)
def test_a_line_that_is_no_label_is_named_and_the_rest_is_read(tmp_path, line):
    """One damaged line among thousands must cost one label, and be found again."""
    labels, damaged = read_labels(write(tmp_path / "labels.jsonl", {"messages": TALK, "keep": True}, line))
    assert len(labels) == 1
    assert [one.number for one in damaged] == [2]
    assert "hello" not in str(damaged[0])


def test_a_file_without_labels_is_an_error(tmp_path):
    """Training on nothing would give back the old head and look like work done."""
    with pytest.raises(InputError, match="holds no label"):
        read_labels(write(tmp_path / "empty.jsonl", ""))
