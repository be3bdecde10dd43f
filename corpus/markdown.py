"""A message of a stranger as a block quote that a forge renders as its writer meant it, and that does nothing else.

What gives a text its shape (code blocks, tables, lists, quotations, headings, rules) is recognised line by line and
written anew by us; all else is text, disarmed by `corpus/disarm.py`. A heading becomes a bold line: it must not
appear in the page's outline, nor be a target of its links. What is not recognised is shown as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from corpus.disarm import JOINER, RUN_MAX, dressed, escaped, inline, visible

__all__ = ["inline", "quoted", "visible"]

_FENCE = re.compile(r"^ *(`{3,}|~{3,})([^`]*)$")
_HEADING = re.compile(r"^ {0,3}#{1,6} +(?=[^ #])")
_RULE = re.compile(r"^ {0,3}(?:(?:- *){3,}|(?:\* *){3,}|(?:_ *){3,})$")
_ITEM = re.compile(r"^( *)([-*+•]|(?:0|[1-9]\d{0,8})[.)]) +(\S.*)$")
_QUOTE = re.compile(r"^ {0,3}> ?")
_LONG_RUN = re.compile(rf"`{{{RUN_MAX}}}(?=`)")
_DELIMITER_ROW = re.compile(r"^\|? *:?-+:? *(?:\| *:?-+:? *)*\|?$")

# fmt: off
LANGUAGES = frozenset((
    "bash", "c", "cpp", "csharp", "css", "diff", "dockerfile", "go", "haskell", "html", "ini", "java", "javascript",
    "js", "json", "jsx", "julia", "kotlin", "latex", "lua", "makefile", "markdown", "matlab", "nginx", "perl", "php",
    "powershell", "py", "python", "r", "ruby", "rust", "scala", "sh", "shell", "sql", "swift", "text", "toml", "ts",
    "tsx", "typescript", "vb", "xml", "yaml",
))
# fmt: on
"""Names that only colour a code block; forges draw or run others (mermaid, math, geojson, suggestion, ...)."""

_DEPTH = 3
"""Quotations within quotations and lists within lists that are drawn; deeper ones are text, or drawn at this depth."""

_INDENT = 40
"""Spaces at the beginning of a line that are kept: half of a terminal's 80."""


def quoted(text: str, limit: int) -> str:
    """The first `limit` characters of a message as a block quote, every line of which begins with `>`."""
    shown = list(_blocks(visible(text[:limit])[:limit].split("\n"), _DEPTH))
    if len(text) > limit:
        shown += ["", f"**… {len(text) - limit} more characters, only in the sample's line under data/**"]
    return "".join(f"> {line}\n" if line else ">\n" for line in shown)


def _blocks(lines: list[str], depth: int) -> Iterator[str]:
    """The lines as Markdown; a blank line stands between two blocks, so that none runs into the next."""
    at, is_first = 0, True
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        draw, end = _block(lines, at, depth)
        if not is_first:
            yield ""
        yield from draw(lines[at:end])
        at, is_first = end, False


_Draw = Callable[[list[str]], Iterator[str]]


def _block(lines: list[str], at: int, depth: int) -> tuple[_Draw, int]:
    """How to draw the block that begins here, and the line behind it."""
    line = lines[at]
    if opening := _FENCE.match(line):
        return _fenced, _end_of_code(lines, at, opening[1])
    if _is_table(lines, at):
        return _table, _end_of_table(lines, at)
    if (end := _run(lines, at, lambda one: one.lstrip().startswith("|"))) > at + 1:
        return _verbatim, end
    if _RULE.match(line):
        return _rule, at + 1
    if _HEADING.match(line):
        return _heading, at + 1
    if _ITEM.match(line):
        return _list, _end_of_list(lines, at)
    if _QUOTE.match(line) and depth:
        return lambda some: _quotation(some, depth - 1), _run(lines, at, lambda one: bool(_QUOTE.match(one)))
    return _paragraph, _end_of_paragraph(lines, at, depth)


def _run(lines: list[str], start: int, belongs: Callable[[str], bool]) -> int:
    """The line behind the run of lines that belong together."""
    return next((number for number in range(start, len(lines)) if not belongs(lines[number])), len(lines))


def _end_of_paragraph(lines: list[str], start: int, depth: int) -> int:
    for number in range(start + 1, len(lines)):
        if not lines[number].strip() or _begins_block(lines, number, depth):
            return number
    return len(lines)


def _begins_block(lines: list[str], at: int, depth: int) -> bool:
    line = lines[at]
    begins = _FENCE.match(line) or _HEADING.match(line) or _RULE.match(line) or _ITEM.match(line)
    return bool(begins or (depth and _QUOTE.match(line)) or line.lstrip().startswith("|") or _is_table(lines, at))


def _paragraph(lines: list[str]) -> Iterator[str]:
    """Lines as they were broken, with their indentation."""
    for number, line in enumerate(lines):
        yield _prose(line) + ("\\" if number + 1 < len(lines) else "")


def _prose(line: str) -> str:
    text = line.strip(" ")
    return "&nbsp;" * min(len(line) - len(line.lstrip(" ")), _INDENT) + dressed(text)


def _heading(lines: list[str]) -> Iterator[str]:
    text = _HEADING.sub("", lines[0]).rstrip(" ")
    bare = text.rstrip("#")
    text = bare.rstrip(" ") if bare.endswith(" ") else text
    inner = re.sub(r"\*\*|__", "", text).strip()
    yield f"**{dressed(inner, in_bold=True)}**" if inner else dressed(text)


def _rule(_: list[str]) -> Iterator[str]:
    yield "***"


