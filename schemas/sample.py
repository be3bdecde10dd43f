"""The unit of the corpus. What people decide about it is in schemas/decision.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from schemas.canonical import ID_LENGTH, canonical_bytes
from schemas.errors import InputError, nearest

FORMAT_VERSION = 1
"""Version of the corpus format; `corpus.toml` of the corpus repository states it."""


@dataclass(frozen=True)
class Sample:
    """One accepted conversation: its path, its verdict and its provenance; one canonical JSON line of the corpus.

    `id` is the content id of the (redacted) path, so the same text can never be in the corpus twice. `messages` are
    `{"role", "content"}`. `alternatives` are the sibling replies that the user saw beside the path, each
    `{"turn", "content", "rank", "vote"}`: `turn` indexes `messages`, `rank` 0 is best, `vote` is 1 or -1, None where
    the log has none. `verdict` is `Verdict.to_json` without cost. `provenance` is `{"conversation_id", "source",
    "system", "created_on", "model", "language", "consent", "licence", "subject", "night", "redactions", "extends"}`.
    Criteria, features and redactions are lists of `{"name", "value"}`: readers want the same keys in every line.
    """

    id: str
    expert: str
    messages: tuple[Mapping[str, str], ...]
    verdict: Mapping[str, Any]
    provenance: Mapping[str, Any]
    alternatives: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object whose canonical bytes are the sample's line."""
        return {
            "format": FORMAT_VERSION,
            "id": self.id,
            "expert": self.expert,
            "messages": list(self.messages),
            "alternatives": list(self.alternatives),
            "verdict": self.verdict,
            "provenance": self.provenance,
        }


@dataclass(frozen=True)
class Tombstone:
    """A record that something was withdrawn and must never return; one canonical JSON line of `tombstones.jsonl`.

    It names a sample (`sample_id`), with the conversation that it was made of, or a contributor (`subject`, a keyed
    pseudonym) whose later conversations stay out, too. `end` and `bands` recognise the text without holding it, see
    corpus/tombstones.py: `end` is a digest of the whole conversation, each of `bands` one of six places of its text
    together; `marks` says by which version of which rules they were made. `reason` is public: it names nobody.

    Raises:
        InputError: a field is not of its form.
    """

    sample_id: str | None
    reason: str
    withdrawn_at: str
    conversation_id: str | None = None
    subject: str | None = None
    end: str | None = None
    bands: tuple[str, ...] = ()
    marks: str | None = None

    def __post_init__(self) -> None:
        """Refuses what is not of the form, whoever made it."""
        for problem in _tombstone_problems(self):
            raise InputError(f"not a tombstone: {problem}")

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return {one.name: getattr(self, one.name) for one in fields(self)} | {"bands": list(self.bands)}

    def line(self) -> bytes:
        """Its canonical JSON line, with line end."""
        return canonical_bytes(self.to_json()) + b"\n"

    @classmethod
    def from_json(cls, plain: Any) -> Tombstone:
        """The tombstone in a parsed line; keys that are unknown are refused, those after the third may be absent.

        Raises:
            InputError: it is no object, lacks a key, or has an unknown one or a wrong value.
        """
        known = [one.name for one in fields(cls)]
        if not isinstance(plain, dict):
            raise InputError("not a tombstone: it is no JSON object")
        for key in plain:
            if key not in known:
                raise InputError(f"not a tombstone: it has an unknown key {key[:40]!a}{nearest(key, known)}")
        if missing := [name for name in known[:3] if name not in plain]:
            raise InputError(f"not a tombstone: it lacks {', '.join(missing)}")
        bands = plain.get("bands", ())
        if not isinstance(bands, (list, tuple)):
            raise InputError("not a tombstone: bands must be a list")
        return cls(**{**plain, "bands": tuple(bands)})


MAX_TOMBSTONE_REASON = 300
"""Characters: two sentences. Longer ones tell a story, and a story tells on somebody."""

_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
_MARK = re.compile(r"[0-9a-f]{16}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _tombstone_problems(stone: Tombstone) -> Iterator[str]:
    """What is wrong; whoever asks must stop at the first."""
    for name in ("sample_id", "conversation_id", "subject"):
        value = getattr(stone, name)
        if value is not None and not (isinstance(value, str) and _ID.fullmatch(value)):
            yield f"{name} must be {ID_LENGTH} hexadecimal characters or null"
    if stone.sample_id is None and stone.conversation_id is None and stone.subject is None:
        yield "it names neither a sample nor a conversation nor a subject"
    reason = stone.reason
    if not isinstance(reason, str) or not reason.strip() or len(reason) > MAX_TOMBSTONE_REASON:
        yield f"reason must be text of 1 to {MAX_TOMBSTONE_REASON} characters"
    if not reason.isprintable():
        yield "reason must be one line without control characters"
    if not isinstance(stone.withdrawn_at, str) or not _INSTANT.fullmatch(stone.withdrawn_at):
        yield "withdrawn_at must be an instant such as 2026-11-04T09:30:00Z"
    if stone.end is not None and not (isinstance(stone.end, str) and _MARK.fullmatch(stone.end)):
        yield "end must be 16 hexadecimal characters or null"
    if any(not isinstance(band, str) or not _MARK.fullmatch(band) for band in stone.bands):
        yield "each of bands must be 16 hexadecimal characters"
    if not (stone.marks is None or isinstance(stone.marks, str)) or (stone.bands and not stone.marks):
        yield "marks must be text, and is needed beside bands"
