"""A night's branch: the same commit everywhere, pushed once, and never over somebody else's work."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from corpus.propose import accepted_lines, corpus_head, init_corpus, propose, tombstones
from corpus.reading_copy import ballots
from corpus.stage import read_rows
from corpus.validate import build_samples
from schemas.errors import CorpusError, InputError
from schemas.settings import CorpusSettings
from tests.corpus.judged_rows import row, write_selected

NIGHT = "2026-11-04"
RECORD = {
    "settings_digest": "0" * 64,
    "steps": [{"step": "pull", "in": 9, "kept": 6, "dropped": {"unreadable": 2}, "held": {"no_consent": 1}}],
}
CLEAN = {**{k: v for k, v in os.environ.items() if not k.startswith("GIT_")}, "GIT_CONFIG_GLOBAL": os.devnull}


def git(folder: Path, *arguments: str) -> str:
    """Plain git, as a person would type it."""
    named = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run(
        ["git", *named, *arguments], cwd=folder, env=CLEAN, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class Project:
    """A folder with a bare remote, a private clone, and nights made of numbered conversations."""

    def __init__(self, root: Path, remote: str = "corpus.git") -> None:
        self.root = root
        self.corpus = CorpusSettings(remote=remote)
        self.place = {"root": root, "clone": root / "var" / "clone.git"}
        self.remote = root / "corpus.git"

    def samples(self, numbers, night=NIGHT, **columns) -> Path:
        rows = [row(number=n, rating=5.0 + n % 5, **columns) for n in numbers]
        output = self.root / f"samples-{night}.parquet"
        build_samples(write_selected(self.root / "in.parquet", rows), output, night=night, publish_subjects=False)
        return output

    def propose(self, numbers=range(6), night=NIGHT, record=RECORD, **columns):
        samples = self.samples(numbers, night, **columns)
        return propose(samples, corpus=self.corpus, night=night, record=record, **self.place)

    def head(self, branch: str) -> str:
        return git(self.remote, "rev-parse", branch)

    def work_tree(self, branch: str) -> Path:
        """A person's own clone with a branch checked out."""
        tree = self.root / "person"
        shutil.rmtree(tree, ignore_errors=True)
        git(self.root, "clone", "--quiet", str(self.remote), str(tree))
        git(tree, "checkout", "--quiet", branch)
        return tree

    def merge(self, night=NIGHT) -> None:
        tree = self.work_tree("main")
        git(tree, "merge", "--quiet", "--no-edit", "--no-ff", f"origin/night/{night}")
        git(tree, "push", "--quiet", "origin", "main")


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path)


def test_a_night_becomes_one_commit_on_its_branch(project):
    """The layout, the message and the digests are what reviewers and tools rest on."""
    result = project.propose()
    assert (result.state, result.branch, result.n_samples) == ("proposed", f"night/{NIGHT}", 6)
    assert project.head(f"night/{NIGHT}") == result.commit
    assert git(project.remote, "rev-list", "--count", f"main..night/{NIGHT}") == "1"
    assert git(project.remote, "log", "-1", "--format=%an %ae %at %cn %ct", result.commit) == (
        "Gristmill gristmill@localhost 1793750400 Gristmill 1793750400"
    )
    message = git(project.remote, "log", "-1", "--format=%B", result.commit)
    assert message.startswith(f"night: {NIGHT}, 6 conversations\n\n")
    assert "pull: 9 in, 6 kept, unreadable 2, no_consent 1" in message
    files = git(project.remote, "diff", "--name-only", "main", result.commit).splitlines()
    assert (
        set(files)
        == set(result.files)
        == {
            f"data/general/2026-11/{NIGHT}.jsonl",
            f"nights/{NIGHT}.json",
            f"review/{NIGHT}/01.md",
            f"review/{NIGHT}/index.md",
        }
    )
    assert json.loads(json.dumps(result.to_json()))["files"] == sorted(files)


