"""A whole night: real Prefect, real git, the real embedded judge, on some of the example logs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "logs"
GRISTMILL = Path(sys.executable).parent / "gristmill"
SETTINGS = """
[[sources]]
name = "gateway"
path = "logs/*.jsonl"
consent = "agreed in the chat window"
licence = "CC0-1.0"

[[sources]]
name = "unasked"
path = "unasked/*.json"

[judge]
threshold = 4.0
"""
pytestmark = [pytest.mark.slow, pytest.mark.model]


def make_project(folder: Path, *days: str) -> Path:
    """A project whose gateway log has these days; its other source has no consent."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gristmill.toml").write_text(SETTINGS)
    for name in ("logs", "unasked"):
        (folder / name).mkdir(exist_ok=True)
    for day in days:
        shutil.copy(EXAMPLES / "gateway" / f"{day}.jsonl", folder / "logs")
    shutil.copy(EXAMPLES / "chatgpt" / "conversations.json", folder / "unasked")
    return folder


def gristmill(folder: Path, *arguments: str) -> tuple[int, dict]:
    """Runs a command with --json and gives its exit code and its object."""
    done = subprocess.run(
        [GRISTMILL, *arguments, "--json"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def steps_of(answer: dict) -> dict[str, dict]:
    return {step["step"]: step for step in answer["steps"]}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", "-C", folder / "corpus.git", *arguments], text=True).strip()


@pytest.fixture(scope="module")
def first_night(tmp_path_factory) -> tuple[Path, dict]:
    """A project after its first night, and what the night said."""
    folder = make_project(tmp_path_factory.mktemp("a project"), "2026-11-02", "2026-11-03")
    code, answer = gristmill(folder, "run", "--night", "2026-11-05")
    assert code == 3, "the source without consent is held for a person"
    return folder, answer


def test_a_night_ends_in_a_branch_with_samples(first_night):
    """The promise of the project: logs in, a branch with the best conversations out."""
    folder, answer = first_night
    assert answer["state"] == "Proposed"
    assert git(folder, "rev-parse", "night/2026-11-05") == answer["proposal"]["commit"]
    lines = git(folder, "show", "night/2026-11-05:data/general/2026-11/2026-11-05.jsonl").splitlines()
    assert len(lines) == answer["proposal"]["n_samples"] > 5
    assert [json.loads(line)["id"] for line in lines] == sorted(json.loads(line)["id"] for line in lines)


def test_the_counts_of_each_step_are_the_input_of_the_next(first_night):
    """Nothing vanishes between the steps either."""
    steps = list(steps_of(first_night[1]).values())
    assert [step["step"] for step in steps][0] == "pull"
    for before, after in zip(steps, steps[1:], strict=False):
        assert before["kept"] == after["in"]


def test_what_has_no_consent_is_held_and_never_published(first_night):
    """A public branch is publication: consent is a person's statement, never a default."""
    folder, answer = first_night
    assert steps_of(answer)["pull"]["held"] == {"no_consent": 22}
    published = git(folder, "grep", "-h", "-o", '"source":"[a-z]*"', "night/2026-11-05", "--", "data")
    assert set(published.split()) == {'"source":"gateway"'}


def test_the_same_night_again_changes_nothing(first_night):
    """Typing it again is what people do when they are unsure."""
    folder, answer = first_night
    _, again = gristmill(folder, "run", "--night", "2026-11-05")
    assert again["proposal"]["commit"] == answer["proposal"]["commit"]
    assert again["proposal"]["state"] == "unchanged"


def test_the_same_night_in_another_folder_gives_the_same_commit(first_night, tmp_path):
    """The commit depends on the logs, the settings and the date alone."""
    other = make_project(tmp_path / "elsewhere", "2026-11-02", "2026-11-03")
    _, answer = gristmill(other, "run", "--night", "2026-11-05")
    assert answer["proposal"]["commit"] == first_night[1]["proposal"]["commit"]


def test_a_second_night_reads_and_judges_only_what_is_new(first_night, tmp_path):
    """Cost follows the new data; with no new logs there is no judge call and no commit."""
    folder = shutil.copytree(first_night[0], tmp_path / "copy", copy_function=shutil.copy2)
    _, idle = gristmill(folder, "run", "--night", "2026-11-06")
    assert idle["state"] == "NothingToPropose"
    assert steps_of(idle)["judge"]["in"] == 0
    assert git(folder, "branch", "--list", "night/2026-11-06") == ""
    make_project(folder, "2026-11-04")
    _, grown = gristmill(folder, "run", "--night", "2026-11-07")
    assert steps_of(grown)["pull"]["kept"] == 19
    assert grown["state"] == "Proposed"


def test_looking_back_answers_for_every_night_and_conversation(first_night):
    """`status`, `explain` and `report` are what an operator has the next morning."""
    folder, answer = first_night
    code, status = gristmill(folder, "status")
    assert code == 3
    assert status["nights"][0]["proposed"] == answer["proposal"]["n_samples"]
    line = git(folder, "show", "night/2026-11-05:data/general/2026-11/2026-11-05.jsonl").splitlines()[0]
    _, life = gristmill(folder, "explain", json.loads(line)["id"])
    assert [event["step"] for event in life["events"]][-1] == "proposed"
    _, page = gristmill(folder, "report")
    assert Path(page["outputs"][0]).read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("seconds", [1.0, 3.0, 5.5, 8.0])
def test_a_killed_night_run_again_ends_in_the_same_commit(first_night, tmp_path, seconds):
    """Power fails at any instant; the night must not care."""
    folder = make_project(tmp_path / "killed", "2026-11-02", "2026-11-03")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    night = subprocess.Popen([GRISTMILL, "run", "--night", "2026-11-05"], cwd=folder, **quiet)
    time.sleep(seconds)
    os.kill(night.pid, signal.SIGKILL)
    night.wait()
    _, answer = gristmill(folder, "run", "--night", "2026-11-05")
    assert answer["proposal"]["commit"] == first_night[1]["proposal"]["commit"]


def test_a_night_run_again_on_grown_logs_and_killed_is_ended_before_the_next_one(first_night, tmp_path):
    """What it read the second time is in no proposal yet, and no later night would read it again."""
    folder = shutil.copytree(first_night[0], tmp_path / "copy", copy_function=shutil.copy2)
    make_project(folder, "2026-11-04")
    pulled = folder / "var" / "nights" / "2026-11-05" / "pulled.report.json"
    before = pulled.read_bytes()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    night = subprocess.Popen([GRISTMILL, "run", "--night", "2026-11-05"], cwd=folder, **quiet)
    deadline = time.monotonic() + 120
    while (not pulled.exists() or pulled.read_bytes() == before) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(night.pid, signal.SIGKILL)
    night.wait()
    _, answer = gristmill(folder, "run", "--night", "2026-11-06")
    assert answer["state"] == "NothingToPropose", "the logs belong to the night that read them"
    lines = git(folder, "show", "night/2026-11-05:data/general/2026-11/2026-11-05.jsonl").splitlines()
    assert len(lines) > first_night[1]["proposal"]["n_samples"]
