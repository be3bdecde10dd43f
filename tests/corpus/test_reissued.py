"""What a purge issues again is signed again, where it was signed before by a key that counts; else people are told."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from corpus.clone import Clone
from corpus.history import standing
from corpus.purge import Purged, purge
from corpus.reissued import REISSUED
from corpus.release import release
from corpus.release_plan import signature_path
from corpus.repository import base_commit, on_corpus
from corpus.retract import Withdrawal, retract
from corpus.signing import MANIFEST_NAMESPACE, sign
from corpus.verify import verify
from schemas.errors import CorpusError
from schemas.settings import ReleaseSettings
from tests.corpus.release_corpus import CORPUS, begin, commit_files, merge, sample
from tests.corpus.retract_project import AT, LATER, NIGHT, git

GONE = sample(3)["id"]
SIGNED = ReleaseSettings(validation_share=0.2, test_share=0.3, signing_key="key", allowed_signers="signers")
PLAIN = ReleaseSettings(validation_share=0.2, test_share=0.3)


def place(root: Path) -> dict[str, Any]:
    """Where the corpus is."""
    return {"corpus": CORPUS, "root": root, "clone": root / "clone.git"}


def make_key(root: Path, name: str) -> None:
    """An SSH key without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(root / name)], check=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two signed releases; the second rests on the first."""
    root = tmp_path_factory.mktemp("signed")
    make_key(root, "key")
    (root / "signers").write_text(f"ann@example.org {(root / 'key.pub').read_text()}")
    begin(root)
    merge(root, NIGHT, [sample(n) for n in range(12)])
    release("v1", settings=SIGNED, **place(root))
    merge(root, LATER, [sample(n, night=LATER) for n in range(12, 20)])
    release("v2", settings=SIGNED, **place(root))
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(made, tmp_path / "p", symlinks=True)
    return tmp_path / "p"


def purged(root: Path, settings: ReleaseSettings | None) -> Purged:
    """A sample of both releases is withdrawn and purged."""
    retract(Withdrawal("asked", AT, GONE), **place(root))
    return purge([GONE], [], at=AT, settings=settings, **place(root))


def unsigned(root: Path) -> tuple[str, ...]:
    """What the status says."""
    return standing(**place(root)).unsigned


def test_a_purge_signs_what_was_signed(root: Path) -> None:
    """`verify` asks for both signatures, and git itself for that of the tag; a second purge signs again."""
    done = purged(root, SIGNED)
    assert (done.reissued, done.signed, done.unsigned) == (("v1", "v2"), ("v1", "v2"), {})
    for tag in done.signed:
        found = verify(tag, signers=root / "signers", **place(root))
        assert found.problems == () and found.n_samples == {"v1": 11, "v2": 19}[tag]
        assert found.tag_signed_by == found.manifest_signed_by == "ann@example.org"
        allowed = f"gpg.ssh.allowedSignersFile={root / 'signers'}"
        git(root / "corpus.git", "-c", "gpg.format=ssh", "-c", allowed, "verify-tag", tag)
    assert unsigned(root) == ()
    other = sample(4)["id"]
    retract(Withdrawal("asked", AT, other), **place(root))
    again = purge([other], [], at=AT, settings=SIGNED, **place(root))
    assert again.signed == ("v1", "v2")
    assert verify("v2", signers=root / "signers", **place(root)).problems == ()


def test_a_key_that_fails_does_not_stop_a_purge_and_release_completes_it(root: Path) -> None:
    """The person must be gone today; the signature is told as missing until it is made, by the command that signs."""
    (root / "key").rename(root / "away")
    done = purged(root, SIGNED)
    assert done.signed == () and set(done.unsigned) == {"v1", "v2"} and "is no file" in done.unsigned["v2"]
    assert unsigned(root) == ("v1", "v2")
    (root / "away").rename(root / "key")
    assert verify("v1", signers=root / "signers", **place(root)).problems != ()
    head = git(root / "corpus.git", "rev-parse", "v1^{commit}")
    assert release("v1", settings=SIGNED, **place(root)).state == "signed"
    assert git(root / "corpus.git", "rev-parse", "v1^{commit}") == head, "a release never changes"
    assert verify("v1", signers=root / "signers", **place(root)).problems == () and unsigned(root) == ("v2",)
    with pytest.raises(CorpusError, match="a release never changes"):
        release("v1", settings=SIGNED, **place(root))


def test_a_release_that_was_signed_half_is_completed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed between the tag and its manifest's signature finds it in the status and calls again."""
    purged(root, None)
    real = Clone.push

    def die(*arguments: Any, **named: Any) -> None:
        if named.get("kind") != "tags":
            raise KeyboardInterrupt
        real(*arguments, **named)

    monkeypatch.setattr(Clone, "push", die)
    with pytest.raises(KeyboardInterrupt):
        release("v2", settings=SIGNED, **place(root))
    monkeypatch.undo()
    assert unsigned(root) == ("v1", "v2")
    assert release("v2", settings=SIGNED, **place(root)).state == "signed"
    assert verify("v2", signers=root / "signers", **place(root)).problems == () and unsigned(root) == ("v1",)


