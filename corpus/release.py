"""release: a state of the corpus gets a name, fixed splits, a card, and a manifest of everything that it rests on.

Three things are written, in this order: the release's commit (corpus/release_build.py), which depends on the state of
the corpus, the tag, the date, the shares and the code alone; its manifest on the base branch, so that the next release
knows of it; the tag. Whoever is killed in between is completed by the same call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from corpus.clone import Clone, Moved
from corpus.reissued import reissued, signed_anew
from corpus.release_build import Built, OnBytes, Request, build
from corpus.release_plan import code_facts, manifest_path, previous_release, signature_path
from corpus.repository import base_commit, on_corpus
from corpus.signing import MANIFEST_NAMESPACE, TAG_NAMESPACE, sign, split_signature, tag_content
from corpus.splits import SplitRule
from corpus.tombstones import TOMBSTONES
from schemas.errors import CorpusError, InputError
from schemas.release import Release, SplitCount, tag_problem
from schemas.settings import CorpusSettings, ReleaseSettings

_TRIES = 5

_SOURCES = ("data", "decisions", "nights", TOMBSTONES, "corpus.toml")
"""What a release is made of; as long as it is the same, so is the release."""

State = Literal["released", "unchanged", "signed"]


@dataclass(frozen=True)
class Released:
    """What became of a release.

    `released`: the tag was set. `unchanged`: it is there already and the corpus has not changed since. `signed`: a
    purge had issued it again without a signature, and now it has one. `commit` is what the tag names,
    `manifest_sha256` the digest of its manifest.
    """

    state: State
    tag: str
    commit: str
    corpus_commit: str
    released_on: str
    manifest_sha256: str
    counts: Mapping[str, SplitCount]
    left_out: Mapping[str, int]
    is_signed: bool

    @property
    def n_samples(self) -> int:
        """The samples of all splits."""
        return sum(count.samples for count in self.counts.values())

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object, and the number of samples."""
        return {**asdict(self), "n_samples": self.n_samples}


def release(
    tag: str,
    *,
    corpus: CorpusSettings,
    settings: ReleaseSettings,
    root: Path,
    clone: Path,
    released_on: str | None = None,
    on_bytes: OnBytes = lambda n: None,
) -> Released:
    """Releases the corpus as it is now under this tag; idempotent. Signs a release that a purge left unsigned.

    Args:
        tag: its name.
        corpus: where the corpus is, and its base branch.
        settings: the shares of the splits, and the key that signs.
        root: the folder that relative paths start from.
        clone: our private bare clone.
        released_on: the date that it bears; None: that of the newest night.
        on_bytes: told of the bytes of shards read, each shard twice.

    Raises:
        InputError: the tag cannot be a tag. CorpusError: the tag exists with other samples, a line of the corpus is
            damaged, or git or the remote refused. SettingsError: the key cannot be used.
    """
    if problem := tag_problem(tag):
        raise InputError(f"{tag[:120]!a} cannot be a release: its name {problem}")
    task = _Task(tag, corpus, settings, root, released_on, on_bytes)
    return on_corpus(corpus, root=root, clone=clone, operation=task.run)


