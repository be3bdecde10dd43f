"""Trees of messages out of what logs hold: parents that point to nothing, cycles, forgotten leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from corpus.sources.problems import UnreadableRecord
from schemas.conversation import Message

PARENT_MISSING = "parent_missing"
"""The status of a message whose parent is not in the log: it became a root."""


def repaired(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages with every parent known, in their order.

    Raises:
        UnreadableRecord: two messages have the same id, or the parents form a cycle.
    """
    found = tuple(messages)
    known = {message.id for message in found}
    if len(known) < len(found):
        seen: set[str] = set()
        twice = next(message.id for message in found if message.id in seen or seen.add(message.id))  # type: ignore[func-returns-value]
        raise UnreadableRecord(f"two of its messages have the id {twice[:60]!r}")
    found = tuple(message if message.parent_id in known else _root(message) for message in found)
    check_acyclic({message.id: message.parent_id for message in found})
    return found


def _root(message: Message) -> Message:
    if message.parent_id is None:
        return message
    return replace(message, parent_id=None, status=message.status or PARENT_MISSING)


def check_acyclic(parents: dict[str, str | None]) -> None:
    """Follows every node to its root, each once.

    Raises:
        UnreadableRecord: one never gets there.
    """
    rooted: set[str] = set()
    for start in parents:
        way: dict[str, None] = {}
        at: str | None = start
        while at is not None and at not in rooted:
            if at in way:
                raise UnreadableRecord(f"the parents of its message {at[:60]!r} form a cycle")
            way[at] = None
            at = parents.get(at)
        rooted.update(way)


def newest_leaf(messages: Sequence[Message]) -> str:
    """The leaf that was made last (the last one in the log where times are equal or missing); empty for no messages."""
    parents = {message.parent_id for message in messages}
    leaves = [message for message in messages if message.id not in parents]
    return max(enumerate(leaves), key=lambda leaf: (leaf[1].created_at or "", leaf[0]))[1].id if leaves else ""


def chained(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages as one path, each the child of the one before it."""
    before = [None, *(message.id for message in messages)]
    return tuple(replace(message, parent_id=parent) for message, parent in zip(messages, before, strict=False))
