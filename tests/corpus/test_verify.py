"""verify: a release is proven from a fresh clone; whatever was changed is named."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from corpus.clone import Clone, with_clone
from corpus.release import release
from corpus.remote import remote_of
from corpus.verify import Verified, verify
from schemas.errors import CorpusError, InputError, SettingsError
from schemas.release import Release
from schemas.settings import ReleaseSettings
from tests.corpus.release_corpus import CORPUS, HALF, begin, commit_files, merge, sample


def prove(root: Path, tag: str = "v1", signers: Path | None = None) -> Verified:
    """The proof of a release of the corpus below `root`."""
    return verify(tag, corpus=CORPUS, root=root, clone=root / "clone.git", signers=signers)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus of 40 samples with the release v1, 40 more, and v2."""
    begin(tmp_path)
    merge(tmp_path, "2026-11-04", [sample(n) for n in range(40)])
    release("v1", corpus=CORPUS, settings=HALF, root=tmp_path, clone=tmp_path / "clone.git")
    merge(tmp_path, "2026-11-05", [sample(n, night="2026-11-05") for n in range(40, 80)])
    release("v2", corpus=CORPUS, settings=HALF, root=tmp_path, clone=tmp_path / "clone.git")
    return tmp_path


def on_tag(root: Path, change: Callable[[Clone, str], tuple[Mapping[str, bytes], list[str]]]) -> None:
    """Moves the tag v1 to a commit beside it whose files somebody changed."""

    def run(store: Clone) -> None:
        commit = store.fetch_tag("v1")
        files, removed = change(store, commit)
        blobs = store.store((path, [content], len(content)) for path, content in files.items())
        parent = store.own_parent(commit, "2026-11-04")
        kept = {one.path: one.blob for one in store.entries(commit) if one.path not in removed}
        roots = {one.path.split("/")[0] for one in store.entries(str(parent))}
        made = store.commit(parent, {**kept, **blobs}, "release: v1, 40 samples\n", "2026-11-04", removed=roots)
        store.push(made, "v1", expected=store.tags()["v1"], kind="tags")

    with_clone(remote_of(CORPUS.remote, root), root / "attacker.git", run)


def shard_of(store: Clone, commit: str, split: str) -> str:
    """The path of a split's shard."""
    return next(one.path for one in store.entries(commit, f"data/{split}"))


def test_a_release_proves_itself_and_leaves_no_clone(root: Path) -> None:
    """Also one with a release before it, whose splits it keeps."""
    for tag, n in (("v1", 40), ("v2", 80)):
        found = prove(root, tag)
        assert (found.is_sound, found.problems, found.n_samples) == (True, (), n)
    assert not (root / "verify").exists()
    assert found.remarks == ("the tag is not signed", "the manifest is not signed")


def test_a_changed_line_is_named(root: Path) -> None:
    """One letter in one sample of 40."""

    def change(store: Clone, commit: str) -> tuple[Mapping[str, bytes], list[str]]:
        path = shard_of(store, commit, "test")
        return {path: (store.file(commit, path) or b"").replace(b'"rating":', b'"rating": ', 1)}, []

    on_tag(root, change)
    found = prove(root)
    assert found.problems[0].startswith("data/test/general/2026-11/2026-11-04.jsonl differs")


def test_a_missing_shard_and_an_added_file_are_named(root: Path) -> None:
    """The first by path, whichever it is."""
    on_tag(root, lambda store, commit: ({}, [shard_of(store, commit, "validation")]))
    assert prove(root).problems[0] == "data/validation/general/2026-11/2026-11-04.jsonl is missing"
    on_tag(root, lambda store, commit: ({"data/train/more.jsonl": b"{}\n"}, []))
    assert prove(root).problems[0].startswith("data/train/more.jsonl is no part")


def test_a_manifest_that_fits_a_changed_file_does_not_help(root: Path) -> None:
    """Whoever changes a sample and both manifests is found by making the release again."""

    def forged(store: Clone, commit: str) -> tuple[dict[str, bytes], list[str]]:
        import hashlib

        path = shard_of(store, commit, "train")
        content = (store.file(commit, path) or b"").replace(b'"source":"bot"', b'"source":"god"')
        made = Release.from_content(store.file(commit, "releases/v1.json") or b"")
        files = tuple(
            replace(one, sha256=hashlib.sha256(content).hexdigest()) if one.path == path else one for one in made.files
        )
        return {path: content, "releases/v1.json": replace(made, files=files).content()}, []

    def run(store: Clone) -> dict[str, bytes]:
        return forged(store, store.fetch_tag("v1"))[0]

    files = with_clone(remote_of(CORPUS.remote, root), root / "attacker.git", run)
    on_tag(root, forged)
    assert "differs between the tag and the base branch" in prove(root).problems[0]
    commit_files(root, "2026-11-06", {"releases/v1.json": files["releases/v1.json"]})
    assert prove(root).problems == (
        "data/train/general/2026-11/2026-11-04.jsonl differs from what the corpus gives when the release is made again",
    )


def test_a_moved_tag_is_named(root: Path) -> None:
    """To a commit that is no release, or to another release."""
    git(root, "tag", "-f", "v1", "main")
    assert "the tag names commit" in " ".join(prove(root).problems)
    git(root, "tag", "-f", "v1", "v2")
    found = prove(root)
    assert "is no part of the release" in found.problems[0]
    assert "it was moved" in " ".join(found.problems)


