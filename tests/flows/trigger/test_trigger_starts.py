"""How a round is started: by webhook or by command, and tried again until it is."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from flows import rounds, trigger
from tests.corpus.reviewed_night import NIGHT
from tests.flows.round_project import (
    SECRET,
    Receiver,
    RoundProject,
    command_settings,
    everything,
    later,
    receiving,
    webhook_settings,
)


def until(is_so, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_a_receiver_that_is_down_delays_the_round_and_not_the_merge(tmp_path):
    """Merging waits for nothing; the round waits longer each time, and is started when somebody is there."""
    with receiving(Receiver()) as receiver:
        url, port = receiver.url, int(receiver.url.split(":")[2].split("/")[0])
    made = RoundProject(tmp_path / "p", webhook_settings(url))
    made.finish()
    merged, (one,) = everything(made)
    assert merged[0].settled and made.night.kept() == made.night.ids
    assert (one.state, one.n_failed) == ("waiting", 1) and "cannot be reached" in one.message
    now = datetime.now(UTC)
    assert trigger.due_rounds(made.project, now) == [], "not at once again"
    waits = []
    for _ in range(8):
        now = later(one)
        assert trigger.due_rounds(made.project, now) == [one]
        one = trigger.go_on(made.project, NIGHT, now)
        waits.append((later(one) - now).total_seconds())
    assert waits == [300, 1800, 7200, 18000, 36000, 36000, 36000, 36000]
    with receiving(receiver, port):
        one = trigger.go_on(made.project, NIGHT, later(one))
    assert (one.state, one.n_tried, one.n_failed) == ("started", 10, 9) and list(receiver.bodies) == [NIGHT]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, {}, b"broken"), "answers 500"),
        ((200, {"Content-Type": "text/html"}, b"<!doctype html><title>Log in</title>"), "web page"),
        ((200, {}, b"  <html>"), "web page"),
        ((307, {"Location": "/elsewhere"}, b""), "redirect, which is not followed"),
        ((404, {}, b""), "answers 404"),
    ],
)
def test_an_answer_that_is_no_receivers_yes_is_no_start(tmp_path, answer, said):
    """A proxy's page with status 200 has lost many a webhook; a redirect would carry the order to somebody else."""
    with receiving(Receiver(answers=[answer])) as receiver:
        made = RoundProject(tmp_path / "p", webhook_settings(receiver.url))
        made.finish()
        _, (one,) = everything(made)
        assert one.state == "waiting" and said in one.message and receiver.paths == ["/rounds"]
        one = trigger.go_on(made.project, NIGHT, later(one))
        assert one.state == "started" and len({headers["webhook-id"] for headers in receiver.headers}) == 1


def test_a_receiver_is_left_alone_as_long_as_it_asks_and_no_longer_than_a_day(tmp_path):
    """Retry-After is a request, not a way to put a round off for ever."""
    answers = [(503, {"Retry-After": "4000"}, b""), (429, {"Retry-After": "99999999"}, b"")]
    with receiving(Receiver(answers=answers)) as receiver:
        made = RoundProject(tmp_path / "p", webhook_settings(receiver.url))
        made.finish()
        now = datetime.now(UTC).replace(microsecond=0)
        _, (one,) = everything(made)
        assert 3999 <= (later(one) - now).total_seconds() <= 4060
        now = later(one)
        assert later(trigger.go_on(made.project, NIGHT, now)) - now == timedelta(days=1)


def test_the_wrong_secret_is_told_as_such(tmp_path, monkeypatch):
    """A receiver that refuses the signature is the commonest mistake; a short secret is refused here."""
    with receiving(Receiver()) as receiver:
        made = RoundProject(tmp_path / "p", webhook_settings(receiver.url))
        made.finish()
        monkeypatch.setenv("GRISTMILL_WEBHOOK_SECRET", "another " + SECRET)
        _, (one,) = everything(made)
        assert "answers 401; check its secret" in one.message and receiver.bodies == {}
    monkeypatch.setenv("GRISTMILL_WEBHOOK_SECRET", "short")
    assert "has 5 characters" in trigger.go_on(made.project, NIGHT, later(one)).message
    monkeypatch.delenv("GRISTMILL_WEBHOOK_SECRET")
    assert "is not set" in trigger.go_on(made.project, NIGHT, later(one)).message


