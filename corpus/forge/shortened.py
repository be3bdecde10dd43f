"""Cuts the long texts of a JSON stream while it is read, so that nobody's enormous comment is held in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_RUN = re.compile(rb'[^"\\]+|\\u.{4}|\\[^u]', re.DOTALL)
"""Inside a text: characters that stand for themselves, or one whole escape."""


def shortened(pieces: Iterable[bytes], text_bytes: int) -> Iterator[bytes]:
    """The same JSON with no text longer than `text_bytes` as it is written there; escapes are kept whole or left out.

    A character of several bytes may be cut in two; whoever decodes replaces what is left of it.
    """
    in_text, left, rest = False, text_bytes, b""
    for piece in pieces:
        data, at, rest = rest + piece, 0, b""
        kept = bytearray()
        while at < len(data):
            if not in_text:
                end = data.find(b'"', at) + 1
                kept += data[at:end] if end else data[at:]
                at, in_text, left = end or len(data), end > 0, text_bytes
            elif run := _RUN.match(data, at):
                is_escape = run[0].startswith(b"\\")
                kept += run[0] if len(run[0]) <= left else b"" if is_escape else run[0][: max(left, 0)]
                left -= len(run[0])
                at = run.end()
            elif data[at : at + 1] == b'"':
                kept += b'"'
                at, in_text = at + 1, False
            else:  # an escape that the next piece ends
                rest, at = data[at:], len(data)
        yield bytes(kept)
    yield rest