def test_a_damaged_manifest_is_named(root: Path) -> None:
    """Anything may stand there."""
    for content in (b"", b"[]", b"{}", b'{"files": 1}', b"\xff"):
        on_tag(root, lambda store, commit, content=content: ({"releases/v1.json": content}, []))
        assert prove(root).problems[0].startswith("releases/v1.json cannot be read")


def test_a_rewritten_base_branch_is_named(root: Path) -> None:
    """What the release was made of must be part of the corpus."""
    git(root, "update-ref", "refs/heads/main", git(root, "rev-list", "--max-parents=0", "main"))
    assert any("no longer part of the base branch" in problem for problem in prove(root).problems)


def test_there_is_no_such_release(root: Path) -> None:
    """The message says which there are."""
    with pytest.raises(CorpusError, match="has no tag v3, but v1, v2; `gristmill release v3`"):
        prove(root, "v3")
    with pytest.raises(InputError, match="is no release"):
        prove(root, "../v1")


# Signatures.


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """An SSH key without a passphrase."""
    return make_key(tmp_path, "release_key")


def make_key(folder: Path, name: str) -> Path:
    """A new key, and `<name>.signers` that allows it."""
    file = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)], check=True)
    public = file.with_suffix(".pub").read_text()
    file.with_suffix(".signers").write_text(f"{name}@example.org {public}")
    return file


def test_a_signed_release_is_signed_for_git_and_for_us(tmp_path: Path, key: Path) -> None:
    """`git verify-tag` must accept what we sign, with its own file of allowed signers."""
    root = tmp_path / "corpus"
    root.mkdir()
    begin(root)
    merge(root, "2026-11-04", [sample(n) for n in range(10)])
    settings = ReleaseSettings(signing_key=str(key))
    made = release("v1", corpus=CORPUS, settings=settings, root=root, clone=root / "clone.git")
    assert made.is_signed
    again = release("v1", corpus=CORPUS, settings=settings, root=root, clone=root / "clone.git")
    assert (again.state, again.is_signed) == ("unchanged", True)
    signers = key.with_suffix(".signers")
    git(root, "-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-tag", "v1")
    found = prove(root, signers=signers)
    assert (found.is_sound, found.tag_signed_by, found.manifest_signed_by) == (
        True, "release_key@example.org", "release_key@example.org"
    )  # fmt: skip
    other = make_key(tmp_path, "other").with_suffix(".signers")
    assert [problem.split(" has")[0] for problem in prove(root, signers=other).problems] == ["the tag", "the manifest"]


def test_an_unsigned_release_fails_where_a_signature_is_asked_for(root: Path, key: Path) -> None:
    """Taking a signature away must not make a release pass."""
    assert len(prove(root, signers=key.with_suffix(".signers")).problems) == 2
    with pytest.raises(SettingsError, match="is no file"):
        prove_signed_tag_without_file(root)


def prove_signed_tag_without_file(root: Path) -> None:
    """A file of signers that is not there."""
    from corpus.signing import MANIFEST_NAMESPACE, signed_by

    signed_by(b"", b"", root / "missing", MANIFEST_NAMESPACE)


def test_a_key_that_cannot_sign_is_told(tmp_path: Path) -> None:
    """Absent, or no key at all; nothing is released unsigned by mistake."""
    begin(tmp_path)
    merge(tmp_path, "2026-11-04", [sample(1)])
    (tmp_path / "nonsense").write_text("no key")
    for name in ("absent", "nonsense"):
        with pytest.raises(SettingsError, match=name):
            settings = ReleaseSettings(signing_key=name)
            release("v1", corpus=CORPUS, settings=settings, root=tmp_path, clone=tmp_path / "clone.git")
    assert git(tmp_path, "tag") == ""


def git(root: Path, *arguments: str) -> str:
    """Git in the remote."""
    command = ["git", "--git-dir", str(root / "corpus.git"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_file_that_became_a_program_is_named(root: Path) -> None:
    """Its bytes are right; what a checkout makes of it is not."""

    def run(store: Clone) -> None:
        commit = store.fetch_tag("v1")
        tree = store._git("ls-tree", "-z", commit).replace(b"100644 blob", b"100755 blob", 1)  # noqa: SLF001
        with store._stream() as stream:  # noqa: SLF001
            stream.write(tree)
            stream.seek(0)
            made = store._git("mktree", "-z", stdin=stream).decode().strip()  # noqa: SLF001
        raw = store._git("cat-file", "commit", commit).split(b"\n", 1)[1]  # noqa: SLF001
        with store._stream() as stream:  # noqa: SLF001
            stream.write(f"tree {made}\n".encode() + raw)
            stream.seek(0)
            moved = store._git("hash-object", "-t", "commit", "-w", "--stdin", stdin=stream).decode().strip()  # noqa: SLF001
        store.push(moved, "v1", expected=store.tags()["v1"], kind="tags")

    with_clone(remote_of(CORPUS.remote, root), root / "attacker.git", run)
    found = prove(root)
    assert found.problems[0].endswith("is no plain file")
    assert any("bare name of a commit" in remark for remark in found.remarks)
