"""propose where clone, remote or corpus are not as they should be: mended, or named."""

import shutil
import subprocess

import pytest

from corpus.propose import corpus_head, init_corpus
from schemas.errors import CorpusError
from schemas.settings import CorpusSettings
from tests.corpus.propose_project import NIGHT, Project, git


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "lock", "file", "config"])
def test_a_missing_or_damaged_clone_is_made_anew(project, damage):
    """The clone is a cache: whatever happened to it, the night goes on."""
    first = project.propose()
    clone = project.place["clone"]
    if damage == "truncated":
        for file in [*clone.rglob("objects/??/*"), *clone.rglob("*.pack")]:
            file.chmod(0o644)
            file.write_bytes(b"")
    elif damage == "lock":
        for name in ("packed-refs.lock", "refs/gristmill/built.lock", "config.lock", "HEAD.lock"):
            (clone / name).touch()
    elif damage == "config":
        (clone / "config").write_text("[core\n")
    else:
        shutil.rmtree(clone)
        if damage == "empty":
            clone.mkdir()
        if damage == "file":
            clone.write_text("not a repository")
    assert project.propose().commit == first.commit
    assert project.propose(range(4)).state == "proposed"


def test_a_hook_that_refuses_is_reported_and_the_next_run_pushes(project):
    """A rejected push loses nothing: the same commit is pushed once the rules allow it."""
    init_corpus(project.corpus, **project.place)
    hook = project.remote / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'only on weekdays' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(CorpusError, match="hook declined") as caught:
        project.propose()
    assert "only on weekdays" in str(caught.value)
    assert "run the same command again" in str(caught.value)
    hook.unlink()
    assert project.propose().state == "proposed"


def test_a_lock_left_in_the_remote_is_removed_when_it_is_stale(project, monkeypatch):
    """A push that was killed leaves a lock that nobody would ever take away."""
    monkeypatch.setattr("corpus.clone.LOCK_PATIENCE_S", 0.1)
    init_corpus(project.corpus, **project.place)
    lock = project.remote / "refs" / "heads" / "night" / f"{NIGHT}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    assert project.propose().state == "proposed"
    assert not lock.exists()


def test_a_read_only_corpus_is_named(project):
    """What cannot be written is said, with what to do; afterwards the same command works."""
    init_corpus(project.corpus, **project.place)
    folders = [project.remote / "objects", project.remote / "refs" / "heads", project.remote / "refs"]
    if subprocess.run(["chattr", "+i", *folders], capture_output=True).returncode:
        pytest.skip("this file system or user cannot make folders immutable")
    try:
        with pytest.raises(CorpusError, match="Allow writing"):
            project.propose()
    finally:
        subprocess.run(["chattr", "-i", *folders], check=True)
    assert project.propose().state == "proposed"


def test_a_remote_that_is_away_is_named_without_its_token(tmp_path):
    """Tokens belong in credential helpers; one that is in the address all the same must not reach a log."""
    project = Project(tmp_path, remote="https://joe:s3cr3t@localhost:9/corpus.git")
    with pytest.raises(CorpusError) as caught:
        project.propose()
    assert "s3cr3t" not in str(caught.value)
    assert "https://localhost:9/corpus.git" in str(caught.value)
    assert "Check the network" in str(caught.value)
    for file in (tmp_path / "var").rglob("*"):
        assert not file.is_file() or b"s3cr3t" not in file.read_bytes()


def test_an_empty_remote_repository_is_filled_from_the_template(project, tmp_path_factory):
    """An empty repository on a forge is all that a corpus needs; it begins with the same commit everywhere."""
    git(project.root, "init", "--quiet", "--bare", "corpus.git")
    other = Project(tmp_path_factory.mktemp("other"))
    assert init_corpus(project.corpus, **project.place) == init_corpus(other.corpus, **other.place)
    names = git(project.remote, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert set(names) == {
        ".gitattributes", "CONTRIBUTING.md", "LICENSE", "README.md", "corpus.toml", "tombstones.jsonl",
        ".github/PULL_REQUEST_TEMPLATE.md", ".github/workflows/validate.yml", ".gitlab-ci.yml",
        ".gitlab/merge_request_templates/Default.md", "ci/validate.sh",
    }  # fmt: skip


def test_a_foreign_repository_is_refused(project):
    """Samples in the middle of somebody's source code would be a bad surprise."""
    git(project.root, "init", "--quiet", "--initial-branch=main", "work")
    (project.root / "work" / "code.py").write_text("1\n")
    git(project.root / "work", "add", ".")
    git(project.root / "work", "commit", "--quiet", "-m", "code")
    git(project.root, "clone", "--quiet", "--bare", "work", "corpus.git")
    with pytest.raises(CorpusError, match=r"no corpus: it has no corpus\.toml"):
        project.propose()


def test_a_base_branch_that_is_not_there_is_named_with_its_neighbours(project):
    """Unknown names suggest the nearest."""
    init_corpus(project.corpus, **project.place)
    with pytest.raises(CorpusError, match="did you mean 'main'"):
        init_corpus(CorpusSettings(branch="mian"), **project.place)


def test_a_folder_that_is_no_repository_is_left_alone(project):
    """A wrong path in the settings must not turn somebody's folder into a repository."""
    project.remote.mkdir()
    (project.remote / "letter.txt").write_text("dear")
    with pytest.raises(CorpusError, match="no git repository"):
        project.propose()
    assert [file.name for file in project.remote.iterdir()] == ["letter.txt"]


def test_a_corpus_of_another_format_is_refused(project):
    """An old Gristmill must not write into a new corpus."""
    init_corpus(project.corpus, **project.place)
    tree = project.work_tree("main")
    (tree / "corpus.toml").write_text("format = 99\n")
    git(tree, "commit", "--quiet", "-am", "format 99")
    git(tree, "push", "--quiet", "origin", "main")
    with pytest.raises(CorpusError, match="format 99"):
        project.propose()


def test_looking_at_a_corpus_creates_nothing(project):
    """`doctor` reports; it does not found repositories."""
    with pytest.raises(CorpusError, match="gristmill init"):
        corpus_head(project.corpus, **project.place)
    assert not project.remote.exists()
    head = init_corpus(project.corpus, **project.place)
    assert corpus_head(project.corpus, **project.place) == head
