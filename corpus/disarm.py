"""Text of strangers as inline Markdown that shows it and does nothing else.

Everything a forge could act on is disarmed: markup is escaped, HTML becomes text, addresses, mentions and references
are broken by an invisible word joiner, and characters that nobody sees are shown by their number. What only dresses a
line (code, bold, italics, strike-through) is recognised, taken apart and written anew by us.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import partial

JOINER = "\u2060"

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]|~$^])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LINE_START = re.compile(r"^([#:]|[-+=]|\d{1,9}[.)])")
_REFERENCE = re.compile(
    r"""(?<=[@#!%&~$])(?=[\w"{])"""  # mentions, issues, requests, milestones, epics, labels, snippets
    r"|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=:)(?=[\w+-]+:)"  # addresses, shortcodes
    r"|(?<=[a-z]-)(?=\d)",  # GH-12, and the keys of other trackers
    re.IGNORECASE,
)
"""Where a forge would begin to see more than text: behind the mark."""

_COMMIT = re.compile(r"\b[0-9a-f]{7,40}\b", re.IGNORECASE)
_COMMIT_PIECE = re.compile("[0-9a-fA-F]{6}(?=.)")
"""Forges take seven digits and more for a commit's beginning: no piece has as many."""

RUN_MAX = 79
"""Backticks in a row that may stand in code. cmark, which GitHub uses, takes a mark of more than 80 for no code span
(MAXBACKTICKS in its inlines.c), and counts no more than 255 of a fence (fence_length in its blocks.c)."""

_SEEN_FORMATS = frozenset("\u200c\u200d")
"""The joiners that emoji and some scripts need; every other character of category Cf is shown by its number."""

_HIDDEN = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))

_CODE, _DRESSED = "\ue000", {"***": "\ue001", "**": "\ue002", "~~": "\ue003", "*": "\ue004"}
"""What stands for our own marks until everything else is escaped. `visible` has left no private character in a text."""

_MARKS = {stand_in: mark for mark, stand_in in _DRESSED.items()}
_DRESSES = [
    (re.compile(r"\*{3}(?=[^\s*])([^*]+)(?<=\S)\*{3}"), "***"),
    (re.compile(r"\*\*(?=[^\s*])((?:[^*]|\*(?!\*))+)(?<=[^\s*])\*\*"), "**"),
    (re.compile(r"__(?=[^\s_])((?:[^_]|_(?!_))+)(?<=[^\s_])__"), "**"),
    (re.compile(r"~~(?=[^\s~])([^~]+)(?<=\S)~~"), "~~"),
    (re.compile(r"\*(?=[^\s*])([^*\ue001-\ue004]+)(?<=\S)\*"), "*"),
    (re.compile(r"_(?=[^\s_])([^_\ue001-\ue004]+)(?<=\S)_"), "*"),
]
"""The pattern of each dress and the mark that we write for it; the repetitions cannot overlap, so time is linear."""


def visible(text: str) -> str:
    r"""The text with line ends as \n, tabs as spaces, and characters that nobody sees as [U+202E]."""
    text = re.sub(r"\r\n?", "\n", text).expandtabs(4)
    if text.replace("\n", "").isprintable():  # as nearly all are: a hundred times faster than character by character
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\n" or character in _SEEN_FORMATS or unicodedata.category(character) not in _HIDDEN:
        return character
    return f"[U+{ord(character):04X}]"


def inline(text: str, limit: int = 80) -> str:
    """The beginning of a text as one escaped line that also fits into a table's cell."""
    flat = " ".join(visible(text[: 4 * limit]).split())
    return escaped(flat if len(flat) <= limit else flat[: limit - 1] + "…")


def escaped(text: str) -> str:
    """Visible text that stands for itself anywhere in a line of Markdown."""
    text = _COMMIT.sub(lambda found: _COMMIT_PIECE.sub(rf"\g<0>{JOINER}", found[0]), _REFERENCE.sub(JOINER, text))
    text = re.sub(r"[&<>]", lambda found: _ENTITIES[found[0]], text)
    text = _PUNCTUATION.sub(r"\\\1", text)
    return _LINE_START.sub(lambda found: found[0][:-1] + "\\" + found[0][-1], text)


def dressed(text: str, *, in_table: bool = False, in_bold: bool = False) -> str:
    """A visible line as Markdown with its code spans, bold, italics and strike-through, and nothing else of its own.

    `in_table`: a bar would end the cell, even within code. `in_bold`: only code is drawn, the other marks are text.
    """
    if not re.search(r"[`*_~]", text):
        return escaped(text)
    text, codes = _without_code(text)
    if in_table:
        codes = [code.replace("|", "\\|") for code in codes]
    for pattern, mark in () if in_bold else _DRESSES:
        text = pattern.sub(partial(_dress, mark), text)
    text = re.sub("[\ue001-\ue004]", lambda found: _MARKS[found[0]], escaped(text))
    waiting = iter(codes)
    return re.sub(_CODE, lambda _: next(waiting), text)


def _dress(mark: str, found: re.Match[str]) -> str:
    """The match between stand-ins of our marks, or as it was where Markdown would not see a dress."""
    line = found.string
    before, after = line[found.start() - 1 : found.start()], line[found.end() : found.end() + 1]
    if not (_is_edge(before) and _is_edge(after)):
        return found[0]
    return _DRESSED[mark] + found[1] + _DRESSED[mark]


def _is_edge(character: str) -> bool:
    """Whether a dress may begin or end beside it: nothing, white space, or punctuation that is no mark itself."""
    if not character or character.isspace() or character == _CODE:
        return True
    return unicodedata.category(character)[0] == "P" and character not in "*_~"


def _without_code(text: str) -> tuple[str, list[str]]:
    """The text with a stand-in for each code span, and the spans as we write them."""
    kept, codes, end = [], list[str](), 0
    for first, last, content in _code_spans(text):
        kept += [text[end:first], _CODE]
        codes.append(_code_span(content))
        end = last
    return "".join([*kept, text[end:]]), codes


def _code_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and content of each: from a run of backticks to the next one of the same length."""
    runs = [(found.start(), found.end()) for found in re.finditer("`+", text)]
    closing: dict[int, list[int]] = {}
    for number in reversed(range(len(runs))):
        closing.setdefault(runs[number][1] - runs[number][0], []).append(number)
    at = 0
    while at < len(runs):
        first, content_start = runs[at]
        same = closing[content_start - first]
        while same and same[-1] <= at:
            same.pop()
        if same and _is_code(text, first, content_start, *runs[same[-1]]):
            yield first, runs[same[-1]][1], text[content_start : runs[same[-1]][0]]
            at = same[-1]
        at += 1


def _is_code(text: str, first: int, content_start: int, content_end: int, last: int) -> bool:
    """Whether the span has content, which can be marked as code, and no dollar beside it: that makes mathematics."""
    is_math = text[first - 1 : first] == "$" or text[last : last + 1] == "$"
    content = text[content_start:content_end]
    return not is_math and bool(content.strip()) and "`" * (RUN_MAX + 1) not in content


def _code_span(content: str) -> str:
    fence = "`" * (max(map(len, re.findall("`+", content)), default=0) + 1)
    is_padded = content.startswith("`") or content.endswith("`") or (content[0] == content[-1] == " ")
    pad = " " if is_padded else ""
    return f"{fence}{pad}{content}{pad}{fence}"
