"""LiteLLM logs: StandardLoggingPayload objects and rows of the table LiteLLM_SpendLogs.

Each record is one *call*, whose `messages` repeat the whole chat so far. Within one session (`session_id`, else
`trace_id`, else `end_user`) a call that another one continues is part of that one, so a chat of three calls is one
conversation. Two passes over the file do this, holding eight bytes for each message of each call. `messages` and
`response` may be JSON in a string; `{}` means that prompts are not stored.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson

from corpus.sources.decode import JsonObject
from corpus.sources.draft import Draft
from corpus.sources.fields import as_list, as_object, as_text, consent_of, first_text, licence_of, unpacked
from corpus.sources.parts import message_of
from corpus.sources.problems import NoContent, UnreadableRecord
from corpus.sources.timestamps import utc
from corpus.sources.tree import chained
from schemas.canonical import canonical_bytes
from schemas.conversation import Message

_REDACTED = "redacted-by-litellm"
_DIGEST_BYTES = 8
"""64 bits: among 10 million messages of one log two digests are equal with probability 10^14 / 2^65, under 3e-6."""


def recognise(record: JsonObject) -> bool:
    """Whether it is a call of either kind."""
    return "call_type" in record and "messages" in record and "response" in record


def read(record: JsonObject) -> Draft:
    """The conversation up to and with a call's answer.

    Raises:
        NoContent: the call failed, was no chat, or its prompts were not stored.
        UnreadableRecord: its messages are not those of a chat.
    """
    messages, answer = _messages(record), _answer(record)
    path = chained([message_of(plain, str(n)) for n, plain in enumerate(messages)])
    answer = replace(answer, id=str(len(path)), parent_id=path[-1].id, model=first_text(record, "model"))
    metadata = as_object(unpacked(record.get("metadata")))
    stated = {**metadata, **record}
    consent, is_refused = consent_of(stated)
    return Draft(
        native_id=first_text(record, "request_id", "id") or answer.created_at or "",
        messages=(*path, answer),
        active_leaf=answer.id,
        created_at=utc(record.get("startTime")),
        user=_user(record, metadata),
        consent=consent,
        is_refused=is_refused,
        licence=licence_of(stated),
    )


def _user(record: JsonObject, metadata: JsonObject) -> str | None:
    """The person who talked; a key is not one, because a whole service may share it."""
    return first_text(record, "end_user", "user") or first_text(
        metadata, "user_api_key_end_user_id", "user_api_key_user_id"
    )


def _messages(record: JsonObject) -> list[Any]:
    if str(record.get("status") or "success").lower() != "success":
        raise NoContent("the call failed")
    messages = as_list(unpacked(record.get("messages")))
    if not messages or not as_object(unpacked(record.get("response"))):
        raise NoContent("the prompts or the answer were not stored")
    if any(_is_redacted(plain) for plain in (*messages, _answer_object(record))):
        raise NoContent("LiteLLM redacted the messages")
    return messages


def _is_redacted(plain: Any) -> bool:
    return as_text(as_object(plain).get("content")) == _REDACTED


def _answer_object(record: JsonObject) -> JsonObject:
    choices = as_list(as_object(unpacked(record.get("response"))).get("choices"))
    return as_object(as_object(choices[0] if choices else None).get("message"))


def _answer(record: JsonObject) -> Message:
    plain = _answer_object(record)
    if not plain:
        raise NoContent("the response holds no answer of a chat")
    choice = as_object(as_list(as_object(unpacked(record["response"])).get("choices"))[0])
    cut = as_text(choice.get("finish_reason"))
    message = message_of({"role": "assistant", **plain}, "")
    is_cut = cut in ("length", "content_filter")
    return replace(message, created_at=utc(record.get("endTime")), status=cut if is_cut else None)


def last_calls(records: Iterable[JsonObject]) -> Callable[[JsonObject], bool]:
    """Told all calls of a log, gives the test whether a call is the last of its conversation.

    It is when no call of its session continues it. Calls without content are conversations of their own.
    """
    prefixes = array("Q")
    for record in records:
        prefixes.extend(_digests(record)[:-1])
    continued = np.unique(np.frombuffer(prefixes, dtype=np.uint64))

    def is_last(record: JsonObject) -> bool:
        digests = _digests(record)
        if not digests:
            return True
        at = int(np.searchsorted(continued, np.uint64(digests[-1])))
        return at == len(continued) or int(continued[at]) != digests[-1]

    return is_last


def _digests(record: JsonObject) -> list[int]:
    """A digest for each beginning of a call's chat, shortest first; empty for a call without content."""
    try:
        plain = _messages(record)
        spoken = [*(message_of(item, "") for item in plain), _answer(record)]
    except (NoContent, UnreadableRecord):
        return []
    session = first_text(record, "session_id") or first_text(record, "trace_id") or first_text(record, "end_user")
    running = blake2b(orjson.dumps(session), digest_size=_DIGEST_BYTES)
    digests = []
    for message in spoken:
        running.update(orjson.dumps(_said(message)))
        digests.append(int.from_bytes(running.digest(), "little"))
    return digests


def _said(message: Message) -> list[Any]:
    """What a client sends back of a message: not its reasoning, not the space around it, not the ids of calls."""
    parts = [part for part in message.parts if part.kind not in ("reasoning", "unknown")]
    calls = [_called(part.data) for part in parts if part.kind == "tool_call" and part.data]
    return [message.role, "\n".join(part.text for part in parts if part.text).strip(), calls]


def _called(call: Mapping[str, Any]) -> list[str]:
    arguments = unpacked(call["arguments"])
    try:
        return [call["name"], canonical_bytes(arguments).decode()]
    except TypeError:  # nested deeper than it writes; what is not told apart here is when it is read
        return [call["name"], ""]
