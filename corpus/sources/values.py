"""Splits a stream of JSON values into records: arrays, objects one after the other, pretty-printed or not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.sources.decode import decode
from corpus.sources.problems import UnreadableRecord
from corpus.sources.records import Item, Record, Unreadable, cut_off, failure, item, too_large
from corpus.sources.resume import Plausible, Resumption
from corpus.sources.scan import BrokenStructure, Scan
from corpus.sources.window import Place, Window

_BETWEEN = re.compile(rb"[ \t\r\n,]*")
_SCALAR = re.compile(rb"[A-Za-z0-9+.\-]{1,100}(?=[ \t\r\n,\]])")
_DELIMITER = re.compile(rb"[ \t\r\n]*(?:[,\]{\[]|\Z)")
_AHEAD_BYTES = 64
_LEFT, _RIGHT = 0x5B, 0x5D


class ValueSplitter:
    """The records of a stream of JSON values: the elements of arrays and the objects between them.

    Args:
        window: the stream, at the first value.
        max_bytes: a larger record is skipped.
        plausible: whether an object looks like a record of this log; asked only behind damage.
        is_inside_array: the window stands inside an array, and nothing behind that array counts.
    """

    def __init__(self, window: Window, max_bytes: int, plausible: Plausible, *, is_inside_array: bool = False) -> None:
        self._window = window
        self._max_bytes = max_bytes
        self._resumption = Resumption(window, max_bytes, plausible)
        self._is_in_array = self._ends_with_array = is_inside_array

    def __iter__(self) -> Iterator[Item]:
        """Records and unreadable stretches, in the order of the stream."""
        window = self._window
        while self._find_value():
            sign = window.data[window.at]
            if sign == _RIGHT and self._is_in_array:
                window.at += 1
                self._is_in_array = False
                if self._ends_with_array:
                    return
            elif sign == _LEFT and not self._is_in_array:
                window.at += 1
                self._is_in_array = True
            else:
                yield self._value()
        if window.failure:
            yield from failure(window)
        elif self._is_in_array:
            yield Unreadable(window.place(0), f"the file ends inside a list, at byte {window.offset}")

    def _find_value(self) -> bool:
        """Moves over white space and commas; False at the end of the stream."""
        window = self._window
        while True:
            match = _BETWEEN.match(window.data, window.at)
            assert match is not None, "it matches the empty string"
            if match.end() < len(window.data):
                window.at = match.end()
                return True
            window.at = match.end()
            if not window.more():
                return False

    def _value(self) -> Item:
        window, scan = self._window, Scan()
        try:
            n_bytes = self._resumption.end(0, scan)
        except BrokenStructure as error:
            n_bytes = self._n_bytes_of_scalar()
            if n_bytes is None:
                return self._damage(str(error))
        if n_bytes is None and window.held > self._max_bytes:
            return self._oversized(scan)
        if n_bytes is None:
            return self._damage(cut_off(window))
        is_delimited = self._is_delimited(n_bytes)
        raw = window.data[window.at : window.at + n_bytes]
        if not is_delimited and raw[:1] != b"{":
            return self._damage("no value begins here")
        try:
            found = item(decode(raw), window.place(n_bytes))
        except UnreadableRecord as error:
            return self._damage(str(error), n_bytes if is_delimited else None)
        if isinstance(found, Record):
            self._resumption.remember(raw, found.value)
        window.at += n_bytes
        return found

    def _n_bytes_of_scalar(self) -> int | None:
        match = _SCALAR.match(self._window.peek(128))
        return match.end() if match else None

    def _is_delimited(self, n_bytes: int) -> bool:
        """Whether what follows the value may follow one: else its end is an accident, as when a quote is lost."""
        window = self._window
        while window.held - n_bytes < _AHEAD_BYTES and window.more():
            pass
        return _DELIMITER.match(window.data, window.at + n_bytes) is not None

    def _damage(self, reason: str, n_bytes: int | None = None) -> Unreadable:
        """Moves behind the damage that begins here, and gives it. `n_bytes` is where brackets say that it ends."""
        window = self._window
        place, excerpt = window.place(0), window.excerpt()
        if n_bytes is None:
            self._resumption.onward()
        else:
            window.at += self._resumption.within(n_bytes) or n_bytes
        return self._stretch(place, reason, excerpt)

    def _oversized(self, scan: Scan) -> Unreadable:
        """Moves behind a record that is too large, without holding it.

        What looks too large may be one whose end is damaged, so that it seems to go on through the next records.
        """
        window = self._window
        place, excerpt = window.place(0), window.excerpt()
        found = self._resumption.within(scan.n_bytes or window.held)
        if found is not None:
            window.at += found
            return self._stretch(place, "it has no end", excerpt)
        try:
            pass_value(window, scan)
        except BrokenStructure:
            self._resumption.onward()
        return self._stretch(place, too_large(self._max_bytes), excerpt)

    def _stretch(self, place: Place, reason: str, excerpt: bytes) -> Unreadable:
        window = self._window
        if window.is_at_end and not window.held:
            self._is_in_array = False  # that the array has no end is part of this damage
        return Unreadable(Place(place.offset, window.offset, place.line), reason, excerpt)


def pass_value(window: Window, scan: Scan) -> None:
    """Moves behind the value that begins at `at`, or to the end of the stream, holding none of it.

    Raises:
        BrokenStructure: it has no end.
    """
    while (n_bytes := scan.n_bytes or scan.end(window.data, window.at)) is None:
        window.at += scan.forget()
        if not window.more():
            window.at = len(window.data)
            return
    window.at += n_bytes
