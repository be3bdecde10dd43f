"""propose against a real bare remote: what it commits, and that doing it again changes nothing."""

import json
import subprocess

import pytest

from corpus.propose import propose
from corpus.reading_copy import ballots
from corpus.stage import read_rows
from corpus.validate import build_samples
from schemas.errors import InputError
from tests.corpus.judged_rows import row, write_selected
from tests.corpus.propose_project import NIGHT, RECORD, Project, git


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


def test_a_night_that_is_no_date_is_refused(project):
    """It becomes a branch and a path."""
    samples = project.samples(range(2))
    with pytest.raises(InputError, match="not a night"):
        propose(samples, corpus=project.corpus, night="../x", record=RECORD, **project.place)
