"""The samples most like each of a night's: in the corpus, and in the night itself.

The likeness is what `deduplicate` measures, the Jaccard similarity of the sets of word 5-grams; what it found too alike
is gone already. In the night every pair is compared. In the corpus those are compared that meet in the index of
`corpus/seen.py`: in a band of the MinHash signature (at 0.8 similarity 998 of 1000 do, at 0.5 three of ten), or in the
way they begin, the first message the same and any number after it. So it costs what the night costs.

Only what the corpus accepted is named, and by meaning what earlier nights picked and so proposed: ids of what was
merely seen are nobody's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, combinations
from typing import Any, Literal

import numpy as np

from corpus.fingerprint import Fingerprint
from corpus.meaning import Others, nearest, tonight
from corpus.minhash import band_keys, jaccard, signatures
from corpus.seen import Seen

SIMILARITY_MIN = 0.1
"""A tenth of the word 5-grams in common is no chance: two different chats seldom share a single one."""

COSINE_MIN = 0.8
"""About the same matter: of two real chats taken at random 99 in 100 lie below 0.67 (corpus/meaning.py)."""

SHOWN = 3
"""Neighbours of a sample, at most, by phrases and as many by meaning: what a reviewer may look at beside it."""

COMPARED = 64
"""Entries of the corpus that a sample is compared with, those that it meets most often first: half of what
`deduplicate` allows, since a family of many is known by its nearest members."""

PER_KEY = 128
"""Entries that are looked at for a band or a beginning, the first recorded: thousands of chats may begin alike."""

OWNERS_MAX = 32
"""A 5-gram of more samples of the night is a phrase of the bot, and says of no two that they are near."""


@dataclass(frozen=True)
class Neighbour:
    """A sample that is like another: its id, its night, and how like.

    `similarity` is of `phrases` the share of word 5-grams in common, of `meaning` the cosine of the embeddings.
    """

    id: str
    night: str
    similarity: float
    by: Literal["phrases", "meaning"] = "phrases"

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


def neighbours(night: str, marks: Sequence[Fingerprint], seen: Seen | None) -> dict[str, tuple[Neighbour, ...]]:
    """The nearest of each of the night's samples, the likest first; an id without any is absent.

    Args:
        night: its date.
        marks: the fingerprints of its samples.
        seen: the open index; only its nights before this one count. None: the night alone.
    """
    found = _in_corpus(marks, seen, seen.sequence(night)) if seen else {}
    for one, other, similarity in _in_night(marks):
        found.setdefault(one, []).append(Neighbour(other, night, similarity))
        found.setdefault(other, []).append(Neighbour(one, night, similarity))
    return {one: _nearest(found[one]) for one in sorted(found)}


def in_meaning(
    night: str, embeddings: Mapping[str, str], earlier: Others | None, named: Mapping[str, Collection[str]]
) -> dict[str, tuple[Neighbour, ...]]:
    """The same by what is said, whatever the words.

    Args:
        night: its date.
        embeddings: of its samples, by id.
        earlier: what the nights before picked; None: the night alone.
        named: ids that are neighbours by phrases already, and are not said twice.
    """
    near = nearest(embeddings, _chained(tonight(embeddings), earlier), n=2 * SHOWN, cosine_min=COSINE_MIN)
    found = {
        one: _nearest(
            Neighbour(other.id, other.night or night, other.cosine, "meaning")
            for other in some
            if other.id not in named.get(one, ())
        )
        for one, some in near.items()
    }
    return {one: some for one, some in found.items() if some}


def _chained(first: Others, second: Others | None) -> Others:
    return lambda model: chain(first(model), second(model) if second else ())


def _nearest(some: Iterable[Neighbour]) -> tuple[Neighbour, ...]:
    return tuple(sorted(some, key=lambda one: (-one.similarity, one.id))[:SHOWN])


def _in_corpus(marks: Sequence[Fingerprint], seen: Seen, before: int) -> dict[str, list[Neighbour]]:
    bands = band_keys(signatures([mark.shingles for mark in marks]), seen.banding).view(np.int64).tolist()
    own = {mark.content_id for mark in marks}
    found: dict[str, list[Neighbour]] = {}
    for mark, keys in zip(marks, bands, strict=True):
        if not len(mark.shingles):
            continue
        met = Counter(seen.meeting([*keys, *mark.links.tolist()], before, PER_KEY))
        others = [one for one in met if one.status == "accepted" and one.content_id not in own]
        for one in sorted(others, key=lambda one: (-met[one], one.content_id, one.entry))[:COMPARED]:
            similarity = round(jaccard(mark.shingles, seen.shingles(one.entry)), 2)
            if similarity >= SIMILARITY_MIN:
                found.setdefault(mark.content_id, []).append(Neighbour(one.content_id, one.night, similarity))
    return found


def _in_night(marks: Sequence[Fingerprint]) -> Iterator[tuple[str, str, float]]:
    """The pairs of the night that are alike: those with a 5-gram in common that few have, compared in full."""
    shingles = np.concatenate([np.empty(0, np.uint32), *(mark.shingles for mark in marks)])
    owners = np.repeat(np.arange(len(marks)), [len(mark.shingles) for mark in marks])
    order = np.lexsort((owners, shingles))
    _, firsts, counts = np.unique(shingles[order], return_index=True, return_counts=True)
    is_shared = (counts > 1) & (counts <= OWNERS_MAX)
    pairs = set[tuple[int, int]]()
    for first, n in zip(firsts[is_shared].tolist(), counts[is_shared].tolist(), strict=True):
        pairs.update(combinations(owners[order[first : first + n]].tolist(), 2))
    for one, other in sorted(pairs):
        similarity = round(jaccard(marks[one].shingles, marks[other].shingles), 2)
        if similarity >= SIMILARITY_MIN:
            yield marks[one].content_id, marks[other].content_id, similarity
