"""The server beside a night: it starts, it is alone in its folder, and it goes when its process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.settings import get_current_settings
from prefect.states import Completed, State

from flows import prefect_local
from flows.prefect_local import local_prefect
from schemas.errors import GristmillError

NIGHT = """
import sys, time
from pathlib import Path
from prefect import flow, task
from flows.prefect_local import local_prefect

home, ran = Path(sys.argv[1]), Path(sys.argv[2])

@task(cache_key_fn=lambda _, given: given["key"], persist_result=True, result_serializer="json")
def step(key: str) -> dict[str, str]:
    with ran.open("a") as file:
        file.write(key + "\\n")
    return {"key": key}

@flow
def night(last: str) -> None:
    step("read")
    if last == "hang":
        print("reading is done", flush=True)
        time.sleep(600)
    step("write")

with local_prefect(home):
    night(sys.argv[3])
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tests of this file, because the first start in a folder takes twice as long."""
    return tmp_path_factory.mktemp("prefect") / "home"


@pytest.fixture(autouse=True)
def no_server_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


@flow(name="toy")
def toy() -> State:
    return Completed(name="Degraded", message="one source could not be read")


def free_of_servers(url: str, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/health", timeout=1.0)
        except httpx.TransportError:
            return True
        time.sleep(0.1)
    return False


def test_a_flow_runs_with_its_named_state_and_the_server_ends(home: Path) -> None:
    before = get_current_settings().api.url
    with local_prefect(home):
        url = str(get_current_settings().api.url)
        state = toy(return_state=True)
        assert httpx.get(f"{url}/admin/settings").json()["server"]["analytics_enabled"] is False
    assert (state.name, state.message) == ("Degraded", "one source could not be read")
    assert url.startswith("http://127.0.0.1:")
    assert free_of_servers(url, seconds=1)
    assert get_current_settings().api.url == before
    assert (home / "prefect.db").is_file()


def test_the_users_server_is_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with local_prefect(home / "unused"):
        pass
    assert not (home / "unused").exists()


def test_a_killed_night_leaves_no_server_and_its_steps_are_not_done_again(home: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    command = [sys.executable, "-c", NIGHT, str(home), str(ran)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([*command, "hang"], stdout=subprocess.PIPE, text=True, env=environment) as night:
        assert night.stdout is not None
        assert night.stdout.readline() == "reading is done\n"
        url = (home / "lock").read_text(encoding="utf-8").split()[-1]
        assert not free_of_servers(url, seconds=0.5)
        night.send_signal(signal.SIGKILL)
    assert free_of_servers(url)
    subprocess.run([*command, "end"], check=True, env=environment, timeout=60)
    assert ran.read_text(encoding="utf-8").split() == ["read", "write"]


def test_slots_that_a_killed_night_held_are_free_again(home: Path) -> None:
    with local_prefect(home), get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="store", limit=1))
        client.update_global_concurrency_limit("store", GlobalConcurrencyLimitUpdate(active_slots=1))
    with local_prefect(home), get_client(sync_client=True) as client:
        assert client.read_global_concurrency_limit_by_name("store").active_slots == 0


def test_a_second_process_is_told_who_uses_the_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_local, "LOCK_SECONDS", 0.3)
    with local_prefect(home):  # noqa: SIM117 (the second must fail inside the first)
        with pytest.raises(GristmillError, match=rf"in use by process {os.getpid()}, http://127"), local_prefect(home):
            pass


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "prefect.db").write_text("not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(GristmillError, match="file is not a database"), local_prefect(tmp_path):
        pass
