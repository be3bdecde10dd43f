"""The outcome of a night's review, and the files that the corpus has of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from corpus.acts import Refused
from corpus.bulk import BulkObjects
from corpus.decisions import decisions_path
from corpus.fingerprint import fingerprints
from corpus.proposal import Proposal
from corpus.propose import record_path
from corpus.reading_copy_boxes import with_boxes
from corpus.repeated import repeats
from corpus.review import Review
from corpus.stances import marked
from corpus.standing import Standing
from corpus.tally import KEPT, Conflict, Result, tally
from corpus.tombstones import Withdrawn, read_withdrawn
from schemas.conversation import Turn
from schemas.decision import Decision, decision_lines, votes

COUNTS = ("kept", "rejected", "edited", "held", "withdrawn", "repeated")
"""What becomes of proposed samples; these add up to `proposed`. Honeypots are apart."""


@dataclass(frozen=True)
class Outcomes:
    """What became of each proposed sample.

    `results` has the proposed samples without honeypots, withdrawn ones and `repeated`: those that say what another
    night brought since, each with the id that the corpus has. `honeypots` is what a careful reviewer says of each that
    was slipped in.
    """

    results: Mapping[str, Result]
    withdrawn: frozenset[str]
    repeated: Mapping[str, str]
    honeypots: Mapping[str, str]
    decisions: frozenset[Decision]
    reviewers: Mapping[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """`proposed`, each of `COUNTS`, and `honeypots`."""
        found = Counter[str](result.outcome for result in self.results.values())
        found |= Counter({"withdrawn": len(self.withdrawn), "repeated": len(self.repeated)})
        return {"proposed": found.total(), **{name: found[name] for name in COUNTS}, "honeypots": len(self.honeypots)}

    @property
    def held(self) -> tuple[str, ...]:
        """The samples that wait for another vote."""
        return tuple(sorted(root for root, result in self.results.items() if result.outcome == "held"))

    @property
    def facts(self) -> dict[str, Any]:
        """What the record says of the outcome."""
        planted = [{"id": one, "expected": said} for one, said in sorted(self.honeypots.items())]
        counts = {name: n for name, n in self.counts.items() if name != "repeated"}
        repeated = {"repeated": dict(sorted(self.repeated.items()))} if self.repeated else {}
        known = {"held_ids": list(self.held), "planted": planted, "reviewers": dict(self.reviewers)}
        return {**counts, **repeated, **known}

    @property
    def remarks(self) -> list[str]:
        """What was left out because the corpus has it, sentences for people."""
        return [
            f"{one} repeats {of if of != one else 'the same sample of another night'}, which was settled since it was "
            "proposed; it is left out and stays in the history of its night"
            for one, of in sorted(self.repeated.items())
        ]


def outcomes(store: BulkObjects, base: str, review: Review, standing: Standing, conflict: Conflict) -> Outcomes:
    """What the decisions make of the proposal; `base` has the tombstones.

    Raises:
        Refused: the honeypots cannot be told from the samples any more.
    """
    honeypots = planted(store, review.proposal)
    roots = review.roots()
    said = {one for one in review.decisions if one.sample_id in roots and (one.edited_id or one.sample_id) in roots}
    slipped_in = {one for one, root in roots.items() if root in honeypots}  # with what people made of them
    taken_back = {marked(one, slipped_in) for one in review.withdrawn}
    decisions = {marked(one, slipped_in) for one in said} | (standing.decisions - taken_back)
    results = {one: KEPT for one in review.proposal.lines if one not in honeypots}
    results |= {one: result for one, result in tally(decisions, roots, conflict).items() if one in results}
    withdrawn = frozenset(_withdrawn(review, results, read_withdrawn(store, base)))
    results = {one: result for one, result in results.items() if one not in withdrawn}
    repeated = _repeated(store, base, review, standing, results)
    kept = frozenset(one for one in decisions if roots.get(one.sample_id) not in withdrawn or one in standing.decisions)
    return Outcomes(
        results={one: result for one, result in results.items() if one not in repeated},
        withdrawn=withdrawn,
        repeated=repeated,
        honeypots=honeypots,
        decisions=kept,
        reviewers=_reviewers(kept, roots),
    )


def _repeated(
    store: BulkObjects, base: str, review: Review, standing: Standing, results: Mapping[str, Result]
) -> dict[str, str]:
    """The samples that would be merged and that another night brought since; what is settled already stays."""
    lines, roots = {}, {}
    for root, result in results.items():
        sample_id = result.edited_id or root
        if result.outcome in ("kept", "edited") and sample_id not in standing.lines:
            edit = review.edits[sample_id].line if result.edited_id else None
            lines[sample_id], roots[sample_id] = edit or review.proposal.lines[root].line, root
    return {roots[one]: of for one, of in repeats(store, base, review.proposal, lines).items()}


def planted(store: BulkObjects, proposal: Proposal) -> dict[str, str]:
    """The honeypots of a night and what a careful reviewer says of each.

    Raises:
        Refused: the corpus no longer has what they were made of.
    """
    asked = proposal.record.get("honeypots")
    if not isinstance(asked, dict) or not asked.get("n"):
        return {}
    from corpus.honeypots import honeypots  # noqa: PLC0415

    if not isinstance(asked.get("base"), str) or not store.has_commit(asked["base"]):
        raise Refused(proposal.night, ["its honeypots were made of a commit that the corpus no longer has"])
    found = honeypots(store, asked["base"], proposal.night, int(asked["n"]))
    return {one.sample_id: one.expected for one in found if one.sample_id in proposal.lines}


def _withdrawn(review: Review, results: Mapping[str, Result], withdrawn: Withdrawn) -> Iterator[str]:
    """The samples that have a tombstone, or whose edit has one."""
    if not withdrawn.stones:
        return
    for root, sample in _samples(review, results):
        origin = sample["provenance"]
        if withdrawn.named(sample["id"], origin.get("conversation_id"), origin.get("subject")):
            yield root
    turns = ((root, [Turn(**message) for message in one["messages"]]) for root, one in _samples(review, results))
    for mark in fingerprints(list(turns)):
        if withdrawn.resembled(mark):
            yield mark.content_id


def _samples(review: Review, results: Mapping[str, Result]) -> Iterator[tuple[str, dict[str, Any]]]:
    for root, result in results.items():
        yield root, review.proposal.lines[root].sample()
        if result.edited_id and (edit := review.edits[result.edited_id].line):
            yield root, orjson.loads(edit)


def _reviewers(decisions: Iterable[Decision], roots: Mapping[str, str]) -> dict[str, int]:
    """How many samples each person decided on."""
    pairs = {(vote.reviewer, roots.get(one, one)) for one, given in votes(decisions).items() for vote in given}
    return dict(sorted(Counter(reviewer for reviewer, _ in pairs).items()))


def settled_files(
    store: BulkObjects, review: Review, standing: Standing, found: Outcomes, facts: Mapping[str, Any]
) -> dict[str, str]:
    """Path to blob of every file that the corpus has of the night, written into the clone."""
    contents = {**_shards(review.proposal, review, standing, found), **_pages(review.proposal, found)}
    if found.decisions:
        contents[decisions_path(review.proposal.night)] = decision_lines(found.decisions)
    digests = {path: _digest(path, content) for path, content in sorted(contents.items())}
    record = {**(standing.record or review.proposal.record)}
    record["settled"] = {**found.facts, **facts, "files": digests}
    written = orjson.dumps(record, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    contents[record_path(review.proposal.night)] = written
    return store.store((path, [content], len(content)) for path, content in sorted(contents.items()))


def _digest(path: str, content: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {"sha256": hashlib.sha256(content).hexdigest()}
    return {**facts, "samples": content.count(b"\n")} if path.startswith("data/") else facts


def _shards(proposal: Proposal, review: Review, standing: Standing, found: Outcomes) -> dict[str, bytes]:
    """The shards that still have samples, each line once, sorted by id."""
    lines: dict[str, dict[str, bytes]] = {path: {} for path in proposal.shards}
    for root, result in found.results.items():
        if result.outcome in ("kept", "edited"):
            sample_id = result.edited_id or root
            proposed = review.edits[sample_id].line if result.edited_id else proposal.lines[root].line
            line = standing.lines.get(sample_id, proposed or b"")
            lines[proposal.lines[root].shard][sample_id] = line.rstrip(b"\n") + b"\n"
    content = {path: b"".join(line for _, line in sorted(found.items())) for path, found in lines.items()}
    for path, strange in standing.strange.items():
        content[path] += b"".join(line + b"\n" for line in sorted(strange))
    return {path: one for path, one in content.items() if one}


def _pages(proposal: Proposal, found: Outcomes) -> dict[str, bytes]:
    """The reading copy with the outcome in its boxes."""
    ticked = {root for root, result in found.results.items() if result.outcome in ("kept", "edited")}
    return {path: with_boxes(page.decode(), ticked).encode() for path, page in proposal.pages.items()}
