"""The review page's server: the desk over HTTP, for one reviewer on this machine and nobody else.

It listens on the loopback interface only, and a page from elsewhere that finds the port can do nothing: every path
begins with a random token, the Host must be this machine (against DNS rebinding), and what changes anything must come
from the page itself (Origin) as JSON. The page may load its own three files and nothing else, from nowhere else.
"""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from corpus import desk_view as view
from corpus.desk import Desk
from schemas.errors import CorpusError, GristmillError, InputError

log = logging.getLogger("gristmill.review")

MAX_BODY_BYTES = 8 * 2**20
"""Of a request: an edit of a conversation of a million characters, escaped, and room to spare."""

PAGE_FILES = {
    "": "review.html",
    **{
        name: name
        for name in (
            "review.css",
            "review.js",
            "review_parts.js",
            "review_list.js",
            "review_sample.js",
            "review_edit.js",
        )
    },
}
_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types reading"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Answer = Callable[[Desk, Any], Any]


class ReviewServer:
    """Serves one desk until it is stopped; what is decided by then is saved.

    `url` is the page's address, with the token. `on_saved` is told how the last save ended, as a sentence.
    """

    def __init__(self, desk: Desk, *, port: int = 0, token: str | None = None) -> None:
        """Takes the port (0: any that is free).

        Raises:
            CorpusError: the port is taken.
        """
        self.desk, self.token = desk, token or secrets.token_urlsafe(24)
        self._socket = _loopback(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/{self.token}/"
        self.last_words = ""
        self.is_saved = True
        config = uvicorn.Config(
            Guard(self._app(), self.token, self.port),
            log_config=None,
            access_log=False,
            ws="none",
            lifespan="on",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=3,
        )
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Serves until a signal or the page ends it."""
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:  # uvicorn raises again what ended it, after everything is done
            log.debug("ended by a signal")
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Ends `run` from another thread."""
        self._server.should_exit = True

    def _app(self) -> Starlette:
        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001 (Starlette's signature)
            yield
            await run_in_threadpool(self._save_last)

        routes = [Route(f"/{self.token}/{path}", partial(_page_file, name)) for path, name in PAGE_FILES.items()]
        routes += [self._route(path, answer) for path, answer in _QUESTIONS.items()]
        routes += [self._route(path, answer, method="POST") for path, answer in _ORDERS.items()]
        routes.append(Route(f"/{self.token}/finish", self._finish, methods=["POST"]))
        return Starlette(routes=routes, lifespan=lifespan)

    def _route(self, path: str, answer: Answer, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            asked = {**request.query_params, **request.path_params}
            try:
                given = await _body(request) if method == "POST" else {}
            except InputError as error:
                return _said(400, str(error))
            return await _answered(answer, self.desk, {**asked, **given})

        return Route(f"/{self.token}/{path}", endpoint, methods=[method])

    async def _finish(self, request: Request) -> Response:  # noqa: ARG002 (Starlette's signature)
        """Saves and, when that went well, ends the server."""
        answer = await _answered(_save, self.desk, {})
        self._server.should_exit = answer.status_code == 200
        return answer

    def _save_last(self) -> None:
        """Saves what is decided when the server ends; a corpus that cannot be reached leaves it on this machine."""
        try:
            n = self.desk.save().n_decisions
            self.last_words = f"{_decisions(n)} saved to the corpus" if n else "everything is saved"
        except GristmillError as error:
            self.is_saved = False
            self.last_words = _kept_here(self.desk, error)


def _loopback(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
        found.listen()  # a browser that is quicker than the server waits
    except OSError as error:
        found.close()
        raise CorpusError(
            f"port {port} cannot be used ({error.strerror}); name another with --port, or leave it out"
        ) from error
    return found


class Guard:
    """Lets through only what the page on this machine asks, and puts the page's policy on every answer."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 403 or 404 itself, or asks the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refusal(Request(scope))
        await (refused or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        given = request.url.path.split("/")[1] if request.url.path.count("/") > 1 else ""
        if host not in self._hosts:
            return _said(403, "this page is for the machine that it runs on; open it at 127.0.0.1")
        if not secrets.compare_digest(given.encode(), self._token.encode()):
            return _said(404, "there is nothing here; open the address that `gristmill review` printed")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _said(403, "another site asked; open the page itself")
        is_own = request.headers.get("origin") == f"http://{host}"
        if request.method not in ("GET", "HEAD") and not is_own:
            return _said(403, "only the review page itself may change anything")
        return None


def _with_headers(send: Send) -> Send:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message.get("headers", []), *own]
        await send(message)

    return sending


async def _page_file(name: str, request: Request) -> Response:  # noqa: ARG001 (Starlette's signature)
    content = files("corpus.page").joinpath(name).read_bytes()
    return Response(content, headers={"Content-Type": _TYPES[name.rsplit(".", 1)[1]]})


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        InputError: it is none, or too large.
    """
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise InputError(f"an edit of more than {MAX_BODY_BYTES:,} bytes; make it in the shard, with git")
    is_json = request.headers.get("content-type", "").split(";")[0] == "application/json"
    try:
        plain = orjson.loads(content or b"{}") if is_json else None
    except orjson.JSONDecodeError as error:
        raise InputError(f"this is not JSON: {error}") from error
    if not isinstance(plain, dict):
        raise InputError("what the page orders is a JSON object; load the page again")
    return plain


async def _answered(answer: Answer, desk: Desk, asked: dict[str, Any]) -> Response:
    """The answer as JSON; an error of ours as its message."""
    try:
        found = await run_in_threadpool(answer, desk, asked)
    except (InputError, KeyError, TypeError, ValueError) as error:
        return _said(422, str(error) if isinstance(error, InputError) else "the page asked for something unknown")
    except CorpusError as error:
        return _said(503, str(error))
    return Response(orjson.dumps(found), media_type="application/json")


def _said(status: int, message: str) -> Response:
    return Response(orjson.dumps({"message": message}), status, media_type="application/json")


# What the page asks and orders.


def _decide(desk: Desk, asked: Any) -> dict[str, Any]:
    sample_id, verdict = str(asked["id"]), asked["verdict"]
    messages = view.edited_messages(desk, sample_id, dict(asked["texts"])) if verdict == "edit" else None
    desk.decide(sample_id, verdict, reason=str(asked.get("reason", "")), messages=messages)
    return _moved(desk, sample_id)


def _undo(desk: Desk, asked: Any) -> dict[str, Any]:
    """Takes back the last decision; without one, that of the sample shown."""
    sample_id = desk.undo()
    if sample_id is None and desk.ballot(str(asked["id"])):
        sample_id = str(asked["id"])
        desk.decide(sample_id, None)
    return _moved(desk, sample_id) if sample_id else {"row": None, "progress": view.progress(desk)}


def _moved(desk: Desk, sample_id: str) -> dict[str, Any]:
    return {"row": view.row(desk, sample_id), "progress": view.progress(desk)}


def _diff(desk: Desk, asked: Any) -> dict[str, Any]:
    sample_id = str(asked["id"])
    return {"changes": view.diff_view(desk, sample_id, view.edited_messages(desk, sample_id, dict(asked["texts"])))}


def _save(desk: Desk, asked: Any) -> dict[str, Any]:  # noqa: ARG001 (as the others)
    try:
        saved = desk.save()
    except CorpusError as error:
        raise CorpusError(_kept_here(desk, error)) from error
    gone = f"; {_decisions(saved.n_gone)} on samples that are no longer proposed left out" if saved.n_gone else ""
    told = f"{_decisions(saved.n_decisions)} saved to the corpus" if saved.n_decisions else "Everything is saved"
    return {"message": told + gone, "overview": view.overview(desk)}


def _kept_here(desk: Desk, error: Exception) -> str:
    n = len(desk.unsaved())
    return f"{_decisions(n)} kept on this machine, not in the corpus yet: {error}"


def _decisions(n: int) -> str:
    return f"{n:,} decision{'' if n == 1 else 's'}"


_QUESTIONS: dict[str, Answer] = {
    "night": lambda desk, asked: view.overview(desk),  # noqa: ARG005
    "search": lambda desk, asked: {"ids": desk.search(asked["text"][:1000])},
    "samples/{id}": lambda desk, asked: view.sample_view(desk, asked["id"]),
    "samples/{id}/turns": lambda desk, asked: view.turns_view(desk, asked["id"], int(asked["start"]), int(asked["n"])),
    "samples/{id}/passage": lambda desk, asked: view.passage_view(
        desk, asked["id"], int(asked["turn"]), int(asked["start"])
    ),
    "samples/{id}/source": lambda desk, asked: view.source_view(desk, asked["id"], int(asked["turn"])),
    "samples/{id}/neighbours": lambda desk, asked: view.neighbours_view(desk, asked["id"]),
}
_ORDERS: dict[str, Answer] = {"decide": _decide, "undo": _undo, "diff": _diff, "save": _save}
