"""What a reviewer decided and the corpus does not have yet, kept on this machine line by line.

Each decision is on the disk before the page hears of it, so a crash or a closed browser loses nothing. The folder is
local state: the texts of edits lie in it, and nothing of it is published before it is saved to the corpus.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from corpus.stage import disk_errors, write_atomically
from schemas.decision import Choice
from schemas.errors import CorpusError, InputError

Messages = tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Ballot:
    """What a reviewer says of a sample now; the verdict None withdraws what they said before.

    `messages` are `{"role", "content"}`, for an edit only. `decided_at` is ISO 8601 UTC to the second.
    """

    sample_id: str
    verdict: Choice | None
    decided_at: str
    reason: str = ""
    messages: Messages | None = None

    def says(self) -> tuple[Choice | None, str, Messages | None]:
        """What is said, whenever it was said."""
        return self.verdict, self.reason, self.messages


class Journal:
    """The ballots of one reviewer on one night that are not in the corpus yet, in the order in which they were made.

    One process at a time holds it. `note` is what the holder tells others who ask for it (the address of its page).

    Raises:
        CorpusError: the folder cannot be written. InputError: a line of the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            said = os.read(self._lock, 4096).decode(errors="replace").strip()
            os.close(self._lock)
            raise Held(said) from error
        self.ballots = self._read()
        with disk_errors(path):
            self._file = path.open("ab")

    def tell(self, note: str) -> None:
        """Sets what others are told while this process holds the journal; only the owner of the file can read it."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, note.encode(), 0)

    def add(self, ballot: Ballot) -> None:
        """Keeps a ballot; it is on the disk when this returns."""
        with disk_errors(self.path):
            self._file.write(orjson.dumps(asdict(ballot)) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        self.ballots.append(ballot)

    def forget(self, n: int) -> None:
        """Forgets the oldest `n` ballots: the corpus has them."""
        left = self.ballots[n:]
        content = b"".join(orjson.dumps(asdict(ballot)) + b"\n" for ballot in left)
        self._file.close()
        write_atomically(self.path, content)
        with disk_errors(self.path):
            self._file = self.path.open("ab")
        self.ballots = left

    def close(self) -> None:
        """Lets others have it; closing twice does nothing."""
        if not self._file.closed:
            self._file.close()
            os.ftruncate(self._lock, 0)
            os.close(self._lock)

    def _read(self) -> list[Ballot]:
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:  # the last line was being written when the process died: nobody was told of it
            write_atomically(self.path, whole)
        return [self._ballot(line, number) for number, line in enumerate(whole.splitlines(), 1)]

    def _ballot(self, line: bytes, number: int) -> Ballot:
        try:
            plain: dict[str, Any] = orjson.loads(line)
            messages = plain.pop("messages")
            return Ballot(**plain, messages=tuple(messages) if messages is not None else None)
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.path}, line {number} is damaged: {error}; delete that line and run again"
            ) from error


class Held(CorpusError):
    """Another process holds the journal; `note` is what it said."""

    def __init__(self, note: str) -> None:
        super().__init__(
            "this night is open for review in another process" + (f": {note}" if note else "; end it, then run again")
        )
        self.note = note
