"""An older corpus becomes a newer one in one commit, or nothing happens; tried with made-up versions."""

import orjson
import pytest

from corpus.migrations import Step, migrate
from corpus.repository import init_corpus
from schemas.errors import CorpusError
from tests.corpus.judged_rows import conversation
from tests.corpus.retract_project import LATER, NIGHT, Project, git, other

DAY = "2027-01-02"


def with_title(file):
    """Version 2 made up: every sample has a title."""
    path, content = file
    if not path.startswith("data/"):
        yield file
        return
    lines = [
        orjson.dumps({**orjson.loads(line), "title": ""}, option=orjson.OPT_SORT_KEYS) for line in content.splitlines()
    ]
    yield path, b"".join(line + b"\n" for line in lines)


def by_year(file):
    """Version 3 made up: decisions lie in one folder a year, and notes are gone."""
    path, content = file
    if path == "NOTES.md":
        return
    yield (path, content)


def losing(file):
    path, content = file
    yield path, content.split(b"\n", 1)[1] if path.startswith("data/") else content


STEPS = {1: Step("samples have a title", with_title), 2: Step("notes are gone", by_year)}


@pytest.fixture
def project(tmp_path) -> Project:
    project = Project(tmp_path)
    for night, first in ((NIGHT, 0), (LATER, 4)):
        project.propose([conversation(*other(first + n), native_id=str(n)) for n in range(3)], night)
        project.merge(night)
    tree = project.tree()
    (tree / "NOTES.md").write_text("notes")
    project.push("notes")
    return project


def run(project: Project, steps=STEPS, to_version=3):
    return migrate(project.corpus, day=DAY, steps=steps, to_version=to_version, **project.place)


def test_all_steps_are_one_commit_that_loses_no_row(project):
    """From 1 to 3 at once; the rows counted before are there after, rewritten, and what no step names is untouched."""
    before = git(project.remote, "rev-parse", "main")
    kept = project.show(f"review/{NIGHT}/01.md")
    done = run(project)
    assert (done.state, done.before, done.after, done.rows["samples"]) == ("migrated", 1, 3, 6)
    assert git(project.remote, "rev-list", f"{before}..main").split() == [done.commit]
    assert "format = 3" in project.show("corpus.toml") and project.show(f"review/{NIGHT}/01.md") == kept
    lines = [orjson.loads(line) for line in project.show(f"data/general/2026-11/{NIGHT}.jsonl").splitlines()]
    assert [line["title"] for line in lines] == ["", "", ""]
    assert "NOTES.md" not in git(project.remote, "ls-tree", "--name-only", "main").split()
    message = git(project.remote, "log", "-1", "--format=%B", "main")
    assert message == "corpus: format 1 becomes 3\n\nsamples have a title\nnotes are gone"


def test_a_second_migration_does_nothing(project):
    """Typed twice, or on two machines."""
    done = run(project)
    again = run(project)
    assert (again.state, again.commit, again.rows) == ("current", done.commit, done.rows)


@pytest.mark.parametrize("step", [losing, lambda file: iter([file, (file[0] + "l", file[1])])])
def test_a_step_that_loses_or_doubles_rows_is_refused(project, step):
    """Nothing is pushed: the corpus is people's work."""
    before = project.heads()

    def bad(file):
        yield from step(file)
        if file[0].startswith("data/") and step is not losing:
            yield file[0].replace(NIGHT, "2026-11-30"), file[1]

    with pytest.raises(
        CorpusError, match="changes the number of samples of general of 2026-11-04 from 3 to 2|twice|2026-11-30"
    ):
        run(project, {1: Step("bad", bad)}, 2)
    assert project.heads() == before


def test_a_newer_or_unreachable_format_is_refused_with_what_to_type(project):
    """An old Gristmill must not write into a newer corpus."""
    with pytest.raises(CorpusError, match="no way from corpus format 2 to 3"):
        run(project, {1: STEPS[1]})
    run(project)
    with pytest.raises(CorpusError, match="has corpus format 3, this Gristmill knows 1.*make setup"):
        run(project, {}, 1)
    with pytest.raises(CorpusError, match="format 3.*a newer one wrote it.*make setup"):
        init_corpus(project.corpus, **project.place)


def test_an_older_corpus_is_told_how_to_become_new(project, monkeypatch):
    """Every other command says what to type."""
    monkeypatch.setattr("corpus.repository.FORMAT_VERSION", 2)
    with pytest.raises(CorpusError, match="`gristmill migrate`"):
        init_corpus(project.corpus, **project.place)


def test_a_corpus_that_says_no_format_is_refused(project):
    """A guess would rewrite it by the wrong rules."""
    tree = project.tree()
    (tree / "corpus.toml").write_text("format = true\n")
    project.push("oops")
    with pytest.raises(CorpusError, match="says format True"):
        run(project)
