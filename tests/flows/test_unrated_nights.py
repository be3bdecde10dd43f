"""Nights whose judge did not answer, with a real server: what waits is judged by a later night, and once."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from corpus.carried import taken, waiting_after
from corpus.stages import STEPS
from flows import road
from flows.nights import PROPOSAL_FILE, begin_night, complete_before, find_night
from flows.propose import propose
from flows.settings_file import Project, read_project
from flows.step_keys import step_key
from schemas.errors import InputError
from schemas.outcome import StepReport
from tests.flows.test_night import EXAMPLES, git, gristmill, steps_of
from tests.judges import servers

SETTINGS = """
[[sources]]
name = "{name}"
path = "logs/*.jsonl"
consent = "{consent}"
licence = "CC0-1.0"

[judge]
kind = "endpoint"
endpoint_url = "{url}"
endpoint_model = "{model}"
threshold = 4.0
"""

Answer = tuple[int, dict[str, str], bytes] | None


def is_odd(request: dict[str, Any]) -> bool:
    """A fixed choice of about a third of the conversations."""
    return len(request["messages"][1]["content"]) % 3 == 0


def nobody(_: dict[str, Any]) -> bool:
    return False


class Mill:
    """A project and its judge's server, which does not answer what `silent` says."""

    def __init__(self, folder: Path, server: servers.Server) -> None:
        self.folder, self.server = folder, server
        self.silent: Callable[[dict[str, Any]], bool] = nobody
        server.answer = self._answer
        (folder / "logs").mkdir(parents=True)
        self.configure()

    def _answer(self, request: dict[str, Any], _: int) -> Answer:
        if self.silent(request):
            return servers.refusal(503, **{"Retry-After": "0.001"})
        return servers.completion("8")

    def configure(self, *, name: str = "gateway", consent: str = "asked", model: str = "m") -> None:
        text = SETTINGS.format(name=name, consent=consent, model=model, url=self.server.url)
        (self.folder / "gristmill.toml").write_text(text)

    def log(self, day: str) -> None:
        shutil.copy(EXAMPLES / "gateway" / f"{day}.jsonl", self.folder / "logs")

    @property
    def project(self) -> Project:
        return read_project(self.folder / "gristmill.toml")

    def run(self, date: str, *, until: str = "propose") -> dict[str, StepReport]:
        """What the flow does, step by step, without reusing results; a night that is cut short is as one killed."""
        night = begin_night(self.project, date)
        road.forget_unfinished(self.project, night)
        road.meet_corpus(self.project)
        reports: dict[str, StepReport] = {}
        for step in STEPS:
            reports[step] = road.run_step(step, self.project, night)
            if step == until:
                return reports
        propose(self.project, night)
        return reports

    def proposed(self) -> dict[str, list[str]]:
        """By night the ids on its branch."""
        branches = git(self.folder, "branch", "--list", "night/*", "--format=%(refname:short)").split()
        found = {}
        for branch in branches:
            date = branch.removeprefix("night/")
            shard = git(self.folder, "show", f"{branch}:data/general/{date[:7]}/{date}.jsonl")
            found[date] = [json.loads(line)["id"] for line in shard.splitlines()]
        return found

    def waiting(self, date: str) -> list[str]:
        """Content ids that a night of this date would take over."""
        night = begin_night(self.project, date)
        return [one.content_id for one in waiting_after(complete_before(self.project, night))]


@pytest.fixture
def mill(tmp_path: Path) -> Iterator[Mill]:
    with servers.serving(lambda *_: None) as server:
        made = Mill(tmp_path / "mill", server)
        made.log("2026-11-02")
        yield made


@pytest.fixture
def halted(mill: Mill) -> Mill:
    """After a night on which the server did not answer some questions, with new logs for the next."""
    mill.silent = is_odd
    judge = mill.run("2026-11-05")["judge"]
    assert judge.kept > 2
    assert judge.held["unrated_for_now"] > 2
    mill.silent = nobody
    mill.log("2026-11-03")
    return mill


