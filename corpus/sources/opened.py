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
    """One stream of records: a file, or a member of an archive (then `member` is its name, else empty).

    `stream` opens it afresh from the beginning; it may be called again. `is_file` parts are bytes as they stand on the
    disk, so they can be read from an offset.
    """

    member: str
    stream: Callable[[], ByteStream]
    is_file: bool = False

    def window(self, *, at: tuple[int, int] | None = None, on_bytes: Callable[[int], None] | None = None) -> Window:
        """The part as UTF-8, behind its byte-order mark, or at an offset and its line (files in UTF-8 only).

        Raises:
            DamagedFile: it cannot be opened.
        """
        encoding, mark_bytes = encoding_of(self.stream().read(4))
        stream = self.stream()
        if at and isinstance(stream, FileStream) and encoding == "utf-8":
            stream.skip(at[0])
            return Window(stream, offset=at[0], line=at[1], on_bytes=on_bytes)
        if mark_bytes:
            stream.read(mark_bytes)
        if encoding != "utf-8":
            return Window(Transcoded(stream, encoding), on_bytes=on_bytes)
        return Window(stream, offset=mark_bytes, on_bytes=on_bytes)


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
            yield _members(archive, n_bytes)
        return
    with _open(file) as raw:
        if head.startswith(_GZIP):
            yield OpenedLog((LogPart("", lambda: Inflated(_rewound_gzip(raw), n_bytes)),))
        else:
            yield OpenedLog((LogPart("", lambda: _rewound(raw, n_bytes), is_file=True),))


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


@contextmanager
def _archive(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise DamagedFile(f"the ZIP archive is damaged ({error}); download or copy it again") from error
    with closing(archive):
        yield archive


def _members(archive: zipfile.ZipFile, n_bytes: int) -> OpenedLog:
    members = sorted((info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.filename)
    logs = [info for info in members if _CHATGPT_MEMBER.match(info.filename)]
    side = [info for info in members if _SIDE_MEMBER.match(info.filename)]
    logs = logs or [info for info in members if _LOG_MEMBER.match(info.filename) and info not in side]
    if not logs:
        raise DamagedFile("the ZIP archive holds no .json or .jsonl file")
    return OpenedLog(
        tuple(_member(archive, info, n_bytes) for info in logs),
        {info.filename.rpartition("/")[2]: _member(archive, info, n_bytes) for info in side},
    )


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, n_bytes: int) -> LogPart:
    if info.flag_bits & 1:
        raise DamagedFile("the ZIP archive is encrypted; unpack it with its password and pull the files in it")

    def stream() -> ByteStream:
        try:
            return Inflated(archive.open(info), min(info.compress_size, n_bytes))
        except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError) as error:
            raise DamagedFile(f"{info.filename} in the ZIP archive is damaged: {error}") from error

    return LogPart(info.filename, stream)
