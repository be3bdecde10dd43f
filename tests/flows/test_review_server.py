"""The server of the review page, closed to everybody else, and the command that runs it."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from flows.review_server import POLICY
from tests.corpus.desk_project import NIGHT, DeskProject, git
from tests.flows.served_desk import TOKEN, Served


@pytest.fixture
def project(tmp_path):
    """A project with a night to review."""
    project = DeskProject(tmp_path)
    project.propose()
    yield project
    project.close()


@pytest.fixture(scope="module")
def shut(tmp_path_factory):
    """A served night of which every request of a test is to be refused: so one serves for all."""
    project = DeskProject(tmp_path_factory.mktemp("shut"))
    project.propose()
    served = Served(project)
    yield served
    served.stop()
    project.close()


def test_only_this_machine_can_reach_the_page(shut):
    """Conversations that are not published yet must not be read from the next desk."""
    assert shut.server._socket.getsockname()[0] == "127.0.0.1"
    assert shut.server.url == f"http://127.0.0.1:{shut.server.port}/{TOKEN}/"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example", ""])
def test_a_name_that_was_rebound_to_this_machine_is_refused(shut, host):
    """DNS rebinding gives another site our address, but not our name."""
    status, headers, content = shut.ask(f"/{TOKEN}/night", Host=host)
    assert status == 403
    assert b"samples" not in content
    assert headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize(
    "path", ["/", "/night", "/wrong/night", f"//{TOKEN}/night", f"/{TOKEN[:-1]}/night", "/%2e%2e/x"]
)
def test_without_the_token_there_is_nothing(shut, path):
    """Another user of this machine can reach the port, too."""
    status, _, content = shut.ask(path)
    assert status == 404
    assert b"samples" not in content


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_site_can_change_nothing(shut, headers):
    """A page elsewhere can send a request here; it cannot pretend to be the page."""
    one = shut.ids()[0]
    status, _, _ = shut.order("decide", {"id": one, "verdict": "reject"}, **headers)
    assert status == 403
    assert shut.desk.ballot(one) is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "text/plain"),
        (b"not json", "application/json"),
        (b"[]", "application/json"),
        (b"x" * 2**23 + b"y", "application/json"),
    ],
)
def test_a_body_that_is_no_order_is_refused(shut, body, content_type):
    """A form of another site cannot send JSON; a large body cannot fill the memory."""
    origin = f"http://127.0.0.1:{shut.server.port}"
    status, _, content = shut.ask(
        f"/{TOKEN}/decide", method="POST", body=body, Origin=origin, Content_Type=content_type
    )
    assert status == 400
    assert json.loads(content)["message"]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"id": "nothing", "verdict": "keep"},
        {"id": None, "verdict": "burn"},
        {"id": 0, "verdict": "edit", "texts": {"99": "x"}},
        {"id": 0, "verdict": "edit", "texts": {"²": "x"}},
        {"id": 0, "verdict": "edit", "texts": 7},
        {"id": 0, "verdict": "reject", "reason": "\u202e"},
    ],
)
def test_an_order_that_means_nothing_is_refused_with_a_message(shut, facts):
    """Whatever is sent, the answer is a sentence and not a traceback, and nothing is decided."""
    if facts.get("id") in (0, None):
        facts = {**facts, "id": shut.ids()[0]}
    status, _, content = shut.order("decide", facts)
    assert status == 422
    assert json.loads(content)["message"]
    assert shut.desk.progress().n_decided == 0


def test_every_answer_carries_the_policy(shut):
    """No inline script, no frame, nothing from elsewhere: the second lock, should the first one break."""
    for path in ("", "review.js", "night", "no-such-thing", f"samples/{shut.ids()[0]}"):
        _, headers, _ = shut.ask(f"/{TOKEN}/{path}")
        assert headers["Content-Security-Policy"] == POLICY
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
        assert headers["Cache-Control"] == "no-store"
        assert headers["Server"] is None
    assert "unsafe" not in POLICY


def test_the_page_names_no_other_place_and_has_no_inline_code():
    """What is shipped must work without a network."""
    for name in ("review.html", "review.css", "review.js", "review_parts.js", "review_list.js", "review_edit.js"):
        text = files("corpus.page").joinpath(name).read_text()
        assert not re.search(r"https?://|@import|url\(", text)
        assert not re.search(r"<[^>]+\son\w+=|<style|style=", text)


def test_what_is_decided_is_saved_when_the_server_ends(project):
    """Ctrl-C is how people end it."""
    served = Served(project)
    served.order("decide", {"id": served.ids()[0], "verdict": "keep"})
    assert project.decisions() == []
    served.stop()
    assert [line["verdict"] for line in project.decisions()] == ["keep"]
    assert "1 decision saved" in served.server.last_words


def test_the_command_prints_the_address_and_saves_when_it_is_ended(project):
    """A person ends it with Ctrl-C, a service manager with SIGTERM; both must save."""
    (project.root / "gristmill.toml").write_text('[corpus]\nremote = "corpus.git"\n')
    program = [Path(sys.executable).parent / "gristmill", "review", NIGHT, "--no-browser", "--json"]
    started = subprocess.Popen(
        [*program, "--as", "Ann Reader <ann@example.org>"], cwd=project.root, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    facts = json.loads("".join(iter(lambda: started.stdout.readline(), "}\n")) + "}")
    assert (facts["night"], facts["samples"], facts["decided"]) == (NIGHT, 6, 0)
    again = subprocess.run(
        [*program, "--as", "Ann Reader <ann@example.org>"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(again.stdout)["url"] == facts["url"], again.stderr
    port, token = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/([\w-]{32})/", facts["url"]).groups()
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    connection.request("GET", f"/{token}/night")
    first = json.loads(connection.getresponse().read())["samples"][0]["id"]
    headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}"}
    connection.request("POST", f"/{token}/decide", json.dumps({"id": first, "verdict": "keep"}), headers)
    assert connection.getresponse().status == 200
    connection.close()
    started.send_signal(signal.SIGTERM)
    _, told = started.communicate(timeout=30)
    assert started.returncode == 0, told
    assert "1 decision saved to the corpus" in told
    assert [line["sample_id"] for line in project.decisions()] == [first]
    assert git(project.remote, "log", "-1", "--format=%ae", f"night/{NIGHT}") == "ann@example.org"


def test_the_command_says_what_is_missing(project, tmp_path):
    """Without a name nothing can be committed; without a night there is nothing to read."""
    (project.root / "gristmill.toml").write_text('[corpus]\nremote = "corpus.git"\n')
    program = [Path(sys.executable).parent / "gristmill", "review", "--no-browser", "--json"]
    environment = {"PATH": shutil.os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(program, cwd=project.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--as" in json.loads(done.stdout)["message"]
