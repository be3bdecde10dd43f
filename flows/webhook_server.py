"""The small door for a forge's webhook: whoever proves to be the forge wakes the trigger, nobody else does anything.

A request is read only as far as its signature allows (corpus/forge/webhook.py) and answered at once; what it wakes
reads the corpus itself, so a request says when to look and never what is there. Many requests in a row wake once more,
not many times, and what is woken never runs twice at a time. It listens on the loopback address; a reverse proxy in
front gives it TLS and a name.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Condition, Thread

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from corpus.forge.webhook import BODY_BYTES, Kind, WebhookRefused, read_event
from schemas.errors import CorpusError, GristmillError

log = logging.getLogger("gristmill.webhook")

PATH = "/webhook"

BODY_S = 10.0
"""GitHub gives a delivery up after ten seconds, so a body that takes longer is nobody's."""

_AT_ONCE = 8
"""Requests under way: eight of the largest allowed bodies are 200 MiB. More are told to come back (503)."""

_REMEMBERED = 4096
"""Deliveries that a second one is known by; a replay of an older one wakes the trigger, which finds nothing to do."""

_DELIVERY_HEADERS = (
    "x-github-delivery",
    "x-gitea-delivery",
    "x-forgejo-delivery",
    "x-gitlab-event-uuid",
    "idempotency-key",
    "webhook-id",
)


@dataclass(frozen=True)
class Forge:
    """Whose webhooks are believed: the kind of forge, the project (owner/name), and the shared secret."""

    kind: Kind
    project: str
    secret: str


class Waker:
    """Runs `work` in a thread of its own each time after `wake`, once for all calls that came meanwhile."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work, self._changed = work, Condition()
        self._is_wanted = self._is_ended = False
        self._thread = Thread(target=self._run, daemon=True, name="gristmill-waker")
        self._thread.start()

    def wake(self) -> None:
        """Sees to it that the work begins after this call."""
        with self._changed:
            self._is_wanted = True
            self._changed.notify()

    def end(self, wait_s: float) -> None:
        """Begins nothing any more, and waits so long for the work under way."""
        with self._changed:
            self._is_ended = True
            self._changed.notify()
        self._thread.join(wait_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_wanted or self._is_ended)
                if self._is_ended:
                    return
                self._is_wanted = False
            try:
                self._work()
            except GristmillError as error:  # the schedule does it again
                log.warning("what a webhook woke did not end well: %s", error)
            except Exception:  # one failure must not make the door deaf
                log.exception("what a webhook woke failed")


class _Seen:
    """The last deliveries, by the forge's id and by the body's digest: an id is not part of what is signed."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    def add(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Remembers a delivery; whether it is new."""
        ids = [f"{name} {headers[name]}" for name in _DELIVERY_HEADERS if headers.get(name)]
        ids.append(hashlib.sha256(body).hexdigest())
        is_new = not any(one in self._known for one in ids)
        for one in ids:
            self._known[one] = None
            self._known.move_to_end(one)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return is_new


class WebhookServer:
    """Listens for one forge's webhooks and calls `wake` for each that tells something of a night.

    `wake` must return at once. `url` is where it listens.
    """

    def __init__(
        self,
        forge: Forge,
        wake: Callable[[], None],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes the port (0: any that is free).

        Raises:
            CorpusError: the address cannot be used.
        """
        self._forge, self._wake, self._clock, self._seen = forge, wake, clock, _Seen()
        self._socket = _listening(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}{PATH}"
        config = uvicorn.Config(
            Starlette(routes=[Route(PATH, self._receive, methods=["POST"])]),
            log_config=None,
            access_log=False,
            ws="none",
            lifespan="off",
            server_header=False,
            limit_concurrency=_AT_ONCE,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=3,
        )
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Serves until `stop`; beside the main thread, which alone is told of signals."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Ends `run` from another thread."""
        self._server.should_exit = True

    async def _receive(self, request: Request) -> Response:
        try:
            body = await asyncio.wait_for(_body(request), BODY_S)
        except TimeoutError:
            return _said(408, f"the body did not come in {BODY_S:g} s")
        except ClientDisconnect:
            return _said(400, "the body broke off")
        if body is None:
            return _said(413, f"more than {BODY_BYTES:,} bytes; no forge sends as much")
        forge = self._forge
        try:
            event = read_event(forge.kind, forge.project, request.headers, body, forge.secret, self._clock())
        except WebhookRefused as error:
            log.warning("%s", error)
            return _said(401, str(error))
        if event is None:
            return _said(202, "nothing about a night")
        if not self._seen.add(request.headers, body):
            return _said(202, "told before")
        log.info("the forge tells of a night: %s", event.kind)
        self._wake()
        return _said(202, "looking")


async def _body(request: Request) -> bytes | None:
    """The body as it came; None as soon as it is larger than a forge's."""
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and (len(told) > 15 or int(told) > BODY_BYTES):
        return None
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > BODY_BYTES:
            return None
    return bytes(content)


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise CorpusError(
            f"{host}:{port} cannot be listened on ({error.strerror}); name another address with --webhook HOST:PORT"
        ) from error


def _said(status: int, message: str) -> Response:
    return Response(orjson.dumps({"message": message}), status, media_type="application/json")
