"""What the nights picked, by meaning: the embeddings of their picks, kept in `var/` and looked up by later nights.

A night is compared with the nights before it, also when it is run again after later ones; whether a pick was merged
since makes no difference, as in `corpus/seen.py`. So killing a night and repeating it picks the same. One SQLite file:
half a kilobyte a pick. What is forgotten is overwritten.

The comparison reads all picks: 500 conversations beside 10,000, 100,000 and 1,000,000 took 0.15, 1.0 and 9.9 s on two
busy cores, in 133 MB.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import orjson

from corpus.meaning import Block, Others
from corpus.night_store import NightStore
from corpus.stage import read_rows
from schemas.embedding import checked, model_of, numbers_of, unit_vectors

_TABLE = """
CREATE TABLE IF NOT EXISTS picks (
    content_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    night TEXT NOT NULL,
    model TEXT NOT NULL,
    numbers BLOB NOT NULL,     -- signed bytes
    PRIMARY KEY (content_id, sequence)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS picks_of_night ON picks (sequence);
"""

_PER_BLOCK = 8_192
"""Vectors in memory at once: 13 MB of 384 numbers."""


class Picks(NightStore):
    """The kept embeddings; see `NightStore` for use and errors."""

    TABLE = _TABLE
    LOST = "what earlier nights picked is then compared by its words alone"

    def record(self, sequence: int, night: str, embeddings: Mapping[str, str]) -> None:
        """Makes these, by content id, the picks of a night; those without an embedding are left out."""
        rows = [
            (one, sequence, night, model_of(text), numbers_of(text)) for one, text in sorted(embeddings.items()) if text
        ]
        self._replace(sequence, rows)

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


def embeddings_in(selected: Path) -> dict[str, str]:
    """The embeddings of a SELECTED file by content id."""
    rows = read_rows(selected, ["content_id", "verdict"])
    return {row["content_id"]: checked(orjson.loads(row["verdict"]).get("embedding", "")) for row in rows}
