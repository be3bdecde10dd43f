"""What reviewers are told of a sample besides its line, worked out where the night ran.

The notes go through the stage file, so that proposing depends on files alone. They are no part of the samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from corpus.contributors import Contributors
from corpus.fingerprint import Fingerprint, fingerprints
from corpus.meaning import Others
from corpus.neighbours import Neighbour, in_meaning, neighbours
from corpus.seen import Seen
from schemas.canonical import canonical_bytes
from schemas.conversation import Turn
from schemas.embedding import checked


@dataclass(frozen=True)
class ReviewNotes:
    """The verdict's uncertainty (see `schemas.verdict`), the nearest samples, and whether the contributor is new."""

    uncertainty: float | None = None
    neighbours: tuple[Neighbour, ...] = ()
    is_new_contributor: bool = False

    def to_text(self) -> str:
        """Canonical JSON that `from_text` turns back into an equal value."""
        plain = {
            "uncertainty": self.uncertainty,
            "neighbours": [one.to_json() for one in self.neighbours],
            "is_new_contributor": self.is_new_contributor,
        }
        return canonical_bytes(plain).decode()

    @classmethod
    def from_text(cls, text: str | None) -> ReviewNotes:
        """The value that `to_text` wrote; nothing known where there is no text."""
        if text is None:
            return cls()
        plain = orjson.loads(text)
        near = tuple(Neighbour(**one) for one in plain["neighbours"])
        return cls(plain["uncertainty"], near, plain["is_new_contributor"])


class NightNotes:
    """Gathers what the notes of a night need from its picks, batch by batch; their texts are not kept."""

    def __init__(self) -> None:
        self._marks: list[Fingerprint] = []
        self._subjects: dict[str, str] = {}
        self._uncertainties: dict[str, float | None] = {}
        self._embeddings: dict[str, str] = {}

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Takes in SELECTED rows."""
        batch: list[tuple[str, Sequence[Turn]]] = []
        for row in rows:
            turns = [Turn(message["role"], message["content"]) for message in row["messages"]]
            batch.append((row["content_id"], turns))
            verdict = orjson.loads(row["verdict"])
            self._uncertainties[row["content_id"]] = verdict.get("uncertainty")
            self._embeddings[row["content_id"]] = checked(verdict.get("embedding", ""))
            if row["subject"]:
                self._subjects[row["content_id"]] = row["subject"]
        self._marks += fingerprints(batch)

    def all(
        self, night: str, seen: Seen | None, contributors: Contributors | None, earlier: Others | None = None
    ) -> dict[str, ReviewNotes]:
        """The notes by sample id; without an index nothing is known of the corpus, without contributors nobody is new.

        The night's picks are recorded with their contributors.
        """
        near = neighbours(night, self._marks, seen)
        named = {one: {other.id for other in some} for one, some in near.items()}
        alike = in_meaning(night, self._embeddings, earlier, named)
        new: frozenset[str] = frozenset()
        if seen and contributors:
            new = contributors.new_among(self._subjects, seen.sequence(night), seen)
            contributors.record(self._subjects, seen.sequence(night))
        return {
            one: ReviewNotes(uncertainty, (*near.get(one, ()), *alike.get(one, ())), one in new)
            for one, uncertainty in self._uncertainties.items()
        }
