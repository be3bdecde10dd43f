"""Open WebUI chats: the JSON export, a single chat, and the rows of `webui.db` (corpus/sources/open_webui_db.py).

`chat.history.messages` is a tree, `currentId` its active leaf; `chat.messages` is an old flat copy that can be stale.
Siblings below a user's message are regenerations or parallel answers of several models. An answer's `content` embeds
`<details>` blocks for reasoning and tool calls; `output[]` tells the same cleanly and is preferred. The program repairs
missing leaves and dangling children when it loads a chat; so does this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from corpus.sources.decode import JsonObject
from corpus.sources.details import split_details
from corpus.sources.draft import Draft
from corpus.sources.fields import as_list, as_number, as_object, as_text, consent_of, first_text, licence_of, unpacked
from corpus.sources.parts import (
    call_part,
    content_text,
    parts_of,
    reference_part,
    result_part,
    role_of,
    text_part,
    unknown_part,
)
from corpus.sources.timestamps import utc
from corpus.sources.tree import newest_leaf, repaired
from schemas.canonical import short_id
from schemas.conversation import Feedback, Message, Part

_SYSTEM_ID = "system-prompt"


def recognise(record: JsonObject) -> bool:
    """Whether it is a row of the chat table, the bare chat inside one, or a row of the feedback export."""
    chat = _chat(_row(record))
    if isinstance(as_object(chat.get("history")).get("messages"), dict):
        return True
    return chat is not record and isinstance(chat.get("messages"), list)


def _row(record: JsonObject) -> JsonObject:
    """The chat's row; a row of the feedback export holds a copy of it."""
    snapshot = as_object(unpacked(record.get("snapshot")))
    return as_object(snapshot.get("chat")) or record


def _chat(row: JsonObject) -> JsonObject:
    return as_object(unpacked(row.get("chat"))) or row


def read(record: JsonObject, side: Sequence[JsonObject] = ()) -> Draft:
    """The conversation of a record; `side` are the rows of table `feedback` about it."""
    row = _row(record)
    side = [record, *side] if row is not record else side
    chat = _chat(row)
    messages = _with_system(repaired(_tree(chat)), chat)
    known = {message.id for message in messages}
    leaf = as_text(as_object(chat.get("history")).get("currentId"))
    consent, is_refused = consent_of(row)
    created = next((at for of in (row, chat) for key in ("created_at", "timestamp") if (at := utc(of.get(key)))), None)
    return Draft(
        native_id=first_text(row, "id") or first_text(chat, "id") or short_id([[m.role, m.text()] for m in messages]),
        messages=messages,
        active_leaf=leaf if leaf in known and leaf else newest_leaf(messages),
        created_at=created,
        title=first_text(row, "title") or first_text(chat, "title"),
        feedback=tuple(dict.fromkeys((*_annotations(chat), *_ratings(side, known)))),
        user=first_text(row, "user_id"),
        consent=consent,
        is_refused=is_refused,
        licence=licence_of(row),
        format_version="" if leaf in known or not messages else "active leaf guessed",
    )


def _tree(chat: JsonObject) -> Iterator[Message]:
    history = as_object(as_object(chat.get("history")).get("messages"))
    for key, plain in history.items():
        yield from _messages(as_object(plain), key, as_text(as_object(plain).get("parentId")))
    if history:
        return
    parent: str | None = None
    for n, plain in enumerate(as_list(chat.get("messages"))):
        key = first_text(as_object(plain), "id") or str(n)
        yield from _messages(as_object(plain), key, parent)
        parent = key


def _messages(plain: JsonObject, key: str, parent_id: str | None) -> Iterator[Message]:
    """A node of the history, which may hold calls of tools and their results: then a short chain that ends in `key`."""
    role = role_of(plain.get("role"))
    parts = (_answer_parts(plain) if role == "assistant" else parts_of(plain.get("content"))) + _files(plain)
    steps = _steps(parts) if role == "assistant" else [parts]
    for n, step in enumerate(steps):
        is_last = n == len(steps) - 1
        is_tool = role == "tool" or (role == "assistant" and any(part.kind == "tool_result" for part in step))
        message_id = key if is_last else f"{key}.{n}"
        yield Message(
            id=message_id,
            parent_id=parent_id,
            role="tool" if is_tool else role,
            parts=step,
            model=first_text(plain, "model") if role == "assistant" and not is_tool else None,
            created_at=utc(plain.get("timestamp")),
            status=_status(plain) if is_last else None,
        )
        parent_id = message_id


