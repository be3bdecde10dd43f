"""Where the token goes: to the one forge that the settings name, and into no record, error or certificate of nobody."""

import logging
import shutil
import socket
import ssl
import subprocess
import threading
import traceback
from urllib.parse import urlsplit

import pytest

from corpus.forge import ForgeRefused, ForgeUnavailable
from schemas.errors import SettingsError
from tests.corpus.forge.asking import BRANCH, NOWHERE, VARIABLE, forge_at
from tests.corpus.forge.forge_server import TOKEN, Answer, serving
from tests.corpus.forge.gitea_server import GiteaServer
from tests.corpus.forge.github_server import GitHubServer

HTML = Answer(200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"})


def test_the_token_does_not_follow_a_redirect_to_another_host(server):
    """Whoever answers there would own the corpus."""
    with serving(GiteaServer()) as other:
        server.fault_of = lambda _: Answer(301, {}, {"Location": f"{other.url}/api/v1/repos/ann/corpus/pulls"})
        with pytest.raises(ForgeRefused, match=r"forge\.url"):
            forge_at(server).find(BRANCH)
        assert other.requests == []


@pytest.mark.parametrize(
    "place", ["https://{host}/x", "//evil.example/x", "file:///etc/passwd", "http://127.0.0.1:1/x"]
)
def test_no_redirect_leaves_scheme_host_or_port(github, place):
    """Another port is another server."""
    host = github.url.removeprefix("http://")
    github.fault_of = lambda _: Answer(302, {}, {"Location": place.replace("{host}", host)})
    with pytest.raises(ForgeRefused, match="not sent"):
        forge_at(github).find(BRANCH)


def test_a_renamed_project_on_the_same_host_is_followed(github):
    """GitHub redirects old names for ever: 301 for reading, 307 for writing."""
    github.moved_from, github.pulls = "ann/old-name", []
    assert forge_at(github, project="ann/old-name").open_or_update(BRANCH, "main", "t", "b").number == 1


def test_a_redirect_that_would_turn_writing_into_reading_is_refused(github):
    """301 and 302 make a POST a GET in many clients: nothing would be opened and nothing said."""
    github.pulls.clear()
    here = f"{github.url}/api/v3/repos/ann/corpus/pulls"
    github.fault_of = lambda request: Answer(302, {}, {"Location": here}) if request.method == "POST" else None
    with pytest.raises(ForgeRefused, match=r"forge\.project"):
        forge_at(github).open_or_update(BRANCH, "main", "t", "b")


def test_redirects_in_a_circle_end(github):
    """A broken proxy."""
    github.fault_of = lambda request: Answer(302, {}, {"Location": request.path})
    with pytest.raises(ForgeRefused, match="circles"):
        forge_at(github).find(BRANCH)


def test_the_token_does_not_follow_a_next_page_to_another_host(server):
    """Clients turn to whatever address the header Link names; here the forge only says that there is one."""
    for _ in range(60):
        server.open(BRANCH, state="closed")
    asked = server.route

    def elsewhere(request):
        answer = asked(request)
        if "Link" in answer.headers or answer.headers.get("X-Next-Page"):
            link = f'<{other.url}{request.path}?page=2>; rel="next"'
            return Answer(answer.status, answer.value, {**answer.headers, "Link": link})
        return answer

    with serving(type(server)()) as other:
        server.route = elsewhere
        found = forge_at(server).find(BRANCH)
        assert found is not None and found.number == 1, "it is on the second page"
        assert other.requests == []


def test_nothing_but_the_forge_can_be_asked(server):
    """Whatever a client library thinks up, the connection is the last to look at the address."""
    connection = forge_at(server)._connection
    with serving(type(server)()) as other:
        for url in (f"{other.url}/api/v4/x", server.url.replace("http", "https"), server.url + "@evil.example/x", "/x"):
            with pytest.raises(ForgeRefused, match="not sent"):
                connection.ask("GET", url)
        assert other.requests == server.requests == []


def test_the_token_is_in_no_log_record_and_no_error(server, caplog):
    """Debug logs are pasted into bug reports; every library's are looked at."""
    caplog.set_level(logging.DEBUG)
    forge = forge_at(server)
    forge.open_or_update(BRANCH, "main", "t", "b")
    server.faults += [Answer(502, b"x"), Answer(429, {}, {"Retry-After": "1"})]
    forge.find(BRANCH)
    server.fault_of = lambda _: Answer(403, {"message": TOKEN})
    with pytest.raises(ForgeRefused) as error:
        forge.find(BRANCH)
    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "127.0.0.1" in logged, "the libraries did log"
    for place in (logged, str(error.value), repr(error.value), repr(vars(forge)), repr(forge)):
        assert TOKEN not in place


def answering(answer, method):
    """A fault that gives this answer to one method, and to all others an empty list."""
    return lambda request: answer if request.method == method else Answer(200, [])


def test_what_people_write_is_in_no_log_record_and_no_warning(server, caplog):
    """Comments are anybody's text: good ones, refused ones and those that no client can read."""
    caplog.set_level(logging.DEBUG)
    evil = "".join(("EVIL", "-words-", "of-a-stranger"))
    server.say(1, "eve", evil, "2026-11-05T09:00:00Z")
    server.pull(1).title = evil
    forge = forge_at(server)
    found = forge.find(BRANCH)
    assert found is not None
    assert evil in forge.comments(found)[0].body
    forge.close(found, "Withdrawn.")
    errors = []
    for value in (evil, [evil], [{"iid": [evil], "number": evil}], evil.encode(), f'["{evil}"'.encode()):
        for ask in (forge.find, lambda branch: forge.open_or_update(branch, "main", "t", "b")):
            server.fault_of = answering(Answer(200, value), "GET" if ask == forge.find else "POST")
            with pytest.raises((ForgeRefused, ForgeUnavailable)) as error:
                ask("night/2026-11-05")
            errors.append("".join(traceback.format_exception(error.value)))
    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "127.0.0.1" in logged, "the libraries did log"
    for place in (logged, *errors):
        assert evil not in place
        assert TOKEN not in place


def test_a_missing_token_is_told_before_anything_is_asked():
    """Hours of judging should not end in this."""
    with pytest.raises(SettingsError, match=VARIABLE):
        forge_at(GitHubServer(), token="  ", url="https://git.example.org")
    with pytest.raises(SettingsError, match="no token") as error:
        forge_at(GitHubServer(), token="two\nlines", url="https://git.example.org")
    assert "two" not in str(error.value)


@pytest.mark.skipif(
    not shutil.which("openssl"), reason="openssl makes the certificate of this test; it is not installed"
)
def test_a_certificate_of_nobody_gets_no_token(tmp_path):
    """Verification is never off: a stranger in between would read the token."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    heard = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as encrypted:
                    heard.append(encrypted.recv(65_536))
            except OSError:
                plain.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        with pytest.raises(ForgeRefused, match="SSL_CERT_FILE"):
            forge_at(GitHubServer(), url=url).find(BRANCH)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    assert b"".join(heard) == b""


def test_the_project_may_come_from_the_address_of_the_corpus():
    """Most people name it once."""
    assert NOWHERE.address.endswith("ann/corpus.git")
    with serving(GitHubServer()) as server:
        server.open(BRANCH)
        assert forge_at(server, project=None).find(BRANCH) is not None


def test_an_address_may_be_written_in_any_way_that_means_the_same(server):
    """Clients write the host in lower case; the token goes there all the same, and nowhere else."""
    server.open(BRANCH)
    port = urlsplit(server.url).port
    for written in (f"http://LocalHost:{port}", f"HTTP://localhost:{port}/"):
        found = forge_at(server, url=written).find(BRANCH)
        assert found is not None and found.head == BRANCH
