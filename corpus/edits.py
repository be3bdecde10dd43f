"""An edit: what a reviewer makes of a sample, as the line that replaces it.

The words of the assistant that were changed stay beside the new ones, as the rejected side of a preference pair. What
must not stay is left out: a reply whose question was changed answered another question, and a reply of which only a
placeholder took something away would bring it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from corpus.redaction.finding import PLACEHOLDER
from schemas.canonical import canonical_bytes
from schemas.conversation import Turn, content_id
from schemas.errors import InputError

Messages = Sequence[Mapping[str, str]]


def edited_line(line: bytes, messages: Messages) -> tuple[str, bytes]:
    """The id and the canonical line (with line end) of a sample with other messages; everything else stays.

    Args:
        line: the sample as it was proposed.
        messages: `{"role", "content"}`: the same roles in the same order; messages at the end may be left out, as
            long as the last is the assistant's.

    Raises:
        InputError: the messages are no edit of this sample, or do not differ from it.
    """
    sample = orjson.loads(line)
    original = sample["messages"]
    edited = [_message(message) for message in messages]
    _check_roles([one["role"] for one in original], [one["role"] for one in edited])
    if edited == original:
        raise InputError("nothing was changed: an edit makes another sample")
    sample_id = content_id([Turn(**one) for one in edited])  # type: ignore[arg-type]
    beside = [*_still_beside(sample["alternatives"], original, edited), *_replaced(original, edited)]
    changed = {**sample, "id": sample_id, "messages": edited, "alternatives": _each_once(beside)}
    return sample_id, canonical_bytes(changed) + b"\n"


def _message(message: Any) -> dict[str, str]:
    if not isinstance(message, Mapping) or set(message) != {"role", "content"}:
        raise InputError("a message of an edit has a role and a content, and nothing else")
    content = message["content"]
    if not isinstance(content, str) or not content.strip():
        raise InputError("a message of an edit must say something; reject the sample instead, or leave out its end")
    try:
        content.encode()
    except UnicodeEncodeError as error:
        raise InputError("a message of an edit has half a character (a lone surrogate); write it anew") from error
    return {"role": message["role"], "content": content}


def _check_roles(original: Sequence[str], edited: Sequence[str]) -> None:
    if not edited or list(edited) != list(original[: len(edited)]):
        raise InputError("an edit keeps the roles and their order; only messages at the end may be left out")
    if edited[-1] != original[-1]:
        raise InputError(f"an edit ends as its sample does, with a message of the {original[-1]}")


def _still_beside(alternatives: Sequence[Any], original: Messages, edited: Messages) -> Iterator[dict[str, Any]]:
    """The replies that stood beside a turn and still answer what stands before it."""
    for one in alternatives:
        turn = one["turn"]
        if turn >= len(edited) or not _same_question(original, edited, turn):
            continue
        if one["content"] != edited[turn]["content"]:
            yield dict(one)


def _replaced(original: Messages, edited: Messages) -> Iterator[dict[str, Any]]:
    """The assistant's turns that were changed, in their order."""
    for turn, (before, after) in enumerate(zip(original, edited, strict=False)):
        is_reply = before["role"] == "assistant" and _same_question(original, edited, turn)
        if is_reply and before["content"] != after["content"] and not only_redacts(before["content"], after["content"]):
            yield {"turn": turn, "content": before["content"], "rank": None, "vote": -1}


def _same_question(original: Messages, edited: Messages, turn: int) -> bool:
    """Whether nothing but the assistant's own words differs before a turn."""
    pairs = zip(original[:turn], edited[:turn], strict=True)
    return all(before == after for before, after in pairs if before["role"] != "assistant")


def only_redacts(before: str, after: str) -> bool:
    """Whether the new text is the old one with passages replaced by placeholders such as [NAME_1], and no more."""
    pieces = PLACEHOLDER.split(after)[:: PLACEHOLDER.groups + 1]
    if len(pieces) < 2 or not before.startswith(pieces[0]):
        return False
    at = len(pieces[0])
    for piece in pieces[1:-1]:
        at = before.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return before.endswith(pieces[-1]) and len(before) - len(pieces[-1]) >= at


def _each_once(alternatives: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of each turn and text, the last: a reviewer's opinion of a reply replaces its user's."""
    found = {(one["turn"], one["content"]): one for one in alternatives}
    return sorted(found.values(), key=lambda one: one["turn"])
