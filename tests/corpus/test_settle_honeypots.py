"""Samples with a known answer are taken out again, are nobody's vote, and tell how attentive reviewers were."""

import json
import shutil
from pathlib import Path

import pytest

from corpus.propose import propose
from corpus.reviewers import agreement
from corpus.settle import Settled, settle
from corpus.stage import read_rows
from corpus.validate import build_samples
from schemas.decision import Decision
from schemas.settings import ReviewSettings
from tests.corpus.judged_rows import conversation, row, write_selected
from tests.corpus.propose_project import NIGHT, RECORD, Project, git
from tests.corpus.reviewed_night import NOW, Person, name_of

LATER = "2026-11-05"
SUBJECTS = ("baking bread", "frozen lakes", "steam engines", "desert foxes", "violin strings", "paper kites")
PLACES = ("kitchen", "valley", "workshop", "burrow", "orchestra", "meadow")


def chat(number: int):
    """A question and an answer of a subject of their own, long enough to be taken for another's answer."""
    subject, place = SUBJECTS[number % 6], PLACES[number % 6]
    answer = ". ".join(f"{subject} {place}{number} {place}-{word}" for word in ("first", "second", "third", "last"))
    return conversation(f"Tell about {subject} {place} {place}{number}", answer, native_id=str(number))


def proposed(project: Project, numbers, night: str, review: ReviewSettings) -> None:
    samples = project.root / f"samples-{night}.parquet"
    rows = [row(chat(n), rating=6.0 + n % 4) for n in numbers]
    build_samples(write_selected(project.root / "in.parquet", rows), samples, night=night, publish_subjects=False)
    propose(samples, corpus=project.corpus, night=night, record=RECORD, review=review, **project.place)


def ids(text: str) -> list[str]:
    return [json.loads(line)["id"] for line in text.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A corpus of 60 samples, of which Ann kept 20 by name, and a second night of ten with honeypots in it."""
    project = Project(tmp_path_factory.mktemp("honeypots"))
    proposed(project, range(60), NIGHT, ReviewSettings())
    ann = Person(project, "ann")
    for one in ids(ann.read(f"data/general/2026-11/{NIGHT}.jsonl"))[:20]:
        ann.decide(one, "keep")
    ann.done()
    assert settle(NIGHT, corpus=project.corpus, now="2026-11-05T00:00:00Z", **project.place).state == "settled"
    proposed(project, range(100, 110), LATER, ReviewSettings(honeypots=2))
    return project.root


class SecondNight:
    """The second night in a folder of its own; what is planted is told from what the base branch has."""

    shard, decisions = f"data/general/2026-11/{LATER}.jsonl", f"decisions/{LATER}.jsonl"

    def __init__(self, made: Path, root: Path) -> None:
        shutil.copytree(made, root, ignore=shutil.ignore_patterns("tree-*"))
        self.project = Project(root)
        own = {json.loads(line)["id"] for line in self._lines(root)}
        kept = set(ids(self.show(f"data/general/2026-11/{NIGHT}.jsonl")))
        on_branch = set(ids(self.show(self.shard, f"night/{LATER}")))
        self.own = own
        self.good = sorted((on_branch - own) & kept)
        self.bad = sorted((on_branch - own) - kept)

    @staticmethod
    def _lines(root: Path) -> list[str]:
        return [one["line"] for one in read_rows(root / f"samples-{LATER}.parquet")]

    def show(self, path: str, branch: str = "main") -> str:
        return git(self.project.remote, "show", f"{branch}:{path}")

    def person(self, name: str) -> Person:
        return Person(self.project, name, f"night/{LATER}")

    def settle(self) -> Settled:
        return settle(LATER, corpus=self.project.corpus, now=NOW, **self.project.place)


@pytest.fixture
def tested(folder, tmp_path) -> SecondNight:
    return SecondNight(folder, tmp_path / "copy")


def vote(person: Person, one: str, verdict: str) -> None:
    """As `gristmill review` writes it, for this night."""
    person.hour += 1
    at = f"2026-11-05T{person.hour // 60 + 8:02}:{person.hour % 60:02}:00Z"
    path = person.tree / SecondNight.decisions
    known = path.read_text() if path.exists() else ""
    line = Decision(one, verdict, person.reviewer, at, f"night/{LATER}").line().decode()
    person.write(SecondNight.decisions, known + line)


def test_two_good_and_two_bad_are_slipped_in_and_nothing_names_them(tested):
    """Known good ones are samples that people kept; a bad one has a known question and somebody else's answer."""
    assert (len(tested.good), len(tested.bad)) == (2, 2)
    record = json.loads(tested.show(f"nights/{LATER}.json", f"night/{LATER}"))
    assert record["honeypots"]["n"] == 4
    assert set(record["honeypots"]) == {"n", "base", "seal"}
    known = {json.loads(line)["messages"][0]["content"]: json.loads(line) for line in
             tested.show(f"data/general/2026-11/{NIGHT}.jsonl").splitlines()}  # fmt: skip
    for line in tested.show(tested.shard, f"night/{LATER}").splitlines():
        planted = json.loads(line)
        if planted["id"] in tested.bad:
            question, answer = planted["messages"]
            assert known[question["content"]]["messages"][1] != answer
    page = tested.show(f"review/{LATER}/01.md", f"night/{LATER}")
    assert all(page.count(one) >= 1 for one in (*tested.good, *tested.bad))


def test_they_are_taken_out_before_the_merge(tested):
    """Nobody decided anything: the night's own samples are kept, and only they."""
    settled = tested.settle()
    assert (settled.counts["proposed"], settled.counts["kept"], settled.counts["honeypots"]) == (10, 10, 4)
    assert set(ids(tested.show(tested.shard))) == tested.own


def test_an_attentive_reviewer_is_told_from_an_inattentive_one(tested):
    """From the repository alone: hits on honeypots, which are neither votes on samples nor units of alpha."""
    ann, bob = tested.person("ann"), tested.person("bob")
    for one in tested.bad:
        vote(ann, one, "reject")
    ann.done(f"night/{LATER}")
    bob.pull(f"night/{LATER}")
    for one in (*tested.good, *tested.bad, sorted(tested.own)[0]):
        vote(bob, one, "keep")
    bob.done(f"night/{LATER}")
    assert tested.settle().state == "settled"
    assert set(ids(tested.show(tested.shard))) == tested.own
    found = {one.reviewer: one for one in agreement(tested.project.corpus, **tested.project.place).reviewers}
    assert (found[name_of("ann")].n_honeypots, found[name_of("ann")].n_hits) == (2, 2)
    assert (found[name_of("bob")].n_honeypots, found[name_of("bob")].n_hits) == (4, 2)
    assert found[name_of("bob")].n_votes == 1


def test_an_edited_honeypot_does_not_stay(tested):
    """What people make of a known answer is no sample of the night."""
    ann = tested.person("ann")
    lines = [json.loads(line) for line in ann.read(tested.shard).splitlines()]
    for one in lines:
        if one["id"] == tested.bad[0]:
            one["messages"][-1]["content"] = "A better answer about this very subject, written by a person."
    ann.write(tested.shard, "".join(json.dumps(one) + "\n" for one in lines))
    ann.done(f"night/{LATER}")
    assert tested.settle().state == "settled"
    assert set(ids(tested.show(tested.shard))) == tested.own


def test_settling_again_changes_nothing(tested):
    """The honeypots are computed from the commit that the record names, not from what the corpus is now."""
    first = tested.settle()
    assert tested.settle().state == "unchanged"
    assert git(tested.project.remote, "rev-parse", "main") == first.commit
