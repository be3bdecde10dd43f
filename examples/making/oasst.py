"""OpenAssistant trees."""

from __future__ import annotations

from datetime import datetime

from making.conversation import Conversation, Row, times, uid

_QUALITY = {None: 0.75, 0: 0.92, 1: 0.58, 2: 0.25}
"""By rank."""


def oasst(c: Conversation) -> tuple[str, Row]:
    native = uid(f"oasst {c.name} 0")
    return native, {
        "message_tree_id": native,
        "tree_state": "ready_for_export",
        "prompt": _tree(c, 0, times(c)),
    }


def _tree(c: Conversation, i: int, when: list[datetime]) -> Row:
    n = c.nodes[i]
    found: Row = {
        "message_id": uid(f"oasst {c.name} {i}"),
        "text": n.text,
        "role": "prompter" if n.role == "user" else "assistant",
        "lang": c.keys.get("lang", "en"),
        "review_count": 3,
        "review_result": True,
        "deleted": False,
        "rank": n.rank,
        "synthetic": False,
        "model_name": None,
        "user_id": uid(f"rater {c.name} {i}"),
        "created_date": when[i].strftime("%Y-%m-%dT%H:%M:%S.000000+00:00"),
        "emojis": {"+1": 3 - n.rank} if n.rank is not None and n.rank < 2 else {},
        "labels": {
            "spam": {"value": 0.0, "count": 3},
            "lang_mismatch": {"value": 0.0, "count": 3},
            "quality": {"value": _QUALITY[n.rank], "count": 3},
            "toxicity": {"value": 0.0, "count": 3},
        },
    }
    if n.parent is not None:
        found["parent_id"] = uid(f"oasst {c.name} {n.parent}")
    found["replies"] = [_tree(c, k, when) for k, m in enumerate(c.nodes) if m.parent == i]
    return found