def add_up(reports: dict[str, StepReport]) -> None:
    """Each step's input is what the step before it kept; that a step's own counts add up its report has checked."""
    steps = list(reports.values())
    for before, after in zip(steps, steps[1:], strict=False):
        assert before.kept == after.n_in


def test_the_next_night_judges_what_was_not_rated(halted: Mill) -> None:
    """An endpoint that was down must cost a night's delay, never a conversation."""
    waiting = halted.waiting("2026-11-06")
    reports = halted.run("2026-11-06")
    add_up(reports)
    assert reports["pull"].facts["carried"] == len(waiting)
    assert not reports["judge"].held
    proposed = halted.proposed()
    assert set(waiting) <= set(proposed["2026-11-06"])
    assert max(Counter(proposed["2026-11-05"] + proposed["2026-11-06"]).values()) == 1
    third = halted.run("2026-11-07")
    assert third["pull"].n_in == 0, "what was judged does not come back"


def test_what_waits_goes_on_from_night_to_night_until_it_is_rated(halted: Mill) -> None:
    """An outage of three days is no other than one of an hour; and nothing is proposed twice."""
    first = set(halted.waiting("2026-11-06"))
    halted.silent = lambda request: True
    second = halted.run("2026-11-06")
    add_up(second)
    assert second["judge"].kept == 0
    both = set(halted.waiting("2026-11-07"))
    assert first < both
    again = halted.run("2026-11-07")
    assert (again["pull"].kept, again["judge"].held) == (len(both), {"unrated_for_now": len(both)})
    halted.silent = nobody
    halted.run("2026-11-08")
    proposed = halted.proposed()
    assert set(proposed["2026-11-08"]) == both
    assert set(proposed) == {"2026-11-05", "2026-11-08"}
    assert not both & set(proposed["2026-11-05"])


@pytest.mark.parametrize("until", STEPS)
def test_a_night_cut_short_loses_nothing_and_repeats_nothing(halted: Mill, tmp_path: Path, until: str) -> None:
    """Killed behind any step: started again it ends in the same commit; given up, the next night takes its place."""
    whole = Path(shutil.copytree(halted.folder, tmp_path / "whole"))
    given_up = Path(shutil.copytree(halted.folder, tmp_path / "given up"))
    halted.folder = whole
    halted.run("2026-11-06")
    expected = git(whole, "rev-parse", "night/2026-11-06"), halted.proposed()
    halted.folder = given_up
    halted.run("2026-11-06", until=until)
    other = Path(shutil.copytree(given_up, tmp_path / "again"))
    halted.run("2026-11-07")
    assert halted.proposed()["2026-11-07"] == expected[1]["2026-11-06"]
    halted.folder = other
    halted.run("2026-11-06")
    assert git(other, "rev-parse", "night/2026-11-06") == expected[0]


def test_the_earlier_night_run_again_leaves_alone_what_was_taken_from_it(halted: Mill) -> None:
    """Else a changed setting would propose the same conversations on two branches."""
    waiting = set(halted.waiting("2026-11-06"))
    halted.run("2026-11-06")
    halted.configure(model="another")
    again = halted.run("2026-11-05")
    assert again["judge"].held == {"unrated_for_now": len(waiting)}
    assert again["judge"].facts["n_judged"] == again["judge"].kept > 0
    proposed = halted.proposed()
    assert not waiting & set(proposed["2026-11-05"])
    assert halted.run("2026-11-07")["pull"].n_in == 0


def test_the_later_night_run_again_takes_the_same(halted: Mill) -> None:
    """Its own traces and those of the night before must not count as duplicates."""
    first = halted.run("2026-11-06")
    commit = git(halted.folder, "rev-parse", "night/2026-11-06")
    halted.run("2026-11-05")
    second = halted.run("2026-11-06")
    assert git(halted.folder, "rev-parse", "night/2026-11-06") == commit
    assert second["deduplicate"].dropped == first["deduplicate"].dropped


