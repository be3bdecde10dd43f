"""Git over SSH: a night is pushed to and read from a server on loopback with a key, as on any forge."""

import asyncio
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest

from corpus.propose import accepted_lines, init_corpus, propose
from corpus.validate import build_samples
from schemas.errors import CorpusError
from schemas.settings import CorpusSettings
from tests.corpus.judged_rows import row, write_selected

NIGHT = "2026-11-04"

pytestmark = pytest.mark.skipif(
    not shutil.which("ssh"), reason="ssh is not installed (Debian, Ubuntu: openssh-client); git needs it, too"
)


async def git_for(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """What a forge runs for a key it knows: one of git's two programs on a repository, and nothing else."""
    command = shlex.split(process.command or "")
    if command[:1] not in (["git-upload-pack"], ["git-receive-pack"]):
        process.exit(128)
        return
    environment = {**os.environ, "GIT_PROTOCOL": process.env.get("GIT_PROTOCOL", "")}
    pipe = subprocess.PIPE
    git = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    await process.redirect(stdin=git.stdin, stdout=git.stdout, stderr=git.stderr)
    await process.stdout.drain()
    await process.stderr.drain()
    process.exit(await git.wait())
    await process.wait_closed()


@contextmanager
def ssh_serving(host: asyncssh.SSHKey, known: asyncssh.SSHKey) -> Iterator[int]:
    """The port of a server that lets whoever has the key `known` in."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    allowed = asyncssh.import_authorized_keys(known.export_public_key().decode())

    async def started() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host],
            authorized_client_keys=allowed,
            process_factory=git_for,
            encoding=None,
            password_auth=False,
            kbdint_auth=False,
        )

    async def stopped() -> None:
        server.close()
        await server.wait_closed()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(started(), loop).result(timeout=10)
    try:
        yield server.get_port()
    finally:
        asyncio.run_coroutine_threadsafe(stopped(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def address(tmp_path, monkeypatch):
    bare = tmp_path / "forge" / "corpus.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    host, ours, other = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))
    for name, key in (("ours", ours), ("other", other)):
        key.write_private_key(keys / name)
        (keys / name).chmod(0o600)
    with ssh_serving(host, ours) as port:
        (keys / "known").write_text(f"[127.0.0.1]:{port} {host.export_public_key().decode()}")
        use_key(keys / "ours", monkeypatch)
        yield f"ssh://git@127.0.0.1:{port}{bare}"


def use_key(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has git offer this key alone, to the server whose own key lies beside it, and ask nobody anything."""
    options = "-o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=yes -o BatchMode=yes"
    known = shlex.quote(str(key.with_name("known")))
    command = f"ssh -F none -i {shlex.quote(str(key))} {options} -o UserKnownHostsFile={known}"
    monkeypatch.setenv("GIT_SSH_COMMAND", command)


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
    use_key(tmp_path / "keys" / "other", monkeypatch)
    with pytest.raises(CorpusError, match="SSH key"):
        init_corpus(CorpusSettings(remote=address), root=tmp_path, clone=tmp_path / "var" / "clone.git")


def test_a_server_with_another_key_is_not_believed(address, tmp_path):
    """Whoever answers at the forge's address with a key of their own gets no commit."""
    known = tmp_path / "keys" / "known"
    another = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    known.write_text(f"{known.read_text().split()[0]} {another}")
    with pytest.raises(CorpusError, match="Compare the server's key"):
        init_corpus(CorpusSettings(remote=address), root=tmp_path, clone=tmp_path / "var" / "clone.git")
    assert not list((tmp_path / "forge" / "corpus.git" / "refs" / "heads").rglob("*"))
