"""What a purge looks for, gathered from every object of a repository, and the proof that none of it is left."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from corpus.cut import parsed
from corpus.leaving import SaidText, text_of
from corpus.mirror import AllObjects
from corpus.passages import Passages, letters
from schemas.errors import CorpusError


@dataclass(frozen=True)
class Names:
    """What is withdrawn, by name."""

    ids: frozenset[str]
    conversation_ids: frozenset[str]

    def mean(self, sample: Mapping[str, Any]) -> bool:
        """Whether a line is of a withdrawn sample or conversation."""
        provenance = sample.get("provenance")
        conversation = provenance.get("conversation_id") if isinstance(provenance, dict) else None
        known = (sample.get("id"), conversation)
        return any(isinstance(one, str) and one in names for one, names in zip(known, self, strict=True))

    def __iter__(self) -> Iterator[frozenset[str]]:
        return iter((self.ids, self.conversation_ids))


@dataclass
class Texts:
    """What is withdrawn, as found in all shards of all times, by id."""

    by_id: dict[str, SaidText] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)

    def gather(self, objects: AllObjects, names: Names) -> None:
        """Adds what all objects of a repository have, whatever refers to them."""
        marks = Passages(one.encode() for group in names for one in group)
        for found, content in objects.contents(("blob",)):
            if marks.met(content):
                self._read(found.id, content, names)

    def _read(self, blob: str, content: bytes, names: Names) -> None:
        for line in content.splitlines():
            sample = parsed(line) if line.startswith(b"{") else None
            if sample and isinstance(sample.get("id"), str) and names.mean(sample) and (text := text_of(sample)):
                self.ids.add(text.sample_id)
                self.by_id[f"{text.sample_id} {hashlib.sha256(line).hexdigest()}"] = text

    @property
    def all(self) -> list[SaidText]:
        """Every version, in an order that is always the same."""
        return [self.by_id[key] for key in sorted(self.by_id)]


def prove(objects: AllObjects, passages: Passages) -> int:
    """Searches every object of a repository, those that nothing refers to included, and gives their number.

    Raises:
        CorpusError: a passage is left; the message names the objects.
    """
    left, n_objects = [], 0
    for found, content in objects.contents():
        n_objects += 1
        if passages.met(letters(content if found.type == "blob" else b" " + content)):
            left.append(f"{found.type} {found.id}")
    if left:
        listed = ", ".join(sorted(left)[:5])
        raise CorpusError(
            f"{len(left)} objects of {objects.path.name} still hold what was withdrawn ({listed}); a history is "
            "pushed only when none is left. Take them out by hand (the name of an author, a file of a kind that is not "
            "known), then run the same command again"
        )
    return n_objects
