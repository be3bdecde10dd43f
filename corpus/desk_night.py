"""A night as its branch shows it to one reviewer: the samples to decide on, and what was decided of them.

Everything on a branch may come from anybody, so what cannot be read is counted and passed over, never trusted. A
sample is shown as it would be merged: where another reviewer edited it, the edit is what is decided on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from corpus.bulk import BulkObjects
from corpus.decisions import MAX_FILE_BYTES, decisions_path
from corpus.doubt import Sureness, is_doubtful
from corpus.markdown import visible
from corpus.objects import Objects
from corpus.reading_copy import ballots
from corpus.review import collect
from schemas.conversation import ROLES, Turn, content_id
from schemas.decision import Decision, parse_decisions, votes
from schemas.errors import CorpusError, InputError

OPENING_CHARACTERS = 120
"""What a list shows of a sample: two lines at 60 characters."""


@dataclass(frozen=True)
class DeskSample:
    """A sample to decide on: `line` as it stands in the corpus, with line end, in the file `shard`.

    `edited_from` is the proposed sample that another reviewer made it of. `is_on_branch` is False where somebody has
    deleted its line.
    """

    id: str
    line: bytes
    shard: str
    rating: float
    acceptance: float | None
    expert: str
    language: str
    opening: str
    n_messages: int
    is_doubtful: bool
    is_planned: bool
    edited_from: str | None = None
    is_on_branch: bool = True

    def parsed(self) -> dict[str, Any]:
        """The object in its line."""
        plain: dict[str, Any] = orjson.loads(self.line)
        return plain


@dataclass(frozen=True)
class Line:
    """A readable line of a shard: the id is that of its messages, whatever the line says of itself."""

    id: str
    shard: str
    line: bytes
    conversation_id: str


@dataclass(frozen=True)
class DeskNight:
    """A night at the commit `tip`, for one reviewer.

    `samples` are in the order of the reading copy. `mine` has this reviewer's latest decision by sample, `others`
    everybody else's, however each was made. `unwritten` are samples that this reviewer rejected by a box or a line, not
    here. `lines` has every readable line by id: as proposed and as the branch has them now, edits too. `n_damaged`
    counts lines that could not be read.
    """

    night: str
    tip: str
    samples: tuple[DeskSample, ...]
    mine: Mapping[str, Decision]
    others: Mapping[str, tuple[Decision, ...]]
    unwritten: frozenset[str]
    lines: Mapping[str, Line]
    threshold: float | None
    n_damaged: int


Known = dict[str, tuple[tuple[Line, ...], int]]
"""Blob of a shard to its readable lines and the count of others: read once, however often the branch moves."""


def read_night(store: BulkObjects, base: str, tip: str, night: str, reviewer: str, known: Known) -> DeskNight:
    """The night on the branch at `tip`; `known` is filled with what was parsed.

    Raises:
        CorpusError: the branch has no proposal of ours for this night, or a file that no review makes.
    """
    review = collect(store, night, base=base, tip=tip)
    record = review.proposal.record
    current, n_damaged = _shards(store, tip, night, known)
    proposed = _shards(store, review.proposal.commit, night, known)[0]
    said = votes(review.decisions)
    written, n_unread = _written(store, tip, night)
    mine = {sample_id: vote for sample_id, given in said.items() for vote in given if vote.reviewer == reviewer}
    standing = _Standing(proposed, current, said, mine)
    lines = {**proposed, **_history(store, tip, night, standing.missing(), known), **current}
    planned = _planned(record)
    threshold = record.get("threshold") if isinstance(record.get("threshold"), (int, float)) else None
    samples = [
        _sample(lines[one], origin, one in current or _is_edited(mine.get(one), current), planned, threshold)
        for one, origin in standing.bases()
        if one in lines
    ]
    order = _reading_order(review.proposal.pages)
    last = len(order)
    return DeskNight(
        night=night,
        tip=tip,
        samples=tuple(sorted(samples, key=lambda one: (order.get(one.edited_from or one.id, last), one.id))),
        mine=mine,
        others={sample_id: tuple(v for v in given if v.reviewer != reviewer) for sample_id, given in said.items()},
        unwritten=frozenset(one for one, vote in mine.items() if vote.verdict == "reject" and vote not in written),
        lines=lines,
        threshold=threshold,
        n_damaged=n_damaged + n_unread,
    )


def _reading_order(pages: Mapping[str, bytes]) -> dict[str, int]:
    """Sample id to its place in the reading copy: the page and the copy are read in the same order."""
    ids = (one for _, page in sorted(pages.items(), key=_page_number) for one in ballots(page.decode()))
    return {one: place for place, one in enumerate(ids)}


def _page_number(page: tuple[str, bytes]) -> tuple[int, str]:
    """From 100 on the names do not sort by themselves."""
    return len(page[0]), page[0]


class _Standing:
    """Which version of each proposed sample is decided on: the last one that is not this reviewer's own edit."""

    def __init__(
        self,
        proposed: Mapping[str, Line],
        current: Mapping[str, Line],
        said: Mapping[str, Sequence[Decision]],
        mine: Mapping[str, Decision],
    ) -> None:
        self._proposed, self._current = proposed, current
        self._made_of = {v.edited_id: v.sample_id for given in said.values() for v in given if v.edited_id}
        self._my_edits = {vote.edited_id for vote in mine.values() if vote.edited_id}
        gone = (line for line in proposed.values() if line.id not in current)
        self._gone = {line.conversation_id: line.id for line in gone}

    def bases(self) -> Iterator[tuple[str, str | None]]:
        """(id to decide on, the proposed sample that somebody else made it of)."""
        replaced: dict[str, str] = {}
        added: list[str] = []
        for sample_id in self._current:
            if sample_id in self._proposed:
                continue
            base = self._made_of[sample_id] if sample_id in self._my_edits else sample_id
            origin = base if base in self._proposed else self._origin(base, sample_id)
            if origin is None or (origin in self._current and origin != base):
                added.append(base)
            else:
                replaced[origin] = base
        for sample_id in self._proposed:
            base = replaced.get(sample_id, sample_id)
            yield base, (None if base == sample_id else sample_id)
        yield from ((base, None) for base in added)

    def _origin(self, base: str, in_place: str) -> str | None:
        """The proposed sample behind an edit: as the decisions say, else the one of the same conversation."""
        for _ in range(len(self._made_of) + 1):
            if base in self._proposed:
                return base
            if base not in self._made_of:
                break
            base = self._made_of[base]
        return self._gone.get(self._current[in_place].conversation_id)

    def missing(self) -> set[str]:
        """Ids to decide on that neither the branch nor the proposal has: another's edit that this reviewer edited."""
        return {base for base, _ in self.bases()} - set(self._proposed) - set(self._current)


