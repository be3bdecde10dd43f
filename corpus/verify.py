"""verify: a release is made again from a fresh clone and compared, byte for byte, with what its tag names.

What is trusted is git, the base branch's history and, for a release that has one before it, that one's tag.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corpus.clone import Clone, with_clone
from corpus.reissued import file_problems, reissued
from corpus.release_build import Request, build
from corpus.release_plan import code_facts, manifest_path, signature_path
from corpus.remote import remote_of
from corpus.repository import base_commit
from corpus.signing import MANIFEST_NAMESPACE, TAG_NAMESPACE, is_openpgp, signed_by, split_signature
from corpus.splits import SplitRule
from corpus.stage import disk_errors
from schemas.errors import CorpusError, InputError
from schemas.release import Release, tag_problem
from schemas.settings import CorpusSettings

__all__ = ["Verified", "verify"]


@dataclass(frozen=True)
class Verified:
    """What was found. `problems` are sentences, the first one names the first file that differs; empty when all holds.

    `tag_signed_by` and `manifest_signed_by` are names of allowed signers, None where nobody of them signed or nobody
    was asked about. `remarks` say what could not be proven, and why.
    """

    tag: str
    commit: str
    n_files: int
    n_samples: int
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    tag_signed_by: str | None
    manifest_signed_by: str | None

    @property
    def is_sound(self) -> bool:
        """Whether it is what its manifest says, and can be made again."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object, and `is_sound`."""
        return {**asdict(self), "is_sound": self.is_sound}


def verify(
    tag: str,
    *,
    corpus: CorpusSettings,
    root: Path,
    clone: Path,
    signers: Path | None = None,
    on_bytes: Callable[[int], None] = lambda n: None,
) -> Verified:
    """Proves a release, or says what differs.

    Args:
        tag: the release's.
        corpus: where the corpus is, and its base branch.
        root: the folder that a relative `corpus.remote` starts from.
        clone: our private bare clone: it is not used, a fresh one is made beside it and removed again.
        signers: a file of allowed signers; with it, an unsigned release has a problem.
        on_bytes: told of the bytes of shards read, each shard twice.

    Raises:
        InputError: no tag has such a name. CorpusError: there is no such tag, or the remote cannot be read.
    """
    if problem := tag_problem(tag):
        raise InputError(f"{tag[:120]!a} is no release: the name of one {problem}")
    fresh = clone.with_name("verify") / "clone.git"
    try:
        return with_clone(
            remote_of(corpus.remote, root, corpus.token_env),
            fresh,
            lambda store: _Check(store, tag, corpus, signers, on_bytes).run(),
        )
    finally:
        with disk_errors(fresh):
            shutil.rmtree(fresh.parent, ignore_errors=True)