def test_a_source_read_on_other_terms_gives_what_waits_anew(halted: Mill) -> None:
    """Consent is what the settings say tonight; what it said when the log was read is no basis any more."""
    waiting = set(halted.waiting("2026-11-06"))
    halted.configure(consent="asked again, on another form")
    reports = halted.run("2026-11-06")
    assert reports["pull"].facts["carried"] == 0
    proposed = halted.proposed()
    assert waiting <= set(proposed["2026-11-06"])
    assert not set(proposed["2026-11-05"]) & set(proposed["2026-11-06"])
    assert len(taken(find_night(halted.project, "2026-11-06").folder)) == len(waiting)
    assert not halted.waiting("2026-11-07")


def test_what_waits_of_a_source_that_was_taken_out_stays_where_it_is(halted: Mill) -> None:
    """Whoever takes a source out of the settings wants nothing more of it published; put back, it goes on."""
    waiting = set(halted.waiting("2026-11-06"))
    (halted.folder / "logs" / "2026-11-02.jsonl").rename(halted.folder / "away.jsonl")
    halted.configure(name="another")
    reports = halted.run("2026-11-06")
    assert reports["pull"].kept > 0
    assert reports["pull"].facts["carried"] == 0
    assert set(halted.waiting("2026-11-07")) == waiting
    halted.configure()
    halted.run("2026-11-07")
    assert waiting <= set(halted.proposed()["2026-11-07"])


def test_a_log_that_is_gone_gives_what_waits_all_the_same(halted: Mill) -> None:
    """Logs are rotated; the night that read them keeps what nobody judged."""
    waiting = set(halted.waiting("2026-11-06"))
    (halted.folder / "logs" / "2026-11-02.jsonl").unlink()
    halted.run("2026-11-06")
    assert waiting <= set(halted.proposed()["2026-11-06"])


def test_a_damaged_table_of_the_earlier_night_is_named(halted: Mill) -> None:
    """To go on without it would lose what waits, in silence."""
    file = find_night(halted.project, "2026-11-05").output("pull")
    file.write_bytes(b"PAR1 this is no table any more")
    with pytest.raises(InputError, match=r"pulled\.parquet.*night 2026-11-05 wait for the judge: restore"):
        halted.run("2026-11-06")


def test_a_night_that_proposed_something_is_not_asked_again(halted: Mill) -> None:
    """People may be reading its branch already, and the next night takes what is left; one cut short asks again."""
    night = find_night(halted.project, "2026-11-05")
    assert step_key(halted.project, night, "judge", "")[1]
    (night.folder / PROPOSAL_FILE).unlink()
    assert not step_key(halted.project, night, "judge", "")[1]


@pytest.mark.slow
def test_the_flow_asks_again_the_same_night_if_nothing_was_proposed_and_else_the_next(mill: Mill) -> None:
    """Who starts the server in the morning types the same command again; reused results must not hide what waits."""
    mill.silent = lambda request: True
    _, down = gristmill(mill.folder, "run", "--night", "2026-11-05")
    assert down["state"] == "NothingToPropose"
    n_held = steps_of(down)["judge"]["held"]["unrated_for_now"]
    mill.silent = is_odd
    _, half = gristmill(mill.folder, "run", "--night", "2026-11-05")
    left = steps_of(half)["judge"]["held"]["unrated_for_now"]
    assert half["state"] == "Proposed"
    assert 0 < left < n_held
    mill.silent = nobody
    _, later = gristmill(mill.folder, "run", "--night", "2026-11-06")
    assert steps_of(later)["pull"]["carried"] == later["proposal"]["n_samples"] == left
    assert sorted(Counter(sum(mill.proposed().values(), [])).values())[-1] == 1
    subprocess.run(["git", "-C", mill.folder / "corpus.git", "fsck", "--strict"], check=True, capture_output=True)
