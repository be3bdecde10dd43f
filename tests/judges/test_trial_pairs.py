"""Reading pairs: what is damaged is named with its line, and costs nothing else."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from judges.trial_pairs import read_pairs
from schemas.conversation import Turn
from schemas.errors import InputError

LINE = {
    "id": "1", "prompt": [{"role": "user", "content": "What is bran?"}], "a": "The husk.", "b": "A bird.", "label": "a",
}  # fmt: skip


def write(folder: Path, *lines: object) -> Path:
    file = folder / "pairs.jsonl"
    file.write_bytes(b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines))
    return file


def test_a_pair_has_two_conversations_and_the_preferred_one_first(tmp_path: Path) -> None:
    """What a judge is shown is the prompt with one answer."""
    [pair], damaged = read_pairs(write(tmp_path, {**LINE, "id": 7, "label": "b", "group": "mill", "language": "en"}))
    assert (pair.id, pair.group, pair.language, damaged) == ("7", "mill", "en", [])
    assert pair.better_and_worse() == (
        (Turn("user", "What is bran?"), Turn("assistant", "A bird.")),
        (Turn("user", "What is bran?"), Turn("assistant", "The husk.")),
    )


def test_a_tie_has_no_better_answer(tmp_path: Path) -> None:
    """People who see no difference say nothing about which is better."""
    [pair], _ = read_pairs(write(tmp_path, {**LINE, "label": "tie"}))
    assert pair.better_and_worse() is None


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"{cut", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ([1, 2], "not a JSON object"),
        ({**LINE, "label": "A"}, '"label" is none of'),
        ({**LINE, "label": ["a"]}, '"label" is none of'),
        ({**LINE, "a": None}, '"a" is missing or no text'),
        ({**LINE, "prompt": "What?"}, '"prompt" is missing, empty or no list'),
        ({**LINE, "prompt": []}, '"prompt" is missing, empty or no list'),
        ({**LINE, "prompt": [{"role": "user"}]}, 'turn 1 of "prompt" has no text'),
        ({**LINE, "prompt": [{"role": "human", "content": "x"}]}, 'turn 1 of "prompt" has a "role"'),
        ({**LINE, "prompt": [{"role": ["user"], "content": "x"}]}, 'turn 1 of "prompt" has a "role"'),
        ({key: value for key, value in LINE.items() if key != "id"}, '"id" is missing'),
        ({**LINE, "group": 1.5}, '"group" is neither'),
    ],
)
def test_a_damaged_line_is_named_and_the_rest_is_read(line: object, what: str, tmp_path: Path) -> None:
    """Line numbers count from 1 and empty lines count, as in an editor."""
    file = write(tmp_path, LINE, b"", line, LINE)
    pairs, [damaged] = read_pairs(file)
    assert len(pairs) == 2
    assert str(damaged).startswith(f"{file}, line 3: ")
    assert what in str(damaged)


def test_what_is_said_of_a_damaged_line_holds_none_of_its_text(tmp_path: Path) -> None:
    """Conversations are strangers' text; a log line must not carry it."""
    secret = "my sister's name"
    _, [damaged] = read_pairs(write(tmp_path, LINE, {**LINE, "label": secret, "a": secret}))
    assert secret not in str(damaged)


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    """Editors write both."""
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + orjson.dumps(LINE) + b"\r\n" + orjson.dumps(LINE) + b"\r\n")
    assert len(read_pairs(file)[0]) == 2


def test_a_file_without_pairs_says_what_a_line_should_be(tmp_path: Path) -> None:
    """What was found and what to do."""
    with pytest.raises(InputError, match=r"holds no pair.*line 1.*each line should be"):
        read_pairs(write(tmp_path, {"text": "no"}))
    with pytest.raises(InputError, match="only empty lines"):
        read_pairs(write(tmp_path, b""))
    with pytest.raises(InputError, match="does not exist"):
        read_pairs(tmp_path / "nowhere.jsonl")
