"""The releases around a purge: whose manifests changed is written down, and what was signed is signed anew."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from corpus.mirror import Mirror
from corpus.reissued import REISSUED, Signing, noted, signed_anew
from corpus.release_plan import signature_path
from schemas.canonical import canonical_bytes
from schemas.errors import CorpusError, SettingsError


class PurgedReleases:
    """Made before the rewriting of the mirror, for `note` after it.

    `reissued` are the tags of the releases whose manifest changed; those of `signed` are signed anew, and `unsigned`
    says of those that are not, why.
    """

    def __init__(self, mirror: Mirror, base: str, signing: Signing) -> None:
        self._mirror, self._base, self._signing = mirror, base, signing
        refs = mirror.refs()
        self._before = self._manifests(refs)
        self._standing = {
            tag: signing.why_not(mirror, refs[base], tag, refs[f"refs/tags/{tag}"]) for tag in self._before
        }
        self.reissued: tuple[str, ...] = ()
        self.signed: tuple[str, ...] = ()
        self.unsigned: dict[str, str] = {}

    def note(self, n_samples: int, at: str) -> str:
        """The commit of the base branch; if manifests changed, a new one that says so and has their new signatures."""
        refs = self._mirror.refs()
        after = self._manifests(refs)
        self.reissued = tuple(tag for tag, old in sorted(self._before.items()) if after.get(tag, old) != old)
        base = refs[self._base]
        if not self.reissued:
            return base
        files = {REISSUED: (self._mirror.file(base, REISSUED) or b"") + self._lines(after, at)}
        self.unsigned = {tag: why for tag in self.reissued if (why := self._standing[tag][1])}
        files |= self._sign(base, [tag for tag in self.reissued if self._standing[tag] == (True, None)])
        blobs = self._mirror.store((path, [content], len(content)) for path, content in files.items())
        title = f"purge: {n_samples} samples left the history, {len(self.reissued)} manifests were issued again"
        return self._mirror.commit(base, blobs, title + "\n", at[:10])

    def _manifests(self, refs: Mapping[str, str]) -> dict[str, str]:
        """Tag to the digest of its manifest."""
        found = {}
        for ref, named in refs.items():
            tag = ref.removeprefix("refs/tags/")
            if ref.startswith("refs/tags/") and (content := self._mirror.file(named, f"releases/{tag}.json")):
                found[tag] = hashlib.sha256(content).hexdigest()
        return found

    def _lines(self, after: Mapping[str, str], at: str) -> bytes:
        notes = (
            noted(tag, self._before[tag], after[tag], at=at, was_signed=self._standing[tag][0]) for tag in self.reissued
        )
        return b"".join(canonical_bytes(note) + b"\n" for note in notes)

    def _sign(self, base: str, tags: Sequence[str]) -> dict[str, bytes]:
        """Signs the tags of releases and gives their manifests' signatures; a key that fails is not tried again."""
        files: dict[str, bytes] = {}
        key, refs = self._signing.key, self._mirror.refs()
        for number, tag in enumerate(tags):
            ref = f"refs/tags/{tag}"
            try:
                assert key is not None
                found, files[signature_path(tag)] = signed_anew(self._mirror, base, tag, refs[ref], key)
                self._mirror.set_ref(ref, found)
                self.signed += (tag,)
            except SettingsError as error:
                self.unsigned |= dict.fromkeys(tags[number:], str(error))
                break
            except CorpusError as error:
                self.unsigned[tag] = str(error)
        return files
