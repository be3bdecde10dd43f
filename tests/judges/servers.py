"""A small HTTP server that speaks the chat completions API as its script says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any], int], tuple[int, dict[str, str], bytes] | None]


class Server(ThreadingHTTPServer):
    """Keeps the requests; `answer(request, number)` gives status, headers and body, None closes the connection."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:  # noqa: N802
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(request)
            self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
            number = len(self.server.requests)
        answer = self.server.answer(request, number)
        if answer is None:
            self.close_connection = True
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def completion(text: str, logprobs: Any = None) -> tuple[int, dict[str, str], bytes]:
    """A whole chat completion that says `text`."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice | ({"logprobs": logprobs} if logprobs else {})],
        "usage": {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100},
    }
    return 200, {}, json.dumps(body).encode()


def refusal(status: int, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """An error as servers word it."""
    return status, headers, json.dumps({"error": {"message": f"no ({status})", "type": "error"}}).encode()


def slow(seconds: float) -> tuple[int, dict[str, str], bytes]:
    """An answer that comes late."""
    time.sleep(seconds)
    return completion("7")


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    """The server, running."""
    server = Server(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
