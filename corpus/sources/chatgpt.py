"""The ChatGPT data export: `conversations.json`, its shards, or the ZIP that holds them.

A conversation is a tree of nodes, `mapping`. Nodes without a message are passed through. Kept in the tree but not in
the turns are messages of weight 0, hidden ones, and the user's custom instructions. An assistant's message whose
recipient is not `all` is a tool call, not an answer; where all its results are hidden (what a browser read has weight
0), nobody saw the call either. Times may be null, so the order is the tree's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from corpus.sources.decode import JsonObject
from corpus.sources.draft import Draft
from corpus.sources.fields import as_list, as_number, as_object, as_text, consent_of, first_text, licence_of
from corpus.sources.parts import reference_part, result_part, text_part, unknown_part
from corpus.sources.timestamps import utc
from corpus.sources.tree import check_acyclic, newest_leaf, repaired
from schemas.canonical import short_id
from schemas.conversation import Feedback, Message, Part, Role

_CITATION = re.compile("\ue200[^\ue200\ue201]{0,2000}\ue201")
"""A citation mark: the page draws it, its text is a pointer that nobody reads."""

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_INSTRUCTIONS = {"user_editable_context", "model_editable_context"}
_DONE = {None, "", "finished_successfully"}
_THUMBS = {"thumbs_up": 1.0, "thumbsup": 1.0, "thumbs_down": -1.0, "thumbsdown": -1.0}


def recognise(record: JsonObject) -> bool:
    """Whether it has a `mapping` of nodes."""
    mapping = record.get("mapping")
    if not isinstance(mapping, dict):
        return False
    return all(isinstance(node, dict) and "message" in node for node in list(mapping.values())[:2])


def read(record: JsonObject, side: Sequence[JsonObject] = ()) -> Draft:
    """The conversation of a record; `side` are the rows of `message_feedback.json` about it."""
    mapping = {key: as_object(node) for key, node in record["mapping"].items()}
    parents = _parents(mapping)
    told = (_message(key, node, parents[key]) for key, node in mapping.items() if _has_message(node))
    messages = _without_unseen_calls(repaired(told))
    leaf = _leaf(record, mapping)
    consent, is_refused = consent_of(record)
    return Draft(
        native_id=first_text(record, "conversation_id", "id") or short_id([[m.role, m.text()] for m in messages]),
        messages=messages,
        active_leaf=leaf or newest_leaf(messages),
        created_at=utc(record.get("create_time")) or next((m.created_at for m in messages if m.created_at), None),
        title=as_text(record.get("title")),
        feedback=tuple(item for row in side for item in _feedback(row, mapping)),
        user=first_text(as_object(record.get("account")), "user_id") or first_text(record, "user_id", "owner"),
        consent=consent,
        is_refused=is_refused,
        licence=licence_of(record),
        format_version="" if leaf or not messages else "active leaf guessed",
    )


def _has_message(node: JsonObject) -> bool:
    return bool(as_object(node.get("message")))


def _parents(mapping: Mapping[str, JsonObject]) -> dict[str, str | None]:
    """Each node's nearest ancestor that says something.

    Raises:
        UnreadableRecord: the parents form a cycle.
    """
    above = {key: as_text(node.get("parent")) for key, node in mapping.items()}
    check_acyclic(above)
    found: dict[str, str | None] = {}
    for key in mapping:
        below, at = [key], above[key]
        while at is not None and at in mapping and not _has_message(mapping[at]):
            if at in found:
                at = found[at]
                break
            below.append(at)
            at = above[at]
        found.update(dict.fromkeys(below, at))
    return found


def _leaf(record: JsonObject, mapping: Mapping[str, JsonObject]) -> str | None:
    """The node that the user last saw, or its nearest ancestor that says something."""
    at = as_text(record.get("current_node"))
    while at is not None and at in mapping:
        if _has_message(mapping[at]):
            return at
        at = as_text(mapping[at].get("parent"))
    return None


def _message(key: str, node: JsonObject, parent: str | None) -> Message:
    message = node["message"]
    author, metadata = as_object(message.get("author")), as_object(message.get("metadata"))
    role = _ROLES.get(as_text(author.get("role")) or "")
    content = as_object(message.get("content"))
    status = as_text(message.get("status"))
    return Message(
        id=key,
        parent_id=parent,
        role=role or "tool",
        parts=_parts(message, content, author) + _attachments(metadata),
        model=first_text(metadata, "model_slug") if role == "assistant" else None,
        created_at=utc(message.get("create_time")),
        status=None if status in _DONE else status,
        weight=0.0 if role is None or _is_hidden(message, content, metadata) else 1.0,
    )


def _is_hidden(message: JsonObject, content: JsonObject, metadata: JsonObject) -> bool:
    return (
        as_number(message.get("weight")) == 0
        or metadata.get("is_visually_hidden_from_conversation") is True
        or "user_context_message_data" in metadata
        or as_text(content.get("content_type")) in _INSTRUCTIONS
    )


def _without_unseen_calls(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages, with weight 0 for each tool call that has results of which none was shown."""
    below: dict[str | None, list[Message]] = defaultdict(list)
    for message in messages:
        if message.role == "tool":
            below[message.parent_id].append(message)
    return tuple(
        replace(m, weight=0.0) if _is_call(m) and below[m.id] and not _is_any_shown(m.id, below) else m
        for m in messages
    )


