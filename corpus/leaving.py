"""What a branch looks like when samples leave it: shards, reading copy, decisions and records, nothing else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from corpus.bulk import BulkObjects
from corpus.cut import cut_decisions, cut_page, cut_shard, letters_of, numbers_of, parsed
from corpus.passages import Passages, chunks, said_in

_SHARD = re.compile(r"data/[^/]+/\d{4}-\d\d/([^/]+)\.jsonl")
_PAGE = re.compile(r"review/([^/]+)/[^/]+\.md")

_WHOLE_MESSAGE_CHUNKS = 3
"""An answer of so many chunks (72 letters, fourteen words) under another question is a copy, no common phrase."""


@dataclass(frozen=True)
class SaidText:
    """What a withdrawn sample says: `messages` are `{"role", "content"}`, `beside` the replies beside its path."""

    sample_id: str
    conversation_id: str | None
    messages: tuple[Mapping[str, str], ...]
    beside: tuple[str, ...] = ()

    def said(self) -> list[str]:
        """All its texts."""
        return [*(message["content"] for message in self.messages), *self.beside]


def text_of(sample: Mapping[str, Any]) -> SaidText | None:
    """The text of a parsed line; None of one that is no sample."""
    messages = sample.get("messages")
    is_whole = isinstance(messages, list) and all(
        isinstance(one, dict) and isinstance(one.get("role"), str) and isinstance(one.get("content"), str)
        for one in messages
    )
    if not isinstance(messages, list) or not is_whole:
        return None
    provenance = sample.get("provenance")
    conversation = provenance.get("conversation_id") if isinstance(provenance, dict) else None
    return SaidText(str(sample["id"]), conversation, tuple(messages), tuple(said_in(sample)[len(messages) :]))


@dataclass
class Left:
    """The files that change, by path, and how many lines leave the shards."""

    files: dict[str, bytes] = field(default_factory=dict)
    n_lines: int = 0


def without(
    store: BulkObjects, commit: str, ids: Collection[str], texts: Sequence[SaidText], *, night: str | None = None
) -> Left:
    """What changes on a branch when these samples leave it.

    Args:
        store: the corpus.
        commit: where the branch is.
        ids: the samples.
        texts: what they say, as far as it is known.
        night: only the files of this open night change. Lines of other ids that hold a whole answer of theirs leave,
            too: they are samples made to test its reviewers.
    """
    left, lines_left = Left(), dict[str, int]()
    is_copy = Copies(texts).is_one if night else None
    for path in _shards(store, commit, ids, night):
        cut = cut_shard(_file(store, commit, path), ids, is_copy)
        if cut.n_cut:
            left.files[path], lines_left[path] = cut
    left.n_lines = sum(lines_left.values())
    pages = f"review/{night}" if night else "review"
    nights = {found[1] for path in lines_left if (found := _SHARD.fullmatch(path))}
    nights |= {found[1] for path in store.containing(commit, ids, pages) if (found := _PAGE.fullmatch(path))}
    for one in sorted(nights & {night} if night else nights):
        left.files |= _pages(store, commit, one, ids, texts, left.files)
    for path in store.containing(commit, ids, f"decisions/{night}.jsonl" if night else "decisions"):
        before = _file(store, commit, path)
        if (after := cut_decisions(before, ids, Passages(chunks_of(texts)))) != before:
            left.files[path] = after
    left.files |= _records(store, commit, left.files, lines_left)
    return left


def _shards(store: BulkObjects, commit: str, ids: Collection[str], night: str | None) -> list[str]:
    """The shards that may lose lines: those that hold an id, or all of an open night."""
    if night is None:
        return store.containing(commit, ids, "data")
    paths = (entry.path for entry in store.entries(commit, "data"))
    return [path for path in paths if (found := _SHARD.fullmatch(path)) and found[1] == night]


def _file(store: BulkObjects, commit: str, path: str) -> bytes:
    content = store.file(commit, path)
    assert content is not None, "git has just named it"
    return content


def chunks_of(texts: Iterable[SaidText]) -> Iterator[bytes]:
    """The chunks of all that these samples say."""
    for text in texts:
        for said in text.said():
            yield from chunks(said)


class Copies:
    """Recognises lines that hold a whole answer of a withdrawn sample under another id."""

    def __init__(self, texts: Sequence[SaidText]) -> None:
        answers = [set(chunks(one["content"])) for text in texts for one in text.messages if one["role"] == "assistant"]
        self._answers = [answer for answer in answers if len(answer) >= _WHOLE_MESSAGE_CHUNKS]
        self._passages = Passages(chunk for answer in self._answers for chunk in answer)

    def is_one(self, _: str, said: bytes) -> bool:
        """Whether these letters hold a whole answer."""
        met = self._passages.met(said)
        return any(answer <= met for answer in self._answers)


def _pages(
    store: BulkObjects,
    commit: str,
    night: str,
    ids: Collection[str],
    texts: Sequence[SaidText],
    changed: Mapping[str, bytes],
) -> dict[str, bytes]:
    """The pages of a night that change. What samples that stay say, too, is nobody's quotation."""
    entries = [entry for entry in store.entries(commit, f"review/{night}") if _PAGE.fullmatch(entry.path)]
    blobs = dict(store.blobs(sorted({entry.blob for entry in entries})))
    pages = {entry.path: blobs[entry.blob].decode("utf-8", "surrogateescape") for entry in entries}
    numbers = {number for text in pages.values() for number in numbers_of(text, ids)}
    passages = Passages(chunks_of(texts))
    passages = passages.without(_said_by_others(store, commit, night, passages, changed))
    cut = {path: cut_page(text, ids, numbers, passages) for path, text in pages.items()}
    return {path: text.encode("utf-8", "surrogateescape") for path, text in cut.items() if text != pages[path]}


