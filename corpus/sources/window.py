"""The part of a byte stream that is being looked at: grows at its end, forgets at its beginning, knows where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from corpus.sources.problems import DamagedFile

BLOCK_BYTES = 2**20
EXCERPT_BYTES = 200


class ByteStream(Protocol):
    """What can be read forward."""

    def read(self, n_bytes: int, /) -> bytes:
        """At most so many bytes; none at the end.

        Raises:
            DamagedFile: the stream cannot be read further.
        """
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file: bytes from `offset` up to `end`, counted from 0, and the line, from 1.

    In a compressed file they count what comes out of it, in a file that is not UTF-8 its text as UTF-8, and in a
    database `line` counts the rows of the table.
    """

    offset: int
    end: int
    line: int


class Window:
    """A stream's bytes from `at` on: `data[at:]`; what is before `at` may be forgotten at any time."""

    def __init__(
        self, stream: ByteStream, *, offset: int = 0, line: int = 1, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        self.data = b""
        self.at = 0
        self.is_at_end = False
        self.failure: DamagedFile | None = None
        self._stream = stream
        self._on_bytes = on_bytes
        self._base, self._line, self._counted = offset, line, 0

    def more(self) -> bool:
        """Reads on, twice as much as is held; forgets what is before `at`. False at the end of the stream."""
        if self.is_at_end:
            return False
        held = self.data[self.at :]
        try:
            block = self._stream.read(max(BLOCK_BYTES, len(held)))
        except DamagedFile as error:
            self.failure, block = error, b""
        self.is_at_end = not block
        self.line()
        self._base += self.at
        self._counted, self.at = 0, 0
        self.data = held + block if held else block
        if self._on_bytes and block:
            self._on_bytes(len(block))
        return not self.is_at_end

    def take_failure(self) -> DamagedFile | None:
        """What stopped the stream; told once."""
        failure, self.failure = self.failure, None
        return failure

    def peek(self, n_bytes: int) -> bytes:
        """The next bytes, fewer at the end, without moving."""
        while len(self.data) - self.at < n_bytes and self.more():
            pass
        return self.data[self.at : self.at + n_bytes]

    @property
    def held(self) -> int:
        """How many bytes from `at` on are in memory."""
        return len(self.data) - self.at

    @property
    def offset(self) -> int:
        """The place of `at` in the stream."""
        return self._base + self.at

    def line(self) -> int:
        """The line of `at`; counts on from the last call."""
        self._line += self.data.count(b"\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def place(self, n_bytes: int) -> Place:
        """The place of the next so many bytes."""
        return Place(self.offset, self.offset + n_bytes, self.line())

    def excerpt(self, n_bytes: int = EXCERPT_BYTES) -> bytes:
        """The next bytes for a person to look at."""
        return self.data[self.at : self.at + min(n_bytes, EXCERPT_BYTES)]
