"""From reviewers to the judge, on a real corpus: the watch for drift, the export of decisions, the round."""

import json
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest

from corpus.propose import init_corpus, propose
from corpus.report import build_report, render
from flows import learning
from flows.console import exit_code
from flows.nights import Night, begin_night
from flows.settings_file import Project, read_project
from schemas.decision import Decision, decision_lines
from schemas.errors import CorpusError, SettingsError
from tests.corpus.night_folder import JUDGE, Talk, make_night
from tests.corpus.propose_project import git

SETTINGS = """
[judge]
kind = "scripted"
script = "ratings.jsonl"
"""


class Town:
    """A project whose nights are reviewed with plain git."""

    def __init__(self, root: Path, settings: str = SETTINGS) -> None:
        (root / "gristmill.toml").write_text(settings)
        (root / "ratings.jsonl").write_text('{"content_id": "*", "rating": 7.0}\n')
        self.project: Project = read_project(root / "gristmill.toml")
        self.root = root

    def night(self, date: str, *, n=40, rating=7.0, until="validate") -> Night:
        """A night of numbered chats that the judge expects to be kept, up to what was picked."""
        begun = begin_night(self.project, date)
        init_corpus(self.project.settings.corpus, root=self.root, clone=self.project.var / "clone.git")
        talks = [
            Talk((f"What came on {date}, parcel {k}?", f"Parcel {k} held {k * 37 % 101} bags of flour from the mill."),
                 rating=rating + k % 5 / 10, acceptance=0.9)
            for k in range(n)
        ]  # fmt: skip
        make_night(begun.folder, talks, until=until, judge_facts={"judge": asdict(JUDGE)})
        return begun

    def review(self, night: Night, n_kept: int) -> None:
        """Merges the night after a person kept the first so many; what was rejected is taken out."""
        self.propose(night)
        tree = self.root / "person"
        if not tree.exists():
            git(self.root, "clone", "--quiet", str(self.root / "corpus.git"), str(tree))
        git(tree, "fetch", "-q")
        git(tree, "checkout", "-q", f"night/{night.date}")
        shard = tree / f"data/general/{night.date[:7]}/{night.date}.jsonl"
        lines = shard.read_text().splitlines()
        shard.write_text("".join(f"{line}\n" for line in lines[:n_kept]))
        if not n_kept:
            shard.unlink()
        decisions = [
            Decision(json.loads(line)["id"], "keep" if k < n_kept else "reject", "ann", f"{night.date}T09:00:00Z", "x")
            for k, line in enumerate(lines)
        ]
        (tree / "decisions").mkdir(exist_ok=True)
        (tree / f"decisions/{night.date}.jsonl").write_bytes(decision_lines(decisions))
        git(tree, "add", "-A")
        git(tree, "commit", "-q", "-m", "settle")
        git(tree, "checkout", "-q", "main")
        git(tree, "merge", "-q", "--no-ff", "--no-edit", f"night/{night.date}")
        git(tree, "push", "-q", "origin", "main")

    def propose(self, night: Night) -> None:
        place = {"root": self.root, "clone": self.project.var / "clone.git"}
        samples, corpus = night.output("validate"), self.project.settings.corpus
        found = propose(samples, corpus=corpus, night=night.date, record={"steps": []}, **place)
        (night.folder / "proposal.json").write_bytes(orjson.dumps(found.to_json()))


@pytest.fixture
def town(tmp_path) -> Town:
    return Town(tmp_path)


def test_a_flipped_taste_rings_on_the_page_and_in_the_exit_code(town):
    """A person is needed; the night itself is as good as ever."""
    town.review(town.night("2026-11-01"), n_kept=38)
    second = town.night("2026-11-02")
    assert learning.watch_drift(town.project, second) == []
    town.review(second, n_kept=5)
    third = town.night("2026-11-03")
    (alarm,) = learning.watch_drift(town.project, third)
    assert "in 5 of 40 cases, before that in 38 of 40" in alarm
    assert third.alarms() == [alarm]
    assert exit_code([], third.alarms()) == 3 and exit_code([], second.alarms()) == 0
    assert "decisions_since = &#34;2026-11-02&#34; under [judge_round]" in render(build_report(third.folder))


def test_a_change_that_is_meant_is_told_in_the_settings(town):
    """With `decisions_since` what was decided before no longer counts, so nothing fell."""
    town.review(town.night("2026-11-01"), n_kept=38)
    town.review(town.night("2026-11-02"), n_kept=5)
    settings = town.project.file
    settings.write_text(settings.read_text() + '\n[judge_round]\ndecisions_since = "2026-11-02"\n')
    project = read_project(settings)
    assert learning.watch_drift(project, town.night("2026-11-03")) == []
    assert len(learning.decided(project).samples) == 40


def test_a_night_that_ended_keeps_its_alarms(town):
    """Running it again must not ring for what happened later, nor forget what rang."""
    first = town.night("2026-11-01", n=60)
    learning.watch_drift(town.project, first)
    town.review(first, n_kept=60)
    written = (first.folder / "drift.json").read_bytes()
    town.review(town.night("2026-11-02"), n_kept=0)
    assert learning.watch_drift(town.project, first) == []
    assert (first.folder / "drift.json").read_bytes() == written


def test_other_ratings_than_before_ring(town):
    """The judge is the same, the conversations are not."""
    town.propose(town.night("2026-11-01", n=60))
    later = town.night("2026-11-02", n=60, rating=8.5)
    (alarm,) = learning.watch_drift(town.project, later)
    assert alarm.startswith("the ratings of this night are distributed otherwise than before")


def test_lessons_are_written_as_chat_lines(town, tmp_path):
    """Any trainer of chat models can take them; the counts add up."""
    town.review(town.night("2026-11-01"), n_kept=30)
    counts = learning.export_lessons(town.project, tmp_path / "lessons.jsonl")
    lines = [json.loads(line)["messages"] for line in (tmp_path / "lessons.jsonl").read_text().splitlines()]
    assert counts["decided"] == 40 == counts["written"] + counts["frozen"]
    assert len(lines) == counts["written"]
    assert {line[2]["content"] for line in lines} == {"Rating: 9", "Rating: 2"}


def test_a_judge_without_a_head_is_told_what_to_do(town):
    """Ratings from a file cannot learn."""
    town.review(town.night("2026-11-01"), n_kept=30)
    with pytest.raises(SettingsError, match="gristmill judge lessons"):
        learning.play(town.project)


def test_without_a_corpus_nothing_is_created(town):
    """Asking for decisions must not make a repository."""
    with pytest.raises(CorpusError, match="gristmill init"):
        learning.decided(town.project)
    assert not (town.root / "corpus.git").exists()