def test_a_command_gets_the_export_and_none_of_our_secrets(tmp_path, monkeypatch):
    """It is run without a shell, in the project's folder, with everything by argument and by environment."""
    code = "import json, os, sys; json.dump([sys.argv[2:], os.getcwd(), dict(os.environ)], open(sys.argv[1], 'w'))"
    given = ("{tag}", "{export}/x", "{exports}", "{manifest}", "$(id)")
    made = RoundProject(tmp_path / "p", command_settings(code, str(tmp_path / "ran"), *given))
    monkeypatch.setenv("GRISTMILL_FORGE_TOKEN", "t" * 20)
    made.finish()
    _, (one,) = everything(made)
    assert (one.state, one.is_signed) == ("done", False)
    arguments, folder, environment = json.loads((tmp_path / "ran").read_text())
    exports = made.root / "var" / "exports" / NIGHT
    export = exports / "huggingface" / "sft"
    assert arguments == [NIGHT, f"{export}/x", str(exports), str(exports / "manifest.json"), "$(id)"]
    assert folder == str(made.root) and export.is_dir()
    assert environment["GRISTMILL_ROUND_EXPORT"] == str(export) and environment["GRISTMILL_ROUND"] == NIGHT
    assert not {"GRISTMILL_FORGE_TOKEN", "GRISTMILL_WEBHOOK_SECRET"} & set(environment)


def test_a_command_that_cannot_be_run_or_fails_is_tried_again(tmp_path):
    """Missing, wrong, then mended: the ledger says each in words, and what it said is kept."""
    made = RoundProject(tmp_path / "p", "next_round = 'command'\ncommand = ['no-such-trainer', '{export}']\n")
    made.finish()
    _, (one,) = everything(made)
    assert one.state == "waiting" and "no-such-trainer cannot be run" in one.message and made.night.kept()
    made.settings(command_settings("import sys; print('out of memory'); sys.exit(1)"))
    one = trigger.go_on(made.project, NIGHT, later(one))
    assert one.n_failed == 2 and "ended with code 1" in one.message
    assert b"out of memory" in (made.root / "var" / "rounds" / NIGHT / "output.log").read_bytes()
    made.settings(command_settings("pass"))
    assert trigger.go_on(made.project, NIGHT, later(one)).state == "done"


def test_a_long_command_runs_beside_everything_and_one_that_hangs_is_ended(tmp_path, monkeypatch):
    """A round takes hours; merging waits for none of them, and no second one is begun meanwhile."""
    monkeypatch.setattr("flows.round_command.EARLY_S", 0.2)
    made = RoundProject(
        tmp_path / "p", command_settings("import time; time.sleep(600)", more="command_timeout_s = 3\n")
    )
    made.finish()
    began = time.monotonic()
    _, (one,) = everything(made)
    assert one.state == "started" and "is running" in one.message and time.monotonic() - began < 3 + 10
    assert trigger.go_on(made.project, NIGHT, datetime.now(UTC)).n_tried == 1
    until(lambda: (made.root / "var" / "rounds" / NIGHT / "ended.json").exists())
    (due,) = trigger.due_rounds(made.project, datetime.now(UTC))
    one = trigger.go_on(made.project, due.release, datetime.now(UTC))
    assert one.state == "waiting" and "did not end in 3 s and was ended" in one.message


def test_a_command_that_was_killed_from_outside_is_begun_again(tmp_path, monkeypatch):
    """The machine went down in the middle of a round: nobody wrote an end, and the lock is free."""
    monkeypatch.setattr("flows.round_command.EARLY_S", 0.2)
    code = "import os, sys, time; open(sys.argv[1], 'w').write(f'{os.getppid()} {os.getpid()}'); time.sleep(600)"
    made = RoundProject(tmp_path / "p", command_settings(code, str(tmp_path / "ran")))
    made.finish()
    _, (one,) = everything(made)
    until(lambda: (tmp_path / "ran").exists() and (tmp_path / "ran").read_text())
    supervisor, command = map(int, (tmp_path / "ran").read_text().split())
    os.kill(supervisor, signal.SIGKILL)
    assert trigger.go_on(made.project, NIGHT, datetime.now(UTC)).state == "started", "the command itself is alive"
    os.kill(command, signal.SIGKILL)
    until(lambda: trigger.go_on(made.project, NIGHT, datetime.now(UTC)).state == "waiting")
    one = rounds.find_round(made.project, NIGHT)
    assert one and "ended from outside" in one.message
    made.settings(command_settings("pass"))
    assert trigger.go_on(made.project, NIGHT, later(one)).state == "done"
