"""A trigger that is killed, at any instant, is completed by the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus.reviewed_night import NIGHT
from tests.flows.round_project import (
    WRITES,
    Receiver,
    RoundProject,
    command_settings,
    everything,
    receiving,
    webhook_settings,
)

KILLED = """
import os, signal, sys
from pathlib import Path
from flows import rounds, round_start, trigger
from flows.settings_file import read_project
import corpus.release

at = sys.argv[2]
def die(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)
def after(function):
    def run(*arguments, **named):
        function(*arguments, **named)
        die()
    return run
if at == "wanted":
    trigger.release = die
elif at == "recorded":
    corpus.release.Clone.push_tag = die
elif at == "released":
    trigger.release = after(trigger.release)
elif at == "exported":
    trigger.write_manifest = die
elif at == "manifest":
    trigger.write_manifest = after(trigger.write_manifest)
elif at == "posting":
    trigger.start = die
elif at == "posted":
    trigger.start = after(trigger.start)
print(list(trigger.run_trigger(read_project(Path(sys.argv[1])))))
"""

INSTANTS = ("wanted", "recorded", "released", "exported", "manifest", "posting", "posted")


@pytest.mark.parametrize(("way", "instants"), [("webhook", ("released", "posted")), ("command", INSTANTS)])
def test_a_trigger_that_is_killed_at_any_instant_is_completed_by_the_next(tmp_path, way, instants):
    """Power fails between release and start, too: the round is started, and the receiver knows a second start."""
    ran = tmp_path / "ran"
    with receiving(Receiver()) as receiver:
        url = receiver.url
        made = RoundProject(
            tmp_path / "p", webhook_settings(url) if way == "webhook" else command_settings(WRITES, str(ran))
        )
        made.finish()
        for at in instants:
            asked = [sys.executable, "-c", KILLED, str(made.root / "gristmill.toml"), at]
            done = subprocess.run(asked, capture_output=True, cwd=Path(__file__).parents[3], check=False)
            assert done.returncode == -signal.SIGKILL, (at, done.stdout, done.stderr)
            assert made.ledger(NIGHT)["state"] == "wanted"
        _, (one,) = everything(made)
        assert one.state in ("started", "done")
    keys = ran.read_text().split() if way == "command" else [headers["webhook-id"] for headers in receiver.headers]
    assert set(keys) == {NIGHT} and 1 <= len(keys) <= 2
    if way == "command":
        assert len(keys) == 1, "that it ran is known from its own word, though nobody was told"
