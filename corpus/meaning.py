"""Who says the same in other words: the cosine of two conversations' embeddings (schemas/embedding.py).

Duplicates by phrases are gone before the judge; the judge's sentence model then gives every conversation an embedding
for nothing, so those that say the same are told apart where the night picks, the best first. The comparison is exact,
block by block in a bounded memory. Only conversations that were judged on this machine have an embedding; for others
there are their phrases alone.

Of 700 real chats and the demo's, five pairs lie above 0.97 and all ask and answer the same in other words; from 0.95 to
0.97 lie parts of one long story; two chats taken at random have 0.06 in the median and below 0.67 in 99 of 100.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.embedding import model_of, numbers_of, unit_vectors

_ROWS = 1_000
"""Conversations of the night that are compared at once: 33 MB of cosines with a block of 8,192."""


@dataclass(frozen=True)
class Near:
    """A conversation that says nearly the same: its content id, its night (None: tonight), the cosine of the two."""

    id: str
    night: str | None
    cosine: float


@dataclass(frozen=True)
class Block:
    """Some conversations: content ids, nights (None: tonight) and unit vectors, shape (conversations, width)."""

    ids: Sequence[str]
    nights: Sequence[str | None]
    vectors: NDArray[np.float32]


Others = Callable[[str], Iterable[Block]]
"""The conversations to compare with that have an embedding of a model."""


def nearest(asked: Mapping[str, str], others: Others, *, n: int, cosine_min: float) -> dict[str, list[Near]]:
    """The n nearest to each, the nearest first, of those that are near at all; an id without any is absent.

    Args:
        asked: embeddings by content id. Nothing is near to itself.
        others: what to compare them with.
        n: how many, at most.
        cosine_min: from which cosine on, rounded to three places, two are near.
    """
    found: dict[str, list[Near]] = {}
    for block in _blocks(asked):
        model = model_of(asked[block.ids[0]])
        best: list[list[Near]] = [[] for _ in block.ids]
        for other in others(model):
            for row, some in _near(block, other, n, cosine_min):
                best[row] = sorted([*best[row], *some], key=lambda near: (-near.cosine, near.id))[:n]
        found |= {one: some for one, some in zip(block.ids, best, strict=True) if some}
    return found


def tonight(embeddings: Mapping[str, str]) -> Others:
    """A night's own conversations, to be compared with each other."""
    return lambda model: (block for block in _blocks(embeddings) if model_of(embeddings[block.ids[0]]) == model)


def _blocks(embeddings: Mapping[str, str]) -> Iterator[Block]:
    """Those that have an embedding, of one model each and in a bounded number, by content id."""
    for model in sorted({model_of(text) for text in embeddings.values() if text}):
        ids = [one for one in sorted(embeddings) if model_of(embeddings[one]) == model]
        for begin in range(0, len(ids), _ROWS):
            some = ids[begin : begin + _ROWS]
            yield Block(some, [None] * len(some), unit_vectors([numbers_of(embeddings[one]) for one in some]))


def _near(asked: Block, other: Block, n: int, cosine_min: float) -> Iterator[tuple[int, list[Near]]]:
    """The row of each that is asked, and the n nearest of a block to it, in any order."""
    products = asked.vectors @ other.vectors.T
    for row in np.flatnonzero(products.max(axis=1) >= cosine_min - 0.001).tolist():  # before rounding, which takes long
        name, cosines = asked.ids[row], np.round(products[row], 3)
        columns = np.flatnonzero(cosines >= cosine_min)
        if len(columns) > n + 1:  # itself may be among them
            columns = columns[np.argsort(-cosines[columns], kind="stable")[: n + 1]]
        some = [
            Near(other.ids[column], other.nights[column], round(float(cosines[column]), 3))
            for column in columns.tolist()
            if other.ids[column] != name
        ]
        if some:
            yield row, some


class Picked:
    """What the night has picked so far."""

    def __init__(self) -> None:
        self._of_model: dict[str, _Rows] = {}

    def add(self, content_id: str, embedding: str) -> None:
        """Adds a pick; one without an embedding is near to nothing."""
        if embedding:
            rows = self._of_model.setdefault(model_of(embedding), _Rows())
            rows.add(content_id, unit_vectors([numbers_of(embedding)])[0])

    def nearest(self, embedding: str) -> Near | None:
        """The nearest pick; None where there is none of the same model."""
        rows = self._of_model.get(model_of(embedding))
        return rows.nearest(unit_vectors([numbers_of(embedding)])[0]) if rows else None


class _Rows:
    """Vectors that grow by one, in an array that doubles."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._vectors = np.zeros((0, 0), np.float32)

    def add(self, content_id: str, vector: NDArray[np.float32]) -> None:
        if len(self._ids) == len(self._vectors):
            grown = np.zeros((max(256, 2 * len(self._vectors)), len(vector)), np.float32)
            grown[: len(self._vectors), : self._vectors.shape[1]] = self._vectors
            self._vectors = grown
        self._vectors[len(self._ids)] = vector
        self._ids.append(content_id)

    def nearest(self, vector: NDArray[np.float32]) -> Near:
        cosines = self._vectors[: len(self._ids)] @ vector
        place = int(cosines.argmax())
        return Near(self._ids[place], None, round(float(cosines[place]), 3))
