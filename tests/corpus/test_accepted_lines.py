"""What a corpus accepted and withdrew, as a night reads it."""

import json

import pytest

from corpus.propose import accepted_lines, init_corpus, tombstones
from schemas.errors import CorpusError
from tests.corpus.propose_project import NIGHT, Project, git


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path)


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