def test_the_record_has_the_digests_of_the_files(project):
    """A reader can tell whether a file is the one that the night proposed."""
    import hashlib

    result = project.propose()
    record = json.loads(git(project.remote, "show", f"{result.commit}:nights/{NIGHT}.json"))
    for path, facts in record["files"].items():
        content = subprocess.run(
            ["git", "show", f"{result.commit}:{path}"], cwd=project.remote, capture_output=True, check=True
        ).stdout
        assert hashlib.sha256(content).hexdigest() == facts["sha256"]
    assert record["judges"][0]["name"] == "scripted"
    assert record["steps"] == RECORD["steps"]
    page = git(project.remote, "show", f"{result.commit}:review/{NIGHT}/01.md")
    assert ballots(page) == {one["id"]: True for one in read_rows(project.root / f"samples-{NIGHT}.parquet")}


def test_samples_lie_with_their_experts_sorted_by_id(project):
    """One shard an expert and night, each line the sample's canonical bytes."""
    rows = [row(number=n, expert="code" if n % 2 else "general") for n in range(8)]
    output = project.root / "samples.parquet"
    build_samples(write_selected(project.root / "in.parquet", rows), output, night=NIGHT, publish_subjects=False)
    result = propose(output, corpus=project.corpus, night=NIGHT, record=RECORD, **project.place)
    lines = {one["expert"]: [] for one in read_rows(output)}
    for one in read_rows(output):
        lines[one["expert"]].append(one["line"])
    for expert, expected in lines.items():
        shard = git(project.remote, "show", f"{result.commit}:data/{expert}/2026-11/{NIGHT}.jsonl")
        assert shard.splitlines() == expected


def test_another_folder_gives_the_same_commit(project, tmp_path_factory):
    """The commit depends on logs, settings and date; not on machine, path or time."""
    other = Project(tmp_path_factory.mktemp("other place"))
    assert project.propose().commit == other.propose().commit


def test_the_order_of_the_rows_does_not_matter(project, tmp_path_factory):
    """Samples are sorted before they are written."""
    other = Project(tmp_path_factory.mktemp("other"))
    assert project.propose(range(6)).commit == other.propose(reversed(range(6))).commit


def test_proposing_again_changes_nothing(project):
    """Typing it again changes nothing."""
    first = project.propose()
    second = project.propose()
    assert (second.state, second.commit) == ("unchanged", first.commit)


def test_proposing_again_changes_nothing_when_the_base_has_moved(project):
    """A proposal under discussion must not change its id because something else was merged."""
    first = project.propose()
    project.propose(range(10, 14), night="2026-11-05")
    project.merge("2026-11-05")
    again = project.propose()
    assert (again.state, again.commit) == ("unchanged", first.commit)
    assert again.base != first.base


def test_other_content_replaces_our_own_proposal_on_the_current_base(project):
    """Settings changed and the night was run again: its branch shows what it would be now."""
    project.propose()
    project.propose(range(10, 14), night="2026-11-05")
    project.merge("2026-11-05")
    result = project.propose(range(5))
    assert result.state == "proposed"
    assert project.head(f"night/{NIGHT}") == result.commit
    assert git(project.remote, "rev-parse", f"{result.commit}^") == project.head("main")


@pytest.mark.parametrize("numbers", [range(6), range(5)])
def test_what_people_did_on_the_branch_is_left_alone(project, numbers):
    """A reviewer's commit is never overwritten, whether this run would propose the same or not."""
    project.propose()
    tree = project.work_tree(f"night/{NIGHT}")
    (tree / "note.md").write_text("I am reading this.\n")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "review: begin")
    git(tree, "push", "--quiet", "origin", "HEAD")
    result = project.propose(numbers)
    assert (result.state, result.commit) == ("under_review", git(tree, "rev-parse", "HEAD"))
    assert project.head(f"night/{NIGHT}") == result.commit


def test_an_amended_commit_is_somebody_elses(project):
    """A reviewer may amend instead of adding; our name as author does not make it ours."""
    project.propose()
    tree = project.work_tree(f"night/{NIGHT}")
    git(tree, "commit", "--quiet", "--amend", "-m", "night: better")
    git(tree, "push", "--quiet", "--force", "origin", "HEAD")
    assert project.propose(range(5)).state == "under_review"