class _Check:
    """One release, in a fresh clone."""

    def __init__(
        self, store: Clone, tag: str, corpus: CorpusSettings, signers: Path | None, on_bytes: Callable[[int], None]
    ) -> None:
        self._store, self._tag, self._signers, self._on_bytes = store, tag, signers, on_bytes
        self._base = base_commit(store, corpus, store.heads())
        tags = store.tags()
        if tag not in tags:
            others = f", but {', '.join(sorted(tags)[-10:])}" if tags else ""
            raise CorpusError(f"{store.remote} has no tag {tag}{others}; `gristmill release {tag}` makes it")
        self._object = tags[tag]
        self._commit = store.fetch_tag(tag)
        self._content = store.file(self._commit, manifest_path(tag))
        self._remarks: list[str] = []

    def run(self) -> Verified:
        problems: list[str] = []
        made = self._manifest(problems)
        tag_signer = manifest_signer = None
        if made:
            problems += file_problems(self._store, self._commit, made)
            problems += self._place_problems(made)
            problems += self._rebuilt_problems(made, has_problem=bool(problems))
            tag_signer, manifest_signer = self._tag_signer(), self._manifest_signer()
            problems += self._signature_problems(tag_signer, manifest_signer)
        return Verified(
            tag=self._tag,
            commit=self._commit,
            n_files=len(made.files) + 1 if made else 0,
            n_samples=made.n_samples if made else 0,
            problems=tuple(problems),
            remarks=tuple(self._remarks),
            tag_signed_by=tag_signer,
            manifest_signed_by=manifest_signer,
        )

    def _manifest(self, problems: list[str]) -> Release | None:
        path = manifest_path(self._tag)
        if self._content is None:
            problems.append(f"{path} is missing: the tag names commit {self._commit[:12]}, which is no release")
            return None
        try:
            made = Release.from_content(self._content)
        except InputError as error:
            problems.append(f"{path} cannot be read: {error}")
            return None
        if made.tag != self._tag or made.content() != self._content:
            problems.append(f"{path} was changed: it is not as Gristmill writes the manifest of {self._tag}")
            return None
        return made

    def _place_problems(self, made: Release) -> Iterator[str]:
        path = manifest_path(self._tag)
        known = self._store.file(self._base, path)
        if known is None:
            yield f"{path} is missing on the base branch"
        elif known != self._content:
            yield f"{path} differs between the tag and the base branch: the manifest was changed, or the tag moved"
        parent = self._store.own_parent(self._commit, made.released_on)
        if parent != made.corpus_commit:
            yield f"the tag names commit {self._commit[:12]}, which Gristmill did not make: it was moved"
        if not self._store.has_commit(made.corpus_commit) or (
            self._store.merge_base(made.corpus_commit, self._base) != made.corpus_commit
        ):
            yield f"commit {made.corpus_commit[:12]}, which it was made of, is no longer part of the base branch"

    # Making it again.

    def _rebuilt_problems(self, made: Release, *, has_problem: bool) -> Iterator[str]:
        if not self._store.has_commit(made.corpus_commit):
            return
        if self._is_reissued():
            self._remarks.append(
                "it was issued again when samples were purged from the history, so it cannot be made again from it; "
                "its digests hold"
            )
            return
        try:
            rule = SplitRule.from_json(made.rule)
        except InputError as error:
            yield f"it cannot be made again: {error}"
            return
        request = Request(self._tag, made.corpus_commit, made.released_on, rule, made.code)
        again = build(self._store, request, self._on_bytes)
        if again.commit == self._commit:
            return
        own, differing = code_facts(), list(_differing(made, again.release))
        if own != made.code:
            told = f"it was made by {_version(made.code)}, this is {_version(own)}"
            if differing and all(_is_card(path) for path in differing):
                self._remarks.append(f"{told}, which writes another card ({differing[0]}); all else comes out the same")
                return
            self._remarks.append(f"{told}; verify it with that one")
        if not has_problem or again.release != made:
            yield _difference(made, again.release)

    def _is_reissued(self) -> bool:
        notes = reissued(self._store, self._base)
        is_known = self._store.file(self._base, manifest_path(self._tag)) == self._content
        return is_known and self._tag in notes

    # Signatures.

    def _tag_signer(self) -> str | None:
        if self._object == self._commit:
            self._remarks.append(
                "the tag is a bare name of a commit: it says nothing of the manifest and is not signed"
            )
            return None
        content, signature = split_signature(self._store.annotation(self._object))
        return self._signer(content, signature, TAG_NAMESPACE, "the tag")

    def _manifest_signer(self) -> str | None:
        signature = self._store.file(self._base, signature_path(self._tag))
        return self._signer(self._content or b"", signature, MANIFEST_NAMESPACE, "the manifest")

    def _signer(self, content: bytes, signature: bytes | None, namespace: str, what: str) -> str | None:
        if signature is None:
            self._remarks.append(f"{what} is not signed")
            return None
        if is_openpgp(signature):
            self._remarks.append(
                f"{what} has an OpenPGP signature, which `git verify-tag {self._tag}` checks; it is none of an SSH key"
            )
            return None
        if self._signers is None:
            self._remarks.append(f"{what} is signed; to check by whom, set release.allowed_signers or use --signers")
            return None
        return signed_by(content, signature, self._signers, namespace)

    def _signature_problems(self, tag_signer: str | None, manifest_signer: str | None) -> Iterator[str]:
        if self._signers is not None:
            for what, signer in (("tag", tag_signer), ("manifest", manifest_signer)):
                if signer is None:
                    yield f"the {what} has no signature of an allowed signer ({self._signers.name})"


def _differing(made: Release, again: Release) -> Iterator[str]:
    """The paths of files that come out otherwise."""
    old, new = ({file.path: file.sha256 for file in one.files} for one in (made, again))
    yield from (path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path))


def _is_card(path: str) -> bool:
    """Whether a file tells of the release and is no part of what is released."""
    return path in ("README.md", "croissant.json") or path.startswith("pictures/")


def _version(code: Mapping[str, str]) -> str:
    return f"version {code.get('version')} ({str(code.get('sha256'))[:12]})"


def _difference(made: Release, again: Release) -> str:
    """The first file that comes out otherwise, or what else does."""
    for path in _differing(made, again):
        return f"{path} differs from what the corpus gives when the release is made again"
    before, after = made.to_json(), again.to_json()
    if names := [name for name in before if before[name] != after[name]]:
        return f"releases/{made.tag}.json says other {', '.join(names)} than the corpus gives"
    return "the release's commit was made otherwise: its files are right, its message, author, date or parent is not"
