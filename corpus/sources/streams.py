"""Byte streams of logs: plain, compressed, or in another encoding; what goes wrong in them is a DamagedFile."""

from __future__ import annotations

import codecs
import zipfile
import zlib
from typing import IO, Any

from corpus.sources.problems import DamagedFile
from corpus.sources.window import BLOCK_BYTES, ByteStream

_MAX_EXPANSION = 200
_FREE_BYTES = 256 * 2**20
"""A compressed file may become 200 times larger, and 256 MiB in any case.

Chat logs compress 3 to 12 times; deflate's limit, which bombs come near to, is 1,032 times.
"""

_MARKS = (  # longest first: the mark of UTF-16 begins that of UTF-32
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def encoding_of(head: bytes) -> tuple[str, int]:
    """The encoding of a file that begins with these bytes, and the length of its byte-order mark.

    Without a mark it is UTF-8, unless the first bracket is written in two bytes (UTF-16) or four (UTF-32).
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        if head.startswith(("{".encode(encoding), "[".encode(encoding))):
            return encoding, 0
    return "utf-8", 0


class FileStream:
    """A file's bytes up to a size that was measured before, so that a log that grows meanwhile does not matter."""

    def __init__(self, file: IO[bytes], n_bytes: int | None = None) -> None:
        self._file = file
        self._left = n_bytes

    def skip(self, n_bytes: int) -> None:
        """Goes on behind the next so many bytes."""
        self._file.seek(n_bytes, 1)
        if self._left is not None:
            self._left = max(self._left - n_bytes, 0)

    def read(self, n_bytes: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        if self._left is not None:
            n_bytes = min(n_bytes, self._left)
        try:
            block = self._file.read(n_bytes) if n_bytes else b""
        except OSError as error:
            raise DamagedFile(f"the file cannot be read further: {error.strerror or error}") from error
        if self._left is not None:
            self._left -= len(block)
        return block


class Inflated:
    """What comes out of a compressed stream, until it is damaged or suspiciously much.

    Args:
        file: a gzip file or a member of a ZIP archive.
        n_compressed: the bytes that it comes from.
    """

    def __init__(self, file: Any, n_compressed: int) -> None:
        self._file = file
        self._limit = max(_FREE_BYTES, _MAX_EXPANSION * n_compressed)

    def read(self, n_bytes: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        try:
            block: bytes = self._file.read1(n_bytes)  # read would lose what comes before the damage
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
            raise DamagedFile(f"the compressed data is damaged: {error}") from error
        self._limit -= len(block)
        if self._limit < 0:
            raise DamagedFile(
                f"it expands more than {_MAX_EXPANSION} times, as no log does; if it is one, unpack it yourself"
            )
        return block


class Transcoded:
    """A stream in another encoding, as UTF-8. Half characters stay what they are, so that their record is refused."""

    def __init__(self, stream: ByteStream, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._is_at_end = False

    def read(self, n_bytes: int, /) -> bytes:
        """At most so many bytes, or half as many again; none at the end."""
        while not self._is_at_end:
            block = self._stream.read(max(n_bytes // 2, BLOCK_BYTES))
            self._is_at_end = not block
            try:
                text = self._decoder.decode(block, final=self._is_at_end)
            except UnicodeDecodeError as error:
                raise DamagedFile(f"it is not {self._encoding.upper()}: {error.reason}") from error
            if text:
                return text.encode("utf-8", "surrogatepass")
        return b""
