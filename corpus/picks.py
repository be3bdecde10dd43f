"""What the nights picked, by meaning: the embeddings of their picks, kept in `var/` and looked up by later nights.

A night is compared with the nights before it, also when it is run again after later ones; whether a pick was merged
since makes no difference, as in `corpus/seen.py`. So killing a night and repeating it picks the same. One SQLite file:
half a kilobyte a pick. What is forgotten is overwritten.

The comparison reads all picks: 500 conversations beside 10,000, 100,000 and 1,000,000 took 0.15, 1.0 and 9.9 s on two
busy cores, in 133 MB.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import orjson

from corpus.meaning import Block, Others
from corpus.stage import read_rows
from schemas.embedding import checked, model_of, numbers_of, unit_vectors
from schemas.errors import CorpusError

_TABLE = """
CREATE TABLE IF NOT EXISTS picks (
    content_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    night TEXT NOT NULL,
    model TEXT NOT NULL,
    numbers BLOB NOT NULL,     -- signed bytes
    PRIMARY KEY (content_id, sequence)
) WITHOUT ROWID
"""

_PER_BLOCK = 8_192
"""Vectors in memory at once: 13 MB of 384 numbers."""


class Picks:
    """The kept embeddings. Use as a context manager; the file is made on first use.

    Raises:
        CorpusError: the file is damaged, locked by another run, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Picks:
        with self._errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, timeout=30.0, isolation_level=None)
            self._base.execute("PRAGMA secure_delete = ON")
            self._base.execute(_TABLE)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._base.close()

    def record(self, sequence: int, night: str, embeddings: Mapping[str, str]) -> None:
        """Makes these, by content id, the picks of a night; those without an embedding are left out."""
        rows = [
            (one, sequence, night, model_of(text), numbers_of(text)) for one, text in sorted(embeddings.items()) if text
        ]
        with self._transaction():
            self._base.execute("DELETE FROM picks WHERE sequence = ?", (sequence,))
            self._base.executemany("INSERT INTO picks VALUES (?, ?, ?, ?, ?)", rows)

    def forget(self, content_ids: Collection[str]) -> None:
        """Removes these conversations, as retraction demands."""
        with self._transaction():
            self._base.executemany("DELETE FROM picks WHERE content_id = ?", [(one,) for one in sorted(content_ids)])

    def before(self, sequence: int) -> Others:
        """The picks of earlier nights, to be compared with (corpus/meaning.py)."""

        def blocks(model: str) -> Iterator[Block]:
            query = (
                "SELECT content_id, night, numbers FROM picks WHERE model = ? AND sequence < ? "
                "ORDER BY content_id, sequence"
            )
            with self._errors():
                found = self._base.execute(query, (model, sequence))
                while rows := found.fetchmany(_PER_BLOCK):
                    ids, nights, numbers = zip(*rows, strict=True)
                    yield Block(ids, nights, unit_vectors(numbers))

        return blocks

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                self._base.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CorpusError(
                f"the kept picks in {self.path} cannot be used ({error}); if another run holds them, wait for it; if "
                "the file is damaged, delete it: what earlier nights picked is then compared by its words alone"
            ) from error


def embeddings_in(selected: Path) -> dict[str, str]:
    """The embeddings of a SELECTED file by content id."""
    rows = read_rows(selected, ["content_id", "verdict"])
    return {row["content_id"]: checked(orjson.loads(row["verdict"]).get("embedding", "")) for row in rows}
