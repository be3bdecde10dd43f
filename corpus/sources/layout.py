"""Finds out what a log is: how its records are laid out, and of which type they are. By content, never by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from corpus.sources.decode import JsonObject, decode
from corpus.sources.lines import split_lines
from corpus.sources.opened import LogPart
from corpus.sources.problems import UnknownLog, UnreadableRecord
from corpus.sources.records import Item, Record
from corpus.sources.registry import TYPES, SourceType, recognised
from corpus.sources.scan import BrokenStructure, Scan
from corpus.sources.values import ValueSplitter, pass_value
from corpus.sources.window import Window

_HEAD_BYTES = 2**16
_MAX_LOOKED_AT = 1000
_MAX_VOTES = 20
_MAX_ARRAYS = 16
"""Records looked at before a log counts as unknown; those whose type decides; lists inside an object tried out."""

_SCALAR_BYTES = b"+-.0123456789aefilnrstuINy"  # numbers, true, false, null, NaN, Infinity
_KEY_BYTES = 1024
_KEY = re.compile(rb'[ \t\r\n,]*("(?:[^"\\\n]|\\.){0,500}")[ \t\r\n]*:[ \t\r\n]*')


@dataclass(frozen=True)
class Layout:
    """How to read a log: its framing, its type (None when all of it is damaged), and where its list begins.

    `list_offset` is the place behind the bracket of a list inside an object, for the framing `inner`.
    """

    framing: Literal["lines", "values", "inner"]
    type: SourceType | None
    list_offset: int = 0

    def items(self, window: Window, max_bytes: int) -> Iterator[Item]:
        """The records of a window that stands at the beginning of the log (or of a line)."""
        if self.framing == "lines":
            return split_lines(window, max_bytes)
        if self.framing == "inner":
            _forward(window, self.list_offset)
        is_inside = self.framing == "inner"
        return iter(ValueSplitter(window, max_bytes, self._is_plausible, is_inside_array=is_inside))

    def _is_plausible(self, record: JsonObject) -> bool:
        return self.type.recognise(record) if self.type else recognised(record) is not None


def find_layout(part: LogPart, wanted: SourceType | None, max_bytes: int) -> Layout | None:
    """The layout of a log; None when it holds nothing at all. `wanted` is the type when the user names it.

    Raises:
        UnknownLog: its records are of no known type, or it is no JSON. DamagedFile: it cannot be opened.
    """
    window = part.window()
    head = window.peek(_HEAD_BYTES)
    framing: Literal["lines", "values"] = "lines" if _is_lines(head, len(head) < _HEAD_BYTES) else "values"
    look = _look(Layout(framing, wanted), window, max_bytes)
    if not look.n_items and not window.failure:
        return None
    if kind := look.type():
        return Layout(framing, kind)
    inner = _inner(part, wanted, max_bytes) if head.lstrip()[:1] == b"{" else None
    if inner or wanted:
        return inner or Layout(framing, wanted)
    if head.lstrip()[:1] in (b"{", b"[", b"") and look.first_keys is None:
        return Layout(framing, None)
    raise UnknownLog(f"it is no log of a known type: {_seen(look, head)}; known are {_names()}")


def _names() -> str:
    return ", ".join(kind.name for kind in TYPES)


def _is_lines(head: bytes, is_whole: bool) -> bool:
    lines = head.split(b"\n")
    rest = lines[1:] if is_whole else lines[1:-1]
    if head.lstrip()[:1] == b"[":  # a list over several lines, unless the first line is a value for itself
        return any(line.strip() for line in rest) and _decodes(lines[0])
    if head.lstrip()[:1] != b"{" or (len(lines) == 1 and not is_whole):
        return True
    objects = [line for line in [lines[0], *rest] if line.startswith(b"{")]
    return any(_decodes(line) or line.rstrip().endswith(b"}") for line in objects if len(line.strip()) > 1)


def _decodes(line: bytes) -> bool:
    try:
        decode(line)
    except UnreadableRecord:
        return False
    return True


@dataclass
class _Look:
    """What the first records of a log say about its type; `first_keys` is None when no record could be read."""

    n_items: int = 0
    first_keys: list[str] | None = None
    votes: Counter[str] = field(default_factory=Counter)

    def type(self) -> SourceType | None:
        """The type that most records are of."""
        return max(TYPES, key=lambda kind: self.votes[kind.name]) if self.votes else None


def _look(layout: Layout, window: Window, max_bytes: int) -> _Look:
    look = _Look()
    for item in islice(layout.items(window, max_bytes), _MAX_LOOKED_AT):
        look.n_items += 1
        if isinstance(item, Record):
            look.first_keys = look.first_keys or list(islice(item.value, 8))
            kind = layout.type if layout.type and layout.type.recognise(item.value) else None
            kind = kind or (None if layout.type else recognised(item.value))
            look.votes.update([kind.name] if kind else [])
        if look.votes and (look.votes.total() >= _MAX_VOTES or window.offset > max_bytes):
            break
    return look


def _inner(part: LogPart, wanted: SourceType | None, max_bytes: int) -> Layout | None:
    """The first list inside an object that holds records of a known type."""
    for offset in islice(_lists_inside(part.window()), _MAX_ARRAYS):
        layout = Layout("inner", wanted, offset)
        if kind := _look(layout, part.window(), max_bytes).type():
            return Layout("inner", kind, offset)
    return None


def _lists_inside(window: Window) -> Iterator[int]:
    """The places behind the opening brackets of the lists that an object has as values of its keys."""
    window.peek(_HEAD_BYTES)
    while window.held and window.data[window.at] in b" \t\r\n":
        window.at += 1
    window.at += 1
    while match := _KEY.match(window.peek(_KEY_BYTES)):
        window.at += match.end()
        if window.peek(1) == b"[":
            yield window.offset + 1
        try:
            if window.peek(1) in (b"{", b"[", b'"'):
                pass_value(window, Scan())
            else:
                window.at += len(window.peek(_KEY_BYTES)) - len(window.peek(_KEY_BYTES).lstrip(_SCALAR_BYTES))
        except BrokenStructure:
            return


def _forward(window: Window, offset: int) -> None:
    while window.offset < offset:
        window.at += min(offset - window.offset, window.held)
        if window.offset < offset and not window.more():
            return


def _seen(look: _Look, head: bytes) -> str:
    if look.first_keys is None:
        return f"it is not JSON; it begins with {head[:24]!r}"
    keys = ", ".join(repr(key[:30]) for key in look.first_keys)
    return f"its first record has the keys {keys}" if keys else "its first record is an empty object"