def _said_by_others(
    store: BulkObjects, commit: str, night: str, passages: Passages, changed: Mapping[str, bytes]
) -> Iterator[bytes]:
    for entry in store.entries(commit, "data"):
        if (found := _SHARD.fullmatch(entry.path)) and found[1] == night:
            for line in changed.get(entry.path, store.blob(entry.blob)).splitlines():
                yield from passages.met(letters_of(parsed(line) or {}))


def _records(
    store: BulkObjects, commit: str, changed: Mapping[str, bytes], lines_left: Mapping[str, int]
) -> dict[str, bytes]:
    """The records of the nights, with the digests that their files have now, and how many samples were withdrawn."""
    records = {}
    for night in sorted({found[1] for path in changed if (found := _SHARD.fullmatch(path) or _PAGE.fullmatch(path))}):
        path = f"nights/{night}.json"
        record = orjson.loads(store.file(commit, path) or b"null")
        if isinstance(record, dict):
            n_left = sum(n for shard, n in lines_left.items() if Path(shard).stem == night)
            before = {name: store.file(commit, name) or b"" for name in changed}
            new = _corrected(record, before, changed) | {"withdrawn": int(record.get("withdrawn", 0)) + n_left}
            records[path] = orjson.dumps(new, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    return records


def _corrected(record: Mapping[str, Any], before: Mapping[str, bytes], after: Mapping[str, bytes]) -> dict[str, Any]:
    """A record with new facts of the files that changed: those that were proposed, and those that were settled."""
    new = dict(record)
    if isinstance(settled := record.get("settled"), dict):
        new["settled"] = _corrected(settled, before, after)
    if isinstance(files := record.get("files"), dict):
        new["files"] = {name: _facts(facts, before.get(name), after.get(name)) for name, facts in files.items()}
    return new


def _facts(facts: Any, before: bytes | None, after: bytes | None) -> Any:
    """What a record says of a file; where it speaks of another version of it, that stays."""
    is_meant = before is not None and after is not None and isinstance(facts, dict)
    if not is_meant or facts.get("sha256") != hashlib.sha256(before or b"").hexdigest():
        return facts
    content = after or b""
    counted = {"samples": content.count(b"\n")} if "samples" in facts else {}
    return {**facts, "sha256": hashlib.sha256(content).hexdigest(), **counted}
