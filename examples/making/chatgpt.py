"""The ChatGPT data export: a tree of nodes, hidden ones among them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from making.conversation import Conversation, Row, number, times, uid

_UNSEEN = {"is_visually_hidden_from_conversation": True}


def chatgpt(c: Conversation) -> tuple[str, Row]:
    native, when = uid("chatgpt " + c.name), times(c)
    return native, {
        "title": c.title(),
        "create_time": float(when[0].timestamp()),
        "update_time": float(when[-1].timestamp()),
        "mapping": _mapping(c, when),
        "moderation_results": [],
        "current_node": _id(c, c.path[-1]),
        "plugin_ids": None,
        "conversation_id": native,
        "conversation_template_id": None,
        "gizmo_id": None,
        "is_archived": False,
        "safe_urls": [],
        "default_model_slug": "gpt-4o",
        "id": native,
    }


def _id(c: Conversation, i: int) -> str:
    return uid(f"chatgpt {c.name} {i}")


def _mapping(c: Conversation, when: list[datetime]) -> Row:
    mapping = _beginning(c)
    above = list(mapping)[-1]
    for i, n in enumerate(c.nodes):
        parent = above if n.parent is None else _id(c, n.parent)
        mapping[_id(c, i)] = _node(_id(c, i), parent, _said(c, i, when[i]))
    for key, entry in mapping.items():
        if entry["parent"]:
            mapping[entry["parent"]]["children"].append(key)
    return mapping


def _beginning(c: Conversation) -> Row:
    """The root, the hidden system message, and the custom instructions where the user has some."""
    root, hidden, profile = uid("root " + c.name), uid("hidden " + c.name), uid("profile " + c.name)
    empty = {"content_type": "text", "parts": [""]}
    system = _message(hidden, "system", empty, None, end_turn=True, weight=0.0, metadata=_UNSEEN)
    mapping = {root: _node(root, None, None), hidden: _node(hidden, root, system)}
    if c.keys.get("profile"):
        content = {
            "content_type": "user_editable_context",
            "user_profile": c.keys["profile"],
            "user_instructions": "Keep answers short.",
        }
        mapping[profile] = _node(profile, hidden, _message(profile, "user", content, None, metadata=_UNSEEN))
    return mapping


def _said(c: Conversation, i: int, when: datetime) -> Row:
    n, key = c.nodes[i], _id(c, i)
    at = round(when.timestamp() + number(f"us {c.name} {i}", 10**6) / 1e6, 6)
    slug = {"model_slug": "gpt-4o", "finish_details": {"type": "stop"}}
    text = {"content_type": "text", "parts": [n.text]}
    if n.call:
        code = {"content_type": "code", "language": "python", "text": n.text}
        return _message(key, "assistant", code, at, end_turn=False, recipient=n.name, metadata=slug)
    if n.role == "tool":
        return _message(key, "tool", {"content_type": "execution_output", "text": n.text}, at, name=n.name)
    if n.role == "assistant":
        is_missing = number(f"no time {c.name} {i}", 12) == 0
        return _message(key, "assistant", text, None if is_missing else at, end_turn=True, metadata=slug)
    return _message(key, n.role, text, at)


def _node(key: str, parent: str | None, message: Row | None) -> Row:
    return {"id": key, "message": message, "parent": parent, "children": []}


def _message(key: str, role: str, content: Row, at: float | None, **more: Any) -> Row:
    return {
        "id": key,
        "author": {"role": role, "name": more.get("name"), "metadata": {}},
        "create_time": at,
        "update_time": None,
        "content": content,
        "status": "finished_successfully",
        "end_turn": more.get("end_turn"),
        "weight": more.get("weight", 1.0),
        "metadata": more.get("metadata", {}),
        "recipient": more.get("recipient", "all"),
    }