@dataclass(frozen=True)
class _Task:
    """A release to be made."""

    tag: str
    corpus: CorpusSettings
    settings: ReleaseSettings
    root: Path
    released_on: str | None
    on_bytes: OnBytes

    def run(self, store: Clone) -> Released:
        base = base_commit(store, self.corpus, store.heads())
        known = self._known(store, base)
        if (found := store.tags().get(self.tag)) is not None:
            return self._unchanged(store, base, known, found)
        if known and store.blob_id(base, TOMBSTONES) != store.blob_id(known.corpus_commit, TOMBSTONES):
            base, known = self._abandoned(store, base, known.released_on), None
        built = build(store, self._request(base, known), self.on_bytes)
        if known and built.release != known:
            raise CorpusError(
                f"the corpus has a manifest of {self.tag}, but no such tag, and what it says can no longer be made; "
                "choose another tag"
            )
        self._record(store, base, built)
        store.push_tag(store.annotated(self._tag(built)), self.tag)
        return self._released(
            "released", built.release, built.commit, built.sha256, self.settings.signing_key is not None
        )

    def _request(self, base: str, known: Release | None) -> Request:
        """What a release that was begun rests on, else the corpus as it is now."""
        if known:
            return Request(
                self.tag, known.corpus_commit, known.released_on, SplitRule.from_json(known.rule), known.code
            )
        rule = SplitRule(self.settings.validation_share, self.settings.test_share)
        return Request(self.tag, base, self.released_on, rule, code_facts())

    def _known(self, store: Clone, base: str) -> Release | None:
        """The release of this tag that the base branch knows."""
        content = store.file(base, manifest_path(self.tag))
        return None if content is None else _read(content, manifest_path(self.tag))

    def _abandoned(self, store: Clone, base: str, day: str) -> str:
        """The base branch without the manifest of a release that nobody finished before something was withdrawn.

        Raises:
            Moved: the branch got another commit meanwhile; the same call tries again.
        """
        paths = [path for path in (manifest_path(self.tag), signature_path(self.tag)) if store.file(base, path)]
        message = f"release: {self.tag} was begun and not finished, and is made anew after a retraction\n"
        commit = store.commit(base, {}, message, day, removed=paths)
        store.push(commit, self.corpus.branch, expected=base)
        return commit

    def _unchanged(self, store: Clone, base: str, known: Release | None, found: str) -> Released:
        """The release that exists, when it is what would be made now.

        Raises:
            CorpusError: it is another one.
        """
        commit = store.fetch_tag(self.tag)
        content = store.file(commit, manifest_path(self.tag))
        if content is None:
            raise CorpusError(f"there is a tag {self.tag} already, which is no release; choose another tag")
        made = _read(content, f"{manifest_path(self.tag)} of the tag")
        if known is None and not store.has_commit(made.corpus_commit):
            raise CorpusError(f"there is a release {self.tag} of another corpus; choose another tag")
        if known != made:
            raise CorpusError(
                f"the tag {self.tag} and the corpus's {manifest_path(self.tag)} differ: one of them was changed; see "
                f"`gristmill release verify {self.tag}`"
            )
        if self._is_to_be_signed(store, base):
            self._sign_anew(store, base, found, made.released_on)
            return self._released("signed", made, commit, hashlib.sha256(content).hexdigest(), True)
        if differs := self._difference(store, base, made):
            raise CorpusError(
                f"{self.tag} was released on {made.released_on} and {differs}; a release never changes, so choose "
                "another tag"
            )
        is_signed = found != commit and split_signature(store.annotation(found))[1] is not None
        return self._released("unchanged", made, commit, hashlib.sha256(content).hexdigest(), is_signed)

    def _is_to_be_signed(self, store: Clone, base: str) -> bool:
        is_unsigned = store.blob_id(base, signature_path(self.tag)) is None
        return is_unsigned and self.settings.signing_key is not None and self.tag in reissued(store, base)

    def _sign_anew(self, store: Clone, base: str, found: str, day: str) -> None:
        """Moves the tag to a signed object, then adds the manifest's signature, whose absence asks for both.

        Raises:
            Moved: somebody pushed meanwhile; the same call tries again.
        """
        tag, signature = signed_anew(store, base, self.tag, found, self._key)
        if tag != found:
            store.push(tag, self.tag, expected=found, kind="tags")
        blobs = store.store([(signature_path(self.tag), [signature], len(signature))])
        commit = store.commit(base, blobs, f"release: {self.tag}, issued again, is signed\n", day)
        store.push(commit, self.corpus.branch, expected=base)

    def _difference(self, store: Clone, base: str, made: Release) -> str | None:
        """What would be otherwise in a release made now, None when nothing would."""
        before, now = ([f"{commit}:{path}" for path in _SOURCES] for commit in (made.corpus_commit, base))
        for kind in ("tree", "blob"):
            for path, old, new in zip(_SOURCES, store.ids(before, kind), store.ids(now, kind), strict=True):
                if old != new:
                    return f"{path} of the corpus has changed since"
        if self.released_on not in (None, made.released_on):
            return f"bears another date than {self.released_on}"
        if made.rule != SplitRule(self.settings.validation_share, self.settings.test_share).to_json():
            return "was split by other shares than the settings have"
        return None

    def _record(self, store: Clone, base: str, built: Built) -> None:
        """Puts the manifest, and its signature, on the base branch, whatever was merged there meanwhile.

        Raises:
            Moved: another release or a retraction came first, so this one must be made anew after it.
        """
        path = manifest_path(self.tag)
        files = {path: built.content}
        if self.settings.signing_key:
            files[signature_path(self.tag)] = sign(built.content, self._key, MANIFEST_NAMESPACE)
        for _ in range(_TRIES):
            if store.file(base, path) == built.content:
                return None
            made_of = built.release.corpus_commit
            is_released = previous_release(store, base) != previous_release(store, made_of)
            if is_released or store.blob_id(base, TOMBSTONES) != store.blob_id(made_of, TOMBSTONES):
                raise Moved(self.corpus.branch)
            blobs = store.store((name, [content], len(content)) for name, content in files.items())
            commit = store.commit(base, blobs, f"release: the manifest of {self.tag}\n", built.release.released_on)
            try:
                return store.push(commit, self.corpus.branch, expected=base)
            except Moved:
                base = base_commit(store, self.corpus, store.heads())
        raise Moved(self.corpus.branch)

    def _tag(self, built: Built) -> bytes:
        """The annotated tag, signed when a key is configured."""
        content = tag_content(built.release, built.commit, built.sha256)
        return content + (sign(content, self._key, TAG_NAMESPACE) if self.settings.signing_key else b"")

    @property
    def _key(self) -> Path:
        assert self.settings.signing_key
        return self.root / Path(self.settings.signing_key).expanduser()

    def _released(self, state: State, made: Release, commit: str, sha256: str, is_signed: bool) -> Released:
        return Released(
            state=state,
            tag=self.tag,
            commit=commit,
            corpus_commit=made.corpus_commit,
            released_on=made.released_on,
            manifest_sha256=sha256,
            counts=made.counts,
            left_out=made.left_out,
            is_signed=is_signed,
        )


def _read(content: bytes, place: str) -> Release:
    try:
        return Release.from_content(content)
    except InputError as error:
        raise CorpusError(f"the manifest {place} cannot be read: {error}") from error
