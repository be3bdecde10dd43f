"""People who sign with OpenPGP, by a real key: their configuration changes nothing of ours, their tags are known."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpus.history import standing
from corpus.purge import purge
from corpus.release import release
from corpus.retract import Withdrawal, retract
from corpus.verify import verify
from schemas.settings import ReleaseSettings
from tests.corpus.release_corpus import CORPUS, begin, merge, sample
from tests.corpus.retract_project import AT, CLEAN, NIGHT

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")

PLAIN = ReleaseSettings(validation_share=0.2, test_share=0.3)


@pytest.fixture(scope="module")
def keyring() -> Iterator[Path]:
    """A folder with one key and git's configuration to sign everything with it; its path is short enough for gpg."""
    with tempfile.TemporaryDirectory(prefix="gpg-", dir="/tmp") as folder:
        home = {**os.environ, "GNUPGHOME": folder}
        made = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "ann@example.org", "ed25519"]
        subprocess.run([*made, "sign", "never"], env=home, check=True, capture_output=True)
        config = Path(folder) / "gitconfig"
        config.write_text(
            "[user]\nname = Ann\nemail = ann@example.org\nsigningkey = ann@example.org\n[gpg]\nformat = openpgp\n"
            "[commit]\ngpgSign = true\n[tag]\ngpgSign = true\nforceSignAnnotated = true\n"
        )
        yield Path(folder)
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=home, check=False, capture_output=True)


def place(root: Path) -> dict[str, Any]:
    """Where the corpus is."""
    return {"corpus": CORPUS, "root": root, "clone": root / "clone.git"}


def as_ann(folder: Path, keyring: Path, *arguments: str) -> str:
    """Git with her key and configuration."""
    own = {**CLEAN, "GNUPGHOME": str(keyring), "GIT_CONFIG_GLOBAL": str(keyring / "gitconfig"), "LC_ALL": "C"}
    done = subprocess.run(["git", *arguments], cwd=folder, env=own, capture_output=True, text=True, check=True)
    return done.stdout.strip() + done.stderr.strip()


def filled(root: Path) -> Path:
    """A corpus with a release."""
    root.mkdir()
    begin(root)
    merge(root, NIGHT, [sample(n) for n in range(12)])
    release("v1", settings=PLAIN, **place(root))
    return root


@pytest.fixture
def root(tmp_path: Path, keyring: Path) -> Path:
    """The same, its tag signed by a person."""
    made = filled(tmp_path / "p")
    as_ann(made, keyring, "clone", "--quiet", str(made / "corpus.git"), "tree")
    as_ann(made / "tree", keyring, "tag", "--sign", "--force", "--message", "v1 of Ann", "v1", "v1^{commit}")
    as_ann(made / "tree", keyring, "push", "--quiet", "--force", "origin", "v1")
    return made


def test_somebodys_configuration_signs_nothing_of_ours(
    tmp_path: Path, keyring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same commits come out on every machine; with a key that works as well as with one that does not."""
    plain = filled(tmp_path / "plain")
    monkeypatch.setenv("GNUPGHOME", str(keyring))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(keyring / "gitconfig"))
    own = filled(tmp_path / "own")
    refs = [as_ann(one / "corpus.git", keyring, "for-each-ref") for one in (plain, own)]
    assert refs[0] == refs[1] and "refs/tags/v1" in refs[0]


def test_a_tag_signed_with_openpgp_is_known_as_such(root: Path, keyring: Path) -> None:
    """Git finds the signature good; ours is sound without it, and where signers are named it is none of theirs."""
    assert "Good signature" in as_ann(root / "corpus.git", keyring, "verify-tag", "v1")
    found = verify("v1", **place(root))
    assert found.problems == () and any("OpenPGP" in one and "git verify-tag v1" in one for one in found.remarks)
    (root / "signers").write_text("")
    problems = verify("v1", signers=root / "signers", **place(root)).problems
    assert [one.split(" has")[0] for one in problems] == ["the tag", "the manifest"]


def test_a_purge_tells_that_an_openpgp_signature_is_gone(root: Path, keyring: Path) -> None:
    """It was of another commit. Nobody but its owner can make it again; our own key can sign instead."""
    gone = sample(3)["id"]
    retract(Withdrawal("asked", AT, gone), **place(root))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / "key")], check=True)
    settings = PLAIN.model_copy(update={"signing_key": "key"})
    done = purge([gone], [], at=AT, settings=settings, **place(root))
    assert done.signed == () and list(done.unsigned) == ["v1"] and standing(**place(root)).unsigned == ("v1",)
    assert "SIGNATURE" not in as_ann(root / "corpus.git", keyring, "cat-file", "tag", "v1")
    assert verify("v1", **place(root)).problems == ()
    assert release("v1", settings=settings, **place(root)).state == "signed"
    (root / "signers").write_text(f"ann@example.org {(root / 'key.pub').read_text()}")
    assert verify("v1", signers=root / "signers", **place(root)).problems == ()
