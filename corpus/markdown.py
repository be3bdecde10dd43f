"""Text of strangers as Markdown that shows it and does nothing else.

Everything a forge could act on is disarmed: markup is escaped, HTML becomes text, addresses, mentions and references
are broken by an invisible word joiner, and characters that nobody sees are shown by their number. Code blocks and
tables stay what they are to a reader, in fences longer than any run inside.
"""

from __future__ import annotations

import re
import unicodedata

_JOINER = "\u2060"

_PUNCTUATION = re.compile(r"([\\`*_\[\]|~$^])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LINE_START = re.compile(r"^(#|[-+=]|\d{1,9}[.)])")
_REFERENCE = re.compile(
    r"""(?<=[@#!%&~$])(?=[\w"{])"""  # mentions, issues, requests, milestones, epics, labels, snippets
    r"|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=:)(?=[\w+-]+:)|(?<=gh)(?=-\d)",  # addresses, shortcodes, GH-12
    re.IGNORECASE,
)
"""Where a forge would begin to see more than text: behind the mark."""

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})([^`]*)$")
_SEEN_FORMATS = frozenset("\u200c\u200d")
"""The joiners that emoji and some scripts need; every other character of category Cf is shown by its number."""

_HIDDEN = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))

# fmt: off
LANGUAGES = frozenset((
    "bash", "c", "cpp", "csharp", "css", "diff", "dockerfile", "go", "haskell", "html", "ini", "java", "javascript",
    "js", "json", "jsx", "julia", "kotlin", "latex", "lua", "makefile", "markdown", "matlab", "nginx", "perl", "php",
    "powershell", "py", "python", "r", "ruby", "rust", "scala", "sh", "shell", "sql", "swift", "text", "toml", "ts",
    "tsx", "typescript", "vb", "xml", "yaml",
))
# fmt: on
"""Names that only colour a code block; forges draw or run others (mermaid, math, geojson, suggestion, ...)."""


def quoted(text: str, limit: int) -> str:
    """The first `limit` characters of a message as a block quote, every line of which begins with `>`."""
    shown = _markdown(visible(text[:limit])[:limit].split("\n"))
    if len(text) > limit:
        shown += ["", f"**… {len(text) - limit} more characters, only in the sample's line under data/**"]
    return "".join(f"> {line}\n" if line else ">\n" for line in shown)


def inline(text: str, limit: int = 80) -> str:
    """The beginning of a text as one escaped line that also fits into a table's cell."""
    flat = " ".join(visible(text[: 4 * limit]).split())
    return _escaped(flat if len(flat) <= limit else flat[: limit - 1] + "…")


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


def _markdown(lines: list[str]) -> list[str]:
    """Code blocks and tables in fences, everything else as prose with its line breaks."""
    shown: list[str] = []
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        end = _end_of_code(lines, at, opening[1]) if opening else _end_of_table(lines, at)
        if opening:
            shown += _code(lines[at + 1 : end], opening[2].strip())
            at = end + 1
        elif end > at + 1:
            shown += _code(lines[at:end], "text")
            at = end
        else:
            is_continued = bool(shown) and shown[-1] != "" and not shown[-1].startswith("```")
            if is_continued and lines[at].strip():
                shown[-1] += "\\"  # a hard break
            shown.append(_prose(lines[at]))
            at += 1
    return shown


def _end_of_code(lines: list[str], start: int, fence: str) -> int:
    """The line of the closing fence, or the end of the message where there is none."""
    closing = re.compile(rf"^\s*{re.escape(fence[0])}{{{len(fence)},}}\s*$")
    return next((n for n in range(start + 1, len(lines)) if closing.match(lines[n])), len(lines))


def _end_of_table(lines: list[str], start: int) -> int:
    """The line behind a run of lines that begin with a bar."""
    return next((n for n in range(start, len(lines)) if not lines[n].lstrip().startswith("|")), len(lines))


def _code(lines: list[str], language: str) -> list[str]:
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + (language if language.lower() in LANGUAGES else "text"), *lines, fence]


def _prose(line: str) -> str:
    """One line with its indentation kept."""
    text = line.strip(" ")
    indent = "&nbsp;" * min(len(line) - len(line.lstrip(" ")), 40)
    return indent + _escaped(text) if text else ""


def _escaped(text: str) -> str:
    """Text that stands for itself anywhere in a line of Markdown."""
    text = _REFERENCE.sub(_JOINER, text)
    text = re.sub(r"[&<>]", lambda found: _ENTITIES[found[0]], text)
    text = _PUNCTUATION.sub(r"\\\1", text)
    return _LINE_START.sub(lambda found: found[0][:-1] + "\\" + found[0][-1], text)
