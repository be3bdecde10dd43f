"""The formats that hold a list of messages: OpenAI messages (the support bot) and ShareGPT."""

from __future__ import annotations

import json

from making.conversation import Conversation, Node, Row, hexid, iso, pick, user_of

_SUPPORT_PROMPTS = [
    "You are the help desk assistant of Millrace, a small hosting company. "
    "Answer plainly, show commands in code blocks and say when something can lose data.",
    "You help the volunteers of a community computer club. Be correct first and short second.",
    "",
    "",
]


def support_bot(c: Conversation) -> tuple[str, Row]:
    row: Row = {
        "id": "chatcmpl-" + hexid(c.name, 24),
        "created_at": iso(c.start),
        "model": "millrace-support-7b",
        "user": user_of(c),
        "messages": _prompt(c) + _messages(c),
    }
    if tools := [_declared(n) for n in c.shown() if n.call]:
        row["tools"] = tools
    return row["id"], row


def _prompt(c: Conversation) -> list[Row]:
    prompt = pick(_SUPPORT_PROMPTS, "prompt " + c.slug)
    if not prompt or c.keys.get("no_prompt") or c.nodes[0].role == "system":
        return []
    return [{"role": "system", "content": prompt}]


def _messages(c: Conversation) -> list[Row]:
    messages, call_id = [], ""
    for i, n in enumerate(c.shown()):
        if n.call:
            call_id = "call_" + hexid(f"{c.name} {i}", 20)
            call = {"id": call_id, "type": "function", "function": {"name": n.name, "arguments": n.text}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif n.role == "tool":
            messages.append({"role": "tool", "tool_call_id": call_id, "content": n.text})
        else:
            messages.append({"role": n.role, "content": n.text})
    return messages


def _declared(n: Node) -> Row:
    names = {key: {"type": "string"} for key in json.loads(n.text)}
    schema = {"type": "object", "properties": names}
    return {"type": "function", "function": {"name": n.name, "parameters": schema}}


def sharegpt(c: Conversation) -> tuple[str, Row]:
    native = hexid("share " + c.name, 7) + "_0"
    names = {"user": "human", "assistant": "gpt", "system": "system"}
    turns = [{"from": names[n.role], "value": n.text} for n in c.shown()]
    return native, {"id": native, "conversations": turns}
