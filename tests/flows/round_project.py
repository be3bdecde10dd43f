"""A project whose night is reviewed, and somebody who waits for its round."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from flows import trigger
from flows.rounds import Round
from flows.settings_file import Project, read_project
from flows.trigger import Merged
from tests.corpus.reviewed_night import Night

WRITES = "import os, sys; open(sys.argv[1], 'a').write(os.environ['GRISTMILL_ROUND'] + chr(10)); print(sys.argv[2:])"

SECRET = "-".join(["a", "long", "enough", "secret"])
RELEASE = """
[review]
honeypots = 0

[release]
min_new_samples = 3
validation_share = 0.0
test_share = 0.0
"""


@dataclass
class RoundProject:
    """A night of six samples on its branch, in a project with these settings of releases."""

    root: Path
    release: str = ""
    night: Night = field(init=False)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.night = Night(self.root)
        self.settings(self.release)

    def settings(self, release: str) -> Project:
        (self.root / "gristmill.toml").write_text(RELEASE + release)
        return self.project

    @property
    def project(self) -> Project:
        return read_project(self.root / "gristmill.toml")

    def finish(self, *rejected: str) -> None:
        """A reviewer unticks some and says that the review is done."""
        ann = self.night.person("ann").untick(*rejected)
        ann.commit("review: done").push()

    def ledger(self, tag: str) -> dict:
        return json.loads((self.root / "var" / "rounds" / f"{tag}.json").read_bytes())


@dataclass
class Receiver:
    """Takes rounds over HTTP, and drops a second start of the same one."""

    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        self.paths.append(path)
        self.headers.append(headers)
        if not self.is_genuine(headers, body):
            self.problems.append("signature")
            return 401, {}, b""
        if self.answers:
            return self.answers.pop(0)
        self.bodies[headers["webhook-id"]] = body
        return 202, {"Content-Type": "application/json"}, b"{}"

    def is_genuine(self, headers: dict[str, str], body: bytes) -> bool:
        """As Standard Webhooks say, written apart from the code that signs."""
        signed = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
        mac = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        return headers["webhook-signature"] == f"v1,{mac}"


@contextmanager
def receiving(receiver: Receiver, port: int = 0) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            given = {name.lower(): value for name, value in self.headers.items()}
            status, headers, content = receiver.take(self.path, given, body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/rounds"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def webhook_settings(url: str) -> str:
    return f'next_round = "webhook"\nwebhook_url = "{url}"\n'


def command_settings(code: str, *arguments: str, more: str = "") -> str:
    """A round whose command is a Python program."""
    return f"next_round = 'command'\ncommand = {json.dumps([sys.executable, '-c', code, *arguments])}\n{more}"


def everything(made: RoundProject) -> tuple[list[Merged], list[Round]]:
    done = list(trigger.run_trigger(made.project))
    return [one for one in done if isinstance(one, Merged)], [one for one in done if isinstance(one, Round)]


def later(one: Round | dict) -> datetime:
    """The instant of the next try."""
    at = one.next_try_at if isinstance(one, Round) else one["next_try_at"]
    return datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
