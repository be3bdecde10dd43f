"""Makes a release's commit in the clone: samples split, card, manifest. The same request gives the same commit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from corpus.card import card_files
from corpus.clone import Clone
from corpus.release_plan import Plan, manifest_path, plan
from corpus.splits import SplitRule
from schemas.errors import CorpusError
from schemas.release import Release, ReleaseFile

OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class Request:
    """What a release depends on. `code` is that of this program, or of the one that made a release to be checked."""

    tag: str
    corpus_commit: str
    released_on: str | None
    rule: SplitRule
    code: Mapping[str, str]


@dataclass(frozen=True)
class Built:
    """A release in the clone: its manifest and its commit."""

    release: Release
    content: bytes
    commit: str

    @property
    def sha256(self) -> str:
        """The manifest's digest."""
        return hashlib.sha256(self.content).hexdigest()


def build(store: Clone, request: Request, on_bytes: OnBytes = lambda n: None) -> Built:
    """Makes a release's commit in the clone; nothing leaves it. The same request gives the same commit everywhere.

    Raises:
        CorpusError: the corpus has no sample, or as `corpus.release_plan.plan`.
    """
    planned = plan(store, request.corpus_commit, request.rule, on_bytes)
    if not planned.is_in.any():
        raise CorpusError("the corpus has no sample to release; merge a night first (`gristmill settle`)")
    day = request.released_on or max(shard.night for shard in planned.samples.shards)
    facts = card_files(store, request.corpus_commit, request.tag, day, request.rule, planned)
    made = _manifest(request, planned, day, facts)
    content = made.content()
    files = {**facts, manifest_path(request.tag): content}
    blobs = {**planned.blobs, **store.store((path, [text], len(text)) for path, text in files.items())}
    message = f"release: {request.tag}, {made.n_samples} samples\n"
    commit = store.commit(request.corpus_commit, blobs, message, day, removed=planned.removed)
    return Built(made, content, commit)


def _manifest(request: Request, planned: Plan, day: str, facts: Mapping[str, bytes]) -> Release:
    """What the release holds and rests on; `facts` are the files that say so to people."""
    own = {path: ReleaseFile(path, hashlib.sha256(text).hexdigest(), len(text)) for path, text in facts.items()}
    return Release(
        tag=request.tag,
        released_on=day,
        corpus_commit=request.corpus_commit,
        previous=_previous(planned),
        rule=request.rule.to_json(),
        counts=planned.counts(),
        left_out=planned.left_out,
        judges=tuple(_judges(planned)),
        code=request.code,
        sources=tuple(
            ReleaseFile(one.path, one.sha256, one.n_bytes, one.n_samples) for one in planned.samples.shards
        ),
        files=tuple(sorted([*planned.files, *own.values()], key=lambda file: file.path)),
    )  # fmt: skip


def _previous(planned: Plan) -> dict[str, str] | None:
    before = planned.previous
    return {"tag": before.release.tag, "sha256": before.sha256} if before else None


def _judges(planned: Plan) -> list[dict[str, Any]]:
    counts = planned.samples.counts("judge", planned.is_in)
    return [{**orjson.loads(judge), "samples": n} for judge, n in sorted(counts.items())]
