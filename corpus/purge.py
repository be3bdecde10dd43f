"""purge: withdrawn samples leave the whole history of the corpus, on every branch and tag; and it is proved.

A fresh copy of all refs is rewritten by git-filter-repo: shards lose the lines, reading copies the passages, decisions
their reasons, messages what they quote; records and release manifests get the digests and commit ids that are true
afterwards. Then every object of the copy is searched, and only when no passage is left is it pushed, all refs or none,
each provided that it is where it was. A purge that was killed is repeated by the same call: before the push nothing
has happened, after it there is nothing left to rewrite.

A passage is looked for by its letters, see corpus/passages.py: whatever the escapes and however it is broken into
lines, a quotation of 47 bytes of letters is found, and a whole message from 12 bytes on. What other samples say, too,
is no trace of the withdrawn ones; which samples share passages with them is reported.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corpus.clone import Clone
from corpus.cut import letters_of, parsed
from corpus.leaving import Copies, chunks_of
from corpus.mirror import OWN_REFS, AllObjects, Mirror, Move
from corpus.passages import Passages, letters
from corpus.purge_contents import new_contents
from corpus.purge_releases import PurgedReleases
from corpus.purge_rewrite import rewrite
from corpus.purge_search import Names, Texts, prove
from corpus.reissued import Signing
from corpus.repository import base_commit, on_corpus
from corpus.stage import disk_errors
from schemas.errors import CorpusError
from schemas.settings import CorpusSettings, ReleaseSettings

BeforePush = Callable[[Passages, Collection[bytes]], None]

_SHARED_CHUNKS = 3
"""72 letters, fourteen words: what two samples share beyond that is more than a phrase, and worth a person's look."""


@dataclass(frozen=True)
class Purged:
    """What a purge did.

    `n_objects` were searched, `chunks` passages were looked for. `refs` were moved. `reissued` are the tags of the
    releases whose manifest changed; those of `signed` are signed anew, and `unsigned` says of those that are not, why.
    `foreign_refs` are refs of the forge that may still lead to the old history, and
    `sharing` samples that stay and say the same in part. `is_remote_clean` is False where the old objects remain on
    somebody else's machine until it cleans up.
    """

    n_blobs_rewritten: int
    n_passages: int
    n_objects: int
    refs: tuple[str, ...]
    commit: str
    reissued: tuple[str, ...]
    signed: tuple[str, ...]
    unsigned: Mapping[str, str]
    foreign_refs: tuple[str, ...]
    sharing: tuple[str, ...]
    is_remote_clean: bool
    backup: str | None

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)


