"""Samples with a known answer: made of the corpus alone, always the same, and told apart only by reading them."""

import json
import shutil
from pathlib import Path

import orjson
import pytest

from corpus.bulk import BulkObjects
from corpus.honeypots import CORPUS_SAMPLES_MIN, disguised, honeypots, seal
from corpus.settle import settle
from schemas.conversation import Turn, content_id
from schemas.settings import ReviewSettings
from tests.corpus.propose_project import NIGHT, Project, git
from tests.corpus.reviewed_night import Person
from tests.corpus.test_settle_honeypots import ids, proposed

TONIGHT = "2026-11-06"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A corpus of sixty samples; of each subject people kept some by name, rejected some, and quarrelled about one."""
    project = Project(tmp_path_factory.mktemp("honeypots"))
    proposed(project, range(60), NIGHT, ReviewSettings())
    ann, bob = Person(project, "ann"), Person(project, "bob")
    some = ids(ann.read(f"data/general/2026-11/{NIGHT}.jsonl"))
    for one in some[:21]:
        ann.decide(one, "keep")
    ann.decide(some[21], "reject")
    ann.done()
    bob.pull()
    bob.decide(some[0], "reject").decide(some[1], "keep")
    bob.done()
    settle(NIGHT, corpus=project.corpus, now="2026-11-05T00:00:00Z", conflict="hold", **project.place)
    return project.root


class Corpus:
    """What the base branch has, and what is made of it."""

    def __init__(self, root: Path) -> None:
        self.remote = root / "corpus.git"
        self.store = BulkObjects(self.remote)
        self.base = git(self.remote, "rev-parse", "main").strip()
        shown = git(self.remote, "show", f"main:data/general/2026-11/{NIGHT}.jsonl")
        self.samples = {one["id"]: one for one in map(json.loads, shown.splitlines())}
        decided = git(self.remote, "show", f"main:decisions/{NIGHT}.jsonl")
        said = [json.loads(line) for line in decided.splitlines()]
        self.against = {one["sample_id"] for one in said if one["verdict"] == "reject"}
        self.kept = {one["sample_id"] for one in said} - self.against

    def made(self, n=8, night=TONIGHT, base=None):
        return honeypots(self.store, base or self.base, night, n)


@pytest.fixture(scope="module")
def corpus(folder) -> Corpus:
    return Corpus(folder)


def test_they_are_the_same_wherever_they_are_computed(corpus, folder, tmp_path):
    """Settle makes them again, on another machine, and takes out what it finds: by commit and date alone."""
    shutil.copytree(folder / "corpus.git", tmp_path / "corpus.git")
    git(tmp_path / "corpus.git", "repack", "-adq")
    other = Corpus(tmp_path)
    assert other.made() == corpus.made() != ()
    assert seal(other.made()) == seal(reversed(corpus.made()))
    assert corpus.made(night="2026-11-07") != corpus.made()


def test_known_good_ones_are_what_every_vote_kept(corpus):
    """One vote against it, and nobody knows the right answer; no vote, and nobody has read it."""
    good = [one for one in corpus.made() if one.expected == "keep"]
    assert len(good) == 4
    assert {one.sample_id for one in good} <= corpus.kept
    for one in good:
        assert json.loads(one.line)["messages"] == corpus.samples[one.sample_id]["messages"]


def test_known_bad_ones_answer_something_else(corpus):
    """A kept question with the answer to another: nobody who reads it can keep it, and each part looks real."""
    bad = [json.loads(one.line) for one in corpus.made() if one.expected == "reject"]
    assert len(bad) == 4
    questions = {corpus.samples[one]["messages"][0]["content"]: one for one in corpus.kept}
    answers = {one["messages"][-1]["content"]: name for name, one in corpus.samples.items()}
    for one in bad:
        question, answer = (message["content"] for message in one["messages"])
        assert answers[answer] != questions[question]
        assert question.split()[2] not in answer  # its subject: no sixth sample of the same one gave the answer
        assert one["id"] == content_id([Turn(m["role"], m["content"]) for m in one["messages"]])
        assert one["id"] not in corpus.samples


def test_nothing_in_a_line_names_them(corpus):
    """Neither a key nor a date nor a conversation that the corpus has: only ids and texts, which reading tells."""
    shape = set(next(iter(corpus.samples.values()))["provenance"])
    known = {one["provenance"]["conversation_id"] for one in corpus.samples.values()}
    for one in corpus.made():
        line = json.loads(one.line)
        assert set(line) == set(next(iter(corpus.samples.values())))
        assert set(line["provenance"]) == shape
        assert line["provenance"]["night"] == TONIGHT
        assert line["provenance"]["conversation_id"] not in known
        assert NIGHT not in one.line.decode()


def test_a_disguised_one_has_what_the_nights_samples_have(corpus):
    """An expert or a judge that no other sample of the night has, or a rating below its threshold, would tell."""
    judge = {"name": "new"}
    some = list(corpus.samples.values())[:5]
    tonight = [{**one, "expert": "medicine", "verdict": {**one["verdict"], "judge": judge}} for one in some]
    for one in corpus.made():
        line = orjson.loads(disguised(one, tonight, 8.0))
        assert (line["expert"], line["verdict"]["judge"]) == ("medicine", {"name": "new"})
        assert 8.0 <= line["verdict"]["rating"] <= 10.0
        assert line["id"] == one.sample_id
        assert disguised(one, reversed(tonight), 8.0) == disguised(one, tonight, 8.0)


def test_a_young_corpus_and_the_first_night_have_none(corpus, folder):
    """Reviewers would know every sample of a small corpus; and only nights before tonight's are drawn from."""
    assert len(corpus.samples) >= CORPUS_SAMPLES_MIN
    begun = git(folder / "corpus.git", "rev-list", "--max-parents=0", "main").strip()
    assert corpus.made(base=begun) == ()
    assert corpus.made(night=NIGHT) == ()
    assert corpus.made(n=0) == ()


def test_a_few_are_had_where_many_are_asked_for(corpus):
    """Nobody is asked about more than people kept."""
    many = corpus.made(n=1000)
    assert len({one.sample_id for one in many}) == len(many) < len(corpus.kept) + 1
