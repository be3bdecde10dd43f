"""Git over HTTP on loopback: git's own http-backend behind a server that wants a user and a token, as forges do."""

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest


class GitServer:
    """Serves the repositories of a folder. `redirect` sends every request elsewhere; `seen` are all that came."""

    def __init__(self, folder: Path, token: str) -> None:
        self.folder = folder
        self.token = token
        self.url = ""
        self.redirect: str | None = None
        self.redirects_before_asking = True
        self.seen: list[tuple[str, str | None]] = []

    def is_allowed(self, authorization: str | None) -> bool:
        kind, _, code = (authorization or "").partition(" ")
        return kind == "Basic" and base64.b64decode(code).decode().partition(":")[2] == self.token


def backend() -> Path:
    """The program that git serves HTTP with, or a skip."""
    folder = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    program = Path(folder) / "git-http-backend"
    if not program.exists():
        pytest.skip("git-http-backend is not installed")
    return program


@contextmanager
def git_serving(server: GitServer) -> Iterator[GitServer]:
    """Runs the server on a free port of loopback."""
    program = str(backend())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

        def _serve(self) -> None:
            authorization = self.headers.get("authorization")
            server.seen.append((self.path, authorization))
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            is_allowed = server.is_allowed(authorization)
            if server.redirect and (is_allowed or server.redirects_before_asking):
                self.send_response(302)
                self.send_header("Location", server.redirect + self.path)
                self.end_headers()
            elif not is_allowed:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
            else:
                self._git(body)

        def _git(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            facts = {
                "GIT_PROJECT_ROOT": str(server.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
                "REMOTE_USER": "somebody",
                "PATH": os.environ["PATH"],
                "HOME": str(server.folder),
            }
            answer = subprocess.run([program], input=body, env=facts, capture_output=True, check=False).stdout
            head, _, content = answer.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815 (the names that http.server calls)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
