"""Conversations: a tree of messages with an active path, as plain frozen values.

Sources write trees (regenerations, edits, parallel answers), so a conversation is one; flattening to a
list of turns happens at judge and export. Siblings are kept: they are preference pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from schemas.canonical import short_id
from schemas.errors import InputError

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
PartKind = Literal["text", "reasoning", "tool_call", "tool_result", "image", "file", "unknown"]


@dataclass(frozen=True, slots=True)
class Part:
    """A typed piece of a message.

    `text` holds what a person would read. `data` holds the rest as JSON: for a tool_call
    `{"id", "name", "arguments"}` (arguments as the string or JSON that the log had), for a tool_result
    `{"call_id", "name", "is_error"}`, for image and file `{"reference"}`, for unknown `{"raw"}`.
    """

    kind: PartKind
    text: str = ""
    data: Mapping[str, Any] | None = None

    def rendered(self) -> str:
        """The part as text of a flattened turn; empty for what a reader of the chat did not see."""
        if self.kind in ("text", "tool_result"):
            return self.text
        if self.kind == "tool_call":
            data = self.data or {}
            return f"<tool_call>{data.get('name', '')}({data.get('arguments', '')})</tool_call>"
        return f"[{self.kind}]" if self.kind in ("image", "file") else ""


@dataclass(frozen=True, slots=True)
class Message:
    """One role's contribution: a node of the tree.

    `id` is unique within its conversation; `parent_id` is None for a root. `created_at` is ISO 8601 UTC
    (`2026-11-01T09:30:00Z`). `status` is None or the source's word for an unfinished or failed message.
    `weight` 0 means not shown to the user, or not to be learned from: left out of the turns.
    """

    id: str
    parent_id: str | None
    role: Role
    parts: tuple[Part, ...]
    model: str | None = None
    created_at: str | None = None
    status: str | None = None
    weight: float = 1.0

    def text(self) -> str:
        """The visible text of all parts, joined by newlines."""
        return "\n".join(text for part in self.parts if (text := part.rendered()))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a conversation came from. `name` is the source's name in the settings; `file_digest` is SHA-256."""

    name: str
    system: str
    native_id: str
    format_version: str = ""
    file_digest: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody or something thought of a message, or of the conversation when `message_id` is None."""

    kind: Literal["thumb", "scalar", "rank", "pairwise", "demonstration", "comment", "label"]
    value: float | str
    by: Literal["human", "model", "code"]
    message_id: str | None = None
    name: str | None = None
    scale_min: float | None = None
    scale_max: float | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the active path as plain text."""

    role: Role
    content: str


@dataclass(frozen=True)
class Conversation:
    """A tree of messages with its active path and the facts about it.

    Messages are in the source's order; `active_leaf` is the last message the user saw, empty in an empty
    chat. `created_at` is ISO 8601 UTC or None. `consent` is the basis for publication, `licence` an SPDX id,
    `subject` the keyed HMAC of the user id; each is None when unknown.
    """

    source: Source
    messages: tuple[Message, ...]
    active_leaf: str
    created_at: str | None = None
    title: str | None = None
    language: str | None = None
    feedback: tuple[Feedback, ...] = ()
    consent: str | None = None
    licence: str | None = None
    subject: str | None = None

    @cached_property
    def id(self) -> str:
        """Digest of the system, the native id, the tree and the active leaf: where it was read from does not matter."""
        messages = [_plain(message) for message in self.messages]
        return short_id([self.source.system, self.source.native_id, messages, self.active_leaf])

    def path(self) -> list[Message]:
        """The messages from the root to the active leaf.

        Raises:
            InputError: the leaf is unknown, or the parents form a cycle.
        """
        by_id = {message.id: message for message in self.messages}
        path: list[Message] = []
        seen: set[str] = set()
        at: str | None = self.active_leaf or None
        while at is not None:
            if at in seen:
                raise InputError(f"the parents of message {at!r} form a cycle")
            if at not in by_id:
                raise InputError(f"message {at!r} is named as parent or active leaf but is not in the conversation")
            seen.add(at)
            path.append(by_id[at])
            at = by_id[at].parent_id
        return path[::-1]

    def turns(self) -> list[Turn]:
        """The active path flattened: messages that were shown and say something, in order."""
        return [Turn(m.role, text) for m in self.path() if m.weight > 0 and (text := m.text()).strip()]

    def n_branches(self) -> int:
        """The number of leaves of the tree (1 for a plain path)."""
        parents = {message.parent_id for message in self.messages}
        return sum(message.id not in parents for message in self.messages)

    def model(self) -> str | None:
        """The model of the last assistant message of the active path that names one."""
        return next((m.model for m in reversed(self.path()) if m.role == "assistant" and m.model), None)

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` turns back into an equal value."""
        plain = {name: getattr(self, name) for name in _FACTS}
        plain["source"] = _plain(self.source)
        plain["messages"] = [_plain(message) for message in self.messages]
        plain["feedback"] = [_plain(item) for item in self.feedback]
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Conversation:
        """The value that `to_json` wrote."""
        messages = tuple(
            Message(**{**m, "parts": tuple(Part(**part) for part in m["parts"])}) for m in plain["messages"]
        )
        return cls(
            source=Source(**plain["source"]),
            messages=messages,
            feedback=tuple(Feedback(**item) for item in plain["feedback"]),
            **{name: plain[name] for name in _FACTS},
        )


_FACTS = ("active_leaf", "created_at", "title", "language", "consent", "licence", "subject")


def _plain(value: Any) -> Any:
    """A dataclass as JSON."""
    if isinstance(value, (Part, Message, Source, Feedback)):
        return {name: _plain(getattr(value, name)) for name in value.__slots__}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def content_id(turns: Sequence[Turn]) -> str:
    """The id of what is said, whoever logged it: equal turns (role and text) give equal ids.

    It identifies a sample, names a verdict and finds exact duplicates.
    """
    return short_id([[turn.role, turn.content] for turn in turns])
