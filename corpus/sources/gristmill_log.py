"""The log of Gristmill's own gateway, and its specification.

One JSON object a line, written when a conversation has ended or has been silent for a while; the file of a day is
appended to and never rewritten.

    {
      "gristmill_log": 1,                      the version of this format
      "id": str,                               unique among all gateways of a deployment
      "started_at": str, "finished_at": str,   ISO 8601, UTC
      "user": str | null,                      identifier of the person; never leaves the machine as it is
      "expert": str | null,                    the expert that answered last
      "model": str | null,                     the model that answers where a message names none
      "title": str | null, "language": str | null                                                      (optional)
      "messages": [                            a tree, parents before their children
        {"id": str, "parent_id": str | null,
         "role": "system" | "user" | "assistant" | "tool",
         "content": str | [parts],             parts as in the OpenAI chat format
         "created_at": str,
         "model": str, "tool_calls": [...], "tool_call_id": str,                                        (optional)
         "status": str, "weight": 0 | 1}                                                                (optional)
      ],
      "active_leaf": str,                      id of the last message that the user saw
      "feedback": [
        {"message_id": str | null, "kind": "thumb", "value": 1 | -1, "by": "human", "at": str}
      ],                                       also kinds "scalar", "comment", "label" (with "name"), by "model", "code"
      "consent": str | false | null,           what the user agreed to; false: no publication; absent: see the settings
      "licence": str | null                    SPDX id
    }

A record that is written again under the same id with more messages is a later state of the same conversation. Readers
ignore keys that they do not know.
"""

from __future__ import annotations

from typing import Any, Literal

from corpus.sources.decode import JsonObject
from corpus.sources.draft import Draft
from corpus.sources.fields import as_list, as_number, as_text, consent_of, first_text, language_of, licence_of
from corpus.sources.parts import message_of
from corpus.sources.problems import UnreadableRecord
from corpus.sources.timestamps import utc
from corpus.sources.tree import newest_leaf, repaired
from schemas.conversation import Feedback, Message

FORMAT_VERSION = 1
KINDS: tuple[Literal["thumb", "scalar", "comment", "label"], ...] = ("thumb", "scalar", "comment", "label")
MAKERS: tuple[Literal["human", "model", "code"], ...] = ("human", "model", "code")


def recognise(record: JsonObject) -> bool:
    """Whether the record names this format."""
    return "gristmill_log" in record


def read(record: JsonObject) -> Draft:
    """The conversation of a record.

    Raises:
        UnreadableRecord: it is of a version to come, or breaks the format.
    """
    version = record["gristmill_log"]
    if version != FORMAT_VERSION:
        raise UnreadableRecord(f"it has version {version!r} of the gateway log; this Gristmill reads {FORMAT_VERSION}")
    model = first_text(record, "model")
    messages = repaired(_message(plain, model) for plain in as_list(record.get("messages")))
    leaf = as_text(record.get("active_leaf"))
    is_known = any(message.id == leaf for message in messages)
    consent, is_refused = consent_of(record)
    return Draft(
        native_id=_required(record, "id"),
        messages=messages,
        active_leaf=leaf if leaf and is_known else newest_leaf(messages),
        created_at=utc(record.get("started_at")),
        title=as_text(record.get("title")),
        language=language_of(record.get("language")),
        feedback=tuple(_feedback(item) for item in as_list(record.get("feedback"))),
        user=as_text(record.get("user")),
        consent=consent,
        is_refused=is_refused,
        licence=licence_of(record),
        format_version=str(FORMAT_VERSION) if is_known or not messages else f"{FORMAT_VERSION}, active leaf guessed",
    )


def _message(plain: Any, model: str | None) -> Message:
    if not isinstance(plain, dict):
        raise UnreadableRecord("one of its messages is not an object")
    return message_of(plain, _required(plain, "id"), as_text(plain.get("parent_id")), model=model)


def _required(plain: JsonObject, key: str) -> str:
    value = as_text(plain.get(key))
    if value is None:
        raise UnreadableRecord(f"{key!r} is missing")
    return value


def _feedback(item: Any) -> Feedback:
    if not isinstance(item, dict):
        raise UnreadableRecord(f"one of its feedback entries is {str(item)[:60]!r}")
    kind = next((known for known in KINDS if known == item.get("kind")), None)
    by = next((known for known in MAKERS if known == item.get("by")), None)
    if kind is None or by is None:
        raise UnreadableRecord(f"one of its feedback entries is {str(item)[:60]!r}")
    number = as_number(item.get("value"))
    return Feedback(
        kind=kind,
        value=number if number is not None else as_text(item.get("value")) or "",
        by=by,
        message_id=as_text(item.get("message_id")),
        name=as_text(item.get("name")),
        at=utc(item.get("at")),
    )
