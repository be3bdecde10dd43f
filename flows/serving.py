"""What is served beside the night: settling on its own schedule, and the door for a forge's webhook."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread

from prefect import aserve
from prefect.deployments import run_deployment
from prefect.deployments.runner import RunnerDeployment

from corpus.forge import project_name
from corpus.forge.webhook import SECRET_CHARACTERS
from corpus.remote import remote_of
from flows.settings_file import Project
from flows.webhook_server import Forge, Waker, WebhookServer
from schemas.errors import SettingsError

SETTLE = "settle"
"""Name of the deployment of the flow gristmill-settle."""

_WOKEN_S = 3600.0
"""How long what a webhook woke is waited for before the next may begin; its lock keeps them apart all the same."""

_JOIN_S = 10.0


@dataclass(frozen=True)
class WebhookDoor:
    """Where a forge's webhook is listened for, and whose is believed."""

    forge: Forge
    host: str
    port: int


def door_of(project: Project, address: str) -> WebhookDoor:
    """The door at `[HOST:]PORT`, on the loopback address when no host is named.

    Raises:
        SettingsError: it is no address, there is no forge, or the secret is missing or too short.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"--webhook {address!r} is no address; write a port, or HOST:PORT")
    forge = project.settings.forge
    if forge.kind == "none":
        raise SettingsError('--webhook listens to a forge, and forge.kind is "none"; name yours in the settings')
    secret = os.environ.get(forge.webhook_secret_env, "")
    if len(secret) < SECRET_CHARACTERS:
        raise SettingsError(
            f"{forge.webhook_secret_env} has {len(secret)} characters; put the webhook's secret there, "
            f"{SECRET_CHARACTERS} or more, the same as at the forge"
        )
    name = project_name(forge, remote_of(project.settings.corpus.remote, project.root))
    return WebhookDoor(Forge(forge.kind, name, secret), host.strip("[]") or "127.0.0.1", int(port))


@contextmanager
def served_beside(*deployments: RunnerDeployment) -> Iterator[None]:
    """Serves deployments in a thread, one run at a time, and not in line with what the main thread serves.

    They are known to Prefect's server when the block begins, so a webhook that comes at once finds them.
    """
    for deployment in deployments:
        deployment.apply()
    started = Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        started.set()
        try:
            await aserve(*deployments, print_starting_message=False, pause_on_shutdown=False, limit=1)
        except asyncio.CancelledError:  # how it ends
            return

    thread = Thread(target=partial(copy_context().run, asyncio.run, main()), daemon=True, name="gristmill-settle")
    thread.start()
    started.wait()
    try:
        yield
    finally:
        loop, task = running[0]
        if thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
        thread.join(_JOIN_S)


@contextmanager
def knocked_at(door: WebhookDoor | None) -> Iterator[str | None]:
    """Listens for a forge's webhook, each of which begins a run of the settling; gives the address."""
    if door is None:
        yield None
        return
    context = copy_context()  # which has the address of Prefect's server
    waker = Waker(lambda: context.copy().run(_settle_now))
    server = WebhookServer(door.forge, waker.wake, host=door.host, port=door.port)
    thread = Thread(target=server.run, daemon=True, name="gristmill-webhook")
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join(_JOIN_S)
        waker.end(_JOIN_S)


def _settle_now() -> None:
    run_deployment(f"gristmill-settle/{SETTLE}", timeout=_WOKEN_S, poll_interval=1, as_subflow=False)
