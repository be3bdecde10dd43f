"""Finds what was withdrawn wherever it is quoted: in a shard, escaped in a page, cut off in a list, in a message.

Two texts are compared by their letters: ASCII letters and digits in lower case and every byte beyond ASCII, nothing
else. White space, punctuation, Markdown's escapes, JSON's escapes and the marks at the beginning of quoted lines are
gone then, so one comparison finds a text in all its forms. A text's letters are cut into chunks of 24 bytes, end to
end, and every quotation of at least 47 bytes holds a whole one; a shorter message is one chunk if it has 12 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import orjson

CHUNK_BYTES = 24
"""Five English words. Two texts meet in five words by chance seldom enough for the pages of a night, and what the
samples that stay say, too, is no trace of the withdrawn one (see `Passages.without`)."""

SHORT_BYTES = 12
"""A message with fewer letters ("Yes, please") is not looked for: it says nothing of anybody that two words could."""

_KEPT = bytes(c for c in range(256) if chr(c).isalnum() or c >= 0x80)
_DROPPED = bytes(c for c in range(256) if c not in _KEPT)
_LOWER = bytes(ord(chr(c).lower()) if c < 0x80 else c for c in range(256))
_ENTITIES = (b"&nbsp;", b"&amp;", b"&lt;", b"&gt;", b"&quot;", b"\xe2\x81\xa0")
"""What corpus/markdown.py writes for characters that are no letters; the last is its invisible word joiner."""

_UNICODE_ESCAPE = re.compile(rb"((?:\\u[0-9a-fA-F]{4})+)")
_WINDOW_BITS = 20
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio's bits


def letters(content: bytes) -> bytes:
    """The letters of a file: of JSON those of its strings (and keys), of anything else those of its text."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode()
    if content[:1] in (b"{", b"["):
        content = _without_escapes(content)
    if b"&" in content or b"\xe2\x81\xa0" in content:
        for entity in _ENTITIES:
            content = content.replace(entity, b"")
    return content.translate(_LOWER, _DROPPED)


def _without_escapes(content: bytes) -> bytes:
    """JSON with what its escapes stand for, as far as letters are concerned."""
    if b"\\" not in content:
        return content
    content = content.replace(b"\\\\", b"\0")  # what follows is no escape
    for escape in (b"\\n", b"\\r", b"\\t", b"\\b", b"\\f"):
        content = content.replace(escape, b" ")
    return _UNICODE_ESCAPE.sub(_decoded, content) if b"\\u" in content else content


def _decoded(escapes: re.Match[bytes]) -> bytes:
    text = orjson.loads(b'"' + escapes[1] + b'"') if _is_paired(escapes[1]) else ""
    return str(text).encode()


def _is_paired(escapes: bytes) -> bool:
    try:
        orjson.loads(b'"' + escapes + b'"')
    except orjson.JSONDecodeError:
        return False
    return True


def chunks(text: str) -> Iterator[bytes]:
    """The chunks of one message; none of one that says next to nothing."""
    said = letters(b" " + text.encode("utf-8", "replace"))  # never read as JSON: it is what a JSON string says
    if SHORT_BYTES <= len(said) < CHUNK_BYTES:
        yield said
    for start in range(0, len(said) - CHUNK_BYTES + 1, CHUNK_BYTES):
        yield said[start : start + CHUNK_BYTES]
    if len(said) > CHUNK_BYTES and len(said) % CHUNK_BYTES:
        yield said[-CHUNK_BYTES:]


def said_in(sample: Mapping[str, object]) -> list[str]:
    """The texts of a sample: its messages and the replies that stood beside them."""
    found = []
    for key in ("messages", "alternatives"):
        listed = sample.get(key)
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict) and isinstance(one.get("content"), str):
                found.append(one["content"])
    return found


class Passages:
    """Chunks to look for, any number of them: one pass over a file finds all.

    Each chunk is filed under its first eight bytes; a table of 2^20 bits says at which bytes of a file it is worth
    looking closer.
    """

    def __init__(self, wanted: Iterable[bytes]) -> None:
        self.wanted = frozenset(wanted)
        self._by_start: dict[bytes, list[bytes]] = {}
        for chunk in sorted(self.wanted):
            self._by_start.setdefault(chunk[:8], []).append(chunk)
        self._table = np.zeros(2**_WINDOW_BITS, np.bool_)
        starts = np.frombuffer(b"".join(self._by_start), "<u8")
        self._table[_slots(starts)] = True

    def __bool__(self) -> bool:
        return bool(self.wanted)

    def without(self, others: Iterable[bytes]) -> Passages:
        """These but for what others say, too."""
        return Passages(self.wanted.difference(others))

    def spans(self, said: bytes) -> Iterator[tuple[int, int]]:
        """Where a chunk stands in the letters of a file: first byte and the byte behind it, in no order."""
        if len(said) < SHORT_BYTES or not self.wanted:
            return
        for shift in range(min(8, len(said) - 7)):
            n_windows = (len(said) - shift) // 8
            windows = np.frombuffer(said, "<u8", n_windows, shift)
            for place in np.flatnonzero(self._table.take(_slots(windows))).tolist():
                at = shift + 8 * place
                for chunk in self._by_start.get(said[at : at + 8], ()):
                    if said.startswith(chunk, at):
                        yield at, at + len(chunk)

    def met(self, said: bytes) -> frozenset[bytes]:
        """The chunks in the letters of a file."""
        return frozenset(said[first:end] for first, end in self.spans(said))


def _slots(windows: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return (windows * _MULTIPLIER) >> np.uint64(64 - _WINDOW_BITS)
