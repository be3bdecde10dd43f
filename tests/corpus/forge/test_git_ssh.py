"""Git over SSH: a night is pushed to and read from a server on loopback with a key, as on any forge."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from corpus.propose import accepted_lines, init_corpus, propose
from corpus.validate import build_samples
from schemas.errors import CorpusError
from schemas.settings import CorpusSettings
from tests.corpus.judged_rows import row, write_selected

NIGHT = "2026-11-04"
SERVER = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))

pytestmark = pytest.mark.skipif(
    not (SERVER and shutil.which("ssh") and shutil.which("ssh-keygen")),
    reason="sshd, ssh and ssh-keygen are needed (Debian, Ubuntu: openssh-server); one of them is not installed",
)


@contextmanager
def ssh_serving(folder: Path):
    """The port of a server that lets this user in with the key in `folder`."""
    folder.mkdir(mode=0o700)
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "key.pub", folder / "authorized")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "StrictModes": "no",
    }
    config = folder / "sshd_config"
    config.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    assert SERVER
    log = folder / "log"
    with subprocess.Popen([SERVER, "-D", "-f", str(config), "-E", str(log)]) as server:
        try:
            deadline = time.monotonic() + 10
            while "listening" not in (said := log.read_text() if log.exists() else ""):
                if server.poll() is not None:
                    pytest.skip(f"sshd cannot run here: {said.strip()[:200]}")
                assert time.monotonic() < deadline, said
                time.sleep(0.05)
            yield port
        finally:
            server.terminate()


@pytest.fixture
def address(tmp_path, monkeypatch):
    bare = tmp_path / "forge" / "corpus.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    keys = tmp_path / "keys"
    with ssh_serving(keys) as port:
        host = (keys / "host.pub").read_text().split()[:2]
        (keys / "known").write_text(f"[127.0.0.1]:{port} {' '.join(host)}\n")
        options = "-o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o BatchMode=yes"
        monkeypatch.setenv(
            "GIT_SSH_COMMAND", f"ssh -F none -i {keys / 'key'} {options} -o UserKnownHostsFile={keys / 'known'}"
        )
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}{bare}"


def test_a_night_goes_to_and_comes_from_a_server(address, tmp_path):
    """Keys stay with ssh and its agent; Gristmill never sees them."""
    selected = write_selected(tmp_path / "in.parquet", [row(number=n) for n in range(4)])
    build_samples(selected, tmp_path / "samples.parquet", night=NIGHT, publish_subjects=False)
    corpus = CorpusSettings(remote=address)
    place = {"root": tmp_path, "clone": tmp_path / "var" / "clone.git"}
    result = propose(tmp_path / "samples.parquet", corpus=corpus, night=NIGHT, record={"steps": []}, **place)
    assert result.state == "proposed"
    bare = tmp_path / "forge" / "corpus.git"
    merge = ("git", "-C", str(bare), "update-ref", "refs/heads/main", f"refs/heads/night/{NIGHT}")
    subprocess.run(merge, check=True)
    assert len(list(accepted_lines(corpus, since=None, **place))) == 4


def test_a_key_that_is_not_known_is_told(address, tmp_path, monkeypatch):
    """And no password is asked for at night."""
    command = os.environ["GIT_SSH_COMMAND"].replace(str(tmp_path / "keys" / "key"), "/dev/null")
    monkeypatch.setenv("GIT_SSH_COMMAND", command)
    with pytest.raises(CorpusError, match="SSH key"):
        init_corpus(CorpusSettings(remote=address), root=tmp_path, clone=tmp_path / "var" / "clone.git")
