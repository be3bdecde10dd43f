"""A conversation as the rules look at it: its turns, its prose without code, its words; each computed once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from corpus.words import words
from schemas.conversation import Turn

_FENCE = re.compile(r"^[ \t>]{0,12}(```+|~~~+)", re.MULTILINE)
_INLINE_CODE = re.compile(r"`[^`\n]{1,400}`")
_TABLE_ROW = re.compile(r"^[ \t]*\|.*$", re.MULTILINE)
_CALL_BEGIN, _CALL_END = "<tool_call>", "</tool_call>"

Span = tuple[int, int]


def code_blocks(text: str) -> tuple[list[Span], bool]:
    """The extents of fenced code, fences included, and whether the last block is still open at the end."""
    blocks: list[Span] = []
    opened: tuple[int, str] | None = None
    for match in _FENCE.finditer(text) if "```" in text or "~~~" in text else ():
        if opened is None:
            opened = (match.start(), match[1])
        elif match[1][0] == opened[1][0] and len(match[1]) >= len(opened[1]):
            blocks.append((opened[0], match.end()))
            opened = None
    if opened is not None:
        blocks.append((opened[0], len(text)))
    return blocks, opened is not None


def prose_of(text: str) -> str:
    """The text without code, tool calls and tables."""
    pieces, at = [], 0
    for start, end in code_blocks(text)[0]:
        pieces.append(text[at:start])
        at = end
    prose = "\n".join([*pieces, text[at:]]) if pieces else text
    if _CALL_BEGIN in prose:
        prose = _without_calls(prose)
    if "|" in prose:
        prose = _TABLE_ROW.sub("", prose)
    return _INLINE_CODE.sub(" ", prose) if "`" in prose else prose


def _without_calls(text: str) -> str:
    """The text without tool calls; a pattern would look for the end anew from each beginning that has none."""
    pieces, at = [], 0
    while (begin := text.find(_CALL_BEGIN, at)) >= 0 and (end := text.find(_CALL_END, begin)) >= 0:
        pieces.append(text[at:begin])
        at = end + len(_CALL_END)
    return " ".join([*pieces, text[at:]])


@dataclass(frozen=True)
class Talk:
    """The turns of one conversation's active path, as they would be published."""

    turns: list[Turn]

    @cached_property
    def prose(self) -> list[tuple[str, str]]:
        """Role and prose of each turn of user and assistant."""
        return [(turn.role, prose_of(turn.content)) for turn in self.turns if turn.role in ("user", "assistant")]

    @cached_property
    def answers(self) -> list[str]:
        """The prose of the assistant's turns."""
        return [text for role, text in self.prose if role == "assistant"]

    @cached_property
    def last_answer(self) -> str:
        """The assistant's last turn as it stands, empty without one."""
        return next((turn.content for turn in reversed(self.turns) if turn.role == "assistant"), "")

    @cached_property
    def prose_text(self) -> str:
        """All prose as one text."""
        return "\n".join(text for _, text in self.prose)

    @cached_property
    def answer_text(self) -> str:
        """The assistant's prose as one text."""
        return "\n".join(self.answers)

    @cached_property
    def words(self) -> list[str]:
        """The words of the assistant's prose; one a character in scripts without spaces."""
        return words(self.answer_text)

    @cached_property
    def is_spaced(self) -> bool:
        """Whether the script puts spaces between words: in others three words in ten and more are one character."""
        if self.answer_text.isascii():
            return True
        alone = sum(len(word) == 1 and not word.isascii() for word in self.words)
        return alone < 0.3 * len(self.words)
