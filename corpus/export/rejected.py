"""What people rejected, as bad examples: only what may be shown, and never what leaks the sealed holdout.

The text of a rejected sample stands in the history of the corpus. That it was rejected does not say that its reply is
bad: it may hold something private, or was not meant to be published. So a sample is a bad example only if most of its
reviewers rejected it and each reason given is one of `ABOUT_QUALITY`, and at least one is given.

A rejected sample is in no split of the release. It takes the split of the samples that it is tied to by what
corpus/splits.py groups by (its contributor, its conversation, a near text): tied to the holdout it is sealed, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson

from corpus.bulk import BulkObjects
from corpus.decisions import decisions_path
from corpus.near import Joined, join_near
from corpus.release_pieces import Piece, PieceFacts, read_piece
from corpus.release_rows import RELEASED_SHARD
from corpus.spool import Spool
from schemas.conversation import Turn, content_id
from schemas.decision import Decision, parse_decisions, votes
from schemas.errors import CorpusError, InputError
from schemas.release import Split
from schemas.sample_shape import sample_shape_problems

ABOUT_QUALITY = ("is wrong", "is harmful", "only advertises", "teaches nothing")
"""Of the reasons that `gristmill review` offers, those that speak of the reply and not of the person in it."""

_HELD_OUT: tuple[Split, ...] = ("test", "validation")
"""The stricter first: what is tied to both is sealed."""


@dataclass(frozen=True)
class RejectedSample:
    """A sample that people rejected; `why_not` is the reason why it cannot be a bad example, None when it can.

    Without its text (the night was squashed when it was merged) only its id is known, and its expert is empty.
    """

    split: str
    expert: str
    line: Mapping[str, Any]
    why_not: str | None = None


class _Key(NamedTuple):
    expert: str
    id: str
    why_not: str | None


@contextmanager
def rejected_samples(store: BulkObjects, tag_commit: str, corpus_commit: str) -> Iterator[Iterator[RejectedSample]]:
    """The samples that most reviewers rejected up to a release, by expert, then by id.

    Args:
        store: the clone.
        tag_commit: of the release.
        corpus_commit: the state of the corpus that it was made of, with its history.

    Raises:
        CorpusError: a file of decisions cannot be read, or the commit is no release.
    """
    with Spool[_Key](store.path.parent) as spool:
        missing: set[str] = set()
        known: set[str] = set()
        for night, rejected in _rejected_by_night(store, corpus_commit):
            found = {key.id for key in _keep_lines(spool, store, corpus_commit, night, rejected, known)}
            known |= found
            missing |= rejected.keys() - found
        splits = _splits(store, tag_commit, spool)
        yield _read(spool, splits, sorted(missing - known))


def _read(spool: Spool[_Key], splits: Sequence[str], missing: Sequence[str]) -> Iterator[RejectedSample]:
    for sample_id in missing:
        yield RejectedSample("train", "", {"id": sample_id}, "no_text")
    for number in sorted(range(len(spool.entries)), key=lambda one: spool.entries[one].key[:2]):
        entry = spool.entries[number]
        yield RejectedSample(splits[number], entry.key.expert, orjson.loads(spool.read(entry)), entry.key.why_not)


def why_not(given: Collection[Decision]) -> str | None:
    """The reason why a rejected sample cannot be shown as a bad example; None when it can."""
    reasons = [vote.reason.casefold() for vote in given if vote.verdict == "reject" and vote.reason.strip()]
    is_about_quality = [any(words in reason for words in ABOUT_QUALITY) for reason in reasons]
    return None if reasons and all(is_about_quality) else "reject_reason_unclear"


def _rejected_by_night(store: BulkObjects, commit: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Night to the samples that most of their reviewers rejected, each with `why_not`."""
    for change in sorted(store.changes(None, commit, "decisions"), key=lambda one: one.path):
        night = change.path.removeprefix("decisions/").removesuffix(".jsonl")
        if change.path != decisions_path(night):
            continue
        try:
            voted = votes(parse_decisions(store.blob(change.new), change.path))
        except InputError as error:
            raise CorpusError(f"the corpus has a damaged line of decisions: {error}; mend it there") from error
        yield night, {sample_id: why_not(given) for sample_id, given in voted.items() if _is_rejected(given)}