def test_a_purge_gives_nobody_a_signature_that_was_not_there(root: Path) -> None:
    """Else whoever changed a release behind everybody's back would have it signed by the next purge."""
    make_key(root, "strange")
    path = signature_path("v1")
    manifest = git(root / "corpus.git", "show", "main:releases/v1.json") + "\n"
    commit_files(root, NIGHT, {path: sign(manifest.encode(), root / "strange", MANIFEST_NAMESPACE)})
    done = purged(root, SIGNED)
    assert done.signed == ("v2",) and "no good signature" in done.unsigned["v1"]
    assert unsigned(root) == ("v1",)


def test_without_a_file_of_signers_the_own_key_counts(root: Path) -> None:
    """Most people have no such file; without the public key beside the private one nobody can say what was good."""
    done = purged(root, SIGNED.model_copy(update={"allowed_signers": None}))
    assert done.signed == ("v1", "v2")
    other = sample(4)["id"]
    retract(Withdrawal("asked", AT, other), **place(root))
    (root / "key.pub").unlink()
    again = purge([other], [], at=AT, settings=SIGNED.model_copy(update={"allowed_signers": None}), **place(root))
    assert again.signed == () and set(again.unsigned) == {"v1", "v2"}


def test_a_release_that_was_never_signed_is_no_alarm(tmp_path: Path) -> None:
    """It lost nothing; whoever wants it signed from now on can have it. A damaged line of the notes is no note."""
    begin(tmp_path)
    merge(tmp_path, NIGHT, [sample(n) for n in range(12)])
    release("v1", settings=PLAIN, **place(tmp_path))
    make_key(tmp_path, "key")
    done = purged(tmp_path, SIGNED)
    assert done.unsigned == {"v1": "it was not signed before"} and unsigned(tmp_path) == ()
    notes = git(tmp_path / "corpus.git", "show", f"main:{REISSUED}").encode()
    commit_files(tmp_path, NIGHT, {REISSUED: b"{broken\n" + notes + b"\n"})
    assert release("v1", settings=SIGNED, **place(tmp_path)).state == "signed"


def test_nothing_is_signed_that_its_manifest_does_not_say(root: Path) -> None:
    """The command signs what it can prove: a tag that was moved to other files stays unsigned."""
    purged(root, None)
    tree = root / "tree"
    git(root, "clone", "--quiet", str(root / "corpus.git"), str(tree))
    git(tree, "checkout", "--quiet", "v1")
    (tree / "LICENSE").write_text("mine\n")
    git(tree, "commit", "--quiet", "--all", "--message", "x")
    git(tree, "tag", "--annotate", "--force", "--message", "x", "v1")
    git(tree, "push", "--quiet", "--force", "origin", "v1")
    with pytest.raises(CorpusError, match="LICENSE differs from its digest"):
        release("v1", settings=SIGNED, **place(root))
    assert on_corpus(**place(root), operation=lambda s: s.blob_id(_base(s), signature_path("v1"))) is None


def _base(store: Clone) -> str:
    return base_commit(store, CORPUS, store.heads())


def test_a_tag_that_somebody_wrote_is_not_signed(root: Path) -> None:
    """Who may push could else get the project's signature under words of their own, from the next purge."""
    tree = root / "tree"
    git(root, "clone", "--quiet", str(root / "corpus.git"), str(tree))
    commit = git(tree, "rev-parse", "v1^{commit}")
    git(tree, "tag", "--annotate", "--force", "--message", "v1: approved, under another licence", "v1", commit)
    git(tree, "push", "--quiet", "--force", "origin", "refs/tags/v1")
    assert purged(root, SIGNED).signed == ("v1", "v2")
    assert "approved" not in git(root / "corpus.git", "cat-file", "tag", "v1")
    assert verify("v1", signers=root / "signers", **place(root)).problems == ()
