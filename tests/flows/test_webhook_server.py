"""The door for a forge's webhook: real HTTP, real signatures; only a genuine request about a night wakes anything."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from corpus.forge.webhook import BODY_BYTES
from flows.serving import door_of
from flows.webhook_server import Forge, Waker, WebhookServer
from schemas.errors import CorpusError, SettingsError
from tests.flows.round_project import SECRET, RoundProject

MERGED = {
    "action": "closed",
    "repository": {"full_name": "ann/corpus"},
    "pull_request": {
        "number": 7,
        "merged": True,
        "head": {"ref": "night/2026-11-04", "repo": {"full_name": "ann/corpus"}},
    },
}
FORGE_SETTINGS = '[forge]\nkind = "github"\nproject = "ann/corpus"\n'


class Door:
    """A server that counts what it wakes."""

    def __init__(self, kind: str = "github", secret: str = SECRET) -> None:
        self.woken = 0
        self.server = WebhookServer(Forge(kind, "ann/corpus", secret), self.wake)

    def wake(self) -> None:
        self.woken += 1

    def post(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        return httpx.post(self.server.url, content=body, headers=headers, timeout=10, trust_env=False)

    def github(self, told: dict, *, secret: str = SECRET, delivery: str = "1", event: str = "pull_request") -> int:
        body = json.dumps(told).encode()
        mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={mac}", "X-GitHub-Event": event, "X-GitHub-Delivery": delivery}
        return self.post(body, headers).status_code


@contextmanager
def opened(door: Door) -> Iterator[Door]:
    thread = threading.Thread(target=door.server.run)
    thread.start()
    try:
        yield door
    finally:
        door.server.stop()
        thread.join(10)
        assert not thread.is_alive()


def test_a_merge_that_the_forge_signed_wakes_the_trigger():
    """A person merged on the forge: nobody waits for the next quarter of an hour."""
    with opened(Door()) as door:
        assert (door.github(MERGED), door.woken) == (202, 1)
        assert (door.github({**MERGED, "action": "opened"}, delivery="2"), door.woken) == (202, 1), "genuine, not ours"
        assert (door.github({"zen": "ping"}, delivery="3", event="ping"), door.woken) == (202, 1)


def test_nobody_else_wakes_anything():
    """The address is public; a wrong signature, none, and another body under a right one are all strangers."""
    with opened(Door()) as door:
        assert door.github(MERGED, secret="x" * 20) == 401
        assert door.post(json.dumps(MERGED).encode(), {"X-GitHub-Event": "pull_request"}).status_code == 401
        mac = hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest()
        assert door.post(json.dumps(MERGED).encode(), {"X-Hub-Signature-256": f"sha256={mac}"}).status_code == 401
        mac = hmac.new(SECRET.encode(), b"not json", hashlib.sha256).hexdigest()
        assert door.post(b"not json", {"X-Hub-Signature-256": f"sha256={mac}"}).status_code == 401
        assert httpx.get(door.server.url, trust_env=False).status_code == 405
        assert door.woken == 0


def test_a_second_delivery_of_the_same_is_dropped():
    """By the forge's id, and by the body, since the id is not signed: who recorded a request changes it at will."""
    with opened(Door()) as door:
        assert [door.github(MERGED, delivery=one) for one in ("a", "a", "b")] == [202, 202, 202]
        assert door.woken == 1
        again = {**MERGED, "number": 8}
        assert door.github(again, delivery="a") == 202 and door.woken == 1
        assert door.github({**MERGED, "number": 9}, delivery="c") == 202 and door.woken == 2


def test_gitlab_and_gitea_prove_themselves_in_their_own_way():
    """A token as it is, and a signature without prefix."""
    told = {
        "object_kind": "merge_request",
        "project": {"path_with_namespace": "ann/corpus"},
        "object_attributes": {
            "action": "merge", "iid": 7, "source_branch": "night/2026-11-04",
            "source_project_id": 1, "target_project_id": 1,
        },
    }  # fmt: skip
    body = json.dumps(told).encode()
    with opened(Door("gitlab")) as door:
        assert door.post(body, {"X-Gitlab-Token": "wrong", "X-Gitlab-Event": "Merge Request Hook"}).status_code == 401
        assert door.post(body, {"X-Gitlab-Token": SECRET, "X-Gitlab-Event-UUID": "1"}).status_code == 202
        assert door.woken == 1
    body = json.dumps(MERGED).encode()
    with opened(Door("gitea")) as door:
        mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert door.post(body, {"X-Gitea-Signature": "0" * 64, "X-Gitea-Event": "pull_request"}).status_code == 401
        assert door.post(body, {"X-Gitea-Signature": mac, "X-Gitea-Event": "pull_request"}).status_code == 202
        assert door.woken == 1


