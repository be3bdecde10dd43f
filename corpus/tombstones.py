"""What keeps a withdrawn conversation out for good: its ids, and marks that recognise its text without holding it.

A text comes back in other clothes: redacted by better rules, with another system prompt, a turn longer, a word changed.
So a tombstone keeps, besides the ids,

- `end`: the last link of the conversation's chain of turns (corpus/fingerprint.py), which every longer record of the
  same conversation has, too;
- `bands`: the 21 bands of its MinHash signature, each a digest of six of its word 5-grams together.

**What that gives away.** The tombstones are public, so they must not tell what was withdrawn. Kept shingles would:
each is a digest of five words, and five words can be guessed one line after the other. A band is met only by who knows
six places spread over the text at once: whoever has a share s of its 5-grams meets one of 21 with probability
1 - (1 - s^6)^21, so 0.005 for a quarter of the text, 0.03 for a third, and one half only for 0.56 of it. The id
and `end` can be met only by who has the whole text. All three confirm a text to somebody who has most of it, as the
public id of a sample always did; none of them tells what it was. A secret key would prevent even that, and with it
that anybody else could keep the text out, so there is none.

**What counts as come back.** Two shared bands. Of texts at similarity s so many are kept out (s^6 a band, 21 bands):

    similarity   0.3     0.4     0.5     0.6     0.7     0.8     0.9
    kept out     0.000   0.003   0.042   0.257   0.726   0.985   1.000

One band would keep out a quarter (0.28) of those at 0.5; three would let 6 in 100 of those at 0.8 return.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from corpus import fingerprint, minhash, words
from corpus.fingerprint import Fingerprint, fingerprints
from corpus.minhash import Banding, band_keys, signatures
from corpus.objects import Objects
from schemas.conversation import Turn
from schemas.errors import CorpusError, InputError
from schemas.sample import Tombstone

TOMBSTONES = "tombstones.jsonl"

BANDING = Banding(21, 6)
"""That of the default similarity, 0.8 (corpus/minhash.py); the same in every corpus, whatever its settings say."""

BANDS_MIN = 2
"""See above."""

_VERSIONS = (words.FORMAT_VERSION, minhash.FORMAT_VERSION, fingerprint.FORMAT_VERSION)
MARKS = f"{BANDING.n_bands}x{BANDING.n_rows} {'.'.join(map(str, _VERSIONS))}"
"""By which rules marks are made; marks of other rules are kept and not compared."""


@dataclass(frozen=True)
class Withdrawn:
    """All tombstones, ready to be asked; `ends` and `bands` lead from a mark to the places of their tombstones."""

    stones: tuple[Tombstone, ...] = ()
    ids: frozenset[str] = frozenset()
    conversation_ids: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    _ends: Mapping[int, int] = field(default_factory=dict)
    _bands: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, stones: Iterable[Tombstone]) -> Withdrawn:
        """Those of these tombstones."""
        kept = tuple(stones)
        ends: dict[int, int] = {}
        bands: dict[int, tuple[int, ...]] = {}
        for place, stone in enumerate(kept):
            if stone.marks == MARKS:
                if stone.end:
                    ends.setdefault(int(stone.end, 16), place)
                for band in stone.bands:
                    bands[int(band, 16)] = (*bands.get(int(band, 16), ()), place)
        return cls(
            kept,
            frozenset(stone.sample_id for stone in kept if stone.sample_id),
            frozenset(stone.conversation_id for stone in kept if stone.conversation_id),
            frozenset(stone.subject for stone in kept if stone.subject and not stone.sample_id),
            ends,
            bands,
        )

    def named(self, content_id: str, conversation_id: str | None = None, subject: str | None = None) -> str | None:
        """Which of a conversation's names has a tombstone, as evidence; None when none has."""
        if content_id in self.ids:
            return "its content id has a tombstone"
        if conversation_id in self.conversation_ids:
            return f"its conversation {conversation_id} has a tombstone"
        return "its contributor has withdrawn" if subject in self.subjects else None

    def resembled(self, mark: Fingerprint) -> str | None:
        """The tombstone whose text this one repeats or goes on with, as evidence; None when there is none."""
        if not self._ends and not self._bands:
            return None
        for link in mark.chain.tolist():
            if (place := self._ends.get(link & _64_BITS)) is not None:
                return f"it contains the withdrawn {self._name(place)}"
        met = Counter(place for key in _bands(mark) for place in self._bands.get(key, ()))
        place, n_bands = min(met.items(), key=lambda item: (-item[1], item[0]), default=(0, 0))
        if n_bands < BANDS_MIN:
            return None
        return f"it resembles the withdrawn {self._name(place)} ({n_bands} of {BANDING.n_bands} bands)"

    def _name(self, place: int) -> str:
        stone = self.stones[place]
        return str(stone.sample_id or stone.conversation_id)


_64_BITS = 2**64 - 1


def marks_of(mark: Fingerprint) -> dict[str, Any]:
    """The fields `end`, `bands` and `marks` of a tombstone for this text."""
    end = None if mark.end is None else f"{mark.end & _64_BITS:016x}"
    return {"end": end, "bands": tuple(f"{key:016x}" for key in sorted(_bands(mark))), "marks": MARKS}


def _bands(mark: Fingerprint) -> list[int]:
    if not len(mark.shingles):
        return []
    keys = band_keys(signatures([mark.shingles]), BANDING)
    return [int(key) for key in np.unique(keys)]


def mark_of(messages: Sequence[Mapping[str, str]], sample_id: str = "") -> Fingerprint:
    """The fingerprint of `{"role", "content"}` messages."""
    turns = [Turn(message["role"], message["content"]) for message in messages]  # type: ignore[arg-type]
    return next(fingerprints([(sample_id, turns)]))


def is_withdrawn(sample: Mapping[str, Any], withdrawn: Withdrawn) -> bool:
    """Whether a sample (a parsed line of a shard, from anybody) must not enter the corpus; see `why_withdrawn`."""
    return why_withdrawn(sample, withdrawn) is not None


def why_withdrawn(sample: Mapping[str, Any], withdrawn: Withdrawn) -> str | None:
    """What keeps a sample out, as evidence without a word of its text; None when nothing does.

    Raises:
        InputError: it is not of a sample's form.
    """
    try:
        provenance = sample["provenance"]
        named = withdrawn.named(sample["id"], provenance.get("conversation_id"), provenance.get("subject"))
        return named or withdrawn.resembled(mark_of(sample["messages"], sample["id"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"not a sample: {error!r:.80}") from error


def read_tombstones(store: Objects, commit: str) -> list[Tombstone]:
    """The tombstones of a commit, in the order of the file.

    Raises:
        CorpusError: a line cannot be read; what was withdrawn must not return because of that.
    """
    stones = []
    for number, line in enumerate((store.file(commit, TOMBSTONES) or b"").splitlines(), 1):
        if not line.strip():
            continue
        try:
            stones.append(Tombstone.from_json(orjson.loads(line)))
        except (orjson.JSONDecodeError, InputError) as error:
            raise CorpusError(
                f"the corpus has a damaged line ({TOMBSTONES}, line {number}): {error}; mend it there"
            ) from error
    return stones


def read_withdrawn(store: Objects, commit: str) -> Withdrawn:
    """The tombstones of a commit, ready to be asked. Raises as `read_tombstones`."""
    return Withdrawn.of(read_tombstones(store, commit))