def test_a_merged_night_is_done(project):
    """Merged with its branch, without it, or squashed: the record in the base branch tells."""
    project.propose()
    project.merge()
    again = project.propose()
    assert (again.state, again.commit) == ("merged", project.head("main"))
    git(project.remote, "branch", "-D", f"night/{NIGHT}")
    assert project.propose().state == "merged"
    other = project.propose(range(3))
    assert other.state == "merged"
    assert "otherwise" in other.message
    assert git(project.remote, "branch", "--list", "night/*") == ""


def test_no_samples_no_commit(project):
    """A night without picks leaves no trace in the corpus, not even a branch."""
    result = project.propose([])
    assert (result.state, result.commit, result.files) == ("nothing_to_propose", None, ())
    assert not project.remote.exists()


def test_only_the_nights_own_files_are_touched(project):
    """A night's git work does not grow with the corpus, and no night edits another."""
    project.propose()
    project.merge()
    result = project.propose(range(10, 12), night="2026-11-05")
    changed = git(project.remote, "diff", "--name-only", "main", result.commit).splitlines()
    assert all("2026-11-05" in path for path in changed)


def test_no_word_of_a_conversation_is_in_message_or_file_names(project):
    """Text that is retracted later must not live on in history's messages."""
    result = project.propose()
    shown = git(project.remote, "log", "-1", "--format=%B", result.commit) + " ".join(result.files)
    assert "plus" not in shown + result.body + result.message + result.title


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


def test_accepted_lines_are_those_that_were_merged_since(project):
    """The duplicate index of a fresh machine reads everything, an old one only what is new."""
    begun = init_corpus(project.corpus, **project.place)
    assert list(accepted_lines(project.corpus, since=None, **project.place)) == []
    project.propose()
    assert list(accepted_lines(project.corpus, since=begun, **project.place)) == []
    project.merge()
    head = project.head("main")
    project.propose(range(10, 12), night="2026-11-05")
    project.merge("2026-11-05")
    everything = [line["id"] for line in accepted_lines(project.corpus, since=None, **project.place)]
    new = [line["id"] for line in accepted_lines(project.corpus, since=head, **project.place)]
    assert (len(everything), len(new)) == (8, 2)
    assert everything[-2:] == new
    forgotten = accepted_lines(project.corpus, since="0" * 40, **project.place)
    assert [line["id"] for line in forgotten] == everything


def test_a_line_added_to_an_old_shard_is_accepted_alone(project):
    """Reviewers edit shards; only the lines that changed are new."""
    project.propose()
    project.merge()
    head = project.head("main")
    tree = project.work_tree("main")
    shard = tree / f"data/general/2026-11/{NIGHT}.jsonl"
    shard.write_text(shard.read_text() + '{"id":"new"}\n')
    git(tree, "commit", "--quiet", "-am", "contribute a conversation")
    git(tree, "push", "--quiet", "origin", "main")
    assert list(accepted_lines(project.corpus, since=head, **project.place)) == [{"id": "new"}]


def test_tombstones_are_read_and_a_damaged_one_is_named(project):
    """A withdrawn sample must never return because a line could not be read."""
    init_corpus(project.corpus, **project.place)
    assert tombstones(project.corpus, **project.place) == set()
    tree = project.work_tree("main")
    stone = {"sample_id": "a" * 32, "reason": "x", "withdrawn_at": "2026-11-01T00:00:00Z"}
    (tree / "tombstones.jsonl").write_text(json.dumps(stone) + "\n")
    git(tree, "commit", "--quiet", "-am", "withdraw a")
    git(tree, "push", "--quiet", "origin", "main")
    assert tombstones(project.corpus, **project.place) == {"a" * 32}
    for damaged in ("{\n", "[]\n", "{}\n"):
        (tree / "tombstones.jsonl").write_text(damaged)
        git(tree, "commit", "--quiet", "-am", "oops")
        git(tree, "push", "--quiet", "origin", "main")
        with pytest.raises(CorpusError, match=r"tombstones\.jsonl, line 1"):
            tombstones(project.corpus, **project.place)


def test_a_night_that_is_no_date_is_refused(project):
    """It becomes a branch and a path."""
    samples = project.samples(range(2))
    with pytest.raises(InputError, match="not a night"):
        propose(samples, corpus=project.corpus, night="../x", record=RECORD, **project.place)
