"""Settling and releasing as Prefect runs them: the flows alone, and behind `gristmill serve` with a forge's webhook."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from prefect import flow

from flows import rounds
from flows.nights import only_one
from flows.prefect_local import local_prefect
from flows.round_deployment import run_round
from flows.round_webhook import RoundRefused
from flows.settle import settle
from flows.trigger import LOCK
from schemas.errors import GristmillError
from tests.corpus.reviewed_night import NIGHT
from tests.flows.round_project import SECRET, RoundProject, command_settings
from tests.flows.test_webhook_server import MERGED

GRISTMILL = Path(sys.executable).parent / "gristmill"
WRITES = "import os, sys; open(sys.argv[1], 'a').write(os.environ['GRISTMILL_ROUND'] + chr(10))"


@pytest.fixture(autouse=True)
def no_server_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect") / "home"


def test_the_flows_settle_release_and_start_with_named_states(tmp_path, home):
    """What stands on Prefect's page is what happened; a round that cannot start is no failure of the merge."""
    made = RoundProject(tmp_path / "p", "next_round = 'command'\ncommand = ['no-such-trainer']\n")
    config = str(made.root / "gristmill.toml")
    with local_prefect(home):
        state = settle(config, return_state=True)
        assert (state.name, "NothingDue" in state.message) == ("NothingToSettle", True)
        made.finish()
        state = settle(config, return_state=True)
        assert state.name == "Settled" and "RoundWaiting" in state.message and "no-such-trainer" in state.message
        assert made.night.kept() == made.night.ids
        made.settings(command_settings(WRITES, str(tmp_path / "ran")))
        waiting = rounds.find_round(made.project, NIGHT)
        assert waiting
        rounds.save(made.project, rounds.replace(waiting, next_try_at=waiting.wanted_at))
        state = settle(config, return_state=True)
        assert state.name == "NothingToSettle" and "RoundStarted" in state.message
        assert (tmp_path / "ran").read_text().split() == [NIGHT]
        with only_one(made.project, LOCK):
            state = settle(config, return_state=True)
            assert state.is_failed(), "never two at once in one project"
            with pytest.raises(GristmillError, match="another run is under way"):
                state.result()


def test_a_deployment_is_started_once_for_each_round_and_not_waited_for(home):
    """Prefect itself drops a second start with the same key; what it does not know is told with what to type."""

    @flow(name="train")
    def train(tag: str, export: str, manifest: str) -> None:
        """Never run here."""

    given = {"tag": NIGHT, "export": "/exports", "manifest": "/exports/manifest.json"}
    with local_prefect(home):
        train.to_deployment("nightly").apply()
        first = run_round("train/nightly", given, NIGHT)
        assert "was created" in first and run_round("train/nightly", given, NIGHT) == first
        assert run_round("train/nightly", given, f"{NIGHT}.2") != first
        with pytest.raises(RoundRefused, match=r"no deployment train/weekly; `prefect deployment ls`"):
            run_round("train/weekly", given, NIGHT)
    with pytest.raises(RoundRefused, match="set PREFECT_API_URL"):
        run_round("train/nightly", given, NIGHT)


@pytest.mark.slow
def test_serve_settles_when_the_forge_tells_of_a_merge(tmp_path):
    """From a person's click on the forge to a started round, with nobody at this machine."""
    forge = '[forge]\nkind = "github"\nproject = "ann/corpus"\n'
    made = RoundProject(tmp_path / "p", command_settings(WRITES, str(tmp_path / "ran"), more='cron = "0 0 1 1 *"\n'))
    made.finish()
    # The bare repository stands in for the forge: its comments are not asked, since the review is over.
    text = (made.root / "gristmill.toml").read_text() + forge
    (made.root / "served.toml").write_text(text)
    environment = {**os.environ, "GRISTMILL_FORGE_WEBHOOK_SECRET": SECRET, "GRISTMILL_FORGE_TOKEN": "t" * 20}
    asked = [GRISTMILL, "--config", "served.toml", "serve", "--webhook", "0", "--json"]
    with subprocess.Popen(
        asked, cwd=made.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as serving:
        try:
            facts = json.loads(_object(serving.stdout))
            (made.root / "served.toml").write_text(text.removesuffix(forge))
            body = json.dumps(MERGED).encode()
            mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            headers = {"X-Hub-Signature-256": f"sha256={mac}", "X-GitHub-Event": "pull_request"}
            answer = httpx.post(facts["webhook"], content=body, headers=headers, trust_env=False)
            assert answer.status_code == 202
            end = time.monotonic() + 60
            while not (tmp_path / "ran").exists() and time.monotonic() < end:
                time.sleep(0.1)
            assert (tmp_path / "ran").read_text().split() == [NIGHT]
            assert made.night.kept() == made.night.ids
            serving.send_signal(signal.SIGINT)
            _, said = serving.communicate(timeout=30)
            assert "Traceback" not in said, said
        finally:
            serving.kill()


def _object(stream) -> str:
    lines = []
    while not lines or lines[-1].rstrip() != "}":
        line = stream.readline()
        assert line, "it ended"
        lines.append(line)
    return "".join(lines)