def _quotation(lines: list[str], depth: int) -> Iterator[str]:
    for line in _blocks([_QUOTE.sub("", line, count=1) for line in lines], depth) if any(lines) else ():
        yield f"> {line}" if line else ">"


# Code.


def _end_of_code(lines: list[str], start: int, fence: str) -> int:
    """The line behind the closing fence, or the end of the message where there is none."""
    closing = re.compile(rf"^ *{re.escape(fence[0])}{{{len(fence)},}} *$")
    found = next((number for number in range(start + 1, len(lines)) if closing.match(lines[number])), len(lines))
    return min(found + 1, len(lines))


def _fenced(lines: list[str]) -> Iterator[str]:
    opening = _FENCE.match(lines[0])
    assert opening
    is_closed = len(lines) > 1 and re.fullmatch(rf" *{re.escape(opening[1][0])}{{{len(opening[1])},}} *", lines[-1])
    indent = len(lines[0]) - len(lines[0].lstrip(" "))
    inner = [_unindented(line, indent) for line in (lines[1:-1] if is_closed else lines[1:])]
    told = opening[2].strip()
    if told and told.lower() not in LANGUAGES:  # what a renderer hides or obeys
        yield from (escaped(told), "")
    yield from _code(inner, told)


def _unindented(line: str, n_spaces: int) -> str:
    """The line without the spaces that its fence has before it, as a list item's code has them."""
    return line[min(n_spaces, len(line) - len(line.lstrip(" "))) :]


def _verbatim(lines: list[str]) -> Iterator[str]:
    yield from _code(lines, "text")


def _code(lines: list[str], language: str) -> Iterator[str]:
    lines = [_LONG_RUN.sub(rf"\g<0>{JOINER}", line) for line in lines]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield fence + (language.lower() if language.lower() in LANGUAGES else "text")
    yield from lines
    yield fence


# Tables.


def _is_table(lines: list[str], at: int) -> bool:
    """Whether a head and a row of dashes with as many cells begin here."""
    if at + 1 >= len(lines) or "|" not in lines[at] or not _DELIMITER_ROW.match(lines[at + 1].strip()):
        return False
    return len(_cells(lines[at])) == len(_cells(lines[at + 1]))


def _end_of_table(lines: list[str], start: int) -> int:
    return _run(lines, start + 2, lambda line: "|" in line)


def _cells(row: str) -> list[str]:
    """The cells of a row; a bar behind a backslash is text."""
    inner = row.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def _table(lines: list[str]) -> Iterator[str]:
    """The rows with as many cells as the head has; what is too much stands in the last one."""
    n_cells = len(_cells(lines[0]))
    for number, line in enumerate(lines):
        cells = _cells(line)
        cells = [*cells[: n_cells - 1], " | ".join(cells[n_cells - 1 :])] if len(cells) > n_cells else cells
        if number == 1:
            shown = [f"{':' * one.startswith(':')}---{':' * one.endswith(':')}" for one in cells]
        else:
            shown = [dressed(cell, in_table=True) for cell in cells] + [""] * (n_cells - len(cells))
        yield f"| {' | '.join(shown)} |"


# Lists.


def _end_of_list(lines: list[str], start: int) -> int:
    """The line behind the items that follow each other, with their indented lines."""
    end = at = start + 1
    while at < len(lines):
        line = lines[at]
        if line.strip():
            is_item = bool(_ITEM.match(line)) and not _RULE.match(line)
            is_part = at == end and line.startswith("  ") and not _begins_block(lines, at, _DEPTH)
            if not (is_item or is_part):
                break
            end = at + 1
        at += 1
    return end


@dataclass
class _Level:
    """An open list: the indentation of its items as written, where their text begins in ours, and its last number."""

    indent: int
    text_at: int
    number: int | None
    mark: str


def _list(lines: list[str]) -> Iterator[str]:
    """Items with the numbers that they had, each at the depth that its indentation says."""
    levels = list[_Level]()
    waiting: str | None = None
    for line in filter(str.strip, lines):
        item = _ITEM.match(line)
        if not item:
            yield f"{waiting}\\"  # a hard break
            waiting = " " * levels[-1].text_at + dressed(line.strip(" "))
            continue
        if waiting is not None:
            yield waiting
        is_new = _descend(levels, len(item[1]))
        margin = " " * (levels[-1].text_at if is_new and levels else levels[-2].text_at if len(levels) > 1 else 0)
        number = int(item[2][:-1]) if item[2][0].isdigit() else None
        mark = _mark(number, None if is_new else levels[-1])
        if is_new and levels and number not in (None, 1):
            yield ""  # or it would be part of the text above: only a list from 1 may follow a line of text
        level = _Level(len(item[1]) if is_new else levels[-1].indent, len(margin + mark) + 1, number, mark[-1])
        levels[len(levels) - (not is_new) :] = [level]
        waiting = f"{margin}{mark} {dressed(item[3].rstrip(' '))}"
    if waiting is not None:
        yield waiting


def _descend(levels: list[_Level], indent: int) -> bool:
    """Closes the lists that an item of this indentation is beyond; whether it opens a list of its own."""
    while len(levels) > 1 and levels[-1].indent > indent:
        levels.pop()
    return not levels or (indent >= levels[-1].indent + 2 and len(levels) < _DEPTH)


def _mark(number: int | None, before: _Level | None) -> str:
    """The item's mark. A number that does not follow needs another mark, which begins a new list: renderers count."""
    if number is None:
        return "-"
    if before is None or before.number is None:
        return f"{number}."
    is_next = number == before.number + 1
    return f"{number}{before.mark if is_next else '.)'[before.mark == '.']}"
