"""A night and its pull request: what the forge does or does not do never costs the night's work."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpus.forge import ForgeRefused
from corpus.validate import build_samples
from flows.nights import begin_night, find_night
from flows.propose import propose
from flows.settings_file import read_project
from schemas.errors import SettingsError
from tests.corpus.forge.forge_server import TOKEN, Answer, serving
from tests.corpus.forge.github_server import GitHubServer
from tests.corpus.judged_rows import row, write_selected

NIGHT = "2026-11-04"
BRANCH = f"night/{NIGHT}"
EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "logs"
GRISTMILL = Path(sys.executable).parent / "gristmill"


@pytest.fixture
def server():
    with serving(GitHubServer()) as running:
        yield running


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("CORPUS_TOKEN", TOKEN)


def settings_of(server: GitHubServer) -> str:
    facts = f'kind = "github"\nurl = "{server.url}"\nproject = "ann/corpus"\ntoken_env = "CORPUS_TOKEN"\n'
    return f"[forge]\n{facts}"


def project_at(folder: Path, server: GitHubServer, n_samples: int = 6):
    """A project whose night has come as far as its samples."""
    (folder / "gristmill.toml").write_text(settings_of(server))
    project = read_project(folder / "gristmill.toml")
    night = begin_night(project, NIGHT)
    rows = [row(number=n) for n in range(n_samples)]
    selected = write_selected(night.output("select"), rows)
    build_samples(selected, night.output("validate"), night=NIGHT, publish_subjects=False)
    return project, night


def head_of(project) -> str:
    heads = ("git", "-C", str(project.root / "corpus.git"), "rev-parse", BRANCH)
    return subprocess.check_output(heads, text=True).strip()


def test_the_pull_request_is_opened_when_the_branch_is_there(server, tmp_path):
    """What people are told is where to go and look."""
    project, night = project_at(tmp_path, server)
    proposal = propose(project, night)
    url = f"{server.url}/ann/corpus/pull/1"
    assert proposal["pull_request"] == {"number": 1, "url": url, "state": "open", "head": BRANCH, "base": "main"}
    assert proposal["pull_request_pending"] is None
    assert url in proposal["message"]
    assert find_night(project, NIGHT).proposal() == proposal
    assert server.pulls[0].title == proposal["title"] == f"night: {NIGHT}, 6 conversations"
    assert server.pulls[0].body == proposal["body"]


def test_an_outage_leaves_the_branch_and_running_again_opens_it(server, tmp_path):
    """Nothing is lost, nothing is done twice, and the night says what to do."""
    project, night = project_at(tmp_path, server)
    hour = {"Retry-After": "3600"}
    server.fault_of = lambda _: Answer(429, {"message": "slow down"}, hour)
    proposal = propose(project, night)
    assert proposal["pull_request"] is None
    assert "pending" in proposal["message"] and "wait 60 minutes" in proposal["pull_request_pending"]
    pushed = head_of(project)
    server.fault_of = lambda _: None
    again = propose(project, find_night(project, NIGHT))
    assert (again["state"], again["pull_request"]["number"], again["pull_request_pending"]) == ("unchanged", 1, None)
    assert head_of(project) == pushed


def test_a_revoked_token_fails_after_the_night_is_noted(server, tmp_path, monkeypatch):
    """If the night were not noted as ended, the next one would read its logs again and propose them twice."""
    monkeypatch.setenv("CORPUS_TOKEN", "revoked-" + "0" * 20)
    project, night = project_at(tmp_path, server)
    with pytest.raises(ForgeRefused, match="CORPUS_TOKEN"):
        propose(project, night)
    noted = find_night(project, NIGHT)
    assert noted.is_complete
    assert "CORPUS_TOKEN" in noted.proposal()["pull_request_pending"]
    assert noted.proposal()["commit"] == head_of(project)
    monkeypatch.setenv("CORPUS_TOKEN", TOKEN)
    assert propose(project, noted)["pull_request"]["number"] == 1


def test_a_missing_token_is_told_before_anything_is_pushed(server, tmp_path, monkeypatch):
    """It is a matter of settings, not of the forge."""
    monkeypatch.delenv("CORPUS_TOKEN")
    project, night = project_at(tmp_path, server)
    with pytest.raises(SettingsError, match="CORPUS_TOKEN"):
        propose(project, night)
    assert not (project.root / "corpus.git").exists()


def person_works_on(project) -> None:
    """A person's commit on the night's branch."""
    tree = project.root / "person"
    git = ("git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run([*git, "clone", "--quiet", "-b", BRANCH, str(project.root / "corpus.git"), str(tree)], check=True)
    (tree / "note.txt").write_text("read\n")
    subprocess.run([*git, "-C", str(tree), "add", "note.txt"], check=True)
    subprocess.run([*git, "-C", str(tree), "commit", "--quiet", "-m", "note"], check=True)
    subprocess.run([*git, "-C", str(tree), "push", "--quiet"], check=True)


def test_words_that_people_wrote_stay_while_they_review(server, tmp_path):
    """Once somebody has worked on the branch, title and body are theirs, too."""
    project, night = project_at(tmp_path, server)
    propose(project, night)
    person_works_on(project)
    server.pulls[0].title = "Ann reads this one"
    proposal = propose(project, night)
    assert (proposal["state"], proposal["pull_request"]["number"]) == ("under_review", 1)
    assert server.pulls[0].title == "Ann reads this one"


def test_work_on_a_branch_without_a_pull_request_gets_one(server, tmp_path):
    """The forge was out when the night was pushed, and people began with git alone."""
    project, night = project_at(tmp_path, server)
    server.fault_of = lambda _: Answer(429, {}, {"Retry-After": "3600"})
    propose(project, night)
    person_works_on(project)
    server.fault_of = lambda _: None
    assert propose(project, night)["pull_request"]["number"] == 1


def test_one_that_a_person_closed_is_said_to_stay_closed(server, tmp_path):
    """Else the URL alone would look like an open review."""
    project, night = project_at(tmp_path, server)
    propose(project, night)
    server.pulls[0].state = "closed"
    assert "stays closed" in propose(project, night)["message"]


def test_a_merged_night_asks_the_forge_nothing(server, tmp_path):
    """Old nights are run again when people are unsure; the forge may be gone by then."""
    project, night = project_at(tmp_path, server)
    propose(project, night)
    bare = str(project.root / "corpus.git")
    subprocess.run(["git", "-C", bare, "update-ref", "refs/heads/main", f"refs/heads/{BRANCH}"], check=True)
    server.requests.clear()
    proposal = propose(project, find_night(project, NIGHT))
    assert (proposal["state"], proposal["pull_request"]["state"]) == ("merged", "merged")
    assert server.requests == []


def test_a_night_without_samples_opens_nothing(server, tmp_path):
    """There is no branch to review."""
    project, night = project_at(tmp_path, server, n_samples=0)
    proposal = propose(project, night)
    assert (proposal["state"], proposal["pull_request"], server.requests) == ("nothing_to_propose", None, [])


def test_the_forge_does_not_change_the_commit(server, tmp_path):
    """The settings' digest stands in the commit; where it is reviewed is no matter of the data."""
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    project, night = project_at(tmp_path / "with", server)
    (tmp_path / "without" / "gristmill.toml").write_text("")
    other = read_project(tmp_path / "without" / "gristmill.toml")
    assert project.settings_digest() == other.settings_digest()


