"""The log of a LiteLLM proxy: one row for each answer; every row repeats the history before it."""

from __future__ import annotations

from datetime import datetime, timedelta

from making.conversation import Conversation, Row, hexid, number, pick, times, uid, user_of

_MODELS = ["mistral-small-latest", "llama-3.1-8b-instruct"]


def litellm(c: Conversation) -> tuple[str, list[Row]]:
    when = times(c)
    rows: list[Row] = []
    history: list[Row] = []
    for i, n in enumerate(c.shown()):
        if n.role == "assistant":
            rows.append(_row(c, i, history, when[c.path[i]]))
        history.append({"role": n.role, "content": n.text})
    if c.keys.get("fails"):
        rows.insert(len(rows) - 1, _failed(rows[-1], when[c.path[-1]]))
    if c.keys.get("unstored"):  # store_prompts_in_spend_logs was off
        for row in rows:
            row.update(messages="{}", response="{}")
    return _session(c), rows


def _session(c: Conversation) -> str:
    return "sess-" + hexid(c.name, 12)


def _row(c: Conversation, i: int, history: list[Row], ended: datetime) -> Row:
    key, text, model = "chatcmpl-" + uid(f"{c.name} {i}"), c.shown()[i].text, pick(_MODELS, c.slug)
    usage = _usage(history, text)
    return {
        "id": key,
        "trace_id": _session(c),
        "session_id": _session(c),
        "call_type": "acompletion",
        "cache_hit": None,
        "stream": True,
        "status": "success",
        "custom_llm_provider": "openai",
        "startTime": _stamp(ended - timedelta(seconds=3)),
        "endTime": _stamp(ended),
        "model": model,
        "metadata": _metadata(user_of(c)),
        "response_cost": round(usage["total_tokens"] * 2e-7, 9),
        **usage,
        "request_tags": [],
        "end_user": user_of(c),
        "model_parameters": {"temperature": 0.7},
        "messages": list(history),
        "response": _response(key, model, text, usage, ended),
        "error_str": None,
    }


def _stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S.%f")


def _usage(history: list[Row], text: str) -> dict[str, int]:
    asked, told = sum(len(message["content"]) for message in history) // 4 + 4, len(text) // 4
    return {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told}


def _metadata(user: str) -> Row:
    return {
        "user_api_key_hash": hexid("key " + user, 64),
        "user_api_key_user_id": user,
        "requester_ip_address": f"192.0.2.{1 + number(user, 250)}",
        "spend_logs_metadata": None,
    }


def _response(key: str, model: str, text: str, usage: dict[str, int], ended: datetime) -> Row:
    answer = {"role": "assistant", "content": text, "tool_calls": None}
    return {
        "id": key,
        "created": int(ended.timestamp()),
        "model": model,
        "object": "chat.completion",
        "choices": [{"finish_reason": "stop", "index": 0, "message": answer}],
        "usage": usage,
    }


def _failed(row: Row, ended: datetime) -> Row:
    """The call as it was refused once before it succeeded."""
    at = _stamp(ended - timedelta(seconds=12))
    return {
        **row,
        "id": row["id"][:-4] + "fail",
        "status": "failure",
        "startTime": at,
        "endTime": at,
        "response_cost": 0,
        "completion_tokens": 0,
        "total_tokens": row["prompt_tokens"],
        "response": {},
        "error_str": "litellm.RateLimitError: 429 too many requests",
    }