def _is_edited(vote: Decision | None, current: Collection[str]) -> bool:
    return vote is not None and vote.edited_id in current


def _sample(
    line: Line, origin: str | None, is_on_branch: bool, planned: Collection[str], threshold: float | None
) -> DeskSample:
    plain = orjson.loads(line.line)
    sureness = Sureness(float(plain["verdict"]["rating"]), plain["verdict"].get("acceptance"))
    asked = next((m["content"] for m in plain["messages"] if m["role"] == "user"), plain["messages"][0]["content"])
    return DeskSample(
        id=line.id,
        line=line.line,
        shard=line.shard,
        rating=sureness.rating,
        acceptance=sureness.acceptance,
        expert=visible(plain["expert"][:40]),
        language=visible((plain["provenance"].get("language") or "")[:20]),
        opening=_opening(asked),
        n_messages=len(plain["messages"]),
        is_doubtful=is_doubtful(sureness, threshold),
        is_planned=line.id in planned or origin in planned,
        edited_from=origin,
        is_on_branch=is_on_branch,
    )


def _opening(text: str) -> str:
    start = re.sub(r"```\w*|`|\*\*|^#+ ", " ", visible(text[: 4 * OPENING_CHARACTERS]))  # without Markdown's marks
    flat = " ".join(start.split())
    return flat if len(flat) <= OPENING_CHARACTERS else flat[: OPENING_CHARACTERS - 1].rstrip() + "…"