def _steps(parts: tuple[Part, ...]) -> list[tuple[Part, ...]]:
    """What the assistant says up to a tool's result, the results, what it says then, and so on."""
    steps: list[list[Part]] = [[]]
    for part in parts:
        is_result = part.kind == "tool_result"
        if steps[-1] and is_result != (steps[-1][-1].kind == "tool_result"):
            steps.append([])
        steps[-1].append(part)
    return [tuple(step) for step in steps]


def _status(plain: JsonObject) -> str | None:
    if plain.get("error"):
        return "error"
    return "unfinished" if plain.get("done") is False else None


def _answer_parts(plain: JsonObject) -> tuple[Part, ...]:
    content = plain.get("content")
    shown = split_details(content) if isinstance(content, str) else parts_of(content)
    told = tuple(part for item in as_list(plain.get("output")) for part in _output(as_object(item)))
    return told if any(part.kind == "text" and part.text.strip() for part in told) else shown or told


def _output(item: JsonObject) -> tuple[Part, ...]:
    kind = item.get("type")
    if kind == "message":
        return parts_of(item.get("content"))
    if kind == "reasoning":
        text = content_text(item.get("content")) or content_text(item.get("summary"))
        return (Part("reasoning", text),) if text else ()
    if kind == "function_call":
        return (call_part(item),)
    if kind == "function_call_output":
        return (result_part(content_text(item.get("output")), first_text(item, "call_id")),)
    return (unknown_part(item),)


def _files(plain: JsonObject) -> tuple[Part, ...]:
    files = [as_object(item) for item in as_list(plain.get("files"))]
    return tuple(
        reference_part("image" if item.get("type") == "image" else "file", first_text(item, "url", "id", "name"))
        for item in files
    )


def _with_system(messages: tuple[Message, ...], chat: JsonObject) -> tuple[Message, ...]:
    """The chat's own system prompt above every root, unless the tree has one there."""
    prompt = as_object(chat.get("params")).get("system") or chat.get("system")
    roots = [message for message in messages if message.parent_id is None]
    if not isinstance(prompt, str) or not prompt.strip() or any(root.role == "system" for root in roots) or not roots:
        return messages
    below = (replace(message, parent_id=message.parent_id or _SYSTEM_ID) for message in messages)
    return (Message(_SYSTEM_ID, None, "system", (text_part(prompt),)), *below)


def _annotations(chat: JsonObject) -> Iterator[Feedback]:
    for key, plain in as_object(as_object(chat.get("history")).get("messages")).items():
        annotation = as_object(as_object(plain).get("annotation"))
        yield from _rating(annotation, key)


def _ratings(rows: Sequence[JsonObject], known: set[str]) -> Iterator[Feedback]:
    for row in rows:
        message_id = as_text(as_object(unpacked(row.get("meta"))).get("message_id"))
        data = as_object(unpacked(row.get("data")))
        yield from _rating(data, message_id if message_id in known else None)


def _rating(data: JsonObject, message_id: str | None) -> Iterator[Feedback]:
    """A thumb (1 or -1, int or string), a rating of 1 to 10, and the words given with them."""
    thumb = as_number(data.get("rating"))
    if thumb in (1.0, -1.0):
        yield Feedback("thumb", thumb, "human", message_id)
    rating = as_number(as_object(data.get("details")).get("rating"))
    if rating is not None and 1 <= rating <= 10:
        yield Feedback("scalar", rating, "human", message_id, scale_min=1.0, scale_max=10.0)
    if reason := as_text(data.get("reason")):
        yield Feedback("label", reason, "human", message_id, name="reason")
    if comment := as_text(data.get("comment")):
        yield Feedback("comment", comment, "human", message_id)
