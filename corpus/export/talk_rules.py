"""Which conversations a toolkit can hold.

Loaders disagree, and several drop or mangle what they dislike without a word. So there is one strict rule that all of
them accept, and what only some can hold is a field of `TalkRules`. A content is always text here, never null, and
messages have the same two keys everywhere, so that a loader which infers types finds the same ones in every shard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from corpus.rules.catalogue import rules as all_rules


@dataclass(frozen=True)
class TalkRules:
    """What is held beyond an optional system message and then user and assistant by turns.

    `can_have_tools`: messages of tools. A corpus renders tool calls as text, so the toolkits' own call format cannot be
    restored, and a model that learned from them would learn a syntax that no server understands.
    `can_end_anyhow`: any order of roles, and an end without an answer.
    `can_have_control_tokens`: the tokens with which chat templates mark turns. Trainers render a conversation and cut
    the text into tokens afterwards, so a text that spells one, even in code, would begin or end a turn.
    """

    can_have_tools: bool = False
    can_end_anyhow: bool = False
    can_have_control_tokens: bool = False


STRICT = TalkRules()
ANY_TALK = TalkRules(can_have_tools=True, can_end_anyhow=True, can_have_control_tokens=True)


def talk_problem(messages: Sequence[Mapping[str, str]], rules: TalkRules) -> str | None:
    """The reason why these messages cannot be held from their beginning on; None when they can.

    How they end is for the caller to say.
    """
    if not messages:
        return "no_content"
    for message in messages:
        if reason := reply_problem(message["content"], rules):
            return reason
    roles = [message["role"] for message in messages]
    if "tool" in roles and not rules.can_have_tools:
        return "tool_turn"
    return None if rules.can_end_anyhow else _order_problem(roles)


def reply_problem(content: str, rules: TalkRules) -> str | None:
    """The reason why a text cannot be held; None when it can. NUL ends a text in the loaders written in C."""
    if not content.strip():
        return "empty_turn"
    if "\0" in content:
        return "control_characters"
    if rules.can_have_control_tokens or not ("<" in content or "[" in content):
        return None
    return "control_token" if any(token in content for token in _control_tokens()) else None


def _control_tokens() -> Sequence[str]:
    tokens: Sequence[str] = all_rules()["chat_template"].values["tokens"]
    return tokens


def _order_problem(roles: Sequence[str]) -> str | None:
    spoken = roles[1:] if roles[0] == "system" else roles
    if "system" in spoken:
        return "misplaced_system"
    if "user" not in spoken:
        return "no_user_turn"
    heard, answered = ("user", "tool"), ("assistant",)
    is_alternating = all(role in (heard, answered)[number % 2] for number, role in enumerate(spoken))
    return None if is_alternating and spoken[0] == "user" else "not_alternating"
