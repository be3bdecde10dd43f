"""Reads the Markdown files of examples/conversations/; examples/make_logs.py says how they are written."""

from __future__ import annotations

import re
from pathlib import Path

from making.conversation import Conversation, Node, Row, pick, start_of

_HEADING = re.compile(
    r"^## (system|user|assistant|thinking|call|result)(?: (\w+))?"
    r"(?:, (first try|rank (\d)))?$"
)

Turn = tuple[re.Match[str], list[str]]
"""A heading and the lines below it."""


def read_markdown(path: Path) -> list[Conversation]:
    """Every conversation of one Markdown file."""
    head, *rest = re.split(r"(?m)^# conversation: ", path.read_text(encoding="utf-8"))
    targets = next((line[4:].split(",") for line in reversed(head.split("\n")) if line.startswith("to: ")), [])
    return [_conversation(text.split("\n"), [target.strip() for target in targets]) for text in rest]


def _conversation(lines: list[str], targets: list[str]) -> Conversation:
    slug = lines[0].strip()
    keys: dict[str, str] = {}
    turns: list[Turn] = []
    for line in lines[1:] if lines[-1] else lines[1:-1]:
        if heading := _HEADING.match(line):
            turns.append((heading, []))
        elif turns:
            turns[-1][1].append(line)
        elif ": " in line:
            key, value = line.split(": ", 1)
            keys[key] = value.strip()
    nodes, path = _tree(turns)
    to = keys.get("to") or pick(targets, "to " + slug)
    return Conversation(slug, to, keys, nodes, path, slug, start_of(slug), _planted(keys))


def _tree(turns: list[Turn]) -> tuple[list[Node], list[int]]:
    """The nodes, and those of them that the user saw last; a first try or a lower rank is a sibling of what follows."""
    nodes: list[Node] = []
    path: list[int] = []
    thinking = ""
    for heading, lines in turns:
        role, name, aside, rank = heading.groups()
        text = "\n".join(lines).strip("\n")
        if role == "thinking":
            thinking = text
            continue
        parent = path[-1] if path else None
        said_by = {"call": "assistant", "result": "tool"}.get(role, role)
        ranked = None if rank is None else int(rank)
        nodes.append(Node(said_by, text, parent, name or "", role == "call", thinking, ranked))
        thinking = ""
        if not aside or rank == "0":
            path.append(len(nodes) - 1)
    return nodes, path


def _planted(keys: dict[str, str]) -> Row:
    if "plant" not in keys:
        return {}
    kind, _, detail = keys["plant"].partition(" ")
    values = {"values": [value.strip() for value in keys["values"].split(" | ")]} if "values" in keys else {}
    return {"kind": kind, "detail": detail, **values}
