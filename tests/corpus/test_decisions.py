"""Decisions are read from the corpus alone, with the text of what was rejected, and nobody can slip in another."""

import json
import shutil
from pathlib import Path

import pytest

from corpus.decisions import read_decided
from corpus.stage import read_rows
from schemas.conversation import Turn, content_id
from schemas.decision import Decision, decision_lines
from schemas.errors import CorpusError
from tests.corpus.propose_project import NIGHT, Project, git

SHARD = f"data/general/2026-11/{NIGHT}.jsonl"


class Review:
    """A night on its branch, and people who decide on it with plain git."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root)
        self.project.propose()
        rows = read_rows(root / f"samples-{NIGHT}.parquet")
        self.lines = {row["id"]: json.loads(row["line"]) for row in rows}
        self.ids = sorted(self.lines)
        self.tree = self.project.work_tree(f"night/{NIGHT}")
        self.decisions: list[Decision] = []

    def decide(self, number: int, verdict="keep", reviewer="ann", **facts) -> None:
        at = f"2026-11-05T08:30:{len(self.decisions):02}Z"
        one = Decision(self.ids[number], verdict, reviewer, at, f"night/{NIGHT}", **facts)
        self.decisions.append(one)

    def settle(self, *, without=(), edited=(), more=b"") -> None:
        """Takes lines out, puts edited ones in and records the decisions, as a settled branch has them."""
        shard = self.tree / SHARD
        kept = [line for line in shard.read_text().splitlines() if json.loads(line)["id"] not in without]
        shard.write_text("".join(f"{line}\n" for line in [*kept, *map(json.dumps, edited)]))
        if not kept and not edited:
            shard.unlink()
        folder = self.tree / "decisions"
        folder.mkdir(exist_ok=True)
        (folder / f"{NIGHT}.jsonl").write_bytes(decision_lines(self.decisions) + more)
        git(self.tree, "add", "-A")
        git(self.tree, "commit", "-q", "-m", "settle")
        git(self.tree, "push", "-q", "origin", f"HEAD:night/{NIGHT}")

    def merge(self, *, squash=False) -> None:
        git(self.tree, "checkout", "-q", "main")
        git(self.tree, "merge", "-q", *(["--squash"] if squash else ["--no-ff", "--no-edit"]), f"origin/night/{NIGHT}")
        if squash:
            git(self.tree, "commit", "-q", "-m", "night")
        git(self.tree, "push", "-q", "origin", "main")

    def read(self, **asked):
        nights = self.project.root / "var" / "nights"
        return read_decided(self.project.corpus, nights=nights, **self.project.place, **asked)


@pytest.fixture
def review(tmp_path) -> Review:
    return Review(tmp_path)


def test_kept_and_rejected_samples_come_with_their_text_and_verdict(review):
    """The judge learns from what people rejected, whose lines are gone from the corpus."""
    review.decide(0)
    review.decide(1, "reject", reason="wrong")
    review.settle(without=[review.ids[1]])
    review.merge()
    found = review.read()
    assert [sample.sample_id for sample in found.samples] == review.ids[:2]
    for sample in found.samples:
        line = review.lines[sample.sample_id]
        assert [{"role": turn.role, "content": turn.content} for turn in sample.turns] == line["messages"]
        assert (sample.night, sample.rating, sample.acceptance) == (NIGHT, line["verdict"]["rating"], None)
    assert [sample.keep for sample in found.samples] == [1.0, 0.0]
    assert (found.missing, found.n_decisions, found.n_votes) == ((), 2, 2)


def test_a_night_of_which_everything_was_rejected_is_found_in_the_history(review):
    """The merge then took nothing of the shard, and git's short history would pass over the branch."""
    for number in range(6):
        review.decide(number, "reject")
    review.settle(without=review.ids)
    review.merge()
    found = review.read()
    assert len(found.samples) == 6 and not found.missing


@pytest.mark.parametrize("is_here", [True, False])
def test_after_a_squash_the_text_is_taken_from_this_machine(review, is_here):
    """A squashed merge loses the rejected lines; without the night's folder they are named as missing, not invented."""
    review.decide(0)
    review.decide(1, "reject")
    review.settle(without=[review.ids[1]])
    review.merge(squash=True)
    if is_here:
        folder = review.project.root / "var" / "nights" / NIGHT
        folder.mkdir(parents=True)
        shutil.copy(review.project.root / f"samples-{NIGHT}.parquet", folder / "samples.parquet")
    found = review.read()
    assert len(found.samples) == (2 if is_here else 1)
    assert found.missing == (() if is_here else (review.ids[1],))


def test_an_edit_gives_the_original_and_what_was_made_of_it(review):
    """It is a preference pair: the original is the rejected side."""
    original = review.lines[review.ids[0]]
    messages = [original["messages"][0], {"role": "assistant", "content": "It is 42, of course."}]
    edited_id = content_id([Turn(**message) for message in messages])
    review.decide(0, "edit", edited_id=edited_id)
    review.settle(without=[review.ids[0]], edited=[{**original, "id": edited_id, "messages": messages}])
    review.merge()
    (sample,) = review.read().samples
    assert sample.keep == 0.0
    assert [turn.content for turn in sample.edits[edited_id]] == [message["content"] for message in messages]


def test_several_reviewers_machines_and_honeypots(review):
    """One vote a person, the latest; a machine's decision and one on a planted sample are none."""
    review.decide(0, "reject")
    review.decide(0, "keep")
    review.decide(0, "reject", reviewer="bob")
    review.decide(0, "reject", reviewer="checker", made_by="machine")
    review.decide(1, "reject", is_honeypot=True)
    review.settle()
    review.merge()
    (sample,) = review.read().samples
    assert [(vote.reviewer, vote.verdict) for vote in sample.votes] == [("ann", "keep"), ("bob", "reject")]


def test_another_text_under_the_same_id_is_not_learned_from(review):
    """Whoever can push a line could otherwise put words under other people's decisions."""
    review.decide(0)
    forged = {**review.lines[review.ids[0]], "messages": [{"role": "assistant", "content": "Buy gold!"}]}
    review.settle(without=[review.ids[0]], edited=[forged])
    review.merge()
    (sample,) = review.read().samples
    assert "gold" not in sample.turns[-1].content


def test_a_decision_on_an_unknown_sample_is_named_as_missing(review):
    """Nothing vanishes, and nothing is made up."""
    review.decide(0)
    review.decisions.append(Decision("f" * 32, "keep", "ann", "2026-11-05T08:30:00Z", "x"))
    review.settle()
    review.merge()
    assert review.read().missing == ("f" * 32,)


def test_a_damaged_line_stops_with_its_place(review):
    """Half a file of decisions would teach half of what people said."""
    review.decide(0)
    review.settle(more=b'{"verdict": "keep"}\n')
    review.merge()
    with pytest.raises(CorpusError, match=rf"decisions/{NIGHT}.jsonl, line 2: .*mend it there"):
        review.read()


def test_other_files_and_other_nights_are_left_alone(review):
    """`since` and `newest` bound what is read; a readme in the folder is no decision."""
    review.decide(0)
    review.settle()
    (review.tree / "decisions" / "README.md").write_text("hello")
    git(review.tree, "add", "-A")
    git(review.tree, "commit", "-q", "-m", "readme")
    git(review.tree, "push", "-q", "origin", f"HEAD:night/{NIGHT}")
    review.merge()
    assert len(review.read(since=NIGHT, newest=1).samples) == 1
    assert review.read(since="2026-11-05").samples == ()


def test_a_corpus_without_decisions_has_none(review):
    """The first nights of every project."""
    assert review.read().samples == ()
