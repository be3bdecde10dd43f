"""A model that is made at set-up reads as its source does, or is not used."""

from __future__ import annotations

from pathlib import Path

import pytest

from judges import models
from judges.gguf_files import cut
from judges.llama import requantise
from judges.model_check import check_made
from judges.models import embedded_model, packaged_model
from schemas.errors import JudgeError

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model, cut after eight layers, as it comes."""
    target = tmp_path_factory.mktemp("cut") / "eight.gguf"
    cut(packaged_model(), target, n_layers=8)
    return target


def test_cut_and_coarser_it_is_still_the_same(whole: Path, tmp_path: Path) -> None:
    """Fewer layers leave the states of the kept ones as they were; four bits move them a little."""
    check_made(whole, packaged_model())
    requantise(whole, tmp_path / "coarse.gguf", name="q4_0", n_threads=1)
    check_made(tmp_path / "coarse.gguf", packaged_model())


def test_a_model_with_a_damaged_layer_is_refused(whole: Path, tmp_path: Path) -> None:
    """Weights that a bad build of llama.cpp or a bad disk wrote load without a word."""
    content = bytearray(whole.read_bytes())
    middle = len(content) * 9 // 10
    content[middle : middle + 400_000] = bytes(range(256)) * (400_000 // 256) + bytes(400_000 % 256)
    (tmp_path / "damaged.gguf").write_bytes(content)
    with pytest.raises(JudgeError, match="does not read as its source does"):
        check_made(tmp_path / "damaged.gguf", packaged_model())


def test_what_fails_the_check_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call makes it anew; a set-up that failed leaves nothing that looks complete."""
    monkeypatch.setattr("judges.model_check.COSINE_MIN", 0.9999)
    with pytest.raises(JudgeError, match="does not read"):
        embedded_model(tmp_path, n_layers=8)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert models.embedded_model(tmp_path, n_layers=8).path.is_file()
