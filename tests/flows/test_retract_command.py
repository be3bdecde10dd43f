"""retract, explain, status and migrate as people and scripts use them."""

import hmac
import json
import shutil
import subprocess
from hashlib import sha256

import orjson
import pytest

from corpus.seen import Seen
from corpus.stage import read_rows
from flows.cli import run_command
from tests.corpus.judged_rows import conversation, row, write_selected
from tests.corpus.retract_project import ANSWER, LATER, NAME, NIGHT, Project, git, other, person_talk, planted

SETTINGS = '[corpus]\nremote = "corpus.git"\n[night]\nsubject_key_file = "subject.key"\n'
KEY = b"a key of sixteen bytes and more"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("planted")
    _, person_id = planted(root)
    (root / "gristmill.toml").write_text(SETTINGS)
    (root / "subject.key").write_bytes(KEY)
    return root, person_id


@pytest.fixture
def person(made, tmp_path, monkeypatch):
    """A project of one's own, the working folder in it, and the person's id."""
    shutil.copytree(made[0], tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    return Project(tmp_path / "project"), made[1]


def run(capsys, *arguments: str) -> tuple[int, dict, str]:
    """Exit code, the JSON object and what people read."""
    code = run_command([*arguments, "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def test_a_purge_without_yes_does_nothing(person, capsys):
    """Every commit id would change: nobody does that by a slip."""
    project, person_id = person
    heads = project.heads()
    code, answer, said = run(capsys, "retract", person_id, "--reason", "asked", "--purge")
    assert code == 2 and answer["error"] == "usage" and "every clone" in said.replace("all clones", "every clone")
    assert run_command(["retract", person_id, "--reason", "asked", "--yes"]) == 2
    assert project.heads() == heads


def test_a_retraction_and_its_purge_from_the_command_line(person, capsys):
    """Withdrawn and told what is left to do; then purged, on this machine, too; then there is nothing left."""
    project, person_id = person
    with Seen(project.var / "seen.sqlite") as seen:
        seen.add_accepted(map(orjson.loads, project.show(f"data/general/2026-11/{NIGHT}.jsonl").splitlines()))
    code, done, said = run(capsys, "retract", person_id[:9], "--reason", "its contributor asked")
    assert code == 3 and "withdrawn: 2 samples" in said and "--purge --yes" in said
    assert {trace["rows"] for trace in done["local"]} == {1} and done["local_state"] == "still holds it"
    with Seen(project.var / "seen.sqlite") as seen:
        assert seen.counts() == {"accepted": 4}
    code, life, _ = run(capsys, "explain", person_id[:8])
    steps = [event["step"] for event in life["events"]]
    assert code == 0 and steps[-1] == "withdrawn" and "merged" in steps
    code, done, said = run(capsys, "retract", person_id, "--reason", "its contributor asked", "--purge", "--yes")
    assert code == 3 and done["purge"]["is_remote_clean"] and "clone anew" in said
    assert "never merge or push an old clone" in said
    assert not any(NAME.encode() in file.read_bytes() for file in project.var.rglob("*") if file.is_file())
    assert all(len(list(read_rows(project.var / "nights" / night / "samples.parquet"))) > 2 for night in (NIGHT, LATER))
    code, done, said = run(capsys, "retract", person_id, "--reason", "its contributor asked")
    assert code == 0 and done["to_do"] == [] and "nothing left to withdraw" in said


def test_a_purge_removes_exports_and_status_tells_of_a_signature_that_is_missing(person, capsys):
    """The export has no id, and this machine never ran the night; the key is lost on the day of the purge."""
    project, person_id = person
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(project.root / "key")], check=True)
    (project.root / "gristmill.toml").write_text(f'{SETTINGS}[release]\ntest_share = 0.0\nsigning_key = "key"\n')
    shutil.rmtree(project.var / "nights")
    assert run(capsys, "release", "v1")[1]["is_signed"]
    for name in ("var/exports/v1/trl/sft", "var/mine"):
        assert run_command(["export", "v1", "--format", "trl", "-o", name]) == 0
    copied = project.var / "copied.txt"
    copied.write_text(f"kept\n{ANSWER}\n")
    assert NAME in "".join(file.read_text() for file in (project.var / "mine").rglob("*.jsonl"))
    (project.root / "key").rename(project.root / "away")
    code, done, said = run(capsys, "retract", person_id, "--reason", "asked", "--purge", "--yes")
    assert code == 3 and done["purge"]["signed"] == [] and "`gristmill release v1` signs it" in said
    assert {trace["path"].rpartition("var/")[2]: trace["how"] for trace in done["local"]} == {
        "exports/v1": "folder", "mine": "folder", "copied.txt": "lines"
    }  # fmt: skip
    assert not (project.var / "mine").exists() and copied.read_text() == "kept\n"
    code, found, said = run(capsys, "status")
    assert code == 3 and found["standing"]["unsigned"] == ["v1"] and "v1 lost its signature to a purge" in said
    (project.root / "away").rename(project.root / "key")
    assert run(capsys, "release", "v1")[1]["state"] == "signed"
    code, found, said = run(capsys, "status")
    assert code == 0 and found["standing"]["unsigned"] == []


def test_a_contributor_is_found_by_the_user_id_of_a_log(person, capsys):
    """The pseudonym is a keyed digest: whoever has the key can ask for the user."""
    project, _ = person
    pseudonym = hmac.new(KEY, b"test\0zora@example.org", sha256).hexdigest()[:32]
    folder = project.var / "nights" / "2026-11-06"
    folder.mkdir()
    rows = [row(person_talk("Again?", "Again."), subject=pseudonym), row(conversation(*other(9)), subject="7" * 32)]
    write_selected(folder / "screened.parquet", rows)
    code, done, _ = run(capsys, "retract", pseudonym, "--subject", "--reason", "asked")
    assert code == 3 and len(done["retraction"]["ids"]) == 1, "what was never proposed has its tombstone, too"
    code, done, _ = run(capsys, "retract", "nobody@example.org", "--subject", "--reason", "asked")
    own = hmac.new(KEY, b"openai\0nobody@example.org", sha256).hexdigest()[:32]
    assert own in done["retraction"]["subjects"] and "nobody" not in project.show("tombstones.jsonl")


def test_status_says_where_everything_stands(person, capsys):
    """Open nights, release, retractions; a corpus that cannot be reached is told, and the rest all the same."""
    project, _ = person
    for number, night in enumerate((NIGHT, LATER), 1):
        folder = project.var / "nights" / night
        (folder / "night.json").write_text(json.dumps({"night": night, "sequence": number}))
        noted = {"state": "proposed", "n_samples": 3, "pull_request_pending": "the token is revoked"}
        (folder / "proposal.json").write_text(json.dumps(noted))
    code, found, said = run(capsys, "status")
    assert code == 0 and found["standing"]["n_samples"] == 5
    assert [one["state"] for one in found["nights"]] == ["merged", "proposed"], "what the corpus says of each"
    assert f"{LATER}: its pull request is pending: the token is revoked" in said and f"{NIGHT}: its pull" not in said
    assert f"open: night/{LATER}, 4 samples, 0 decided, 4 undecided" in said and "no release yet" in said
    assert run_command(["migrate"]) == 0
    assert "nothing to do (5 samples" in capsys.readouterr().err
    (project.var / "rounds").mkdir()
    (project.var / "rounds" / "v1.json").write_text('{"state": "waiting", "message": "the trainer did not answer"}')
    code, _, said = run(capsys, "status")
    assert code == 3 and "round v1: waiting: the trainer did not answer" in said
    git(project.remote, "update-ref", "-d", "refs/heads/main")
    code, found, said = run(capsys, "status")
    assert code == 3 and found["standing"] is None and "has no branch 'main'" in said
