"""Whose samples were proposed before: by pseudonym, so that the first ones of a contributor can be read with care.

A file in `var/`, keyed hashes only. It is no more than memory: where it was lost, everybody is new again, and people
read a little more than they need to.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from corpus.seen import Seen
from schemas.errors import CorpusError

_TABLE = """
CREATE TABLE IF NOT EXISTS picks (
    subject TEXT NOT NULL, content_id TEXT NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (subject, sequence, content_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS picks_of_night ON picks (sequence);
"""

_LOOKED_AT = 200
"""Earlier samples of a contributor that are looked up, the first ones: of so many, one was accepted, or they should be
read with care indeed."""


class Contributors:
    """The picks of all nights by contributor, in a file that is made when it is missing. Use as a context manager.

    Raises:
        CorpusError: the file cannot be used; the message says what to do.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Contributors:
        with self._errors():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            self._base.executescript(_TABLE)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._base.close()

    def new_among(self, subjects: Mapping[str, str], sequence: int, seen: Seen) -> frozenset[str]:
        """One of each new contributor's samples, by content id; those who were proposed before but not accepted, too.

        Args:
            subjects: content id to pseudonym of the night's samples.
            sequence: the night's place; only nights before it count.
            seen: the open index, which knows what was accepted.
        """
        by_subject: dict[str, list[str]] = defaultdict(list)
        for one, subject in subjects.items():
            by_subject[subject].append(one)
        return frozenset(min(ids) for subject, ids in by_subject.items() if not self._is_known(subject, sequence, seen))

    def _is_known(self, subject: str, sequence: int, seen: Seen) -> bool:
        query = "SELECT content_id FROM picks WHERE subject = ? AND sequence < ? ORDER BY sequence, content_id LIMIT ?"
        with self._errors():
            earlier = [one for (one,) in self._base.execute(query, (subject, sequence, _LOOKED_AT))]
        return any(one.status == "accepted" for one in seen.by_content_id(earlier, sequence).values())

    def record(self, subjects: Mapping[str, str], sequence: int) -> None:
        """Makes these the night's picks, in one transaction."""
        rows = ((subject, one, sequence) for one, subject in subjects.items())
        with self._errors():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                self._base.execute("DELETE FROM picks WHERE sequence = ?", (sequence,))
                self._base.executemany("INSERT OR IGNORE INTO picks VALUES (?, ?, ?)", rows)
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CorpusError(
                f"{self._path} cannot be used ({error}); free space or allow writing there, or, if it is damaged, "
                "delete it: then every contributor counts as new once"
            ) from error