def test_a_giant_body_is_refused_before_it_is_read():
    """Told by its length or not; memory is not for strangers."""
    with opened(Door()) as door:
        with socket.create_connection(("127.0.0.1", door.server.port)) as raw:
            raw.sendall(f"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_BYTES + 1}\r\n\r\n".encode())
            assert b" 413 " in raw.recv(200)

        def pieces():
            for _ in range(BODY_BYTES // 2**20 + 2):
                yield b"x" * 2**20

        try:
            status = httpx.post(door.server.url, content=pieces(), trust_env=False).status_code
        except httpx.WriteError:  # the door was shut while we were still talking
            status = 413
        assert status == 413 and door.woken == 0


def test_a_body_that_never_comes_is_not_waited_for(monkeypatch):
    """Many slow strangers must not keep the forge out."""
    monkeypatch.setattr("flows.webhook_server.BODY_S", 0.2)
    with opened(Door()) as door, socket.create_connection(("127.0.0.1", door.server.port)) as raw:
        raw.sendall(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        raw.settimeout(5)
        assert b" 408 " in raw.recv(200)
        assert door.github(MERGED) == 202


def test_many_calls_wake_once_more_and_never_two_at_a_time():
    """A night with a hundred comments is looked at after the last of them, not a hundred times."""
    running, most, ran = [0], [0], [0]
    gate = threading.Event()

    def work() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        gate.wait(5)
        ran[0] += 1
        running[0] -= 1
        if ran[0] == 1:
            raise CorpusError("the first time fails")

    waker = Waker(work)
    waker.wake()
    while not running[0]:
        time.sleep(0.01)
    for _ in range(100):
        waker.wake()
    gate.set()
    end = time.monotonic() + 5
    while ran[0] < 2 and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)
    waker.end(5)
    assert (ran[0], most[0]) == (2, 1)


def test_a_taken_port_is_told():
    """The commonest failure of a second start."""
    door = Door()
    with opened(door), pytest.raises(CorpusError, match="cannot be listened on"):
        WebhookServer(Forge("github", "ann/corpus", SECRET), door.wake, port=door.server.port)


@pytest.mark.parametrize(
    ("settings", "address", "secret", "said"),
    [
        ("", "8765", SECRET, 'forge.kind is "none"'),
        (FORGE_SETTINGS, "8765", "short", "has 5 characters"),
        (FORGE_SETTINGS, "anywhere", SECRET, "is no address"),
        (FORGE_SETTINGS, "70000", SECRET, "is no address"),
        ('[forge]\nkind = "github"\n', "8765", SECRET, "forge.project is not set"),
    ],
)
def test_a_door_without_forge_secret_or_address_is_refused(tmp_path, monkeypatch, settings, address, secret, said):
    """Found when it is opened, not when the first merge is lost."""
    monkeypatch.setenv("GRISTMILL_FORGE_WEBHOOK_SECRET", secret)
    made = RoundProject(tmp_path / "p", settings)
    with pytest.raises(SettingsError, match=said):
        door_of(made.project, address)


def test_a_door_is_on_this_machine_unless_a_host_is_named(tmp_path, monkeypatch):
    """Nothing listens to the world by accident."""
    monkeypatch.setenv("GRISTMILL_FORGE_WEBHOOK_SECRET", SECRET)
    project = RoundProject(tmp_path / "p", FORGE_SETTINGS).project
    door = door_of(project, "8765")
    assert (door.host, door.port, door.forge.project) == ("127.0.0.1", 8765, "ann/corpus")
    assert door_of(project, "[::1]:80").host == "::1" and door_of(project, "0.0.0.0:80").host == "0.0.0.0"


def test_two_requests_at_once_are_both_answered():
    """A push and a merge come in the same second."""
    with opened(Door()) as door:

        async def both() -> list[int]:
            given = [{**MERGED, "number": n} for n in range(4)]
            return await asyncio.gather(
                *(asyncio.to_thread(door.github, one, delivery=str(n)) for n, one in enumerate(given))
            )

        assert asyncio.run(both()) == [202] * 4 and door.woken == 4
