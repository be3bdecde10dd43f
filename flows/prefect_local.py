"""Prefect's own server beside one process: on the loopback address, with its files under one folder.

The server that Prefect would start by itself stays behind when the process that started it is killed. This one watches
that process and goes with it. It is also the only user of its folder, so what a killed night held there can be freed.
Run as `python -m flows.prefect_local PARENT SOCKET`, this module is that server.
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from inspect import isawaitable
from pathlib import Path
from threading import Thread
from typing import IO

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker, PrefectConsoleHandler
from prefect.settings import temporary_settings
from prefect.utilities.asyncutils import run_coro_as_sync

from schemas.errors import GristmillError

START_SECONDS = 120.0
"""How long a server may take to answer; the first start in a folder creates the database."""
LOCK_SECONDS = 15.0
"""How long to wait for the folder: the server of a killed process needs a moment to notice."""
DRAIN_SECONDS = 10.0
"""How long the last log lines and task events may take to reach the server; they are history, nothing rests on them."""
WATCH_SECONDS = 0.2
"""How often the server looks whether the process that started it is still there."""

_PARENT = "GRISTMILL_SERVED_BY"
_SERVER_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
}
_ONE_RUN = {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT_UI_ENABLED": "false"}
"""Prefect's own switch for a server without scheduler and page, which a single run does not need."""


def quiet_console() -> None:
    """Keeps Prefect's lines off the terminal, which shows our own; its server still gets them."""
    for logger in (logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))):
        for handler in logger.handlers:
            if isinstance(handler, PrefectConsoleHandler):
                handler.setLevel(logging.CRITICAL)


@contextmanager
def local_prefect(home: Path, *, schedules: bool = False) -> Iterator[None]:
    """Lets flows of this process run against a server of their own, or against the user's PREFECT_API_URL.

    Args:
        home: folder of the server: database, results of tasks (`storage/`), log (`server.log`). Made when absent.
        schedules: also run the scheduler and Prefect's page, for a process that serves deployments.

    Raises:
        GristmillError: another process uses the folder, or the server does not start.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    with _server(home, schedules) as url, _client_settings(home, url), _named_parent(schedules):
        _free_limits()
        try:
            yield
        finally:
            run_coro_as_sync(_send_what_waits())


def end_with_parent() -> None:
    """Makes a flow run that `local_prefect(schedules=True)` serves end when the serving process is gone.

    Prefect runs it in a process of its own, which would wait on for a server that does not come back, and keep its
    locks meanwhile. Does nothing elsewhere.
    """
    parent = os.getppid()
    if os.environ.get(_PARENT) == str(parent):
        Thread(target=_watch, args=(parent,), daemon=True).start()


@contextmanager
def _named_parent(schedules: bool) -> Iterator[None]:
    if schedules:
        os.environ[_PARENT] = str(os.getpid())
    try:
        yield
    finally:
        os.environ.pop(_PARENT, None)


@contextmanager
def _client_settings(home: Path, url: str) -> Iterator[None]:
    """Points this process, and the processes that Prefect starts from it, at the server."""
    settings = {
        "home": home,
        "results.local_storage_path": home / "storage",
        "api.url": url,
        "api.key": None,
        "api.auth_string": None,
        "flows.heartbeat_frequency": None,  # ending the heart's thread costs each flow a second
    }
    with temporary_settings(updates=settings):
        yield


def _free_limits() -> None:
    """Gives back the slots of concurrency limits that a killed process held; the folder's lock makes them stale."""
    with get_client(sync_client=True) as client:
        for limit in client.read_global_concurrency_limits(limit=200):
            if limit.active_slots:
                client.update_global_concurrency_limit(limit.name, GlobalConcurrencyLimitUpdate(active_slots=0))


async def _send_what_waits() -> None:
    """Sends the log lines and task events that are still queued: the server records task runs from them."""
    for drain in (APILogWorker.drain_all, EventsWorker.drain_all):
        waiting = drain(timeout=DRAIN_SECONDS)
        if isawaitable(waiting):
            await waiting


@contextmanager
def _server(home: Path, schedules: bool) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        with _locked(home / "lock", url) as lock:
            process = _start(home, listener, lock, schedules)
    try:
        _wait_until_healthy(process, url, home / "server.log")
        yield url
    finally:
        _stop(process)


@contextmanager
def _locked(path: Path, url: str) -> Iterator[IO[str]]:
    """Locks the folder and hands the lock to the server, which alone keeps it: it ends with that process.

    Raises:
        GristmillError: another process held it all through LOCK_SECONDS.
    """
    with path.open("a+", encoding="utf-8") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                lock.seek(0)
                owner = lock.read().strip() or "an unknown process"
                raise GristmillError(
                    f"Prefect's folder {path.parent} is in use by {owner}; wait until that process has ended, "
                    "or share its server by setting PREFECT_API_URL to its address"
                )
            time.sleep(0.2)
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {url}\n")
        lock.flush()
        yield lock


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(home: Path, listener: socket.socket, lock: IO[str], schedules: bool) -> subprocess.Popen[bytes]:
    """Starts the server in its own session, so that Ctrl-C reaches the flow first and the server at the end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    mode = {"PREFECT_UI_STATIC_DIRECTORY": str(home / "page")} if schedules else _ONE_RUN
    packages = [str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")]
    own = {"PREFECT_HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, packages))}
    with (home / "server.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "flows.prefect_local", str(os.getpid()), str(listener.fileno())],
            env={**inherited, **_SERVER_SETTINGS, **mode, **own},
            cwd=home,  # Prefect also reads settings from the working folder
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(listener.fileno(), lock.fileno()),
            start_new_session=True,
        )


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False, timeout=2.0) as client:
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if client.get(f"{url}/health").status_code == httpx.codes.OK:
                    return
            time.sleep(0.05)
    ended = f"ended with code {process.returncode}" if process.returncode is not None else "did not answer"
    last = "\n".join(log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()[-5:])
    raise GristmillError(f"Prefect's server {ended} while it started; the end of {log}:\n{last}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _watch(parent: int) -> None:
    """Ends this process as soon as `parent` is not its parent any more; SQLite survives that at any moment."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(0)


def _serve(parent: int, descriptor: int) -> None:
    """Runs Prefect's server on an open socket until it is told to stop or its parent is gone."""
    Thread(target=_watch, args=(parent,), daemon=True).start()
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(final=True), log_level="error", lifespan="on", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
