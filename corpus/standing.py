"""What the base branch has of a night before it is settled: nothing, what somebody merged, or what was settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from corpus.bulk import BulkObjects
from corpus.decisions import decisions_path
from corpus.proposal import lines_of, parsed_record
from corpus.propose import record_path
from corpus.review import Review
from schemas.decision import Decision, parse_decisions
from schemas.errors import CorpusError, InputError

OF_ONE_COMMIT = ("at", "conflict", "files", "tip")
"""What a record says of the settling itself, beside its outcome."""


@dataclass(frozen=True)
class Standing:
    """The night in the base branch.

    `blobs` are its files there. `record` is None before it is merged, `settled` before it is settled. `decisions` are
    those of a settled night. `lines` are the samples of a settled night by id, `strange` the lines by shard that no
    proposal has: what is merged is not lost.
    """

    blobs: Mapping[str, str]
    record: Mapping[str, Any] | None
    settled: Mapping[str, Any] | None
    decisions: frozenset[Decision]
    lines: Mapping[str, bytes]
    strange: Mapping[str, tuple[bytes, ...]]
    remarks: tuple[str, ...]

    def says(self, facts: Mapping[str, Any]) -> bool:
        """Whether the record has this outcome already."""
        known = self.settled or {}
        return {key: value for key, value in known.items() if key not in OF_ONE_COMMIT} == facts


def read_standing(store: BulkObjects, base: str, review: Review) -> Standing:
    """What `base` has of the night.

    Raises:
        CorpusError: its record or its decisions are damaged there.
    """
    proposal = review.proposal
    paths = [record_path(proposal.night), decisions_path(proposal.night), *proposal.shards, *proposal.pages]
    found = dict(zip(paths, store.ids([f"{base}:{path}" for path in paths]), strict=True))
    blobs = {path: blob for path, blob in found.items() if blob}
    if record_path(proposal.night) not in blobs:
        return Standing(blobs={}, record=None, settled=None, decisions=frozenset(), lines={}, strange={}, remarks=())
    record = parsed_record(store.blob(blobs[record_path(proposal.night)]), proposal.night)
    settled = record.get("settled") if isinstance(record.get("settled"), dict) else None
    decisions = _decisions(store, blobs.get(decisions_path(proposal.night)), proposal.night)
    unsigned = [] if settled else [one for one in decisions if one not in review.decisions and one in review.foreign]
    lines, strange = _lines(store, review, {path: blobs[path] for path in proposal.shards if path in blobs})
    return Standing(
        blobs=blobs,
        record=record,
        settled=settled,
        decisions=frozenset(decisions) if settled else frozenset(),
        lines=lines if settled else {},
        strange=strange,
        remarks=tuple(_remarks(review, unsigned, strange)),
    )


def _remarks(review: Review, unsigned: Sequence[Decision], strange: Mapping[str, Sequence[bytes]]) -> list[str]:
    place = decisions_path(review.proposal.night)
    left_out = [
        f"{place}: a line that speaks for {one.reviewer} was written by {review.foreign[one].reviewer}; it is left out"
        for one in sorted(unsigned, key=Decision.line)
    ]
    return left_out + [
        f"{shard}: {len(lines)} line(s) were merged that the night did not propose; they are left as they are"
        for shard, lines in sorted(strange.items())
    ]


def _decisions(store: BulkObjects, blob: str | None, night: str) -> list[Decision]:
    try:
        return parse_decisions(store.blob(blob), decisions_path(night)) if blob else []
    except InputError as error:
        raise CorpusError(f"the corpus has a damaged line of decisions: {error}; mend it there") from error


def _lines(
    store: BulkObjects, review: Review, shards: Mapping[str, str]
) -> tuple[dict[str, bytes], dict[str, tuple[bytes, ...]]]:
    """The samples of the night by id, and the other lines by shard."""
    known: dict[str, bytes] = {}
    strange: dict[str, tuple[bytes, ...]] = {}
    for path, blob in shards.items():
        for line in lines_of(store.blob(blob)):
            state = review.reader.read(line)
            if state.root is None:
                strange[path] = (*strange.get(path, ()), line)
            else:
                known[state.edited_id or _id(line)] = line
    return known, strange


def _id(line: bytes) -> str:
    return str(orjson.loads(line)["id"])
