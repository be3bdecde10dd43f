"""Opens a log whatever it is packed in: a plain file, gzip, or the parts of a ZIP archive."""

from __future__ import annotations

import gzip
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from corpus.sources.decode import JsonObject
from corpus.sources.problems import DamagedFile
from corpus.sources.streams import FileStream, Inflated, Transcoded, encoding_of
from corpus.sources.window import ByteStream, Window

_GZIP, _ZIP, _SQLITE = b"\x1f\x8b", b"PK\x03\x04", b"SQLite format 3\0"
_HEAD_BYTES = 16
_CHATGPT_MEMBER = re.compile(r"(.*/)?conversations(-\d+)?\.json$")
_LOG_MEMBER = re.compile(r".*\.(json|jsonl|ndjson)$", re.IGNORECASE)
_SIDE_MEMBER = re.compile(r"(.*/)?(message_feedback|user|shared_conversations|model_comparisons|group_chats)\.json$")


@dataclass(frozen=True)
class LogPart:
    """One stream of records: a file, or a member of an archive (`member`).

    `stream` opens it afresh from the beginning; it may be called again. `encoding` is that of the bytes; only
    `is_plain` parts (UTF-8, not compressed) can be read from an offset.
    """

    member: str
    stream: Callable[[], ByteStream]
    encoding: str = "utf-8"
    mark_bytes: int = 0
    is_plain: bool = False

    def window(self, *, on_bytes: Callable[[int], None] | None = None) -> Window:
        """The part from its beginning, as UTF-8 and without a byte-order mark."""
        stream = self.stream()
        if self.mark_bytes:
            stream.read(self.mark_bytes)
        if self.encoding != "utf-8":
            return Window(Transcoded(stream, self.encoding), on_bytes=on_bytes)
        return Window(stream, offset=self.mark_bytes, on_bytes=on_bytes)


@dataclass(frozen=True)
class OpenedLog:
    """The parts of a log, and what other members of its archive say: `side` maps their names to their parts."""

    parts: tuple[LogPart, ...]
    side: Mapping[str, LogPart] = field(default_factory=dict)


def is_database(file: Path) -> bool:
    """Whether it is an SQLite database."""
    return _head(file).startswith(_SQLITE)


@contextmanager
def opened(file: Path, n_bytes: int) -> Iterator[OpenedLog]:
    """The log in a file of that size; later growth is not read.

    Raises:
        DamagedFile: it cannot be opened, or it is an archive that is damaged or encrypted.
    """
    head = _head(file)
    if head.startswith(_ZIP):
        with _archive(file) as archive:
            yield _members(archive)
        return
    with _open(file) as raw:
        if head.startswith(_GZIP):
            yield OpenedLog((_part("", lambda: Inflated(_rewound_gzip(raw), n_bytes), is_plain=False),))
        else:
            yield OpenedLog((_part("", lambda: _rewound(raw, n_bytes), is_plain=True),))


def side_records(part: LogPart, max_bytes: int) -> list[JsonObject]:
    """The objects in a small member of an archive; none when it is damaged or too large."""
    from corpus.sources.records import Record
    from corpus.sources.values import ValueSplitter

    splitter = ValueSplitter(part.window(), max_bytes, lambda value: True)
    return [item.value for item in splitter if isinstance(item, Record)]


def _head(file: Path) -> bytes:
    with _open(file) as raw:
        return FileStream(raw).read(_HEAD_BYTES)


def _open(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise DamagedFile(f"the file cannot be opened: {error.strerror or error}") from error


def _rewound(raw: IO[bytes], n_bytes: int) -> ByteStream:
    raw.seek(0)
    return FileStream(raw, n_bytes)


def _rewound_gzip(raw: IO[bytes]) -> gzip.GzipFile:
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw)


def _part(member: str, stream: Callable[[], ByteStream], *, is_plain: bool) -> LogPart:
    encoding, mark_bytes = encoding_of(stream().read(4))
    return LogPart(member, stream, encoding, mark_bytes, is_plain and encoding == "utf-8")


@contextmanager
def _archive(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise DamagedFile(f"the ZIP archive is damaged ({error}); download or copy it again") from error
    with closing(archive):
        yield archive


def _members(archive: zipfile.ZipFile) -> OpenedLog:
    members = sorted((info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.filename)
    logs = [info for info in members if _CHATGPT_MEMBER.match(info.filename)]
    side = [info for info in members if _SIDE_MEMBER.match(info.filename)]
    logs = logs or [info for info in members if _LOG_MEMBER.match(info.filename) and info not in side]
    if not logs:
        raise DamagedFile("the ZIP archive holds no .json or .jsonl file")
    return OpenedLog(
        tuple(_member(archive, info) for info in logs),
        {info.filename.rpartition("/")[2]: _member(archive, info) for info in side},
    )


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> LogPart:
    if info.flag_bits & 1:
        raise DamagedFile("the ZIP archive is encrypted; unpack it with its password and pull the files in it")

    def stream() -> ByteStream:
        try:
            return Inflated(archive.open(info), info.compress_size)
        except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError) as error:
            raise DamagedFile(f"{info.filename} in the ZIP archive is damaged: {error}") from error

    return _part(info.filename, stream, is_plain=False)
