"""Rows in the OpenAI messages format and its many relatives; recognised by their keys.

    {"messages": [{"role", "content", ...}], "tools"?}                     content: text or typed parts
    {"conversations": [{"role", "content"}]}                               the same under another name
    {"chosen_messages": [...], "rejected_messages": [...]}                 a preference pair
    {"prompt" | "messages": ..., "chosen": ..., "rejected": ...}           the same; text, a message, or messages
    {"input": {"messages"}, "preferred_output", "non_preferred_output"}    the same
    {"prompt": ..., "completion": ...}                                     text, a message, or messages

Beside them may stand `id`, `created_at`, `model`, `user`, `title`, `language`, `consent`, `licence`, `system`, `label`.
"""

from __future__ import annotations

from typing import Any

from corpus.sources.decode import JsonObject
from corpus.sources.draft import Draft
from corpus.sources.fields import as_list, as_object, first_text, unpacked
from corpus.sources.flat import draft_of_pair, draft_of_path, with_frame
from corpus.sources.parts import ROLES, message_of
from schemas.conversation import Message

_PAIRS = (
    ("chosen_messages", "rejected_messages"),
    ("chosen", "rejected"),
    ("preferred_output", "non_preferred_output"),
)


def recognise(record: JsonObject) -> bool:
    """Whether a row has the keys of one of the shapes above."""
    if any(chosen in record and rejected in record for chosen, rejected in _PAIRS):
        return not _is_sharegpt_pair(record)
    if "prompt" in record and "completion" in record:
        return True
    return any(_is_messages(record.get(key)) for key in ("messages", "conversations", "conversation"))


def _is_messages(value: Any) -> bool:
    value = unpacked(value)
    if not isinstance(value, list):
        return False
    first = value[0] if value else {"role": "user", "content": ""}
    if not isinstance(first, dict) or not isinstance(first.get("role"), str):
        return False
    return first["role"].lower() in ROLES and ("content" in first or "tool_calls" in first or "function_call" in first)


def _is_sharegpt_pair(record: JsonObject) -> bool:
    return "from" in as_object(record.get("chosen")) or "from" in as_object(record.get("rejected"))


def read(record: JsonObject) -> Draft:
    """The conversation of a row."""
    for chosen, rejected in _PAIRS:
        if chosen in record and rejected in record:
            return _pair(record, record[chosen], record[rejected])
    if "completion" in record and "prompt" in record:
        plain = [*_plain(record["prompt"], "user"), *_plain(record["completion"], "assistant")]
    else:
        plain = _stem(record)
    return draft_of_path(record, _messages(record, plain))


def _pair(record: JsonObject, chosen: Any, rejected: Any) -> Draft:
    stem = _stem(record)
    stem = stem or _plain(record.get("prompt"), "user")
    return draft_of_pair(
        record,
        _messages(record, [*stem, *_beyond(stem, _plain(chosen, "assistant"))]),
        _messages(record, [*stem, *_beyond(stem, _plain(rejected, "assistant"))]),
    )


def _beyond(stem: list[Any], whole: list[Any]) -> list[Any]:
    """What a conversation adds to the stem, which data sets often repeat in it."""
    return whole[len(stem) :] if stem and whole[: len(stem)] == stem else whole


def _stem(record: JsonObject) -> list[Any]:
    for source in (record, as_object(record.get("input"))):
        for key in ("messages", "conversations", "conversation"):
            if messages := as_list(unpacked(source.get(key))):
                return messages
    return []


def _plain(value: Any, role: str) -> list[Any]:
    """The messages that a text, a message or a list of messages stands for."""
    value = value if isinstance(value, str) else unpacked(value)
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [value]
    return [{"role": role, "content": value}] if value else []


def _messages(record: JsonObject, plain: list[Any]) -> list[Message]:
    model = first_text(record, "model")
    return with_frame(record, [message_of(message, str(n), model=model) for n, message in enumerate(plain)])
