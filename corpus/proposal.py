"""A night as Gristmill proposed it: found in the history of its branch and of the base branch.

It is what everything that people did is compared with. A proposal that was rebased is still ours; one whose files are
not those that its record names is not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from corpus.bulk import BulkObjects
from corpus.decisions import decisions_path
from corpus.objects import Commit
from corpus.propose import record_path
from schemas.canonical import digest
from schemas.errors import CorpusError

OUR_EMAIL = "gristmill@localhost"
"""The author of every commit that Gristmill makes for itself."""


class Altered(CorpusError):
    """A commit that says to be a proposal and does not hold what its record names."""


@dataclass(frozen=True)
class ProposedLine:
    """A sample's line without line end, and the shard that it was proposed in."""

    shard: str
    line: bytes

    def sample(self) -> dict[str, Any]:
        """The object in the line."""
        plain: dict[str, Any] = orjson.loads(self.line)
        return plain


@dataclass(frozen=True)
class Proposal:
    """What the commit proposed: the record, the shards' lines by id, and the reading copy's pages by path."""

    commit: str
    night: str
    record: Mapping[str, Any]
    shards: tuple[str, ...]
    pages: Mapping[str, bytes]
    lines: Mapping[str, ProposedLine]

    @cached_property
    def by_origin(self) -> Mapping[str, tuple[str, ...]]:
        """Ids by what an edit leaves as it is: two samples may share it only if they are of one conversation."""
        found: dict[str, list[str]] = {}
        for sample_id, one in self.lines.items():
            found.setdefault(origin_of(one.sample()), []).append(sample_id)
        return {origin: tuple(ids) for origin, ids in found.items()}


def origin_of(sample: Mapping[str, Any]) -> str:
    """A digest of what an edit leaves as it is."""
    return digest([sample.get(key) for key in ("expert", "provenance", "verdict", "format")])


def night_paths(night: str) -> list[str]:
    """Patterns of all files of a night."""
    return [
        record_path(night),
        decisions_path(night),
        f"review/{night}/**",
        f"data/*/{night[:7]}/{night}.jsonl",
    ]


def is_ours(commit: Commit) -> bool:
    """Whether Gristmill signed it for itself; anybody can sign so, so this alone proves nothing."""
    return commit.author.email == OUR_EMAIL


def proposals(store: BulkObjects, commits: Sequence[Commit], night: str) -> list[str]:
    """Those of the commits that first brought the night's record, signed by us, in the order given."""
    named = sorted({one for commit in commits for one in (commit.id, *commit.parents)})
    record = dict(zip(named, store.ids([f"{one}:{record_path(night)}" for one in named]), strict=True))
    return [
        commit.id
        for commit in commits
        if is_ours(commit) and record[commit.id] and not any(record[parent] for parent in commit.parents)
    ]


def read_proposal(store: BulkObjects, commit: str, night: str) -> Proposal:
    """The proposal that a commit made.

    Raises:
        Altered: its files are not those that its record names.
    """
    record = parsed_record(store.file(commit, record_path(night)), night)
    files = _digests(record.get("files"))
    blobs = store.ids([f"{commit}:{path}" for path in files])
    if None in blobs or not files:
        raise _altered(night, commit)
    content = dict(zip(files, (found for _, found in store.blobs(one for one in blobs if one)), strict=True))
    if any(hashlib.sha256(content[path]).hexdigest() != files[path] for path in files):
        raise _altered(night, commit)
    shards = tuple(sorted(path for path in files if is_shard(path, night)))
    try:
        lines = dict(_lines(content, shards))
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise _altered(night, commit) from error
    return Proposal(
        commit=commit,
        night=night,
        record=record,
        shards=shards,
        pages={path: content[path] for path in files if is_page(path, night)},
        lines=lines,
    )


def proposal_in(store: BulkObjects, commit: str, night: str) -> Proposal | None:
    """Gristmill's proposal of a night in the history of a commit; None where there is none that can be read."""
    found = proposals(store, store.commits_touching([record_path(night)], [commit]), night)
    try:
        return read_proposal(store, found[0], night) if found else None
    except CorpusError:
        return None


def parsed_record(content: bytes | None, night: str) -> dict[str, Any]:
    """The object in a night's record. Raises: CorpusError: it is none."""
    try:
        record = orjson.loads(content or b"null")
    except orjson.JSONDecodeError as error:
        raise CorpusError(f"{record_path(night)} cannot be read ({error}); propose the night anew") from error
    if not isinstance(record, dict):
        raise CorpusError(f"{record_path(night)} is no record of a night; propose the night anew")
    return record


def is_shard(path: str, night: str) -> bool:
    """Whether the path is that of a shard of this night."""
    return bool(re.fullmatch(rf"data/[^/]+/{night[:7]}/{night}\.jsonl", path))


def is_page(path: str, night: str) -> bool:
    """Whether the path is one of the night's reading copy."""
    return bool(re.fullmatch(rf"review/{night}/[^/]+\.md", path))


def lines_of(content: bytes) -> list[bytes]:
    """The lines of a file without byte order mark and line ends, whichever they are, and without empty ones."""
    return [line.rstrip(b"\r") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]


def _digests(named: Any) -> dict[str, Any]:
    """Path to digest as the record names them, nothing where it is not of its form."""
    if not isinstance(named, dict) or any(not isinstance(one, dict) for one in named.values()):
        return {}
    return {path: facts.get("sha256") for path, facts in named.items()}


def _lines(content: Mapping[str, bytes], shards: Sequence[str]) -> Iterator[tuple[str, ProposedLine]]:
    for shard in shards:
        for line in lines_of(content[shard]):
            yield orjson.loads(line)["id"], ProposedLine(shard, line)


def _altered(night: str, commit: str) -> Altered:
    return Altered(
        f"the proposal of {night} ({commit[:12]}) is not as Gristmill made it: its files differ from the digests in "
        f"{record_path(night)}. Delete the branch and run the night again"
    )
