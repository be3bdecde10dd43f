"""Who says the same in other words: the cosine of two conversations' embeddings (schemas/embedding.py).

Duplicates by phrases are gone before the judge; the judge's sentence model then gives every conversation an embedding
for nothing, so those that say the same are told apart where the night picks, the best first. The comparison is exact:
a night's vectors are multiplied with all kept ones, 0.2 s beside 100,000 (measured). Only conversations that were
judged on this machine have an embedding; for others there are their phrases alone.

Of 700 real chats and the demo's, five pairs lie above 0.97 and all ask and answer the same in other words; from 0.95 to
0.97 lie parts of one long story; two chats taken at random have 0.06 in the median and below 0.67 in 99 of 100.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpus.seen import Seen
from schemas.embedding import model_of, unpacked

Kept = Callable[[str], Iterable[tuple[Sequence[str], Sequence[str]]]]
"""The kept embeddings of a model: content ids and packed vectors, in parts."""

_LOOKED_AT = 64
"""Kept conversations that are looked up for one of the night's, the nearest first: most were seen, not accepted."""


@dataclass(frozen=True)
class Near:
    """A conversation that says nearly the same: its content id, its night (None: tonight), the cosine of the two."""

    id: str
    night: str | None
    cosine: float


class Accepted:
    """What the corpus accepted before a night, to be asked for what is near in meaning."""

    def __init__(self, kept: Kept, seen: Seen, night: str) -> None:
        self._kept, self._seen, self._before = kept, seen, seen.sequence(night)

    def near(self, embeddings: Mapping[str, str], cosine_min: float) -> dict[str, list[Near]]:
        """What lies at least so near to each, the nearest first; an id without any is absent."""
        found: dict[str, list[Near]] = {}
        for model in sorted({model_of(text) for text in embeddings.values() if text}):
            asked = [one for one in sorted(embeddings) if model_of(embeddings[one]) == model]
            vectors = unpacked([embeddings[one] for one in asked])
            for ids, packed in self._kept(model):
                for one, other, cosine in _pairs(asked, vectors, ids, unpacked(packed), cosine_min):
                    found.setdefault(one, []).append(Near(other, None, cosine))
        return self._accepted({one: _nearest(some)[:_LOOKED_AT] for one, some in found.items()})

    def _accepted(self, found: Mapping[str, Sequence[Near]]) -> dict[str, list[Near]]:
        """Those that the corpus accepted, with their nights."""
        known = self._seen.by_content_id({near.id for some in found.values() for near in some}, self._before)
        nights = {one.content_id: one.night for one in known.values() if one.status == "accepted"}
        named = {
            one: [Near(near.id, nights[near.id], near.cosine) for near in some if near.id in nights]
            for one, some in found.items()
        }
        return {one: some for one, some in named.items() if some}


class Picked:
    """What the night has picked so far."""

    def __init__(self) -> None:
        self._vectors: dict[str, _Rows] = {}

    def add(self, content_id: str, embedding: str) -> None:
        """Adds a pick; one without an embedding is near to nothing."""
        if embedding:
            self._vectors.setdefault(model_of(embedding), _Rows()).add(content_id, unpacked([embedding])[0])

    def nearest(self, embedding: str) -> Near | None:
        """The nearest pick; None where there is none of the same model."""
        rows = self._vectors.get(model_of(embedding)) if embedding else None
        return rows.nearest(unpacked([embedding])[0]) if rows else None


class _Rows:
    """Vectors that grow by one, in an array that doubles."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._rows = np.zeros((0, 0), np.float32)

    def add(self, content_id: str, vector: NDArray[np.float32]) -> None:
        if len(self._ids) == len(self._rows):
            grown = np.zeros((max(256, 2 * len(self._rows)), len(vector)), np.float32)
            grown[: len(self._rows), : self._rows.shape[1]] = self._rows
            self._rows = grown
        self._rows[len(self._ids)] = vector
        self._ids.append(content_id)

    def nearest(self, vector: NDArray[np.float32]) -> Near:
        cosines = self._rows[: len(self._ids)] @ vector
        place = int(cosines.argmax())
        return Near(self._ids[place], None, round(float(cosines[place]), 3))


def near_in_night(embeddings: Mapping[str, str], cosine_min: float) -> dict[str, list[Near]]:
    """What of a night lies at least so near to each of it, the nearest first; an id without any is absent."""
    found: dict[str, list[Near]] = {}
    for model in sorted({model_of(text) for text in embeddings.values() if text}):
        ids = [one for one in sorted(embeddings) if model_of(embeddings[one]) == model]
        vectors = unpacked([embeddings[one] for one in ids])
        for one, other, cosine in _pairs(ids, vectors, ids, vectors, cosine_min):
            found.setdefault(one, []).append(Near(other, None, cosine))
    return {one: _nearest(some) for one, some in found.items()}


def _pairs(
    asked: Sequence[str],
    vectors: NDArray[np.float32],
    ids: Sequence[str],
    kept: NDArray[np.float32],
    cosine_min: float,
) -> Iterable[tuple[str, str, float]]:
    """(asked id, other id, cosine) of all that are near; nothing is near to itself."""
    cosines = np.round(vectors @ kept.T, 3)
    for row, column in zip(*np.nonzero(cosines >= cosine_min), strict=True):
        if asked[row] != ids[column]:
            yield asked[row], ids[column], round(float(cosines[row, column]), 3)


def _nearest(some: Iterable[Near]) -> list[Near]:
    return sorted(some, key=lambda near: (-near.cosine, near.id))
