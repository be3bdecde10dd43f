"""Behind damage: where does the next record begin? Where something begins like the records before it, and is one."""

from __future__ import annotations

import re
from collections.abc import Callable

from corpus.sources.decode import JsonObject, decode
from corpus.sources.problems import UnreadableRecord
from corpus.sources.scan import BrokenStructure, Scan
from corpus.sources.window import Window

Plausible = Callable[[JsonObject], bool]

_HEAD = re.compile(rb'\{[ \t\r\n]*"(?:[^"\\\n]|\\.){0,64}"[ \t\r\n]*:')
_HEAD_BYTES = 256
"""No head that is worth looking for is longer."""

_MAX_HEADS = 8
"""So many ways of beginning are remembered: loggers write their records' keys in one order, or in a few."""

_RESCAN_SHARE = 8
_CANDIDATE_BYTES = 200
"""What looking for records may cost: so many times the bytes of the file, all searches together.

It keeps hostile files linear; an honest search reads the damaged record once or twice. A candidate costs something
besides its bytes.
"""


class Resumption:
    """Remembers how the records of a stream begin, and finds the next one behind damage.

    Args:
        window: the stream; positions are relative to its `at`, because the bytes move in memory.
        max_bytes: a larger value is no record.
        plausible: whether an object looks like a record of this log.
    """

    def __init__(self, window: Window, max_bytes: int, plausible: Plausible) -> None:
        self._window = window
        self._max_bytes = max_bytes
        self._plausible = plausible
        self._heads: dict[bytes, None] = {}
        self._budget = _RESCAN_SHARE * max_bytes

    def remember(self, raw: bytes, value: JsonObject) -> None:
        """Takes note of how a good record begins."""
        self._budget += _RESCAN_SHARE * len(raw)
        match = _HEAD.match(raw)
        if match and match[0] not in self._heads and len(self._heads) < _MAX_HEADS and self._plausible(value):
            self._heads[match[0]] = None

    def end(self, ahead: int, scan: Scan) -> int | None:
        """The length of the value that begins so far ahead; None when stream or largest record end before it does.

        Raises:
            BrokenStructure: it has no end.
        """
        window = self._window
        while True:
            n_bytes = scan.end(window.data, window.at + ahead)
            if n_bytes is not None:
                return n_bytes if n_bytes <= self._max_bytes else None
            if window.held - ahead > self._max_bytes or not window.more():
                return None

    def within(self, limit: int) -> int | None:
        """How far ahead the next record begins, not further than `limit`; None when there is none."""
        pattern = self._pattern()
        ahead = 1
        while self._budget > 0:
            at = self._window.at
            match = pattern.search(self._window.data, at + ahead, at + limit)
            if match is None:
                return None
            ahead = match.start() - at
            if self._is_record(ahead):
                return ahead
            ahead += 1
        return None

    def onward(self) -> None:
        """Moves to the next record wherever it begins, or to the end of the stream; forgets what it passes."""
        window = self._window
        while True:
            held = window.held
            found = self.within(held)
            if found is not None:
                window.at += found
                return
            window.at += held if self._budget <= 0 else max(held - _HEAD_BYTES, 0)
            if window.held <= _HEAD_BYTES and not window.more():
                window.at = len(window.data)
                return

    def _is_record(self, ahead: int) -> bool:
        window, scan = self._window, Scan()
        try:
            n_bytes = self.end(ahead, scan)
            if n_bytes is None:
                return False
            start = window.at + ahead
            value = decode(window.data[start : start + n_bytes])
        except (BrokenStructure, UnreadableRecord):
            return False
        finally:
            self._budget -= _CANDIDATE_BYTES + scan.position
        return isinstance(value, dict) and self._plausible(value)

    def _pattern(self) -> re.Pattern[bytes]:
        """How the records of this log begin; how any object does when none was read yet."""
        return re.compile(b"|".join(re.escape(head) for head in self._heads)) if self._heads else _HEAD
