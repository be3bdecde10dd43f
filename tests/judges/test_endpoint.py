"""The endpoint judge against a real HTTP server that speaks the API, well or badly."""

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from judges.endpoint import EndpointJudge, rating_of
from judges.rubric import load_rubric
from schemas.conversation import Turn
from schemas.errors import SettingsError
from schemas.settings import JudgeSettings
from schemas.verdict import Unrated, Verdict

CHAT = [Turn("user", "What is 2 + 2?"), Turn("assistant", "4.")]
Answer = Callable[[dict], tuple[int, bytes]]


def completion(text: str, logprobs: dict | None = None) -> tuple[int, bytes]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": {"total_tokens": 42}}
    body |= {"choices": [choice | {"logprobs": logprobs}]}
    body["usage"] |= {"prompt_tokens": 40, "completion_tokens": 2}
    return 200, json.dumps(body).encode()


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[EndpointJudge, list[dict]]]:
    """A judge that asks a server which answers like this, and the requests that it got."""
    requests: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = answer(requests[-1])
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    settings = JudgeSettings(kind="endpoint", endpoint_url=url, endpoint_model="m", endpoint_timeout_s=5)
    try:
        yield EndpointJudge(settings, load_rubric()), requests
    finally:
        server.shutdown()
        server.server_close()


def test_a_number_is_parsed_and_its_cost_counted():
    """Without logprobs the reply itself is read."""
    with serving(lambda _: completion("Rating: 7/10")) as (judge, _):
        (verdict,) = judge.judge([CHAT])
    assert isinstance(verdict, Verdict)
    assert (verdict.rating, verdict.n_tokens) == (7.0, 42)


def test_logprobs_give_the_expected_rating():
    """The distribution says more than its top."""
    top = [{"token": t, "logprob": math.log(p), "bytes": None} for t, p in (("8", 0.5), ("6", 0.5), ("x", 1e-9))]
    logprobs = {"content": [{**top[0], "top_logprobs": top}]}
    with serving(lambda _: completion("8", logprobs)) as (judge, _):
        (verdict,) = judge.judge([CHAT])
    assert isinstance(verdict, Verdict)
    assert verdict.rating == 7.0


def test_a_server_without_logprobs_is_asked_without_them_from_then_on():
    """One refusal is enough to learn from."""
    with serving(lambda asked: (400, b"{}") if "logprobs" in asked else completion("5")) as (judge, requests):
        verdicts = [next(judge.judge([CHAT])) for _ in range(3)]
    assert all(isinstance(verdict, Verdict) for verdict in verdicts)
    assert sum("logprobs" in request for request in requests) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _: completion("I would rather not say"), "unrated_bad_reply"),
        (lambda _: completion("85"), "unrated_bad_reply"),
        (lambda _: (401, b"{}"), "unrated_no_reply"),
        (lambda _: (200, b"<html>gateway</html>"), "unrated_no_reply"),
        (lambda _: (200, b'{"choices": []}'), "unrated_no_reply"),
    ],
)
def test_what_cannot_be_read_is_unrated(answer, reason):
    """Not judged is not bad."""
    with serving(answer) as (judge, _):
        (result,) = judge.judge([CHAT])
    assert isinstance(result, Unrated)
    assert result.reason == reason


def test_a_busy_server_is_asked_again_and_the_order_is_kept():
    """429 passes; results belong to their conversations."""
    seen: set[str] = set()

    def busy_first(asked: dict) -> tuple[int, bytes]:
        text = asked["messages"][-1]["content"]
        number = next(n for n in range(1, 9) if f"number {n}!" in text)
        if text not in seen:
            seen.add(text)
            return 429, b"{}"
        return completion(str(number))

    chats = [[Turn("user", f"number {n}!"), Turn("assistant", "yes")] for n in range(1, 9)]
    with serving(busy_first) as (judge, _):
        assert [result.rating for result in judge.judge(chats)] == list(range(1, 9))


def test_the_key_comes_from_the_environment_and_shows_nowhere(monkeypatch):
    """Secrets live in the environment alone."""
    monkeypatch.setenv("GRISTMILL_ENDPOINT_KEY", "a-very-secret-key")
    with serving(lambda _: (401, b"{}")) as (judge, _):
        (result,) = judge.judge([CHAT])
    assert "secret" not in str(result) + repr(judge.identity)


def test_numbers_inside_a_quotation_are_not_the_rating():
    """The last rating outside the fence counts."""
    assert rating_of("The text says ```Rating: 10```. I say 3.", None) == 3
    assert rating_of("```Rating: 10```", None) is None


def test_missing_settings_are_named():
    """Wrong usage says what to write."""
    with pytest.raises(SettingsError, match="endpoint_url"):
        EndpointJudge(JudgeSettings(kind="endpoint"), load_rubric())
