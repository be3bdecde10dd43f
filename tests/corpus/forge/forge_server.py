"""What the forges on loopback have in common: they behave like the real ones as far as we use them, and refuse alike.

Each keeps pull requests and what people say on them. `faults` are answers given before the next ones of its own: to one
request each. Nothing is lenient: a path, a parameter or a field that the forge does not know is refused.
"""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

TOKEN = "".join(("gristmill", "-test-", "token-", "0123456789abcdef"))


@dataclass
class Answer:
    """What the server says; a value becomes JSON, bytes stay as they are."""

    status: int = 200
    value: object = None
    headers: dict[str, str] = field(default_factory=dict)
    is_dropped: bool = False

    @property
    def content(self) -> bytes:
        return self.value if isinstance(self.value, bytes) else json.dumps(self.value).encode()


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: object


@dataclass
class Said:
    """`where` is conversation, review, line or system."""

    id: int
    author: str | None
    text: str
    at: str
    where: str = "conversation"


@dataclass
class Pull:
    """A pull request as the server keeps it."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    state: str = "open"
    is_fork: bool = False
    said: list[Said] = field(default_factory=list)


class Refused(Exception):
    """Carries the answer of a refusal."""

    def __init__(self, status: int, value: object = None) -> None:
        self.answer = Answer(status, value if value is not None else {"message": f"refused with {status}"})


class ForgeServer(ABC):
    """What the three have in common. `branches` are those that were pushed."""

    kind = ""
    scheme = "Bearer"

    def __init__(self, project: str = "ann/corpus") -> None:
        self.project = project
        self.pulls: list[Pull] = []
        self.requests: list[Request] = []
        self.faults: list[Answer] = []
        self.fault_of: Callable[[Request], Answer | None] = lambda _: None
        self.branches = {"main", "night/2026-11-04"}
        self.moved_from: str | None = None
        self.fork = "eve/corpus"
        self.url = ""
        self._next_id = 100

    # ---- What people do on the forge.

    def open(self, branch: str, *, is_fork: bool = False, state: str = "open") -> Pull:
        pull = Pull(len(self.pulls) + 1, branch, "main", "a person's title", "a person's words", state, is_fork)
        self.pulls.append(pull)
        return pull

    def say(self, number: int, author: str | None, text: str, at: str, where: str = "conversation") -> Said:
        self._next_id += 1
        said = Said(self._next_id, author, text, at, where)
        self.pull(number).said.append(said)
        return said

    def pull(self, number: int) -> Pull:
        found = [pull for pull in self.pulls if pull.number == number]
        if not found:
            raise Refused(404)
        return found[0]

    # ---- HTTP.

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if self.faults:
            return self.faults.pop(0)
        if fault := self.fault_of(request):
            return fault
        if request.headers.get("authorization") != f"{self.scheme} {TOKEN}":
            return Answer(401, {"message": "Bad credentials"})
        if not request.headers.get("user-agent", "").startswith("gristmill/"):
            return Answer(403, {"message": "a User-Agent is needed"})
        try:
            return self.route(request)
        except Refused as refused:
            return refused.answer

    @abstractmethod
    def route(self, request: Request) -> Answer:
        """What the forge answers to a request that it may be asked."""

    def page(self, request: Request, entries: list[object], size_key: str, known: set[str]) -> Answer:
        """One page with the header Link, as all three write it."""
        if unknown := set(request.query) - known - {size_key, "page"}:
            raise Refused(400, {"message": f"unknown parameters {sorted(unknown)}"})
        size, number = min(int(request.query.get(size_key, 20)), 50), int(request.query.get("page", 1))
        shown = entries[(number - 1) * size : number * size]
        headers = {}
        if number * size < len(entries):
            headers["Link"] = f'<{self.url}{request.path}?page={number + 1}>; rel="next"'
        return Answer(200, shown, headers)


def fields(request: Request, needed: set[str], known: set[str] = frozenset()) -> dict[str, object]:
    """The JSON object sent, with all that is needed and nothing unknown."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(415)
    given = request.content
    if not isinstance(given, dict) or needed - set(given) or set(given) - needed - known:
        raise Refused(422, {"message": "Validation Failed", "errors": [{"code": "missing_field", "field": "?"}]})
    if not all(isinstance(value, (str, bool)) for value in given.values()):
        raise Refused(422, {"message": "fields are texts"})
    return given


@contextmanager
def serving(forge: ForgeServer) -> Iterator[ForgeServer]:
    """Runs the server on a free port of loopback; `forge.url` says which."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 2**16  # head and body in one packet, else the other side's acknowledgement is waited for

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            content = json.loads(raw) if raw else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            answer = forge.answer(Request(self.command, parts.path, query, headers, content))
            if answer.is_dropped:
                self.close_connection = True
                self.connection.shutdown(2)
                return
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json; charset=utf-8", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(answer.content)
                self.wfile.flush()

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 (the names that http.server calls)

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that leaves is no news."""

    server = Quiet(("127.0.0.1", 0), Handler)
    forge.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
