"""A log file as it is at one moment: its size and digests, so that what grows meanwhile does not matter."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from corpus.sources.problems import DamagedFile
from corpus.sources.sqlite_file import companions

_BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Stat:
    """Size and time of change of a file, with its companions' (a database's WAL)."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of a file, of its first bytes up to a given offset, and up to the end of its last whole line.

    `line_end` is that end and `line` the number of the line that begins there.
    """

    whole: str
    old: str
    line_end: int
    line: int
    to_line_end: str


def stat_of(file: Path) -> Stat:
    """What can be known without reading.

    Raises:
        DamagedFile: the file is gone.
    """
    try:
        facts = [path.stat() for path in (file, *companions(file))]
    except OSError as error:
        raise DamagedFile(f"the file cannot be opened: {error.strerror or error}") from error
    return Stat(sum(fact.st_size for fact in facts), max(fact.st_mtime_ns for fact in facts))


def digests_of(file: Path, size: int, old_offset: int) -> Digests:
    """The digests of the first `size` bytes, in one reading.

    Raises:
        DamagedFile: the file cannot be read.
    """
    try:
        with file.open("rb") as raw:
            found = _digests(raw, size, old_offset)
        rest = companions(file)
        if rest:
            whole = sha256(found.whole.encode())
            for path in rest:
                whole.update(path.read_bytes())
            found = Digests(whole.hexdigest(), found.old, 0, 1, "")
        return found
    except OSError as error:
        raise DamagedFile(f"the file cannot be read: {error.strerror or error}") from error


def _digests(raw: IO[bytes], size: int, old_offset: int) -> Digests:
    whole, at, line = sha256(), 0, 1
    old = to_line_end = sha256()
    line_end = 0
    while at < size and (block := raw.read(min(_BLOCK_BYTES, size - at))):
        if at < old_offset <= at + len(block):
            old = whole.copy()
            old.update(block[: old_offset - at])
        newline = block.rfind(b"\n") + 1
        if newline:
            to_line_end, line_end = whole.copy(), at + newline
            to_line_end.update(block[:newline])
            line += block.count(b"\n")
        whole.update(block)
        at += len(block)
    return Digests(whole.hexdigest(), old.hexdigest(), line_end, line, to_line_end.hexdigest())
