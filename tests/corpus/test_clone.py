"""Git by plumbing: nobody's configuration changes a byte, and killing it anywhere costs nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpus.clone import Clone, with_clone
from corpus.propose import init_corpus, propose
from corpus.remote import Remote, remote_of, without_credentials
from corpus.validate import build_samples
from schemas.errors import CorpusError
from schemas.settings import CorpusSettings
from tests.corpus.judged_rows import row, write_selected

NIGHT = "2026-11-04"
SCRIPT = """
import sys
from pathlib import Path
from corpus.propose import propose
from schemas.settings import CorpusSettings
root = Path(sys.argv[1])
result = propose(root / "samples.parquet", corpus=CorpusSettings(), root=root, clone=root / "var/clone.git",
                 night="2026-11-04", record={"steps": []})
print(result.commit)
"""


def samples(root: Path) -> Path:
    rows = [row(number=n) for n in range(40)]
    build_samples(
        write_selected(root / "in.parquet", rows), root / "samples.parquet", night=NIGHT, publish_subjects=False
    )
    return root / "samples.parquet"


def proposed(root: Path) -> str | None:
    place = {"root": root, "clone": root / "var" / "clone.git"}
    return propose(samples(root), corpus=CorpusSettings(), night=NIGHT, record={"steps": []}, **place).commit


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> str:
    """The commit of the night when nothing goes wrong."""
    commit = proposed(tmp_path_factory.mktemp("calm"))
    assert commit
    return commit


def hostile_home(folder: Path) -> None:
    """A user's configuration that would sign, convert, rename and run things."""
    hooks = folder / "hooks"
    hooks.mkdir(parents=True)
    for name in ("pre-push", "post-checkout", "reference-transaction", "pre-commit", "commit-msg"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{folder}/ran-{name}'\nexit 1\n")
        (hooks / name).chmod(0o755)
    (folder / "template" / "hooks").mkdir(parents=True)
    (folder / "template" / "hooks" / "update").write_text("#!/bin/sh\nexit 1\n")
    (folder / "template" / "hooks" / "update").chmod(0o755)
    (folder / ".gitconfig").write_text(
        f"""
[user]
    name = Somebody Else
    email = else@example.org
    signingkey = 12345678
[commit]
    gpgsign = true
    template = /nowhere
[push]
    gpgSign = true
    default = nothing
    followTags = true
[tag]
    gpgsign = true
[core]
    autocrlf = true
    hooksPath = {hooks}
    quotePath = true
    compression = 0
[init]
    templateDir = {folder / "template"}
    defaultBranch = trunk
[i18n]
    commitEncoding = latin1
    logOutputEncoding = latin1
[remote "gristmill-corpus"]
    mirror = false
[fetch]
    prune = true
[color]
    ui = always
[log]
    showSignature = true
"""
    )


def test_nobodys_configuration_changes_a_byte(tmp_path, monkeypatch, expected):
    """Same input, same commit, whoever runs it; and none of their hooks is run."""
    home = tmp_path / "home"
    hostile_home(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Eve")
        monkeypatch.setenv(f"GIT_{name}_DATE", "2001-01-01T00:00:00Z")
    assert proposed(tmp_path / "project") == expected
    assert not list(home.glob("ran-*"))


def test_the_environment_of_a_hook_does_not_lead_astray(tmp_path, monkeypatch, expected):
    """Gristmill may be started from a git hook, which sets these; they speak of another repository."""
    other = tmp_path / "other"
    subprocess.run(["git", "init", "--quiet", str(other)], check=True)
    for name, value in {
        "GIT_DIR": other / ".git",
        "GIT_WORK_TREE": other,
        "GIT_INDEX_FILE": other / "index",
        "GIT_OBJECT_DIRECTORY": other / "objects",
        "GIT_NAMESPACE": "elsewhere",
        "GIT_CONFIG_PARAMETERS": "'core.bare=false'",
    }.items():
        monkeypatch.setenv(name, str(value))
    assert proposed(tmp_path / "project") == expected
    assert sorted(path.name for path in other.iterdir()) == [".git"]


def test_configuration_given_in_the_environment_reaches_the_connection(tmp_path, monkeypatch, expected):
    """Build servers hand credentials and rewritten addresses to git this way."""
    place = {"root": tmp_path, "clone": tmp_path / "var" / "clone.git"}
    init_corpus(CorpusSettings(remote="real.git"), **place)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{tmp_path}/real.git.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://forge.example/corpus.git")
    corpus = CorpusSettings(remote="https://forge.example/corpus.git")
    result = propose(samples(tmp_path), corpus=corpus, night=NIGHT, record={"steps": []}, **place)
    assert result.commit == expected


@pytest.mark.parametrize("seed", range(4))
def test_killing_it_at_any_moment_costs_nothing(tmp_path, seed, expected):
    """The process and the git commands under it die together; the next run ends in the same commit."""
    samples(tmp_path)
    moments = random.Random(seed)
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path)],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        waiting_for = tmp_path / "var"
        while process.poll() is None and not waiting_for.exists():
            time.sleep(0.002)  # the interpreter starts; what may be killed begins here
        time.sleep(moments.uniform(0, 0.35))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert proposed(tmp_path) == expected
    left = [file.name for file in (tmp_path / "var").iterdir()]
    assert sorted(left) == ["clone.git", "clone.git.lock"]


def test_two_runs_at_once_end_in_the_same_commit(tmp_path, expected):
    """A schedule and a person may start the same night; neither may fail or overwrite."""
    samples(tmp_path)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    folder = Path(__file__).parents[2]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) for _ in range(2)]
    assert [run.communicate()[0].strip() for run in runs] == [expected, expected]


def test_a_branch_that_is_not_where_it_was_is_not_overwritten(tmp_path):
    """Somebody may push between our look and our push: we look again, and give up when it never ends."""
    place = {"root": tmp_path, "clone": tmp_path / "var" / "clone.git"}
    head = init_corpus(CorpusSettings(), **place)
    looks = []

    def push_blindly(store: Clone) -> None:
        looks.append(store.heads())
        store.push(store.commit(head, {}, "x", NIGHT), "main", expected=None)

    with pytest.raises(CorpusError, match="kept changing"):
        with_clone(remote_of("corpus.git", tmp_path), place["clone"], push_blindly)
    assert looks == [{"main": head}] * 5
    assert init_corpus(CorpusSettings(), **place) == head


@pytest.mark.parametrize(
    ("text", "address", "is_local"),
    [
        ("corpus.git", "/r/corpus.git", True),
        ("../c", "/r/../c", True),
        ("/abs/c.git", "/abs/c.git", True),
        ("file:///abs/c.git", "/abs/c.git", True),
        ("https://forge.example/a/b.git", "https://forge.example/a/b.git", False),
        ("ssh://git@forge.example/a", "ssh://git@forge.example/a", False),
        ("git@forge.example:a/b.git", "git@forge.example:a/b.git", False),
        ("./odd:name", "/r/odd:name", True),
    ],
)
def test_a_remote_is_a_path_or_a_url(text, address, is_local):
    """Paths are relative to the settings' folder; addresses are git's business."""
    remote = remote_of(text, Path("/r"))
    assert remote == Remote(address, Path(address) if is_local else None)


def test_credentials_are_taken_out_of_every_message():
    """Also when git repeats the address in the middle of a sentence."""
    said = "unable to access 'https://joe:p%40ss@h/x': see ssh://tok@h:22/y and git@h:z"
    assert without_credentials(said) == "unable to access 'https://h/x': see ssh://h:22/y and git@h:z"
