"""Where a JSON value ends, found without parsing it: strings and brackets only, and no recursion."""

from __future__ import annotations

import re

_STRUCTURE = re.compile(rb'["{}\[\]]')
_QUOTE, _BACKSLASH = 0x22, 0x5C
_OPENING, _CLOSING = b"{[", b"}]"


class BrokenStructure(Exception):
    """A string runs over the end of a line, or a bracket closes another one: no end can be found."""


class Scan:
    """Follows one value from its first byte; can be continued when more bytes have come.

    `position` counts from the value's beginning, so that the bytes may move in memory between two calls. `n_bytes` is
    the value's length once its end was found, `n_opened` how many objects and lists it has.
    """

    def __init__(self) -> None:
        self.position = 0
        self.n_bytes: int | None = None
        self.n_opened = 0
        self._is_in_string = False
        self._open = bytearray()

    def end(self, data: bytes, start: int) -> int | None:
        """The number of bytes of the value that begins at `data[start]`; None when they do not suffice.

        Raises:
            BrokenStructure: it has no end.
        """
        self.n_bytes = self._follow(data, start)
        return self.n_bytes

    def _follow(self, data: bytes, start: int) -> int | None:
        if not self.position and data[start] not in b'"{[':
            raise BrokenStructure("no value begins here")
        at = start + self.position
        while True:
            if self._is_in_string:
                closing = _string_end(data, at)
                newline = data.find(b"\n", at, closing if closing >= 0 else len(data))
                if newline >= 0:
                    raise BrokenStructure("a string runs over the end of a line")
                if closing < 0:
                    self._wait(data, start, at)
                    return None
                self._is_in_string, at = False, closing
                if not self._open:
                    return at - start
            match = _STRUCTURE.search(data, at)
            if match is None:
                self.position = len(data) - start
                return None
            at = match.end()
            sign = data[at - 1]
            if sign == _QUOTE:
                self._is_in_string = True
            elif sign in _OPENING:
                self._open.append(sign)
                self.n_opened += 1
            elif not self._open or _CLOSING[_OPENING.index(self._open.pop())] != sign:
                raise BrokenStructure("a bracket closes one that was not opened")
            elif not self._open:
                return at - start

    def _wait(self, data: bytes, start: int, at: int) -> None:
        """Remembers how far a string was followed, less the backslashes whose meaning the next bytes decide."""
        stop = len(data)
        while stop > at and data[stop - 1] == _BACKSLASH:
            stop -= 1
        self.position = stop - start

    def forget(self) -> int:
        """Lets the value begin later, at the last byte that was followed; gives how many bytes are not needed."""
        n_bytes = max(self.position - 1, 0)
        self.position -= n_bytes
        return n_bytes


def _string_end(data: bytes, at: int) -> int:
    """The index behind the quote that closes the string which `data[at]` is inside of; -1 when it is not there."""
    search = at
    while True:
        quote = data.find(b'"', search)
        if quote < 0:
            return -1
        before = quote
        while before > at and data[before - 1] == _BACKSLASH:
            before -= 1
        if (quote - before) % 2 == 0:
            return quote + 1
        search = quote + 1
