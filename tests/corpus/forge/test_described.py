"""Our calls against the forges' own OpenAPI descriptions, served by a mock server that refuses what they refuse."""

import re
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from corpus.forge import Clock, ForgeRefused, PullRequest
from corpus.forge.access import Access
from corpus.forge.connection import Connection, Reply
from corpus.forge.gitea import Gitea
from corpus.forge.github import GitHub
from corpus.forge.gitlab import GitLab
from tests.corpus.forge.published import description, prism

pytestmark = pytest.mark.slow

FORGES = {"github": GitHub, "gitlab": GitLab, "gitea": Gitea}
BRANCH = "night/2026-11-04"


@contextmanager
def mock_server(kind: str, log):
    """The address of a mock server of the forge's description; `log` is a file for what it says."""
    command, described = prism(), description(kind)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["mock", "--host", "127.0.0.1", "--port", str(port), str(described)]
    with log.open("w") as said, subprocess.Popen([*command, *arguments], stdout=said, stderr=said) as server:
        try:
            deadline = time.monotonic() + 120
            while "is listening" not in log.read_text():
                assert server.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="module", params=["github", "gitlab", "gitea"])
def described(request, tmp_path_factory):
    with mock_server(request.param, tmp_path_factory.mktemp("prism") / "log") as url:
        yield request.param, url


def forge_on(described):
    """Our forge, with the paths of its API below the mock server's address as the description writes them."""
    kind, url = described
    forge = FORGES[kind](
        "https://git.example.org", "ann/corpus", Access(kind, "X", "test-token"), Clock(wait=lambda _: None)
    )
    base = httpx.URL(forge._connection.api)
    # GitHub's and Gitea's paths begin behind the API's folder; GitLab's description has the folder in its paths.
    forge._connection.api = f"{url}{base.path if kind == 'gitlab' else ''}".rstrip("/")
    asked = forge._connection.ask

    def ask(method: str, address: str, body: bytes = b"") -> Reply:
        """The examples always name a next page; GitLab's description has one note where its forge gives a list."""
        reply = replace(asked(method, address, body), has_next=False, n_entries=None)
        if kind == "gitlab" and method == "GET" and isinstance(reply.value, dict):
            reply = replace(reply, value=[reply.value], content=b"[" + reply.content + b"]")
        return reply

    forge._connection.ask = ask
    return forge


def accepted(call: Callable[[], object]) -> None:
    """Makes a call that the mock server must take; where a description has no examples, it answers "string"."""
    try:
        call()
    except ForgeRefused as error:
        if not re.search(r"in a form that is not its API's \([^)]*(html_url|web_url|state)", str(error)):
            raise


def test_every_call_satisfies_the_description(described):
    """Paths, parameters, headers and bodies: the mock server answers 4xx to what the description does not have."""
    forge = forge_on(described)
    review = PullRequest(1, "https://git.example.org/1", "open", BRANCH, "main")
    accepted(lambda: forge._create(BRANCH, "main", "night: 2026-11-04, 6 conversations", "Rated 5.0 of 10.\n"))
    accepted(lambda: list(forge._of_branch(BRANCH)))
    accepted(lambda: forge._edit(review, "night: 2026-11-04, 7 conversations", "Rated 5.0 of 10.\n"))
    accepted(lambda: forge._set_closed(review))
    accepted(lambda: forge._comment(review, "Withdrawn."))
    accepted(lambda: forge.comments(review))


def test_the_mock_server_does_refuse(described):
    """Else the test before proves nothing."""
    forge = forge_on(described)
    connection: Connection = forge._connection
    pulls = getattr(forge, "_pulls", None) or forge._requests
    with pytest.raises(Exception, match="4(00|04|22)|has no"):
        connection.send("POST", pulls, {"title": 7})
    with pytest.raises(Exception, match="has no"):
        connection.get(f"{pulls}/no/such/place")
