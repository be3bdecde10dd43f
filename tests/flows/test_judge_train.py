"""`gristmill judge train`: labels in, a head out that the settings can name; with the real models."""

import json

import pytest

from flows.cli import run_command
from tests.flows.test_judge_commands import lines


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Twelve pairs, one decision and one damaged line, in a folder of their own."""
    decided = {
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}],
        "keep": False,
    }
    said = [*map(json.dumps, lines(12)), json.dumps(decided), "{"]
    (tmp_path / "labels.jsonl").write_text("\n".join(said))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRISTMILL_CONFIG", raising=False)
    return tmp_path


def test_a_head_is_trained_twice_alike_and_judges_when_it_is_named(folder, capsys):
    """Its file is what a project keeps: the same labels must give the same bytes, and verdicts must name it."""
    assert run_command(["judge", "train", "labels.jsonl", "-o", "mine.safetensors", "--json"]) == 3
    facts = json.loads(capsys.readouterr().out)
    assert (facts["pairs"], facts["decisions"], facts["unmeasured"]) == (12, 1, 0)
    assert [line["number"] for line in facts["damaged_lines"]] == [14]
    assert facts["before"]["accuracy"] is not None
    first = (folder / "mine.safetensors").read_bytes()
    assert run_command(["judge", "train", "labels.jsonl", "-o", "mine.safetensors"]) == 3
    assert (folder / "mine.safetensors").read_bytes() == first
    (folder / "gristmill.toml").write_text('[judge]\nhead = "mine.safetensors"\n')
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines(2))))
    capsys.readouterr()
    trial = ["judge", "eval", "pairs.jsonl", "--json", "--damaged", "0", "--injected", "0", "--again", "0"]
    assert run_command(trial) == 0
    assert json.loads(capsys.readouterr().out)["judge"]["head_digest"] == facts["head_digest"]


def test_labels_that_are_none_are_an_error_with_a_remedy(folder, capsys):
    """Somebody who gives the wrong file must learn what a label looks like, without a traceback."""
    (folder / "none.jsonl").write_text('{"text": "secret words"}\n')
    assert run_command(["judge", "train", "none.jsonl"]) == 1
    told = capsys.readouterr().err
    assert "holds no label" in told
    assert '"answers"' in told
    assert "secret words" not in told


def test_a_judge_without_a_head_cannot_be_trained(folder, capsys):
    """An endpoint's model is fine-tuned elsewhere, on the lessons."""
    (folder / "gristmill.toml").write_text('[judge]\nkind = "scripted"\nscript = "s.jsonl"\n')
    (folder / "s.jsonl").write_text('{"content_id": "*", "rating": 5}\n')
    assert run_command(["judge", "train", "labels.jsonl"]) == 2
    assert "has no head to train" in capsys.readouterr().err
