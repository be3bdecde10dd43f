"""Signatures by SSH keys: of an annotated tag, as `git tag -s` and `git verify-tag` know them, and of a manifest.

`ssh-keygen -Y` makes and checks them. A private key with a passphrase is used through ssh-agent: name its public key.
A tag that a person signed with OpenPGP is known as signed; git checks that signature.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from corpus.branch import signature as identity
from corpus.stage import disk_errors
from schemas.errors import CorpusError, SettingsError
from schemas.release import Release

TAG_NAMESPACE = "git"
"""What git signs under."""

MANIFEST_NAMESPACE = "gristmill-release"
"""Another one, so that nobody can pass off the signature of a tag or a login as one of a manifest."""

_BEGIN = re.compile(rb"^-----BEGIN (?:SSH|PGP) SIGNATURE-----", re.MULTILINE)
_TIMEOUT_S = 120
"""A key on a token waits for a touch."""


def tag_content(made: Release, commit: str, manifest: str) -> bytes:
    """A release's annotated tag as git stores it, unsigned: the same release gives the same bytes.

    Args:
        made: the release.
        commit: which the tag names.
        manifest: SHA-256 of the release's manifest.
    """
    tagger = identity(made.released_on)[0].replace("author", "tagger", 1)
    message = f"{made.tag}: {made.n_samples} samples\n\nmanifest sha256 {manifest}\n"
    return f"object {commit}\ntype commit\ntag {made.tag}\n{tagger}\n\n{message}".encode()


def split_signature(content: bytes) -> tuple[bytes, bytes | None]:
    """What was signed of a tag's content, and the signature, None without one."""
    found = _BEGIN.search(content)
    return (content[: found.start()], content[found.start() :]) if found else (content, None)


def is_openpgp(signature: bytes) -> bool:
    """Whether it is a signature of the other kind that git knows."""
    return signature.startswith(b"-----BEGIN PGP")


def sign(content: bytes, key: Path, namespace: str) -> bytes:
    """The signature of these bytes by a key.

    Raises:
        SettingsError: the key cannot be used.
    """
    if not key.is_file():
        raise SettingsError(f"release.signing_key names {key}, which is no file; make one with `ssh-keygen -t ed25519`")
    with tempfile.TemporaryDirectory(prefix="gristmill-sign-") as folder:
        file = Path(folder) / "content"
        with disk_errors(file):
            file.write_bytes(content)
        done = _ssh_keygen(["-Y", "sign", "-q", "-f", str(key.absolute()), "-n", namespace, str(file)])
        made = file.with_name("content.sig")
        if done.returncode or not made.exists():
            raise SettingsError(
                f"signing with {key} failed: {_said(done)}. A key with a passphrase is used through ssh-agent: add it "
                "with `ssh-add` and name its .pub file in release.signing_key"
            )
        return made.read_bytes()


@contextmanager
def public_signers(key: Path) -> Iterator[Path | None]:
    """A file of allowed signers with this key alone, while it is needed; None where its `.pub` file is not there."""
    public = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    if not public.is_file():
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="gristmill-own-") as folder:
        file = Path(folder) / "signers"
        with disk_errors(file):
            file.write_text(f"own {public.read_text(encoding='utf-8').strip()}\n", encoding="utf-8")
        yield file


def signed_by(content: bytes, signature: bytes, signers: Path, namespace: str) -> str | None:
    """Who of a file of allowed signers made a signature over these bytes; None when it is nobody's of them.

    Raises:
        SettingsError: the file does not exist.
    """
    if not signers.is_file():
        raise SettingsError(f"{signers} is no file; write a line `you@example.org ssh-ed25519 AAAA...` for each signer")
    with tempfile.TemporaryDirectory(prefix="gristmill-verify-") as folder:
        file = Path(folder) / "signature"
        with disk_errors(file):
            file.write_bytes(signature)
        given = ["-s", str(file), "-f", str(signers.absolute())]
        for principal in _ssh_keygen(["-Y", "find-principals", *given]).stdout.decode(errors="replace").splitlines():
            done = _ssh_keygen(["-Y", "verify", *given, "-I", principal, "-n", namespace], content)
            if not done.returncode:
                return principal
    return None


def _ssh_keygen(arguments: Sequence[str], content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    environment.pop("DISPLAY", None)
    command = ["ssh-keygen", *arguments]
    try:
        return subprocess.run(
            command,
            input=content,
            env=environment,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            start_new_session=True,  # without a terminal it cannot stop to ask for a passphrase
        )
    except FileNotFoundError as error:
        raise CorpusError("the program ssh-keygen is not installed; install OpenSSH 8.2 or newer to sign") from error
    except subprocess.TimeoutExpired as error:
        raise CorpusError(f"ssh-keygen did not answer in {_TIMEOUT_S} s; run the same command again") from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else f"exit code {done.returncode}"
