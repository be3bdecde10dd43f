"""ShareGPT rows: `{"id", "conversations": [{"from", "value"}], "system"?, "tools"?}`.

`from` is human, gpt, system, user, assistant, chatgpt, bing, bard, tool, function_call or observation. A row with
`chosen` and `rejected` turns is a preference pair; one with a boolean `label` or `kto_tag` is rated. Texts are taken as
they are: some dumps hold HTML or escaped Markdown, which is for the screen to judge.
"""

from __future__ import annotations

from typing import Any

from corpus.sources.decode import JsonObject
from corpus.sources.draft import Draft
from corpus.sources.fields import as_list, as_text, first_text
from corpus.sources.flat import draft_of_pair, draft_of_path, with_frame
from corpus.sources.parts import call_part, parts_of, result_part, role_of
from corpus.sources.problems import UnreadableRecord
from schemas.conversation import Message, Part

_KEYS = ("conversations", "conversation", "items")


def recognise(record: JsonObject) -> bool:
    """Whether a row holds a list of turns with `from` and `value`; an empty list passes, dumps have them."""
    turns = next((record[key] for key in _KEYS if isinstance(record.get(key), list)), None)
    if turns is None:
        return False
    return all(isinstance(turn, dict) and "from" in turn and "value" in turn for turn in turns[:2])


def read(record: JsonObject) -> Draft:
    """The conversation of a row."""
    turns = next((as_list(record[key]) for key in _KEYS if key in record), [])
    if isinstance(record.get("chosen"), dict) and isinstance(record.get("rejected"), dict):
        chosen = _messages(record, [*turns, record["chosen"]])
        return draft_of_pair(record, chosen, _messages(record, [*turns, record["rejected"]]))
    return draft_of_path(record, _messages(record, turns))


def _messages(record: JsonObject, turns: list[Any]) -> list[Message]:
    model = first_text(record, "model")
    return with_frame(record, [_message(turn, str(n), model) for n, turn in enumerate(turns)])


def _message(turn: Any, message_id: str, model: str | None) -> Message:
    if not isinstance(turn, dict) or "from" not in turn:
        raise UnreadableRecord(f"its turn {message_id} has no 'from'")
    role = role_of(turn["from"])
    return Message(
        id=message_id,
        parent_id=None,
        role=role,
        parts=_parts(turn, role),
        model=model if role == "assistant" else None,
    )


def _parts(turn: JsonObject, role: str) -> tuple[Part, ...]:
    value = turn.get("value")
    if turn["from"].strip().lower() == "function_call":
        return (call_part(value),)
    if role == "tool":
        return (result_part(as_text(value) or "", None, first_text(turn, "name")),)
    return parts_of(value)
