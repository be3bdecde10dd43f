"""A conversation that people decided on is read once, and what was kept of it is exactly what was read."""

from dataclasses import replace

import numpy as np
import pytest

from judges.measured import MeasuredConversations
from judges.measurement import Measurement
from schemas.conversation import Turn
from schemas.errors import JudgeError
from schemas.verdict import Unrated
from tests.judges.small_head import IDENTITY

TURNS = (Turn("user", "What is a quern?"), Turn("assistant", "A mill."))


class Reader:
    """Measures lengths; cannot read what says so."""

    def __init__(self, identity=IDENTITY) -> None:
        self.identity = identity
        self.n_read = 0

    def measure(self, conversations):
        for turns in conversations:
            self.n_read += 1
            if "unreadable" in turns[0].content:
                yield Unrated("unrated_too_long")
            else:
                lengths = np.array([[len(turn.content) / 3 for turn in turns]], np.float32)
                yield Measurement({"n": 1 / 3}, lengths, n_tokens=7)


def test_what_is_kept_is_what_was_measured(tmp_path):
    """To the last bit, or two rounds on the same decisions would differ."""
    reader = Reader()
    first = MeasuredConversations(tmp_path, reader).of({"a" * 32: TURNS})
    again = MeasuredConversations(tmp_path, reader).of({"a" * 32: TURNS})
    assert reader.n_read == 1
    one, other = first["a" * 32], again["a" * 32]
    assert np.array_equal(one.vector, other.vector) and one.vector.dtype == other.vector.dtype
    assert (one.scalars, one.n_tokens) == (other.scalars, other.n_tokens)


def test_what_cannot_be_read_is_left_out_and_tried_again(tmp_path):
    """Not read is not a measurement of zeros."""
    reader = Reader()
    wanted = {"b" * 32: (Turn("user", "unreadable"),), "a" * 32: TURNS}
    for n_read in (2, 3):
        assert list(MeasuredConversations(tmp_path, reader).of(wanted)) == ["a" * 32]
        assert reader.n_read == n_read


def test_another_model_measures_afresh_and_another_rubric_or_head_does_not(tmp_path):
    """Measurements are of a model and its way of reading, whatever is made of them."""
    MeasuredConversations(tmp_path, Reader()).of({"a" * 32: TURNS})
    for changed, n_read in (
        ({"model_digest": "9" * 64}, 1),
        ({"prompt_digest": "9" * 64}, 1),
        ({"rubric_digest": "9" * 64}, 0),
        ({"head": "x", "head_digest": "9" * 64}, 0),
    ):
        reader = Reader(replace(IDENTITY, **changed))
        MeasuredConversations(tmp_path, reader).of({"a" * 32: TURNS})
        assert reader.n_read == n_read


def test_a_damaged_file_is_made_again_and_a_refusing_disk_is_named(tmp_path):
    """Power fails; disks fill."""
    reader = Reader()
    MeasuredConversations(tmp_path / "a", reader).of({"a" * 32: TURNS})
    (file,) = (tmp_path / "a").rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:40])
    assert len(MeasuredConversations(tmp_path / "a", reader).of({"a" * 32: TURNS})) == 1
    assert reader.n_read == 2
    (tmp_path / "b").write_text("a file, not a folder")
    with pytest.raises(JudgeError, match="cannot write"):
        MeasuredConversations(tmp_path / "b", reader).of({"a" * 32: TURNS})
