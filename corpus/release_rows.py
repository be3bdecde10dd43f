"""The samples of a release, one after the other, each with its split: what exports are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from corpus.bulk import BulkObjects
from corpus.objects import Entry
from corpus.spool import Spool
from schemas.errors import CorpusError
from schemas.release import SPLITS, Split

__all__ = ["ReleasedSample", "Split", "read_release", "released_ids"]

RELEASED_SHARD = re.compile(
    rf"data/(?P<split>{'|'.join(SPLITS)})/(?P<expert>[a-z0-9-]+)/(?P<month>[\d-]+)/(?P<night>[\d-]+)\.jsonl"
)
"""Where a release keeps the part of a shard that is in one split."""

_ID = re.compile(rb'^\{"alternatives":.*?,"id":"([0-9a-f]{32})","messages":', re.MULTILINE)
"""The id in a canonical line. Within a text every quote has a backslash before it, so nothing said looks like this."""


@dataclass(frozen=True)
class ReleasedSample:
    """A sample of a release. `line` is the parsed object of its line; the split "test" is the sealed holdout."""

    split: Split
    expert: str
    line: dict[str, Any]


class _Key(NamedTuple):
    expert: str
    id: bytes
    split: int


def read_release(store: BulkObjects, tag_commit: str) -> Iterator[ReleasedSample]:
    """The samples of the release at a commit (`store.fetch_tag(tag)`), by expert, then by id.

    Raises:
        CorpusError: the commit is no release, or a line cannot be read.
    """
    with Spool[_Key](store.path.parent) as spool:
        for entry, content in _shards(store, tag_commit):
            split, expert = _place(entry)
            for line in content.splitlines():
                spool.add(_Key(expert, _id(line, entry.path), SPLITS.index(split)), line)
        for kept in sorted(spool.entries):
            yield ReleasedSample(SPLITS[kept.key.split], kept.key.expert, _parsed(spool.read(kept), kept.key.id))


def released_ids(store: BulkObjects, tag_commit: str) -> Iterator[tuple[Split, list[bytes]]]:
    """The ids (32 hexadecimal characters) in each shard of a release, with their split. Raises as `read_release`."""
    for entry, content in _shards(store, tag_commit):
        found = _ID.findall(content)
        if len(found) != content.count(b"\n"):
            raise CorpusError(f"the release has a line without an id in {entry.path}; verify it")
        yield _place(entry)[0], found


def _shards(store: BulkObjects, tag_commit: str) -> Iterator[tuple[Entry, bytes]]:
    entries = store.entries(tag_commit, "data")
    if not store.entries(tag_commit, "releases") or any(not RELEASED_SHARD.fullmatch(one.path) for one in entries):
        raise CorpusError(f"commit {tag_commit[:12]} is no release: its shards are not in splits; name a release's tag")
    contents = store.blobs(entry.blob for entry in entries)
    yield from ((entry, content) for entry, (_, content) in zip(entries, contents, strict=True))


def _place(entry: Entry) -> tuple[Split, str]:
    _, split, expert, _ = entry.path.split("/", 3)
    return SPLITS[SPLITS.index(split)], expert


def _parsed(line: bytes, sample_id: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise CorpusError(f"the line of sample {sample_id.decode()} of the release is no JSON; verify it") from error
    return found


def _id(line: bytes, path: str) -> bytes:
    found = _ID.match(line)
    if not found:
        raise CorpusError(f"the release has a line without an id in {path}; verify it")
    return found[1]
