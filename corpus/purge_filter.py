"""The rewriting itself, in a process of its own: `python -m corpus.purge_filter PLAN`, run in a bare repository.

git-filter-repo walks the history and asks for every commit. Files that purge has cut get their new content; records
and manifests get the digests of those files and the ids of the commits before them as they are now; lines of messages
that quote what is withdrawn go. Everything else keeps its content, and commits that change nothing any more stay.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import git_filter_repo as filter_repo  # type: ignore[import-untyped]
import orjson

from corpus.mirror import AllObjects
from corpus.passages import Passages, letters
from corpus.purge_card import reissued_card

PLAN_FILE = "plan.json"
REPLACED_FOLDER = "replaced"

_CARD = b"README.md"
_TAGS = "refs/tags/"
_SIGNATURE = re.compile(rb"-----BEGIN (?:SSH|PGP) SIGNATURE-----")
_RECORDS = re.compile(rb"(nights|releases)/[^/]+\.json")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DIGEST_IN_TEXT = re.compile(rb"\b[0-9a-f]{64}\b")

_OPTIONS = (
    *("--force", "--quiet"),  # --force: our copy is fresh, though not made by `git clone`
    *("--prune-empty", "never", "--prune-degenerate", "never", "--replace-refs", "delete-no-add"),
)

Renamed = Callable[[bytes], bytes]


def corrected(plain: Any, digests: Mapping[str, Mapping[str, Any]], renamed: Renamed) -> Any:
    """A record or manifest with new digests for the files that changed, and new ids for the commits.

    Beside a digest, what counts the samples (`samples`, `n_samples`) and bytes (`bytes`, `n_bytes`, `size`) of the
    file is corrected, too.
    """
    if isinstance(plain, list):
        return [corrected(one, digests, renamed) for one in plain]
    if isinstance(plain, str):
        if _DIGEST.fullmatch(plain) and plain in digests:
            return digests[plain]["sha256"]
        return renamed(plain.encode()).decode() if _COMMIT.fullmatch(plain) else plain
    if not isinstance(plain, dict):
        return plain
    new = {key: corrected(value, digests, renamed) for key, value in plain.items()}
    if isinstance(new.get("counts"), dict) and isinstance(new.get("files"), list):
        new["counts"] = {name: _counted(name, count, new["files"]) for name, count in new["counts"].items()}
    changed = [digests[value] for value in plain.values() if isinstance(value, str) and value in digests]
    for facts in changed[:1]:
        for key in new:
            if key in ("samples", "n_samples") and isinstance(new[key], int):
                new[key] -= facts["n_cut"]
            if key in ("bytes", "n_bytes", "size") and isinstance(new[key], int):
                new[key] = facts["n_bytes"]
    return new


def _counted(split: str, count: Any, files: Sequence[Any]) -> Any:
    """What a release's manifest says of a split, with the samples and bytes of its shards as they are now."""
    own = [one for one in files if isinstance(one, dict) and str(one.get("path", "")).startswith(f"data/{split}/")]
    if not isinstance(count, dict):
        return count
    sums = {name: sum(one.get(name) or 0 for one in own) for name in ("samples", "bytes")}
    return {key: sums.get(key, value) for key, value in count.items()}


def without_quotations(message: bytes, passages: Passages) -> bytes:
    """A message without the lines that quote; all of it goes when the quotation stretches over several."""
    kept = b"".join(line for line in message.splitlines(keepends=True) if not passages.met(letters(b" " + line)))
    return b"(withdrawn)\n" if passages.met(letters(b" " + kept)) or not kept.strip() else kept


