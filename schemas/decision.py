"""What people decide about samples: a line of `decisions/<night>.jsonl`, and a sample together with its decisions.

The lines come from pull requests that anybody may open, so every field is checked when a value is made: what cannot be
a decision cannot become one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, get_args

import orjson

from schemas.canonical import ID_LENGTH, canonical_bytes
from schemas.conversation import Turn
from schemas.errors import InputError, nearest

Choice = Literal["keep", "reject", "edit"]
Maker = Literal["person", "machine"]

MAX_REASON, MAX_PROPOSAL = 1_000, 300
"""Characters: a paragraph, and the longest address of a pull request that a forge gives with room to spare."""

MAX_LINE_BYTES = 16_384
"""The longest valid line: 1,300 characters of at most 6 bytes when escaped, and the names; four times that is refused
unread."""

_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
_REVIEWER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that make a line read otherwise than it is stored."""


@dataclass(frozen=True)
class Decision:
    """What one reviewer said of one sample.

    `reviewer` is a pseudonym, never an address; `decided_at` is ISO 8601 UTC to the second; `proposal` names the pull
    request (its address, or the branch where there is no forge). An edit names the sample that stands in the corpus in
    its place (`edited_id`). `made_by` is "machine" for what no person looked at (an automatic check, an import), and
    `is_honeypot` marks a sample that was slipped into review to measure reviewers: neither is ever trained on.

    Raises:
        InputError: a field is not of its form.
    """

    sample_id: str
    verdict: Choice
    reviewer: str
    decided_at: str
    proposal: str
    reason: str = ""
    edited_id: str | None = None
    made_by: Maker = "person"
    is_honeypot: bool = False

    def __post_init__(self) -> None:
        """Refuses what is not of the form, whoever made it."""
        for problem in _problems(self):
            raise InputError(f"not a decision: {problem}")

    def line(self) -> bytes:
        """Its canonical JSON line, with line end."""
        return canonical_bytes(vars(self)) + b"\n"

    @classmethod
    def from_json(cls, plain: Any) -> Decision:
        """The decision in a parsed line.

        Raises:
            InputError: it is no object, lacks a key, or has an unknown one or a wrong value.
        """
        known = [one.name for one in fields(cls)]
        if not isinstance(plain, dict):
            raise InputError("not a decision: it is no JSON object")
        for key in plain:
            if key not in known:
                raise InputError(f"not a decision: it has an unknown key {key[:40]!a}{nearest(key, known)}")
        if missing := [name for name in known[:5] if name not in plain]:
            raise InputError(f"not a decision: it lacks {', '.join(missing)}")
        return cls(**plain)


def _problems(decision: Decision) -> Iterator[str]:
    """What is wrong, the types first: whoever asks must stop at the first."""
    plain = vars(decision)
    for name in ("sample_id", "verdict", "reviewer", "decided_at", "proposal", "reason", "made_by"):
        if not isinstance(plain[name], str):
            yield f"{name} must be text"
    if not isinstance(plain["is_honeypot"], bool):
        yield "is_honeypot must be true or false"
    if not _ID.fullmatch(decision.sample_id):
        yield f"sample_id must be {ID_LENGTH} hexadecimal characters"
    if decision.verdict not in get_args(Choice):
        yield f"verdict {decision.verdict[:20]!a} is none of {', '.join(get_args(Choice))}"
    if decision.made_by not in get_args(Maker):
        yield f"made_by {decision.made_by[:20]!a} is none of {', '.join(get_args(Maker))}"
    if not _REVIEWER.fullmatch(decision.reviewer):
        yield "reviewer must be a pseudonym of at most 64 letters, digits, dots, dashes and underscores"
    if not _is_instant(decision.decided_at):
        yield "decided_at must be an instant such as 2026-11-04T09:30:00Z"
    if not _is_plain(decision.proposal, MAX_PROPOSAL) or not decision.proposal or "\n" in decision.proposal:
        yield f"proposal must be one line of at most {MAX_PROPOSAL} visible characters"
    if not _is_plain(decision.reason, MAX_REASON):
        yield f"reason must be at most {MAX_REASON} characters without control characters"
    yield from _edit_problems(decision)


