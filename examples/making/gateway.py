"""Gristmill's own gateway log."""

from __future__ import annotations

from datetime import timedelta

from making.conversation import Conversation, Row, hexid, iso, number, times, user_of

_MODEL = "smollm2-135m-instruct"


def gateway(c: Conversation) -> tuple[str, Row]:
    when, native = times(c), "gm_" + hexid(c.name, 16)
    ids = [f"{native}.{i}" for i in range(len(c.nodes))]
    at = iso(when[-1] + timedelta(seconds=40))
    row: Row = {
        "gristmill_log": 1,
        "id": native,
        "started_at": iso(when[0]),
        "finished_at": iso(when[-1]),
        "user": user_of(c),
        "expert": "general",
        "model": _MODEL,
        "messages": [_message(c, i, ids, iso(when[i])) for i in range(len(c.nodes))],
        "active_leaf": ids[c.path[-1]],
        "feedback": [
            {"message_id": ids[i], "kind": "thumb", "value": value, "by": "human", "at": at} for i, value in _thumbs(c)
        ],
    }
    if number("asked " + c.slug, 3) == 0:
        row["consent"] = "agreed in the chat window before the first message"
        row["licence"] = "CC0-1.0"
    return native, row


def _message(c: Conversation, i: int, ids: list[str], at: str) -> Row:
    n = c.nodes[i]
    parent = None if n.parent is None else ids[n.parent]
    message = {"id": ids[i], "parent_id": parent, "role": n.role, "content": n.text, "created_at": at}
    return {**message, "model": _MODEL} if n.role == "assistant" else message


def _thumbs(c: Conversation) -> list[tuple[int, int]]:
    if not c.keys.get("thumb"):
        return []
    value = 1 if c.keys["thumb"] == "up" else -1
    thumbs = [(c.path[-1], value)]
    # the answer that was regenerated away and that the same person disliked
    aside = [i for i in range(len(c.nodes)) if i not in c.path]
    if value == 1 and aside:
        thumbs.append((aside[0], -1))
    return thumbs