class _Rewriting:
    """What is asked of every commit."""

    def __init__(self, plan: Path, repository: AllObjects) -> None:
        facts = orjson.loads((plan / PLAN_FILE).read_bytes())
        self._folder = plan / REPLACED_FOLDER
        self._replaced = frozenset(file.name for file in self._folder.iterdir())
        self._digests: dict[str, dict[str, Any]] = facts["digests"]
        self._passages = Passages(bytes.fromhex(chunk) for chunk in facts["chunks"])
        self._repository = repository
        self._inserted: dict[bytes, int | bytes] = {}
        self._changed: set[bytes] = set()
        self._cards = dict(_cards(repository))
        self._new_cards: dict[str, bytes] = {}
        self.filter: Any = None

    def commit(self, commit: Any, metadata: Mapping[str, Any]) -> None:
        commit.message = self._message(commit.message)
        for change in commit.file_changes:
            change.filename = self._name(change.filename)
        changes = [change for change in commit.file_changes if change.type == b"M" and change.mode != b"160000"]
        # Manifests after the nights' records, on which they rest, and before the card, which has their numbers.
        for change in sorted(changes, key=lambda one: (one.filename == _CARD, one.filename[:9] == b"releases/")):
            old = change.blob_id
            change.blob_id = self._new_blob(change, metadata["commit_rename_func"])
            if change.blob_id != old and _RECORDS.fullmatch(change.filename):
                self._changed.add(change.filename)
        # The signature of a manifest that changed is no signature any more.
        void = self._void_signatures()
        commit.file_changes = [
            filter_repo.FileChange(b"D", one.filename) if one.filename in void else one for one in commit.file_changes
        ]

    def tag(self, tag: Any, metadata: Mapping[str, Any]) -> None:
        tag.message = self._message(tag.message)
        named = self._repository.annotation(tag.original_id.decode()).split(b"\n", 1)[0].removeprefix(b"object ")
        if metadata["commit_rename_func"](named) != named:  # what was signed is another commit
            tag.message = _SIGNATURE.split(tag.message)[0]

    def _void_signatures(self) -> set[bytes]:
        return {name + b".sig" for name in self._changed}

    def _name(self, name: bytes) -> bytes:
        """A path that quotes gives way to one that does not, the same wherever it stands."""
        return b"withdrawn/" + _sha256(name)[:16].encode() if self._passages.met(letters(b" " + name)) else name

    def _message(self, message: bytes) -> bytes:
        message = _DIGEST_IN_TEXT.sub(self._new_digest, message)
        return without_quotations(message, self._passages) if self._passages.met(letters(b" " + message)) else message

    def _new_digest(self, found: re.Match[bytes]) -> bytes:
        known = self._digests.get(found[0].decode())
        return str(known["sha256"]).encode() if known else found[0]

    def _new_blob(self, change: Any, renamed: Renamed) -> int | bytes:
        blob: bytes = change.blob_id
        if blob not in self._inserted:
            content = self._new_content(blob, bool(_RECORDS.fullmatch(change.filename)), renamed)
            self._inserted[blob] = blob if content is None else self._insert(content)
        return self._inserted[blob]

    def _new_content(self, blob: bytes, is_record: bool, renamed: Renamed) -> bytes | None:
        name = blob.decode()
        if name in self._new_cards:
            return self._new_cards[name]
        if name in self._replaced:
            return (self._folder / name).read_bytes()
        if not is_record:
            return None
        old = self._repository.blob(name)
        try:
            plain = orjson.loads(old)
        except orjson.JSONDecodeError:
            return None
        new = corrected(plain, self._digests, renamed)
        if new == plain:
            return None
        if isinstance(new, dict) and isinstance(new.get("files"), list):
            void = {name.decode(errors="replace") for name in self._void_signatures()}
            new["files"] = [one for one in new["files"] if not (isinstance(one, dict) and one.get("path") in void)]
            self._correct_card(_sha256(old), new)
        content = _as_written(new, old)
        self._digests[_sha256(old)] = {"sha256": _sha256(content), "n_cut": 0, "n_bytes": len(content)}
        return content

    def _correct_card(self, manifest: str, new: Mapping[str, Any]) -> None:
        """Makes the new card of a release, and notes its digest in the new manifest."""
        card, content = self._cards.get(manifest, ("", b""))
        for entry in (one for one in new["files"] if card and one.get("path") == _CARD.decode()):
            self._new_cards[card] = reissued_card(content, new["files"])
            entry["sha256"], entry["bytes"] = _sha256(self._new_cards[card]), len(self._new_cards[card])

    def _insert(self, content: bytes) -> int:
        blob = filter_repo.Blob(content)
        self.filter.insert(blob)
        return int(blob.id)


def _cards(repository: AllObjects) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """The digest of each release's manifest, and the blob and content of its card."""
    for ref in repository.refs():
        if ref.startswith(_TAGS):
            manifest = repository.file(ref, f"releases/{ref.removeprefix(_TAGS)}.json")
            card = repository.blob_id(ref, _CARD.decode())
            if manifest and card:
                yield _sha256(manifest), (card, repository.blob(card))


def _as_written(plain: Any, old: bytes) -> bytes:
    """JSON in the form of the file that it replaces: indented or not, with its line end or without."""
    option = orjson.OPT_INDENT_2 if old.startswith(b"{\n") else 0
    is_sorted = orjson.dumps(orjson.loads(old), option=option | orjson.OPT_SORT_KEYS) == old.rstrip(b"\n")
    written = orjson.dumps(plain, option=option | (orjson.OPT_SORT_KEYS if is_sorted else 0))
    return written + (b"\n" if old.endswith(b"\n") else b"")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(plan: Path) -> None:
    """Rewrites the bare repository in the working folder."""
    rewriting = _Rewriting(plan, AllObjects(Path.cwd()))
    options = filter_repo.FilteringOptions.parse_args(list(_OPTIONS))
    rewriting.filter = filter_repo.RepoFilter(options, commit_callback=rewriting.commit, tag_callback=rewriting.tag)
    rewriting.filter.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
