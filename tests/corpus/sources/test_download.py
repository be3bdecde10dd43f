"""A log at an address: whole or not at all, and nothing of a secret in what is said of it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from corpus.sources.download import download, is_address
from schemas.errors import CorpusError, InputError

LOG = b'{"messages":[{"role":"user","content":"Is the mill open?"},{"role":"assistant","content":"Until six."}]}\n' * 9


class Answers(BaseHTTPRequestHandler):
    """/log.jsonl, /moved to it, /cut (says more than it sends), /loop, and 404 for the rest."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        moved = {"/moved": "/log.jsonl", "/loop": "/loop", "/away": "file:///etc/hostname"}
        if path in moved:
            self.send_response(302)
            self.send_header("Location", moved[path])
            self.end_headers()
            return
        self.send_response(200 if path in ("/log.jsonl", "/cut") else 404)
        self.send_header("Content-Length", str(len(LOG) + (100 if path == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(LOG)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_the_address_gives_is_a_file(site, tmp_path):
    """Through a redirect, too; progress is told in bytes; asking again replaces it."""
    told: list[int] = []
    file = download(f"http://{site}/log.jsonl", tmp_path, told.append)
    assert file.read_bytes() == LOG == download(f"http://{site}/moved", tmp_path).read_bytes()
    assert sum(told) == len(LOG)
    file.write_bytes(b"old")
    assert download(f"http://{site}/log.jsonl", tmp_path).read_bytes() == LOG
    assert len(list(tmp_path.iterdir())) == 2


def test_two_addresses_never_share_a_file(site, tmp_path):
    """The query is part of the address, and a hostile name stays in the folder."""
    names = {download(f"http://{site}/log.jsonl?day={day}", tmp_path).name for day in (1, 2)}
    assert len(names) == 2
    with pytest.raises(InputError, match="404"):
        download(f"http://{site}/..%2f..%2fetc%2fpasswd%0a", tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == names


@pytest.mark.parametrize("path", ["/cut", "/loop", "/away", "/missing"])
def test_what_does_not_come_whole_leaves_nothing_and_no_secret_is_told(site, tmp_path, path):
    """An earlier copy stays, so that half a log never stands for the log."""
    with pytest.raises(InputError) as refused:
        download(f"http://ann:hunter2@{site}{path}?token=hunter3", tmp_path)
    assert "hunter" not in str(refused.value) and path in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_nobody_answers_or_the_kind_is_another(tmp_path):
    """A sentence with what to do, never a traceback of the library."""
    with pytest.raises(InputError, match="try again, or name a file"):
        download("http://127.0.0.1:9/log", tmp_path)
    for address in ("ftp://example.org/log", "file:///etc/passwd", "http://[::1/log"):
        with pytest.raises(InputError):
            download(address, tmp_path)
    assert is_address("https://example.org/a") and not is_address("logs/a:b.jsonl")


def test_a_folder_that_cannot_be_written_is_named(site, tmp_path):
    """Full or read-only, the place is said."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CorpusError, match="cannot be written"):
        download(f"http://{site}/log.jsonl", tmp_path / "file")
