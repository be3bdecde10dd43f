"""What reviewers decided, read from the corpus repository together with the samples that they decided on.

`decisions/<night>.jsonl` of the base branch says what was decided. The text of a kept sample stands in the night's
shards; that of a rejected one stood there when the night was proposed, so it is found in the history of the base
branch, or, where the night was squashed when it was merged, in the night's folder on this machine. A line counts only
if its text has the id that it bears: nobody can put another text under a decision.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from corpus.clone import Clone
from corpus.repository import base_commit, on_corpus
from corpus.stage import read_rows
from corpus.tombstones import read_withdrawn
from schemas.conversation import ROLES, Turn, content_id
from schemas.decision import DecidedSample, Decision, parse_decisions, votes
from schemas.errors import CorpusError, InputError
from schemas.settings import CorpusSettings

_FILE = re.compile(r"decisions/(\d{4}-\d\d-\d\d)\.jsonl")

MAX_FILE_BYTES = 64 * 2**20
"""Of a file of decisions: 200,000 of 300 bytes, far more than people make of one night."""


@dataclass(frozen=True)
class Decided:
    """The decided samples, sorted by night and id, and the ids whose text was not found anywhere.

    `n_decisions` counts all lines, `n_votes` those that count: of people, their latest, not on honeypots.
    """

    samples: tuple[DecidedSample, ...]
    missing: tuple[str, ...]
    n_decisions: int
    n_votes: int


def decisions_path(night: str) -> str:
    """Where the corpus keeps the decisions on a night's samples."""
    return f"decisions/{night}.jsonl"


def read_decided(
    corpus: CorpusSettings,
    *,
    root: Path,
    clone: Path,
    nights: Path,
    since: str | None = None,
    newest: int | None = None,
) -> Decided:
    """The samples that people decided on, as the base branch has them now.

    Args:
        corpus: where the corpus is, and its base branch.
        root: the folder that a relative `corpus.remote` starts from.
        clone: our private bare clone.
        nights: the folder with one folder of stage files a night.
        since: a date; earlier nights are left out.
        newest: only so many of the latest nights that have decisions.

    Raises:
        CorpusError: a line of decisions or of a shard is damaged, or the corpus cannot be reached.
    """

    def read(store: Clone) -> Decided:
        base = base_commit(store, corpus, store.heads())
        return decided_at(store, base, nights=nights, since=since, newest=newest)

    return on_corpus(corpus, root=root, clone=clone, operation=read)


def decided_at(
    store: Clone, base: str, *, nights: Path | None = None, since: str | None = None, newest: int | None = None
) -> Decided:
    """The samples that people decided on, as a commit has them. Arguments and errors as of `read_decided`.

    Without `nights` nothing but the repository counts: the same commit gives the same samples everywhere.
    """
    files = dict(sorted(_decision_files(store, base, since).items())[-newest if newest else None :])
    withdrawn = read_withdrawn(store, base).ids
    parts = [_read_night(store, base, night, blob, nights, withdrawn) for night, blob in files.items()]
    return Decided(
        samples=tuple(sample for part in parts for sample in part.samples),
        missing=tuple(sample_id for part in parts for sample_id in part.missing),
        n_decisions=sum(part.n_decisions for part in parts),
        n_votes=sum(part.n_votes for part in parts),
    )


def _decision_files(store: Clone, base: str, since: str | None) -> dict[str, str]:
    """Night to blob."""
    found = {}
    for change in store.changes(None, base, "decisions"):
        match = _FILE.fullmatch(change.path)
        if match and match[1] >= (since or ""):
            found[match[1]] = change.new
    return found


def _read_night(
    store: Clone, base: str, night: str, blob: str, nights: Path | None, withdrawn: Collection[str]
) -> Decided:
    decisions = _parsed(store, night, blob)
    voted = votes(decisions)
    wanted = {vote.edited_id for given in voted.values() for vote in given if vote.edited_id} | set(voted)
    wanted = wanted.difference(withdrawn)  # what somebody took back is not learned from
    lines = _lines(store, base, night, wanted, nights)
    samples = [_decided(night, lines, sample_id, given) for sample_id, given in voted.items() if sample_id in lines]
    return Decided(
        samples=tuple(samples),
        missing=tuple(sorted(wanted - set(lines))),
        n_decisions=len(decisions),
        n_votes=sum(map(len, voted.values())),
    )


def _parsed(store: Clone, night: str, blob: str) -> list[Decision]:
    content = store.blob(blob)
    path = decisions_path(night)
    if len(content) > MAX_FILE_BYTES:
        raise CorpusError(f"{path} of the corpus has {len(content):,} bytes, which no review makes; mend it there")
    try:
        return parse_decisions(content, path)
    except InputError as error:
        raise CorpusError(f"the corpus has a damaged line of decisions: {error}; mend it there") from error


@dataclass(frozen=True)
class _Line:
    """What is read of a sample's line."""

    turns: tuple[Turn, ...]
    rating: float
    acceptance: float | None
    head_digest: str


def _lines(store: Clone, base: str, night: str, wanted: Collection[str], nights: Path | None) -> Mapping[str, _Line]:
    """The wanted samples by id, from the newest version of the night's shards that has each, else from this machine."""
    found: dict[str, _Line] = {}
    local = _local(nights / night / "samples.parquet") if nights else iter(())
    for source in (_published(store, base, night), local):
        for line in source:
            plain = _object(line)
            if plain and (sample_id := plain["id"]) in wanted and sample_id not in found:
                sample = _line(plain)
                if sample and content_id(list(sample.turns)) == sample_id:
                    found[sample_id] = sample
            if len(found) == len(wanted):
                return found
    return found


def _published(store: Clone, base: str, night: str) -> Iterator[bytes]:
    versions = store.versions(base, f"data/*/{night[:7]}/{night}.jsonl")
    for _, content in store.blobs(one.new for one in versions):
        yield from content.splitlines()


def _local(file: Path) -> Iterator[bytes]:
    if file.exists():
        for row in read_rows(file, ["line"]):
            yield row["line"].encode()


def _object(line: bytes) -> dict[str, Any] | None:
    """The object in a line, None for what is none: a branch's history has what people mended before it was merged."""
    try:
        plain = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return plain if isinstance(plain, dict) and isinstance(plain.get("id"), str) else None


def _line(plain: Mapping[str, Any]) -> _Line | None:
    """What is read of a sample, None where it is not of a sample's form."""
    try:
        turns = tuple(Turn(message["role"], message["content"]) for message in plain["messages"])
        verdict = plain["verdict"]
        acceptance = verdict["acceptance"]
        if not turns or any(turn.role not in ROLES or not isinstance(turn.content, str) for turn in turns):
            return None
        return _Line(
            turns=turns,
            rating=float(verdict["rating"]),
            acceptance=None if acceptance is None else float(acceptance),
            head_digest=str(verdict["judge"]["head_digest"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _decided(night: str, lines: Mapping[str, _Line], sample_id: str, given: tuple[Decision, ...]) -> DecidedSample:
    line = lines[sample_id]
    edited = sorted({vote.edited_id for vote in given if vote.edited_id and vote.edited_id in lines})
    return DecidedSample(
        sample_id=sample_id,
        night=night,
        turns=line.turns,
        votes=given,
        rating=line.rating,
        acceptance=line.acceptance,
        head_digest=line.head_digest,
        edits={edited_id: lines[edited_id].turns for edited_id in edited},
    )
