"""Logs that are plain lists of messages: the rows of data sets, alone or as preference pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from corpus.sources.decode import JsonObject
from corpus.sources.draft import Draft
from corpus.sources.fields import as_object, consent_of, first_text, language_of, licence_of, unpacked
from corpus.sources.parts import text_part, unknown_part
from corpus.sources.timestamps import utc
from corpus.sources.tree import chained
from schemas.canonical import short_id
from schemas.conversation import Feedback, Message

CREATED_KEYS = ("created_at", "created", "create_time", "timestamp", "date", "time")


def draft_of_path(record: JsonObject, messages: Sequence[Message]) -> Draft:
    """A conversation without branches; a label that trainers know as KTO's becomes feedback on the last answer."""
    path = chained(messages)
    leaf = path[-1].id if path else ""
    label = record.get("label", record.get("kto_tag"))
    feedback: tuple[Feedback, ...] = ()
    if isinstance(label, bool) and path:
        value = 1.0 if label else 0.0
        feedback = (Feedback("label", value, "human", leaf, name="desirable", scale_min=0.0, scale_max=1.0),)
    return _draft(record, path, leaf, feedback)


def draft_of_pair(record: JsonObject, chosen: Sequence[Message], rejected: Sequence[Message]) -> Draft:
    """Two conversations that begin alike, as one tree whose active leaf is the chosen one's."""
    n_shared = _n_shared(chosen, rejected)
    stem = chained(chosen)
    fork = stem[n_shared - 1].id if n_shared else None
    branch = [replace(message, id=f"rejected.{n}") for n, message in enumerate(rejected[n_shared:], n_shared)]
    other = [replace(m, parent_id=fork if m.parent_id is None else m.parent_id) for m in chained(branch)]
    feedback = tuple(
        Feedback("pairwise", value, "human", path[n_shared].id, scale_min=0.0, scale_max=1.0)
        for value, path in ((1.0, stem), (0.0, (*stem[:n_shared], *other)))
        if len(path) > n_shared
    )
    return _draft(record, (*stem, *other), stem[-1].id if stem else "", feedback)


def _n_shared(chosen: Sequence[Message], rejected: Sequence[Message]) -> int:
    n = 0
    for one, other in zip(chosen, rejected, strict=False):
        if (one.role, one.parts) != (other.role, other.parts):
            break
        n += 1
    return n


def _draft(
    record: JsonObject, messages: tuple[Message, ...], active_leaf: str, feedback: tuple[Feedback, ...]
) -> Draft:
    consent, is_refused = consent_of(record)
    user = record.get("user")
    metadata = as_object(record.get("metadata"))
    return Draft(
        native_id=first_text(record, "id", "conversation_id", "chat_id", "uuid", "_id") or _content_id(messages),
        messages=messages,
        active_leaf=active_leaf,
        created_at=next((at for key in CREATED_KEYS if (at := utc(record.get(key)))), None),
        title=first_text(record, "title"),
        language=language_of(record.get("language", record.get("lang"))),
        feedback=feedback,
        user=first_text(as_object(user), "id", "user_id")
        or first_text(record, "user", "user_id")
        or first_text(metadata, "user", "user_id"),
        consent=consent,
        is_refused=is_refused,
        licence=licence_of(record),
    )


def _content_id(messages: Sequence[Message]) -> str:
    """A name for a record that has none: what it says, so that it is the same wherever it stands."""
    return short_id([[message.role, message.text()] for message in messages])


def with_frame(record: JsonObject, messages: list[Message]) -> list[Message]:
    """The messages with what the record says about all of them: its system prompt and the tools that were offered."""
    system = record.get("system")
    if isinstance(system, str) and system and not any(message.role == "system" for message in messages[:1]):
        messages = [Message("system", None, "system", (text_part(system),)), *messages]
    tools = unpacked(record.get("tools") or record.get("functions"))
    if tools and messages:
        first = messages[0]
        messages[0] = replace(first, parts=(*first.parts, unknown_part({"tools": tools})))
    return messages
