"""A conversation as it was written, and the choices that are made for it from the SHA-256 of its name."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
Row = dict[str, Any]

FIRST_DAY = datetime(2026, 11, 1, tzinfo=UTC)
USERS = ["alder", "birch", "cedar", "dogwood", "elm", "fir", "gorse", "hazel", "ivy", "juniper", "larch", "maple"]


@dataclass
class Node:
    role: str  # system, user, assistant, tool
    text: str
    parent: int | None
    name: str = ""  # of the tool
    call: bool = False  # the assistant calls a tool, text is its argument
    thinking: str = ""
    rank: int | None = None


@dataclass
class Conversation:
    slug: str
    to: str
    keys: dict[str, str]
    nodes: list[Node]
    path: list[int]  # the nodes that the user saw last
    name: str = ""  # what ids and times are made from
    start: datetime = FIRST_DAY
    planted: Row = field(default_factory=dict)

    def shown(self) -> list[Node]:
        return [self.nodes[i] for i in self.path]

    def title(self) -> str:
        return self.keys.get("title") or self.slug.replace("-", " ").capitalize()


def number(text: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") % below


def pick(choices: Sequence[T], text: str) -> T:
    return choices[number(text, len(choices))]


def hexid(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def uid(text: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def start_of(name: str) -> datetime:
    day = timedelta(days=number("day " + name, 5))
    return FIRST_DAY + day + timedelta(seconds=6 * 3600 + number("time " + name, 15 * 3600))


def times(c: Conversation) -> list[datetime]:
    """One time a node: a person takes longer to type than a model to answer."""
    now, found = c.start, []
    for i, node in enumerate(c.nodes):
        found.append(now)
        least, most = (3, 25) if node.role == "user" else (25, 120)
        now += timedelta(seconds=least + number(f"pause {c.name} {i}", most - least))
    return found


def user_of(c: Conversation) -> str:
    return pick(USERS, "user " + c.keys.get("same_user_as", c.slug))