@pytest.mark.slow
@pytest.mark.model
def test_the_command_says_pending_fails_and_ends_well(server, tmp_path):
    """Exit code 3 while the forge is out, 1 for a revoked token, and the address at last; the token is nowhere."""
    source = '[[sources]]\nname = "gateway"\npath = "logs/*.jsonl"\nconsent = "agreed"\nlicence = "CC0-1.0"\n'
    (tmp_path / "gristmill.toml").write_text(source + "[judge]\nthreshold = 4.0\n" + settings_of(server))
    (tmp_path / "logs").mkdir()
    lines = (EXAMPLES / "gateway" / "2026-11-02.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "logs" / "few.jsonl").write_text("".join(lines[:12]))
    server.branches.add(BRANCH)

    def run(token: str) -> tuple[int, dict, str]:
        command = [GRISTMILL, "run", "--night", NIGHT, "--json"]
        variables = {**os.environ, "CORPUS_TOKEN": token}
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        assert token not in done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr

    server.fault_of = lambda _: Answer(429, {}, {"Retry-After": "3600"})
    code, answer, said = run(TOKEN)
    assert (code, answer["state"]) == (3, "PullRequestPending")
    assert "pending" in said
    server.fault_of = lambda _: None
    begun = time.monotonic()
    code, _, said = run("revoked-" + "0" * 20)
    assert code == 1 and "CORPUS_TOKEN" in said
    assert time.monotonic() - begun < 60, "nobody tries a revoked token again and again"
    _, answer, said = run(TOKEN)
    assert answer["state"] == "Proposed"
    assert f"{server.url}/ann/corpus/pull/1" in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