def _edit_problems(decision: Decision) -> Iterator[str]:
    edited = decision.edited_id
    if (decision.verdict == "edit") != (edited is not None):
        yield "edited_id goes with the verdict edit, and with no other"
    if edited is not None and (not isinstance(edited, str) or not _ID.fullmatch(edited)):
        yield f"edited_id must be {ID_LENGTH} hexadecimal characters"
    if edited == decision.sample_id:
        yield "edited_id is the sample itself: an edit makes another sample"


def _is_instant(text: str) -> bool:
    try:
        return bool(_INSTANT.fullmatch(text)) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_plain(text: str, n_characters: int) -> bool:
    bad = ("Cc", "Cs")  # control characters and lone surrogates
    return len(text) <= n_characters and all(
        c == "\n" or (unicodedata.category(c) not in bad and c not in _BIDIRECTIONAL) for c in text
    )


def reviewer_name(identity: str) -> str:
    """The pseudonym of a reviewer, the same on every machine.

    The case of an identity and white space around it are no part of it.

    Args:
        identity: "mailto:ann@example.org" for the author of a commit, "github:ann" for an account of a forge.
    """
    return "r-" + hashlib.sha256(identity.strip().casefold().encode(errors="surrogatepass")).hexdigest()[:12]


def decision_lines(decisions: Iterable[Decision]) -> bytes:
    """The content of a `decisions/<night>.jsonl`: each decision once, sorted; equal decisions, equal bytes."""
    return b"".join(sorted({decision.line() for decision in decisions}))


def parse_decisions(content: bytes, place: str) -> list[Decision]:
    """The decisions of a file, in its order; empty lines are passed over.

    Raises:
        InputError: a line is not a decision; the message begins with `place` and the line's number.
    """
    decisions = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            if len(line) > MAX_LINE_BYTES:
                raise InputError(f"not a decision: a line of {len(line):,} bytes")
            decisions.append(Decision.from_json(orjson.loads(line)))
        except orjson.JSONDecodeError as error:
            raise InputError(f"{place}, line {number}: not JSON ({error})") from error
        except InputError as error:
            raise InputError(f"{place}, line {number}: {error}") from error
    return decisions


def votes(decisions: Iterable[Decision]) -> dict[str, tuple[Decision, ...]]:
    """What people say of each sample: one vote a reviewer, their latest; sorted by sample and reviewer.

    Decisions of machines and on honeypots are no votes. Of two at the same second the larger line counts, which is
    arbitrary and the same everywhere.
    """
    latest: dict[tuple[str, str], Decision] = {}
    for decision in decisions:
        key = (decision.sample_id, decision.reviewer)
        if decision.made_by == "person" and not decision.is_honeypot:
            latest[key] = max(latest[key], decision, key=_age) if key in latest else decision
    found: dict[str, list[Decision]] = {}
    for key in sorted(latest):
        found.setdefault(key[0], []).append(latest[key])
    return {sample_id: tuple(given) for sample_id, given in found.items()}


def _age(decision: Decision) -> tuple[str, bytes]:
    return decision.decided_at, decision.line()


@dataclass(frozen=True)
class DecidedSample:
    """A sample with the votes on it, one a reviewer, at least one.

    `rating`, `acceptance` and `head_digest` are those of the verdict that it bore when it was reviewed. `edits` are
    the conversations that reviewers made of it, by id, as they stand in the corpus.

    Several reviewers count alike: `keep` is the share of votes that keep the sample as it was proposed; an edit is a
    vote against the original and for what was made of it.
    """

    sample_id: str
    night: str
    turns: tuple[Turn, ...]
    votes: tuple[Decision, ...]
    rating: float
    acceptance: float | None = None
    head_digest: str = ""
    edits: Mapping[str, tuple[Turn, ...]] = field(default_factory=dict)

    @property
    def keep(self) -> float:
        """The share of reviewers who keep it, 0 to 1."""
        return sum(vote.verdict == "keep" for vote in self.votes) / len(self.votes)

    @property
    def is_kept(self) -> bool | None:
        """What most reviewers say; None for a draw."""
        return None if self.keep == 0.5 else self.keep > 0.5
