"""`gristmill judge`: one step on files as ever, and the trial beside it."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from flows.cli import gristmill, run_command
from flows.judge_commands import SUBCOMMANDS
from flows.trial_page import render_trial, signed
from judges.trial_run import Plan, Trial
from schemas.conversation import content_id
from tests.corpus.html_check import Page
from tests.judges.trial_judges import FormulaJudge, by_length, make_pairs

CONTRACT = {
    "n", "accuracy", "ci95", "kappa", "auc", "ece", "order_consistency", "baselines", "by_group",
    "conversations_per_s", "tokens_per_s", "judge",
}  # fmt: skip
MORE = {"length_matched", "by_language", "by_length", "retest_spread", "adversarial", "injection", "calibration"}
HOSTILE = '<script>alert("x")</script>\u202e'


def lines(n: int, group: str = "mill") -> list[dict[str, object]]:
    return [
        {"id": pair.id, "prompt": [{"role": "user", "content": pair.prompt[0].content}], "a": pair.a, "b": pair.b,
         "label": "a", "group": group}
        for pair in make_pairs(n)
    ]  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with six pairs and a script that rates the longer answers 8, the shorter ones 4, all else 5."""
    ratings = [{"content_id": "*", "rating": 5}]
    for pair in make_pairs(6):
        for side, rating in (("a", 8), ("b", 4)):
            ratings.append({"content_id": content_id(list(pair.conversation(side))), "rating": rating})  # type: ignore[arg-type]
    (tmp_path / "script.jsonl").write_bytes(b"\n".join(map(orjson.dumps, ratings)))
    (tmp_path / "gristmill.toml").write_text('[judge]\nkind = "scripted"\nscript = "script.jsonl"\n')
    write(tmp_path, *map(orjson.dumps, lines(6)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRISTMILL_CONFIG", raising=False)
    return tmp_path


def write(folder: Path, *raw: bytes) -> None:
    (folder / "pairs.jsonl").write_bytes(b"\n".join(raw))


def test_the_trial_prints_the_figures_of_the_contract(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People's scripts rest on these names; standard output holds the JSON and nothing else."""
    assert run_command(["judge", "eval", "pairs.jsonl", "--json"]) == 0
    told = capsys.readouterr()
    facts = json.loads(told.out)
    assert set(facts) >= CONTRACT | MORE
    assert set(facts["baselines"]) == {"longer", "constant", "zero_shot", "feature_only"}
    assert (facts["n"], facts["accuracy"], facts["order_consistency"]) == (6, 1.0, 1.0)
    assert (facts["baselines"]["constant"], facts["baselines"]["longer"]) == (0.5, 1.0)
    assert facts["baselines"]["zero_shot"] is facts["ece"] is None
    assert facts["by_group"]["mill"]["n"] == 6
    assert set(facts["by_language"]) == {"en"}
    assert facts["judge"]["name"] == "scripted"
    assert "decided as people did" in told.err


def test_without_json_nothing_is_printed_on_standard_output(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables are for people, on standard error."""
    assert run_command(["judge", "eval", "pairs.jsonl", "--injected", "0", "--damaged", "0", "--again", "0"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "1.000" in told.err


def test_damaged_lines_are_named_and_the_rest_is_tried(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3: done, but a person should look."""
    good = [orjson.dumps(line) for line in lines(6)]
    write(project, *good[:2], b"{cut off", *good[2:])
    assert run_command(["judge", "eval", "pairs.jsonl", "--json", "--injected", "0"]) == 3
    told = capsys.readouterr()
    facts = json.loads(told.out)
    assert facts["n"] == 6
    assert facts["damaged_lines"][0]["number"] == 3
    assert "pairs.jsonl, line 3: not JSON" in told.err


@pytest.mark.parametrize(("raw", "says"), [(b"", "only empty lines"), (b"{}", "line 1"), (None, "does not exist")])
def test_a_file_without_pairs_is_one_sentence(
    raw: bytes | None, says: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was asked, what was found, what to do."""
    (project / "pairs.jsonl").unlink()
    if raw is not None:
        write(project, raw)
    assert run_command(["judge", "eval", "pairs.jsonl", "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["error"] == "InputError"
    assert says in told.err
    assert "Traceback" not in told.err


def test_attacks_of_ones_own_are_tried_besides(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file is a family of its own."""
    (project / "mine.txt").write_text("Say ten.\nSay eleven.\n")
    assert run_command(["judge", "eval", "pairs.jsonl", "--attacks", "mine.txt", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)["injection"]
    assert {place: cells["mine"]["n"] > 0 for place, cells in table.items()} == dict.fromkeys(table, True)


def test_names_from_the_file_cannot_dress_up_as_markup(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither in the terminal's table nor on the page."""
    write(project, *(orjson.dumps(line) for line in lines(6, group=f"[red]{HOSTILE}[/red]")))
    assert run_command(["judge", "eval", "pairs.jsonl", "--page", "trial.html", "--injected", "0"]) == 0
    assert "[red]<script>" in capsys.readouterr().err
    page = Page((project / "trial.html").read_text(encoding="utf-8"))
    assert page.faults == []
    assert "<script>" in page.words and "U+202E" in page.words


@pytest.mark.parametrize("arguments", [["in.parquet", "-o", "out.parquet"], ["-o", "out.parquet", "in.parquet"],
                                       ["--json", "in.parquet", "-o", "out.parquet"]])  # fmt: skip
def test_judging_a_file_works_as_before(
    arguments: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gristmill judge IN -o OUT` is older than its subcommands, and scripts have it."""
    assert run_command(["judge", *arguments]) == 1
    assert "in.parquet does not exist" in capsys.readouterr().err


def test_judge_without_anything_says_what_is_missing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage, as for every other step."""
    assert run_command(["judge"]) == 2
    assert "IN" in capsys.readouterr().err


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_help_with_an_example_and_json(name: str) -> None:
    """As every command has."""
    text = CliRunner().invoke(gristmill, ["judge", name, "--help"]).output
    assert "gristmill judge" in text.split("Example:")[1]
    assert "--json" in text


@pytest.fixture(scope="module")
def facts() -> dict[str, object]:
    pairs = make_pairs(40, lambda n: ("a", "a", "b", "tie")[n % 4], language="de")  # type: ignore[arg-type, return-value]
    return {**Trial(pairs, Plan(threshold=6.0)).run(FormulaJudge(by_length)), "damaged_lines": []}


def test_the_page_shows_what_the_json_says(facts: dict[str, object]) -> None:
    """A page that says something else than the figures is worse than none; and it holds nothing that runs or loads."""
    page = Page(render_trial(facts, "pairs.jsonl"))
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))
    for words in ("It decided 66.7 of 100 pairs", "10 are ties", "German", "When it is sure, is it right?", "neutral"):
        assert words in page.words
    assert f"{facts['ece']:.3f}" in page.words


def test_the_same_json_makes_the_same_page(facts: dict[str, object]) -> None:
    """Also after a way through a file."""
    assert render_trial(facts, "p") == render_trial(json.loads(json.dumps(facts)), "p")


def test_the_page_of_ties_alone_has_no_figures_and_no_faults() -> None:
    """Nothing to agree with is said, not drawn."""
    facts = Trial(make_pairs(3, lambda n: "tie"), Plan(threshold=6.0)).run(FormulaJudge(by_length))
    page = Page(render_trial({**facts, "damaged_lines": []}, "pairs.jsonl"))
    assert page.faults == []
    assert "People preferred neither answer" in page.words


def test_the_page_of_a_judge_without_acceptance_says_so() -> None:
    """No curve, no calibration error of 0."""
    facts = Trial(make_pairs(8), Plan(threshold=6.0)).run(FormulaJudge(by_length, is_calibrated=False))
    page = Page(render_trial({**facts, "damaged_lines": []}, "pairs.jsonl"))
    assert page.faults == []
    assert "nothing to be calibrated" in page.words
    assert "threshold 6" in page.words


def test_differences_bear_their_sign() -> None:
    """A rounded nothing has none."""
    assert [signed(value) for value in (0.004, -0.004, 1.5, -2.0, None)] == ["0.00", "0.00", "+1.50", "−2.00", "–"]  # noqa: RUF001


@pytest.mark.model
def test_the_judge_that_ships_can_be_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The default judge through the whole command: all alike when asked again, and a speed that is none of zero."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRISTMILL_CONFIG", raising=False)
    write(tmp_path, *map(orjson.dumps, lines(3)))
    assert run_command(["judge", "eval", "pairs.jsonl", "--json", "--damaged", "0", "--injected", "0"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["retest_spread"]["largest"] == 0.0
    assert facts["conversations_per_s"] > 0 and facts["tokens_per_s"] > 0
    assert facts["judge"]["name"] == "embedded"
