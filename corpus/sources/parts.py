"""Parts and messages in the dialects of the OpenAI chat format, which most systems speak more or less."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from corpus.sources.decode import JsonObject
from corpus.sources.fields import as_list, as_number, as_object, as_text, first_text, unpacked
from corpus.sources.problems import UnreadableRecord
from corpus.sources.timestamps import utc
from schemas.conversation import Message, Part, Role

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
}
"""What logs call who speaks. (`human` and below: ShareGPT, OpenAssistant, LLaMA-Factory, Gemini.)"""

_TEXTS = {"text", "input_text", "output_text", "refusal"}
_REASONINGS = {"reasoning", "thinking", "thought", "think", "reasoning_text", "summary_text"}
_IMAGES = {"image", "image_url", "input_image", "image_file"}
_FILES = {"file", "input_file", "input_audio", "audio", "audio_url", "video", "video_url", "document"}


def role_of(value: Any) -> Role:
    """Our role for a log's.

    Raises:
        UnreadableRecord: nobody knows that role.
    """
    role = ROLES.get(value.strip().lower()) if isinstance(value, str) else None
    if role is None:
        raise UnreadableRecord(f"one of its messages has the role {str(value)[:40]!r}; known are {', '.join(ROLES)}")
    return role


def text_part(text: str) -> Part:
    """What a person reads."""
    return Part("text", text)


def unknown_part(raw: Any) -> Part:
    """Something that this version does not understand, kept as it was."""
    return Part("unknown", data={"raw": raw})


def reference_part(kind: Any, reference: Any) -> Part:
    """An image or a file that is not in the log. Inline data is replaced by its digest: it is no text."""
    text = as_text(reference) or ""
    if text.startswith("data:"):
        head, _, body = text.partition(",")
        text = f"{head[:60]},sha256:{sha256(body.encode()).hexdigest()}"
    return Part(kind, data={"reference": text})


def call_part(call: Any) -> Part:
    """A tool call of any dialect: `{id, function: {name, arguments}}`, `{name, input}`, either as JSON in a string.

    Arguments become JSON text, as most logs have them: objects of different shapes do not fit into one table.
    """
    plain = unpacked(call)
    if not isinstance(plain, dict):
        return Part("tool_call", data={"id": None, "name": "", "arguments": _json_text(plain)})
    function = as_object(plain.get("function")) or plain
    arguments = next((function[key] for key in ("arguments", "input", "parameters", "args") if key in function), "")
    return Part(
        "tool_call",
        data={
            "id": first_text(plain, "call_id", "id"),
            "name": first_text(function, "name") or "",
            "arguments": _json_text(arguments),
        },
    )


def _json_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise UnreadableRecord("the arguments of a tool call are nested too deep") from error


def result_part(text: str, call_id: str | None = None, name: str | None = None, *, is_error: bool = False) -> Part:
    """What a tool gave back."""
    return Part("tool_result", text, {"call_id": call_id, "name": name, "is_error": is_error})


def parts_of(content: Any) -> tuple[Part, ...]:
    """The parts of a message's content: a string, a list of typed parts, one part, or nothing."""
    if content is None or content == "":
        return ()
    if isinstance(content, list):
        return tuple(_part(item) for item in content)
    return (_part(content),)


def _part(item: Any) -> Part:
    if isinstance(item, str):
        return text_part(item)
    if not isinstance(item, dict):
        return unknown_part(item)
    kind = item.get("type", "text" if "text" in item else None)
    if not isinstance(kind, str):
        return unknown_part(item)
    value = next((item[key] for key in ("text", "value", "content", kind) if isinstance(item.get(key), str)), None)
    if kind in _TEXTS and value is not None:
        return text_part(value)
    if kind in _REASONINGS and value is not None:
        return Part("reasoning", value)
    if kind in _IMAGES or kind in _FILES:
        return reference_part("image" if kind in _IMAGES else "file", _reference(item, kind))
    if kind in ("tool_call", "tool_use", "function_call"):
        return call_part(item.get("value", item))
    if kind in ("tool_result", "tool_response", "function_call_output"):
        return _result(item)
    return unknown_part(item)


def _reference(item: JsonObject, kind: str) -> Any:
    inner = item.get(kind, item)
    if isinstance(inner, dict):
        keys = ("url", "file_id", "id", "data", "image_url", "file_url", "filename", "name", "value")
        return first_text(inner, *keys) or first_text(item, *keys)
    return inner


def _result(item: JsonObject) -> Part:
    content = next((item[key] for key in ("content", "output", "value", "text") if key in item), None)
    text = content_text(content)
    name = first_text(item, "name")
    return result_part(text, first_text(item, "tool_use_id", "call_id"), name, is_error=item.get("is_error") is True)


def content_text(content: Any) -> str:
    """All that a message's content says, joined by newlines; JSON that is no text is written as JSON."""
    said = (_json_text((p.data or {}).get("raw")) if p.kind == "unknown" else p.text for p in parts_of(content))
    return "\n".join(text for text in said if text)


def message_of(plain: Any, message_id: str, parent_id: str | None = None, *, model: str | None = None) -> Message:
    """A message of the OpenAI chat format.

    `weight` and `loss_weight` count for the assistant only: trainers never learn from what others say, and v1 data sets
    give the user's messages a weight of 0 for that reason.

    Raises:
        UnreadableRecord: it is no object, or its role is unknown.
    """
    if not isinstance(plain, dict):
        raise UnreadableRecord(f"one of its messages is {str(plain)[:40]!r}, not an object")
    role = role_of(plain.get("role"))
    parts = _tool_parts(plain) if role == "tool" else _spoken_parts(plain)
    weight = as_number(plain.get("weight", plain.get("loss_weight"))) if role == "assistant" else None
    return Message(
        id=message_id,
        parent_id=parent_id,
        role=role,
        parts=parts,
        model=(first_text(plain, "model") or model) if role == "assistant" else None,
        created_at=next((at for key in ("created_at", "timestamp", "created") if (at := utc(plain.get(key)))), None),
        status=as_text(plain.get("status")) if plain.get("status") not in ("completed", "complete") else None,
        weight=1.0 if weight is None or not 0 <= weight <= 1 else weight,
    )


def _spoken_parts(plain: JsonObject) -> tuple[Part, ...]:
    thoughts = first_text(plain, "reasoning_content", "reasoning", "thinking")
    before = (Part("reasoning", thoughts),) if thoughts else ()
    calls = [call for call in as_list(plain.get("tool_calls")) if call is not None]
    if plain.get("function_call"):
        calls.append(plain["function_call"])
    refusal = first_text(plain, "refusal")
    spoken = parts_of(plain.get("content")) or ((text_part(refusal),) if refusal else ())
    return (*before, *spoken, *(call_part(call) for call in calls))


def _tool_parts(plain: JsonObject) -> tuple[Part, ...]:
    parts = parts_of(plain.get("content"))
    call_id, name = first_text(plain, "tool_call_id"), first_text(plain, "name")
    return tuple(result_part(part.text, call_id, name) if part.kind == "text" else part for part in parts)
