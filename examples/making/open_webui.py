"""Open WebUI's export."""

from __future__ import annotations

from datetime import datetime

from making.conversation import Conversation, Row, number, pick, times, uid, user_of

_MODELS = ["llama3.1:8b", "qwen3:8b", "mistral-small:24b"]


def open_webui(c: Conversation) -> tuple[str, Row]:
    native, when = uid("webui " + c.name), times(c)
    return native, {
        "id": native,
        "user_id": uid("account " + user_of(c)),
        "title": c.title(),
        "chat": _chat(c, when),
        "created_at": int(when[0].timestamp()),
        "updated_at": int(when[-1].timestamp()),
        "share_id": None,
        "archived": False,
        "pinned": False,
        "meta": {"tags": []},
        "folder_id": None,
    }


def _chat(c: Conversation, when: list[datetime]) -> Row:
    system = next((n.text for n in c.nodes if n.role == "system"), None)
    return {
        "id": "",
        "title": c.title(),
        "models": [pick(_MODELS, c.slug)],
        "params": {"system": system} if system else {},
        "history": {"messages": _history(c, when), "currentId": _id(c, c.path[-1])},
        "messages": [{"role": n.role, "content": n.text} for n in c.shown() if n.role != "system"],
        "tags": [],
        "timestamp": int(c.start.timestamp() * 1000),
    }


def _id(c: Conversation, i: int) -> str:
    return uid(f"webui {c.name} {i}")


def _history(c: Conversation, when: list[datetime]) -> Row:
    kept = [i for i, n in enumerate(c.nodes) if n.role != "system"]
    messages = {_id(c, i): _message(c, i, kept, int(when[i].timestamp())) for i in kept}
    if c.keys.get("rating"):
        messages[_id(c, c.path[-1])]["annotation"] = _annotation(int(c.keys["rating"]))
    return messages


def _message(c: Conversation, i: int, kept: list[int], stamp: int) -> Row:
    n, model = c.nodes[i], pick(_MODELS, c.slug)
    message: Row = {
        "id": _id(c, i),
        "parentId": _id(c, n.parent) if n.parent in kept else None,
        "childrenIds": [_id(c, k) for k in kept if c.nodes[k].parent == i],
        "role": n.role,
        "content": n.text,
        "timestamp": stamp,
    }
    if n.role == "user":
        message["models"] = [model]
    else:
        message.update(model=model, modelName=model, modelIdx=0, done=True)
    if n.thinking:
        _think(c, i, message)
    return message


def _think(c: Conversation, i: int, message: Row) -> None:
    """Puts the thoughts into the content, as older versions do, and into `output`, as newer ones do."""
    n, seconds = c.nodes[i], 2 + number("thought " + c.name, 20)
    quoted = "\n".join("&gt; " + line for line in n.thinking.split("\n"))
    message["content"] = (
        f'<details type="reasoning" done="true" duration="{seconds}">\n'
        f"<summary>Thought for {seconds} seconds</summary>\n{quoted}\n</details>\n" + n.text
    )
    if not number("output " + c.slug, 2):
        return
    reasoning = {
        "type": "reasoning",
        "id": "r-" + message["id"][:8],
        "status": "completed",
        "content": [{"type": "output_text", "text": n.thinking}],
        "summary": None,
        "started_at": message["timestamp"] - seconds,
        "ended_at": message["timestamp"],
        "duration": seconds,
    }
    answer = {
        "type": "message",
        "id": "m-" + message["id"][:8],
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": n.text}],
    }
    message["output"] = [reasoning, answer]


def _annotation(score: int) -> Row:
    return {
        "rating": 1 if score > 5 else -1,
        "reason": "accurate_information" if score > 5 else "not_helpful",
        "comment": "",
        "tags": [],
        "details": {"rating": score},
    }