def _is_rejected(given: Collection[Decision]) -> bool:
    return 2 * sum(vote.verdict == "reject" for vote in given) > len(given)


def _keep_lines(
    spool: Spool[_Key],
    store: BulkObjects,
    commit: str,
    night: str,
    wanted: Mapping[str, str | None],
    known: Collection[str],
) -> Iterator[_Key]:
    """Spools the wanted lines of a night from the history of its shards, each once, and gives their keys."""
    seen = set(known)
    versions = store.versions(commit, f"data/*/{night[:7]}/{night}.jsonl") if wanted else []
    for _, content in store.blobs(one.new for one in versions):
        for line in content.splitlines():
            sample = _sample(line)
            if sample and sample["id"] in wanted and sample["id"] not in seen:
                key = _Key(sample["expert"], sample["id"], wanted[sample["id"]])
                seen.add(key.id)
                spool.add(key, line)
                yield key


def _sample(line: bytes) -> dict[str, Any] | None:
    """The sample in a line, None for what is none or bears another text than its id says: a branch has anything."""
    try:
        plain = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if any(True for _ in sample_shape_problems(plain)):
        return None
    sample: dict[str, Any] = plain
    return sample if sample["id"] == content_id([Turn(**one) for one in sample["messages"]]) else None


# The splits.


def _splits(store: BulkObjects, tag_commit: str, spool: Spool[_Key]) -> list[str]:
    """The split of each spooled sample: of the held-out one that it is tied to, else train."""
    if not spool.entries:
        return []
    parts = [read_piece(Piece("its history", entry.key.expert, 1, spool.read(entry))) for entry in spool.entries]
    owners = [-1] * len(parts)
    for number, content, path in _held_out(store, tag_commit):
        facts = read_piece(Piece(path, path.split("/")[2], 1, content))
        parts.append(facts)
        owners += [number] * len(facts.ids)
    return _tied(parts, np.array(owners, np.int64), len(spool.entries))


def _held_out(store: BulkObjects, tag_commit: str) -> Iterator[tuple[int, bytes, str]]:
    entries = store.entries(tag_commit, "data")
    if any(not RELEASED_SHARD.fullmatch(one.path) for one in entries):
        raise CorpusError(f"commit {tag_commit[:12]} is no release: its shards are not in splits; name a release's tag")
    chosen = [one for one in entries if one.path.split("/")[1] in _HELD_OUT]
    for entry, (_, content) in zip(chosen, store.blobs(one.blob for one in chosen), strict=True):
        yield _HELD_OUT.index(entry.path.split("/")[1]), content, entry.path


def _tied(parts: Sequence[PieceFacts], owners: np.ndarray[Any, Any], n_rejected: int) -> list[str]:
    """The split of the first `n_rejected` samples; `owners` are numbers into `_HELD_OUT`, -1 for none."""
    joined = Joined(len(owners))
    keys = np.concatenate([part.keys for part in parts])
    members = np.repeat(np.arange(len(owners)), keys.shape[1])
    is_key = keys.ravel() != 0
    joined.join_equal(keys.ravel()[is_key], members[is_key])
    has_words = np.concatenate([part.has_words for part in parts])
    join_near(joined, np.concatenate([part.signatures for part in parts]), np.flatnonzero(has_words))
    strictest: dict[int, int] = {}
    for root, owner in zip(joined.roots.tolist(), owners.tolist(), strict=True):
        if owner >= 0:
            strictest[root] = min(owner, strictest.get(root, owner))
    found = (strictest.get(root) for root in joined.roots[:n_rejected].tolist())
    return ["train" if number is None else _HELD_OUT[number] for number in found]
