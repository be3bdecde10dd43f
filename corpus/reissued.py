"""Releases that a purge issued again: which they are, whether they are signed, and how they are signed anew.

A purge may sign anew only what was signed before by a key that is trusted: else whoever changed a release behind
everybody's back would get a good signature for it from the next purge. Anything else is signed by a person's order
(`gristmill release TAG`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.bulk import BulkObjects
from corpus.cut import parsed
from corpus.release_plan import PLAIN_FILE, manifest_path, signature_path
from corpus.signing import (
    MANIFEST_NAMESPACE,
    TAG_NAMESPACE,
    public_signers,
    sign,
    signed_by,
    split_signature,
    tag_content,
)
from schemas.errors import CorpusError, GristmillError
from schemas.release import Release
from schemas.settings import ReleaseSettings

REISSUED = "releases/reissued.jsonl"
"""One line for each manifest that a purge changed: tag, the digests it had and has, when, whether it was signed."""


def reissued(store: BulkObjects, base: str) -> dict[str, Mapping[str, Any]]:
    """Tag to the last note of it; those whose manifest is another one by now are left out."""
    notes = {}
    for line in (store.file(base, REISSUED) or b"").splitlines():
        if note := parsed(line):
            notes[str(note.get("tag"))] = note
    return {tag: note for tag, note in notes.items() if _digest(store, base, tag) == note.get("new_manifest")}


def _digest(store: BulkObjects, base: str, tag: str) -> str | None:
    content = store.file(base, manifest_path(tag))
    return None if content is None else hashlib.sha256(content).hexdigest()


def lost_signatures(store: BulkObjects, base: str) -> tuple[str, ...]:
    """The releases that were signed until a purge issued them again, and are not signed now, by tag."""
    notes = reissued(store, base)
    wanted = sorted(tag for tag, note in notes.items() if note.get("was_signed"))
    found = store.ids([f"{base}:{signature_path(tag)}" for tag in wanted]) if wanted else []
    return tuple(tag for tag, blob in zip(wanted, found, strict=True) if blob is None)


def is_signed(store: BulkObjects, base: str, tag: str, found: str) -> bool:
    """Whether a release bears a signature, anybody's, at its manifest on the base branch or at its tag `found`."""
    if store.blob_id(base, signature_path(tag)):
        return True
    (commit,) = store.ids([f"{found}^{{commit}}"], "commit")
    return commit != found and split_signature(store.annotation(found))[1] is not None


def is_trusted(store: BulkObjects, base: str, tag: str, signers: Path | None, key: Path) -> bool:
    """Whether the manifest on the base branch has a good signature of an allowed signer.

    Where no file names those, it is our own key alone.

    Raises:
        SettingsError: the file of signers is not there.
    """
    content, signature = (store.file(base, path) for path in (manifest_path(tag), signature_path(tag)))
    if content is None or signature is None:
        return False
    if signers:
        return signed_by(content, signature, signers, MANIFEST_NAMESPACE) is not None
    with public_signers(key) as own:
        return own is not None and signed_by(content, signature, own, MANIFEST_NAMESPACE) is not None


def file_problems(store: BulkObjects, commit: str, made: Release) -> Iterator[str]:
    """The first file of a release's commit, by path, that is not what its manifest says."""
    said = {file.path: file for file in made.files}
    entries = {entry.path: entry for entry in store.entries(commit)}
    entries.pop(manifest_path(made.tag))
    for path in sorted(said.keys() ^ entries.keys()):
        yield f"{path} is {'missing' if path in said else 'no part of the release'}"
        break
    both = sorted(said.keys() & entries.keys())
    yield from (f"{path} is no plain file" for path in both if entries[path].mode != PLAIN_FILE)
    for path, (_, content) in zip(both, store.blobs(entries[path].blob for path in both), strict=True):
        if hashlib.sha256(content).hexdigest() != said[path].sha256:
            yield f"{path} differs from its digest in the manifest"
            return


def signed_anew(store: BulkObjects, base: str, tag: str, found: str, key: Path) -> tuple[str, bytes]:
    """The tag in place of `found`, signed, as a new object, and the signature of its manifest.

    Nothing is signed that is not sound, and nothing that somebody wrote: the tag's text is made of the manifest.

    Raises:
        CorpusError: tag, manifest and files are not of one mind. SettingsError: the key cannot be used.
    """
    (commit,) = store.ids([f"{found}^{{commit}}"], "commit")
    content = store.file(found, manifest_path(tag))
    if commit is None or commit == found or content is None or content != store.file(base, manifest_path(tag)):
        raise CorpusError(
            f"{tag} is not signed anew: its tag and the corpus's {manifest_path(tag)} do not belong together; see "
            f"`gristmill release verify {tag}`"
        )
    made = Release.from_content(content)
    for problem in file_problems(store, commit, made):
        raise CorpusError(f"{tag} is not signed anew: {problem}; see `gristmill release verify {tag}`")
    plain = tag_content(made, commit, hashlib.sha256(content).hexdigest())
    manifest_signature = sign(content, key, MANIFEST_NAMESPACE)
    return store.annotated(plain + sign(plain, key, TAG_NAMESPACE)), manifest_signature


@dataclass(frozen=True)
class Signing:
    """How a purge signs: `key` None signs nothing; `signers` is the file of allowed signers, if there is one."""

    key: Path | None = None
    signers: Path | None = None

    @classmethod
    def of(cls, settings: ReleaseSettings, root: Path) -> Signing:
        """As the settings say, whose paths are relative to `root`."""
        named = (settings.signing_key, settings.allowed_signers)
        key, signers = (root / Path(one).expanduser() if one else None for one in named)
        return cls(key, signers)

    def why_not(self, store: BulkObjects, base: str, tag: str, found: str) -> tuple[bool, str | None]:
        """Of a release before a purge: whether it is signed, and why it cannot be signed anew by itself, if so."""
        if not is_signed(store, base, tag, found):
            return False, "it was not signed before" if self.key else None
        if self.key is None:
            return True, "release.signing_key names no key"
        try:
            is_good = is_trusted(store, base, tag, self.signers, self.key)
        except GristmillError as error:
            return True, str(error)
        return True, None if is_good else "its manifest had no good signature of an allowed signer"


def noted(tag: str, old: str, new: str, *, at: str, was_signed: bool) -> dict[str, Any]:
    """The line of `REISSUED` about a manifest."""
    digests = {"old_manifest": old, "new_manifest": new}
    return {"tag": tag, "reissued_at": at, **digests, "reason": "purge", "was_signed": was_signed}