def _is_call(message: Message) -> bool:
    return any(part.kind == "tool_call" for part in message.parts)


def _is_any_shown(call_id: str, below: Mapping[str | None, Sequence[Message]]) -> bool:
    """Whether one of the results that follow a call, one below the other or side by side, has weight."""
    waiting = [call_id]
    while waiting:
        results = below.get(waiting.pop(), ())
        if any(result.weight > 0 for result in results):
            return True
        waiting += [result.id for result in results]
    return False


def _parts(message: JsonObject, content: JsonObject, author: JsonObject) -> tuple[Part, ...]:
    role, recipient = as_text(author.get("role")), as_text(message.get("recipient"))
    if role == "assistant" and recipient not in (None, "all"):
        return (Part("tool_call", data={"id": None, "name": recipient, "arguments": _text(content)}),)
    parts = _content_parts(content)
    if role != "tool":
        return parts
    name, is_error = as_text(author.get("name")), content.get("content_type") == "system_error"
    return tuple(result_part(p.text, None, name, is_error=is_error) if p.kind == "text" else p for p in parts)


def _content_parts(content: JsonObject) -> tuple[Part, ...]:
    kind = as_text(content.get("content_type"))
    if kind in ("text", "multimodal_text"):
        return tuple(part for piece in as_list(content.get("parts")) for part in _pieces(piece))
    if kind in ("thoughts", "reasoning_recap"):
        return (Part("reasoning", _text(content)),)
    if kind in ("code", "execution_output", "system_error", "tether_quote", "tether_browsing_display"):
        return (text_part(_text(content)),)
    if kind in _INSTRUCTIONS:
        return (text_part(_text(content)),)
    return (unknown_part(content),)


def _pieces(piece: Any) -> list[Part]:
    """A piece of a text: a string, an image, a transcript; empty strings, which the export is full of, are nothing."""
    if isinstance(piece, str):
        shown = _CITATION.sub("", piece)
        marks = _CITATION.findall(piece)
        return ([text_part(shown)] if shown else []) + ([unknown_part({"citations": marks})] if marks else [])
    plain = as_object(piece)
    kind = as_text(plain.get("content_type"))
    if kind == "audio_transcription" and isinstance(plain.get("text"), str):
        return [text_part(plain["text"])]
    if kind == "image_asset_pointer":
        return [reference_part("image", plain.get("asset_pointer"))]
    if "asset_pointer" in plain:
        return [reference_part("file", plain["asset_pointer"])]
    return [unknown_part(piece)]


def _text(content: JsonObject) -> str:
    """All that a content of whatever type says, joined by newlines."""
    said = [content.get(key) for key in ("title", "text", "result", "content", "user_profile", "user_instructions")]
    said += [piece for piece in as_list(content.get("parts")) if isinstance(piece, str)]
    for thought in as_list(content.get("thoughts")):
        said += [as_object(thought).get("summary"), as_object(thought).get("content")]
    if as_text(content.get("content_type")) == "model_editable_context":
        said.append(content.get("model_set_context"))
    return "\n".join(text for text in said if isinstance(text, str) and text)


def _attachments(metadata: JsonObject) -> tuple[Part, ...]:
    found = (as_object(item) for item in as_list(metadata.get("attachments")))
    return tuple(reference_part("file", first_text(item, "id", "file_id", "name")) for item in found)


def _feedback(row: JsonObject, mapping: Mapping[str, JsonObject]) -> list[Feedback]:
    value = _THUMBS.get((as_text(row.get("rating")) or "").lower())
    message_id = next((i for key in ("message_id", "id") if (i := as_text(row.get(key))) in mapping), None)
    at = utc(row.get("create_time", row.get("created_at")))
    return [] if value is None else [Feedback("thumb", value, "human", message_id, at=at)]


def with_user(draft: Draft, user: str | None) -> Draft:
    """The draft with the account that `user.json` of the archive names, where its own record names none."""
    return draft if draft.user else replace(draft, user=user)
