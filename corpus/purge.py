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

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from corpus.clone import Clone
from corpus.cut import cut_decisions, cut_page, cut_shard, letters_of, numbers_of, parsed
from corpus.leaving import Copies, chunks_of
from corpus.mirror import OWN_REFS, AllObjects, Mirror, Move
from corpus.passages import Passages, letters
from corpus.purge_filter import PLAN_FILE, REPLACED_FOLDER
from corpus.purge_notes import carry_notes
from corpus.purge_search import Names, Texts, prove
from corpus.reissued import REISSUED, Signing, noted, signed_anew
from corpus.release_plan import signature_path
from corpus.repository import base_commit, on_corpus
from corpus.stage import disk_errors
from schemas.canonical import canonical_bytes
from schemas.errors import CorpusError, SettingsError
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
        self._mirror, self._folder, self._branch, self._names, self._at = mirror, folder, branch, names, at
        self._signing = signing
        self._sharing: set[str] = set()
        self._common: set[bytes] = set()
        self._signed: list[str] = []
        self._unsigned: dict[str, str] = {}

    def run(self, backup: Path | None, before_push: BeforePush) -> Purged:
        remote_refs = self._mirror.remote_refs()
        self._mirror.fetch_all()
        if backup:
            self._mirror.bundle(backup)
        before = self._mirror.refs()
        manifests = self._manifests(before)
        standing = self._signatures(before, manifests)
        texts = self._texts()
        passages, paths = self._passages(texts), self._mirror.paths()
        replaced = self._replaced(texts, passages, paths)
        if replaced or self._is_quoted(passages):
            self._rewrite(replaced, passages)
        n_objects = prove(self._mirror, passages)
        reissued = self._reissued(manifests)
        commit = self._note(reissued, standing, len(texts.ids)) if reissued else self._mirror.refs()[self._base]
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
            reissued=tuple(sorted(reissued)),
            signed=tuple(self._signed),
            unsigned=self._unsigned,
            foreign_refs=tuple(sorted(ref for ref in remote_refs if not ref.startswith(OWN_REFS))),
            sharing=tuple(sorted(self._sharing)),
            is_remote_clean=self._clean_remote(passages, remote_refs),
            backup=str(backup) if backup else None,
        )

    @property
    def _base(self) -> str:
        return f"refs/heads/{self._branch}"

    # What is to be looked for.

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

    def _passages(self, texts: Texts) -> Passages:
        """What the withdrawn samples say and no other sample of any time does, copies of theirs left out."""
        passages, copies = Passages(chunks_of(texts.all)), Copies(texts.all)
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

    # What is to be replaced.

    def _replaced(
        self, texts: Texts, passages: Passages, paths: Mapping[str, set[str]]
    ) -> dict[str, tuple[bytes, int]]:
        """Blob to its new content and the number of lines that leave it."""
        ids = texts.ids | self._names.ids
        marks = Passages([*passages.wanted, *(one.encode() for one in ids)])
        numbers = self._numbers(ids, paths)
        replaced: dict[str, tuple[bytes, int]] = {}
        for found, content in self._mirror.contents(("blob",)):
            if marks.met(letters(content)):
                path = min(paths.get(found.id, {""}))
                new, n_cut = self._cut(path, content, ids, numbers, texts, passages)
                if new != content:
                    replaced[found.id] = new, n_cut
        return replaced

    def _numbers(self, ids: Collection[str], paths: Mapping[str, set[str]]) -> dict[str, set[str]]:
        """By night, the numbers of the samples in its reading copy."""
        numbers: dict[str, set[str]] = {}
        pages = {blob: night for blob, named in paths.items() for path in named if (night := _night_of(path))}
        for blob, content in self._mirror.blobs(sorted(pages)):
            found = numbers_of(content.decode("utf-8", "surrogateescape"), ids)
            numbers.setdefault(pages[blob], set()).update(found)
        return numbers

    def _cut(
        self,
        path: str,
        content: bytes,
        ids: Collection[str],
        numbers: Mapping[str, set[str]],
        texts: Texts,
        passages: Passages,
    ) -> tuple[bytes, int]:
        if path.startswith("data/"):
            return cut_shard(content, ids, Copies(texts.all).is_one)
        if path.startswith("decisions/"):
            return cut_decisions(content, ids, passages), 0
        if path.startswith("review/"):
            text = content.decode("utf-8", "surrogateescape")
            cut = cut_page(text, ids, numbers.get(_night_of(path) or "", set()), passages)
            return cut.encode("utf-8", "surrogateescape"), 0
        if passages.met(letters(content)):
            if path.endswith(".json") and (plain := parsed(content)) is not None:
                return canonical_bytes(_silenced(plain, passages)) + b"\n", 0
            text = content.decode("utf-8", "surrogateescape")
            return cut_page(text, (), (), passages).encode("utf-8", "surrogateescape"), 0
        return content, 0

    def _is_quoted(self, passages: Passages) -> bool:
        """Whether a message or the name of a file quotes."""
        kinds = ("commit", "tag", "tree")
        return any(passages.met(letters(b" " + content)) for _, content in self._mirror.contents(kinds))

    # The rewriting.

    def _rewrite(self, replaced: Mapping[str, tuple[bytes, int]], passages: Passages) -> None:
        plan = self._folder / "plan"
        with disk_errors(plan):
            (plan / REPLACED_FOLDER).mkdir(parents=True)
            for blob, (content, _) in replaced.items():
                (plan / REPLACED_FOLDER / blob).write_bytes(content)
            (plan / PLAN_FILE).write_bytes(orjson.dumps({
                "digests": dict(self._digests(replaced)),
                "chunks": sorted(chunk.hex() for chunk in passages.wanted),
            }))  # fmt: skip
        command = [sys.executable, "-m", "corpus.purge_filter", str(plan.absolute())]
        done = subprocess.run(
            command, cwd=self._mirror.path, env=_own_environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise CorpusError(
                f"rewriting the history failed ({said[-1][:200] if said else done.returncode}); nothing was pushed. "
                "Free space or update git and git-filter-repo, then run the same command again"
            )
        carry_notes(self._mirror, {blob: new for blob, (new, _) in replaced.items()}, passages, self._at[:10])

    def _digests(self, replaced: Mapping[str, tuple[bytes, int]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for blob, old in self._mirror.blobs(sorted(replaced)):
            new, n_cut = replaced[blob]
            facts = {"sha256": hashlib.sha256(new).hexdigest(), "n_cut": n_cut, "n_bytes": len(new)}
            yield hashlib.sha256(old).hexdigest(), facts

    # What is told afterwards.

    def _manifests(self, refs: Mapping[str, str]) -> dict[str, str]:
        """Tag to the digest of its manifest."""
        found = {}
        for ref, named in refs.items():
            tag = ref.removeprefix("refs/tags/")
            if ref.startswith("refs/tags/") and (content := self._mirror.file(named, f"releases/{tag}.json")):
                found[tag] = hashlib.sha256(content).hexdigest()
        return found

    def _reissued(self, before: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """Tag to the old and the new digest of each manifest that changed."""
        after = self._manifests(self._mirror.refs())
        return {tag: (old, after[tag]) for tag, old in sorted(before.items()) if after.get(tag, old) != old}

    def _signatures(self, refs: Mapping[str, str], tags: Iterable[str]) -> dict[str, tuple[bool, str | None]]:
        """By tag, whether the release is signed, and what keeps a purge from signing it anew."""
        base = refs[self._base]
        return {tag: self._signing.why_not(self._mirror, base, tag, refs[f"refs/tags/{tag}"]) for tag in tags}

    def _note(
        self, reissued: Mapping[str, tuple[str, str]], standing: Mapping[str, tuple[bool, str | None]], n_samples: int
    ) -> str:
        """The commit on the base branch that writes down which manifests changed, and has their new signatures."""
        base = self._mirror.refs()[self._base]
        notes = [
            noted(tag, old, new, at=self._at, was_signed=standing[tag][0])
            for tag, (old, new) in sorted(reissued.items())
        ]
        before = self._mirror.file(base, REISSUED) or b""
        files = {REISSUED: before + b"".join(canonical_bytes(note) + b"\n" for note in notes)}
        self._unsigned = {tag: why for tag in sorted(reissued) if (why := standing[tag][1])}
        files |= self._sign(base, [tag for tag in sorted(reissued) if standing[tag] == (True, None)])
        blobs = self._mirror.store((path, [content], len(content)) for path, content in files.items())
        title = f"purge: {n_samples} samples left the history, {len(notes)} manifests were issued again"
        return self._mirror.commit(base, blobs, title + "\n", self._at[:10])

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
                self._signed.append(tag)
            except SettingsError as error:
                self._unsigned |= dict.fromkeys(tags[number:], str(error))
                break
            except CorpusError as error:
                self._unsigned[tag] = str(error)
        return files

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


def _silenced(plain: Any, passages: Passages) -> Any:
    """A JSON value without the strings that quote."""
    if isinstance(plain, dict):
        return {key: _silenced(value, passages) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_silenced(value, passages) for value in plain]
    is_quoting = isinstance(plain, str) and passages.met(letters(b" " + plain.encode("utf-8", "replace")))
    return "(withdrawn)" if is_quoting else plain


def _night_of(path: str) -> str | None:
    found = re.fullmatch(r"review/([^/]+)/[^/]+\.md", path)
    return found[1] if found else None


def _own_environment() -> dict[str, str]:
    """This process's, without anybody's git configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name == "GIT_EXEC_PATH"}
    root = str(Path(__file__).parent.parent)
    paths = [root, *([kept["PYTHONPATH"]] if kept.get("PYTHONPATH") else [])]
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return {**kept, **own, "PYTHONPATH": os.pathsep.join(paths), "GIT_TERMINAL_PROMPT": "0"}


__all__ = ["REISSUED", "Purged", "prove", "purge"]
