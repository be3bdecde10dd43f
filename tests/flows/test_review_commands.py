"""The commands settle and reviewers, as people and schedules type them."""

import json

import pytest

from corpus.review import DONE
from flows.cli import run_command
from tests.corpus.propose_project import NIGHT
from tests.corpus.reviewed_night import Night


@pytest.fixture
def night(tmp_path, monkeypatch) -> Night:
    night = Night(tmp_path)
    (tmp_path / "gristmill.toml").write_text('[corpus]\nremote = "corpus.git"\n')
    monkeypatch.chdir(tmp_path)
    return night


def run(capsys, *arguments: str) -> tuple[int, dict, str]:
    """Exit code, the JSON object, and what people read."""
    capsys.readouterr()
    code = run_command([*arguments, "--json"])
    out, said = capsys.readouterr()
    return code, json.loads(out), said


def test_a_schedule_settles_what_people_are_done_with(night, capsys):
    """And says of the others what they wait for."""
    ann = night.person("ann").untick(night.ids[0]).done()
    code, told, said = run(capsys, "settle")
    assert (code, told["nights"], told["waiting"][0]["state"]) == (0, [], "reviewed")
    assert f"{NIGHT}: open; 1 reviewer(s) committed to it" in said and night.kept() == []
    ann.commit(DONE).push()
    code, told, said = run(capsys, "settle")
    assert code == 0 and told["nights"][0]["state"] == "settled" and night.kept() == night.ids[1:]
    assert f"{NIGHT}: settled; 5 kept, 1 rejected of 6" in said
    code, told, said = run(capsys, "settle")
    assert code == 0 and told == {"nights": [], "waiting": []} and "no night is open" in said


def test_all_settles_what_nobody_looked_at(night, capsys):
    """For who trusts the judge."""
    code, told, _ = run(capsys, "settle", "--all")
    assert code == 0 and told["nights"][0]["counts"]["kept"] == 6


def test_what_is_held_is_listed_and_the_exit_code_says_so(night, capsys):
    """A schedule must be able to tell that a person is needed."""
    night.person("ann").untick(night.ids[0]).done()
    night.person("bob").decide(night.ids[0], "keep").done()
    code, told, said = run(capsys, "settle", NIGHT)
    assert code == 3 and told["nights"][0]["held"] == [night.ids[0]]
    assert f"held: {night.ids[0]} waits for another vote" in said


def test_a_refused_branch_lists_its_problems(night, capsys):
    """All of them, with the exit code of what waits for a person."""
    mallory = night.person("mallory")
    mallory.write("README.md", "x")
    mallory.done()
    code, told, said = run(capsys, "settle", NIGHT)
    assert code == 3 and told["nights"][0]["state"] == "refused" and "README.md is no part of the night" in said


def test_the_rule_for_conflicts_is_read_from_the_settings(night, capsys):
    """`review.conflict`."""
    (night.root / "gristmill.toml").write_text('[corpus]\nremote = "corpus.git"\n[review]\nconflict = "any_reject"\n')
    night.person("ann").untick(night.ids[0]).done()
    for name in ("bob", "cleo"):
        night.person(name).decide(night.ids[0], "keep").done()
    code, told, _ = run(capsys, "settle", NIGHT)
    assert code == 0 and told["nights"][0]["counts"]["rejected"] == 1


def test_reviewers_shows_alpha_and_each_reviewer(night, capsys):
    """From the repository alone, after settling."""
    code, told, said = run(capsys, "reviewers")
    assert code == 0 and told["reviewers"] == [] and "no settled night has decisions yet" in said
    for name in ("ann", "bob"):
        person = night.person(name)
        person.decide(night.ids[0]).decide(night.ids[1], "keep").done()
    run(capsys, "settle", NIGHT)
    code, told, said = run(capsys, "reviewers")
    assert code == 0 and told["alpha"] == {"value": 1.0, "n_units": 2, "n_ratings": 4}
    assert "Krippendorff's alpha 1.000" in said and "2 of 2" in said


def test_an_unknown_night_is_told(night, capsys):
    """With what was asked."""
    code, told, _ = run(capsys, "settle", "2020-01-01")
    assert code == 1 and "no night 2020-01-01" in told["message"]
