"""Rules about the order of turns, and the repairs that keep conversations which only a log's habit breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from corpus.rules.catalogue import Rule
from schemas.conversation import Conversation, Message, Turn
from schemas.settings import ScreenSettings

Found = tuple[str, str]
"""The name of the rule that found something, and the evidence: counts and places, never text."""


def repaired(conversation: Conversation, greeting: Rule | None) -> tuple[Conversation, Counter[str]]:
    """The conversation with neighbouring answers joined and the greeting before the first question hidden, and counts.

    Without the rule (it is switched off) every opening of the assistant is hidden.
    """
    repairs: Counter[str] = Counter()
    conversation = _joined(conversation, repairs)
    opening = _opening(conversation)
    words_max = greeting.number("greeting_words_max") if greeting else float("inf")
    if opening and sum(len(message.text().split()) for message in opening) < words_max:
        hidden = {message.id for message in opening}
        repairs["greeting_hidden"] += 1
        messages = tuple(replace(m, weight=0.0) if m.id in hidden else m for m in conversation.messages)
        conversation = replace(conversation, messages=messages)
    return conversation, repairs


def _opening(conversation: Conversation) -> list[Message]:
    """What the assistant says before anybody asks; nothing where nobody asks."""
    shown = [m for m in conversation.path() if m.weight > 0 and m.role != "system" and m.text().strip()]
    first = next((at for at, message in enumerate(shown) if message.role == "user"), 0)
    return shown[:first] if all(message.role == "assistant" for message in shown[:first]) else []


def _joined(conversation: Conversation, repairs: Counter[str]) -> Conversation:
    """Answers in a row made one message, where the later is the earlier's only child (else siblings would move)."""
    children = Counter(message.parent_id for message in conversation.messages)
    into: dict[str, str] = {}
    for earlier, later in _neighbours(conversation):
        if children[earlier.id] == 1:
            into[later.id] = into.get(earlier.id, earlier.id)
    if not into:
        return conversation
    repairs["answers_joined"] += len(into)
    by_id = {message.id: message for message in conversation.messages}
    joined = {first: by_id[first] for first in into.values()}
    for later_id, first_id in into.items():
        joined[first_id] = _join(joined[first_id], by_id[later_id])
    messages = tuple(
        replace(joined.get(m.id, m), parent_id=into.get(m.parent_id or "", m.parent_id))
        for m in conversation.messages
        if m.id not in into
    )
    feedback = tuple(replace(f, message_id=into.get(f.message_id or "", f.message_id)) for f in conversation.feedback)
    leaf = into.get(conversation.active_leaf, conversation.active_leaf)
    return replace(conversation, messages=messages, active_leaf=leaf, feedback=feedback)


def _neighbours(conversation: Conversation) -> Iterator[tuple[Message, Message]]:
    path = conversation.path()
    for earlier, later in zip(path, path[1:], strict=False):
        both = (earlier, later)
        if all(m.role == "assistant" and m.weight > 0 and m.text().strip() for m in both):
            yield both


def _join(first: Message, second: Message) -> Message:
    return replace(first, parts=first.parts + second.parts, status=second.status, model=first.model or second.model)


def structure_faults(conversation: Conversation, settings: ScreenSettings) -> Iterator[Found]:
    """What is wrong with the order of turns, by rule, in the rules' order."""
    turns = conversation.turns()
    spoken = [turn.role for turn in turns]
    empty = [at for at, message in enumerate(conversation.path()) if _is_empty(message)]
    if "user" not in spoken:
        yield "user_turn", f"{len(turns)} turns"
    if empty:
        yield "empty_turn", f"message {empty[0] + 1} of the path"
    if "assistant" not in spoken:
        yield "assistant_turn", f"{len(turns)} turns"
    if spoken and spoken[-1] != "assistant":
        yield "answered", f"the last turn is the {spoken[-1]}'s"
    if "system" in spoken[1:]:
        yield "system_first", f"turn {spoken.index('system', 1) + 1}"
    yield from _order_faults(turns)
    unfinished = [at for at, m in enumerate(conversation.path()) if m.status is not None and m.weight > 0]
    if unfinished:
        yield "finished", f"message {unfinished[0] + 1} of the path"
    if len(turns) > settings.max_turns:
        yield "turns", f"{len(turns)} turns, at most {settings.max_turns}"


def _is_empty(message: Message) -> bool:
    """Whether a message that was shown says nothing; one that only thinks or cannot be read says something."""
    if message.weight <= 0 or message.role not in ("user", "assistant") or message.text().strip():
        return False
    return all(part.kind == "text" for part in message.parts)


def _order_faults(turns: list[Turn]) -> Iterator[Found]:
    spoken = [turn for turn in turns if turn.role != "system"]
    if spoken and spoken[0].role == "assistant":
        yield "beginning", f"opens with an answer of {len(spoken[0].content.split())} words"
    elif spoken and spoken[0].role == "tool":
        yield "beginning", "opens with a tool's result"
    for at, (turn, following) in enumerate(zip(spoken, spoken[1:], strict=False)):
        if turn.role == following.role != "tool":
            yield "alternating", f"the {turn.role} speaks twice at turn {at + 1}"
            return
