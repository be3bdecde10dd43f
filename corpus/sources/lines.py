"""Splits JSON Lines into records. Damage costs the line it is in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.sources.decode import decode
from corpus.sources.problems import UnreadableRecord
from corpus.sources.records import Item, Unreadable, cut_off, failure, item, too_large
from corpus.sources.scan import BrokenStructure, Scan
from corpus.sources.window import EXCERPT_BYTES, Place, Window

_SPACE = b" \t\r\n"
_BLANK = re.compile(rb"[ \t\r\n]*")
_OPENING = 0x7B


def split_lines(window: Window, max_bytes: int) -> Iterator[Item]:
    """The records of JSON Lines. Blank lines are skipped; a line may hold several objects."""
    while True:
        end = window.data.find(b"\n", window.at)
        if end < 0 and window.held <= max_bytes and window.more():
            continue
        if end < 0 and window.held > max_bytes:
            yield _skip_line(window, max_bytes)
            continue
        n_bytes = end + 1 - window.at if end >= 0 else window.held
        if n_bytes > max_bytes:
            yield Unreadable(window.place(n_bytes), too_large(max_bytes), window.excerpt())
        elif n_bytes:
            yield from _line_items(window, n_bytes)
        window.at += n_bytes
        if end < 0:
            yield from failure(window)
            return


def _line_items(window: Window, n_bytes: int) -> Iterator[Item]:
    raw = window.data[window.at : window.at + n_bytes]
    text = raw.strip(_SPACE)
    if not text:
        return
    try:
        yield item(decode(text.removeprefix(b"\xef\xbb\xbf")), window.place(n_bytes))
    except UnreadableRecord as error:
        yield from _several(window, raw, str(error))


def _several(window: Window, raw: bytes, reason: str) -> Iterator[Item]:
    """What a line that is not one value holds: objects one after the other, or one unreadable stretch."""
    place = window.place(len(raw))
    is_cut = window.is_at_end and not raw.endswith(b"\n")
    whole: list[Item] = []
    at = len(raw) - len(raw.lstrip(_SPACE + b"\0"))
    if at and b"\0" in raw[:at]:
        whole.append(Unreadable(Place(place.offset, place.offset + at, place.line), "NUL bytes between records"))
    while at < len(raw) and raw[at] == _OPENING:
        try:
            n_bytes = Scan().end(raw, at)
            if n_bytes is None or _after_space(raw, at + n_bytes) - at == len(raw):
                break  # the line is one value, whose fault is known
            piece = Place(place.offset + at, place.offset + at + n_bytes, place.line)
            whole.append(item(decode(raw[at : at + n_bytes]), piece))
        except (BrokenStructure, UnreadableRecord):
            break
        at = _after_space(raw, at + n_bytes)
    if at < len(raw):
        begins = Place(place.offset + at, place.end, place.line)
        why = cut_off(window) if is_cut else reason
        whole.append(Unreadable(begins, why, raw[at : at + EXCERPT_BYTES]))
    yield from whole


def _after_space(raw: bytes, at: int) -> int:
    match = _BLANK.match(raw, at)
    return match.end() if match else at


def _skip_line(window: Window, max_bytes: int) -> Unreadable:
    place, excerpt = window.place(0), window.excerpt()
    while (end := window.data.find(b"\n", window.at)) < 0:
        window.at = len(window.data)
        if not window.more():
            break
    window.at = end + 1 if end >= 0 else len(window.data)
    return Unreadable(Place(place.offset, window.offset, place.line), too_large(max_bytes), excerpt)