def _planned(record: Mapping[str, Any]) -> frozenset[str]:
    """The samples that the sampling plan asks people to read."""
    plan = record.get("sampling_plan")
    ids = plan.get("ids") if isinstance(plan, dict) else None
    return frozenset(one for one in ids if isinstance(one, str)) if isinstance(ids, list) else frozenset()


def shard_paths(store: Objects, commit: str, night: str) -> dict[str, str]:
    """Path to blob of the night's shards; links and other things that are no plain file are left out."""
    pattern = re.compile(rf"data/[^/]+/{night[:7]}/{night}\.jsonl")
    entries = store.entries(commit, "data")
    return {entry.path: entry.blob for entry in entries if entry.mode == "100644" and pattern.fullmatch(entry.path)}


def _shards(store: Objects, commit: str, night: str, known: Known) -> tuple[dict[str, Line], int]:
    lines: dict[str, Line] = {}
    n_damaged = 0
    for path, blob in sorted(shard_paths(store, commit, night).items()):
        if blob not in known:
            known[blob] = _parsed(store.blob(blob), path)
        lines |= {line.id: line for line in known[blob][0]}
        n_damaged += known[blob][1]
    return lines, n_damaged


def _history(store: Objects, tip: str, night: str, wanted: Collection[str], known: Known) -> dict[str, Line]:
    """Lines that only earlier versions of the shards have."""
    found: dict[str, Line] = {}
    for change in store.versions(tip, f"data/*/{night[:7]}/{night}.jsonl") if wanted else ():
        if change.new not in known:
            known[change.new] = _parsed(store.blob(change.new), change.path)
        found |= {line.id: line for line in known[change.new][0] if line.id in wanted}
    return found


def _parsed(content: bytes, path: str) -> tuple[tuple[Line, ...], int]:
    """The readable lines of a shard, and how many are not."""
    raw = [line for line in content.split(b"\n") if line.strip()]
    lines = [line for one in raw if (line := readable_line(one, path))]
    return tuple(lines), len(raw) - len(lines)


def readable_line(line: bytes, path: str) -> Line | None:
    """The line of a sample, None for what the desk could not show."""
    try:
        plain = orjson.loads(line)
        turns = [Turn(message["role"], message["content"]) for message in plain["messages"]]
        origin, verdict = plain["provenance"], plain["verdict"]
        is_readable = (
            bool(turns)
            and all(turn.role in ROLES and isinstance(turn.content, str) for turn in turns)
            and isinstance(verdict["rating"], (int, float))
            and isinstance(verdict.get("acceptance"), (int, float, type(None)))
            and all(isinstance(one["content"], str) and isinstance(one["turn"], int) for one in plain["alternatives"])
            and all(isinstance(text, str) for text in (plain["expert"], origin["conversation_id"]))
            and isinstance(origin.get("language"), (str, type(None)))
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    return Line(content_id(turns), path, line + b"\n", origin["conversation_id"]) if is_readable else None


def _written(store: Objects, tip: str, night: str) -> tuple[set[Decision], int]:
    """The decisions in the night's file, whoever wrote them there, and the count of lines that are none."""
    raw = decision_bytes(store, tip, night)
    decisions: list[Decision] = []
    for line in raw:
        try:
            decisions += parse_decisions(line, decisions_path(night))
        except InputError:  # counted, and shown as a count: whose line it is, `gristmill check` says
            continue
    return set(decisions), len(raw) - len(decisions)


def decision_bytes(store: Objects, tip: str, night: str) -> list[bytes]:
    """The lines of the night's decisions as they stand there, without line ends.

    Raises:
        CorpusError: the file is larger than any review makes it.
    """
    content = store.file(tip, decisions_path(night)) or b""
    if len(content) > MAX_FILE_BYTES:
        raise CorpusError(f"{decisions_path(night)} has {len(content):,} bytes, which no review makes; mend it there")
    return [line for line in content.split(b"\n") if line.strip()]