def purge(
    ids: Collection[str],
    conversation_ids: Collection[str],
    *,
    corpus: CorpusSettings,
    root: Path,
    clone: Path,
    at: str,
    settings: ReleaseSettings | None = None,
    backup: Path | None = None,
    before_push: BeforePush = lambda passages, common: None,
) -> Purged:
    """Rewrites the history without these samples and everything that was made of their conversations.

    Args:
        ids: samples that were withdrawn; `retract` gives them.
        conversation_ids: conversations that were withdrawn.
        corpus: where the corpus is, and its base branch.
        root: the folder that a relative `corpus.remote` starts from.
        clone: our private bare clone; it is removed, since it holds the old history.
        at: ISO 8601 UTC to the second.
        settings: the key that signs what is issued again, and whose signatures were good before; None: nothing is
            signed. A key that fails does not stop the purge.
        backup: a file to keep the old history in, as a git bundle; it holds the text.
        before_push: told what is looked for, and what of the withdrawn text other samples say, too, before the old
            history goes: the last moment at which the text is known.

    Raises:
        CorpusError: a passage is left (nothing was pushed), or git or the remote refused; the same call goes on.
    """
    names = Names(frozenset(ids), frozenset(conversation_ids))
    signing = Signing.of(settings, root) if settings else Signing()

    def run(store: Clone) -> Purged:
        base_commit(store, corpus, store.heads())  # it is a corpus of our format
        folder = clone.with_name("purge")
        with disk_errors(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        try:
            mirror = Mirror(store.remote, folder / "mirror.git")
            purged = _Purge(mirror, folder, corpus.branch, names, at, signing).run(backup, before_push)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(clone)  # it has the old history; the next command makes it anew
        return purged

    return on_corpus(corpus, root=root, clone=clone, operation=run)


class _Purge:
    """One run, on a mirror that is thrown away afterwards."""

    def __init__(self, mirror: Mirror, folder: Path, branch: str, names: Names, at: str, signing: Signing) -> None:
        self._mirror, self._plan, self._names, self._at = mirror, folder / "plan", names, at
        self._base, self._signing = f"refs/heads/{branch}", signing
        self._sharing: set[str] = set()
        self._common: set[bytes] = set()

    def run(self, backup: Path | None, before_push: BeforePush) -> Purged:
        remote_refs = self._mirror.remote_refs()
        self._mirror.fetch_all()
        if backup:
            self._mirror.bundle(backup)
        before = self._mirror.refs()
        releases = PurgedReleases(self._mirror, self._base, self._signing)
        texts = self._texts()
        copies = Copies(texts.all)
        passages = self._passages(texts, copies)
        replaced = new_contents(self._mirror, texts.ids | self._names.ids, copies, passages)
        if replaced or self._is_quoted(passages):
            rewrite(self._mirror, self._plan, replaced, passages, self._at[:10])
        n_objects = prove(self._mirror, passages)
        commit = releases.note(len(texts.ids), self._at)
        before_push(passages, self._common)
        moves = self._moves(before, commit)
        if moves:
            self._mirror.push_moves(moves)
        return Purged(
            n_blobs_rewritten=len(replaced),
            n_passages=len(passages.wanted),
            n_objects=n_objects,
            refs=tuple(sorted(moves)),
            commit=commit,
            reissued=releases.reissued,
            signed=releases.signed,
            unsigned=releases.unsigned,
            foreign_refs=tuple(sorted(ref for ref in remote_refs if not ref.startswith(OWN_REFS))),
            sharing=tuple(sorted(self._sharing)),
            is_remote_clean=self._clean_remote(passages, remote_refs),
            backup=str(backup) if backup else None,
        )

    def _texts(self) -> Texts:
        """Also of objects that nothing refers to any more, where the remote is on this machine."""
        texts = Texts()
        texts.gather(self._mirror, self._names)
        if (own := self._own_remote()) is not None:
            texts.gather(own, self._names)
        return texts

    def _own_remote(self) -> AllObjects | None:
        path = self._mirror.remote.path
        if path is None:
            return None
        return AllObjects(path if (path / "objects").is_dir() else path / ".git")

    def _passages(self, texts: Texts, copies: Copies) -> Passages:
        """What the withdrawn samples say and no other sample of any time does, copies of theirs left out."""
        passages = Passages(chunks_of(texts.all))
        for _, content in self._mirror.contents(("blob",)) if passages else ():
            if not content.startswith(b"{") or not passages.met(letters(content)):
                continue
            for line in content.splitlines():
                sample = parsed(line)
                if sample and isinstance(sample.get("id"), str) and sample["id"] not in texts.ids:
                    said = letters_of(sample)
                    met = passages.met(said) if not copies.is_one("", said) else frozenset()
                    self._sharing.update([str(sample["id"])] if len(met) >= _SHARED_CHUNKS else [])
                    self._common |= met
        return passages.without(self._common)

    def _is_quoted(self, passages: Passages) -> bool:
        """Whether a message or the name of a file quotes."""
        kinds = ("commit", "tag", "tree")
        return any(passages.met(letters(b" " + content)) for _, content in self._mirror.contents(kinds))

    def _moves(self, before: Mapping[str, str], commit: str) -> dict[str, Move]:
        after = {ref: found for ref, found in self._mirror.refs().items() if ref.startswith(OWN_REFS)}
        after[self._base] = commit
        return {ref: Move(old, after[ref]) for ref, old in before.items() if ref in after and after[ref] != old}

    def _clean_remote(self, passages: Passages, refs: Mapping[str, str]) -> bool:
        """Removes the old objects of a remote on this machine, and proves it, unless refs of others hold them there."""
        own = self._own_remote()
        if own is None:
            return False
        own.forget_unreachable()
        try:
            prove(own, passages)
        except CorpusError:
            if all(ref.startswith(OWN_REFS) for ref in refs):
                raise
            return False
        return True
