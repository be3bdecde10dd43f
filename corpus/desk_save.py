"""A reviewer's ballots as one commit on the night's branch: decisions in one file, edited samples in their shards.

It rests on the branch as it is now and takes away nothing but this reviewer's own words, so several reviewers never
overwrite each other: the file of decisions is a set of lines, and a shard is a set of samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from corpus.decisions import decisions_path
from corpus.desk_journal import Ballot
from corpus.desk_night import DeskNight, decision_bytes, readable_line, shard_paths
from corpus.edits import edited_line
from corpus.objects import Author, Objects
from corpus.propose import branch_of
from schemas.decision import Decision, reviewer_name

_DONE = {"keep": "kept", "reject": "rejected", "edit": "edited", None: "withdrawn"}


@dataclass(frozen=True)
class Saved:
    """What a save did: the decisions that the corpus has now, the commit (None: nothing was to be done).

    `n_gone` counts decisions on samples that the branch no longer proposes; there is nothing left to decide on.
    """

    n_decisions: int
    commit: str | None
    n_gone: int = 0


@dataclass
class _Change:
    """What is to be done to a shard."""

    removed: set[str] = field(default_factory=set)
    added: list[bytes] = field(default_factory=list)


def latest(ballots: Iterable[Ballot]) -> dict[str, Ballot]:
    """The last ballot on each sample."""
    return {ballot.sample_id: ballot for ballot in ballots}


def decision_of(ballot: Ballot, line: bytes, *, night: str, reviewer: str) -> Decision | None:
    """The decision that a ballot is, None for one that withdraws.

    Raises:
        InputError: its reason is not plain text, or its messages are no edit of the sample.
    """
    if ballot.verdict is None:
        return None
    return Decision(
        sample_id=ballot.sample_id,
        verdict=ballot.verdict,
        reviewer=reviewer,
        decided_at=ballot.decided_at,
        proposal=branch_of(night),
        reason=ballot.reason,
        edited_id=edited_line(line, ballot.messages or ())[0] if ballot.verdict == "edit" else None,
    )


def commit_ballots(store: Objects, now: DeskNight, ballots: Mapping[str, Ballot], author: Author) -> Saved:
    """Builds the commit on `now.tip`; does nothing where the branch says already what the ballots say."""
    reviewer = reviewer_name(f"mailto:{author.email}")
    given = {one: ballot for one, ballot in sorted(ballots.items()) if one in now.lines}
    n_gone = len(ballots) - len(given)
    changed: dict[str, Decision | None] = {}
    shards: dict[str, _Change] = {}
    for sample_id, ballot in given.items():
        saved = now.mine.get(sample_id)
        new = decision_of(ballot, now.lines[sample_id].line, night=now.night, reviewer=reviewer)
        if _says(saved) != _says(new):
            changed[sample_id] = new
            _note_edit(shards, now, ballot, saved, new)
    if not changed:
        return Saved(0, None, n_gone)
    files = {decisions_path(now.night): _decisions(store, now, changed, reviewer)}
    files |= dict(_rewritten(store, now, shards))
    blobs = store.store((path, [content], len(content)) for path, content in sorted(files.items()))
    message = _message(now.night, [one.verdict if one else None for one in changed.values()])
    if any(one and one.verdict == "edit" for one in changed.values()):  # an edit brings text into the corpus
        message += f"\nSigned-off-by: {author.name} <{author.email}>\n"
    commit = store.commit(now.tip, blobs, message, now.night, author=author)
    return Saved(len(changed), commit, n_gone)


def _says(decision: Decision | None) -> tuple[str, str, str | None] | None:
    """What a decision says, whenever it was made."""
    return (decision.verdict, decision.reason, decision.edited_id) if decision else None


def _note_edit(
    shards: dict[str, _Change], now: DeskNight, ballot: Ballot, saved: Decision | None, new: Decision | None
) -> None:
    """Puts the edited sample into its shard, or the original back where an edit was taken back."""
    base = now.lines[ballot.sample_id]
    change = shards.setdefault(base.shard, _Change())
    if saved and saved.edited_id:
        change.removed.add(saved.edited_id)
        change.added.append(base.line)
    if new and new.edited_id:
        if saved and saved.edited_id:
            change.added.remove(base.line)
        change.removed.add(base.id)
        change.added.append(edited_line(base.line, ballot.messages or ())[1])


def _decisions(store: Objects, now: DeskNight, changed: Mapping[str, Decision | None], reviewer: str) -> bytes:
    """The file of decisions with this reviewer's new lines, everybody else's as they were."""
    lines = set(decision_bytes(store, now.tip, now.night))
    withdrawn = {sample_id for sample_id, decision in changed.items() if decision is None}
    if withdrawn:
        lines = {line for line in lines if not _is_withdrawn(line, reviewer, withdrawn)}
    lines |= {decision.line().rstrip(b"\n") for decision in changed.values() if decision}
    return b"".join(line + b"\n" for line in sorted(lines))


def _is_withdrawn(line: bytes, reviewer: str, withdrawn: set[str]) -> bool:
    try:
        plain = orjson.loads(line)
    except orjson.JSONDecodeError:  # somebody's damaged line is not ours to remove
        return False
    return isinstance(plain, dict) and plain.get("reviewer") == reviewer and plain.get("sample_id") in withdrawn


def _rewritten(store: Objects, now: DeskNight, shards: Mapping[str, _Change]) -> Iterator[tuple[str, bytes]]:
    """Path and content of the shards that change; lines stay sorted by id."""
    blobs = shard_paths(store, now.tip, now.night)
    for path, change in shards.items():
        if not change.added and not change.removed:
            continue
        content = store.blob(blobs[path]) if path in blobs else b""
        kept = {_id(line, path): line for one in content.split(b"\n") if one.strip() for line in [one + b"\n"]}
        kept = {one: line for one, line in kept.items() if one not in change.removed}
        kept |= {_id(line, path): line for line in change.added}
        yield path, b"".join(line for _, line in sorted(kept.items()))


def _id(line: bytes, path: str) -> str:
    """What sorts a line; one that is no sample stays, behind all samples."""
    found = readable_line(line.rstrip(b"\n"), path)
    return found.id if found else f"~{line.hex()}"


def _message(night: str, verdicts: list[str | None]) -> str:
    counts = Counter(_DONE[verdict] for verdict in verdicts)
    told = ", ".join(f"{counts[done]} {done}" for done in _DONE.values() if counts[done])
    return f"review: {night}, {told}\n"
