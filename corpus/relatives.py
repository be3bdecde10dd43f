"""Which samples go with one that is withdrawn: edits of it, longer and shorter records of its conversation.

Looked for where people can still meet them: on the base branch and on the branches of open nights. Only files that
hold one of the ids are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from corpus.bulk import BulkObjects
from corpus.cut import parsed
from schemas.errors import InputError

SHORTEST_ID = 8
"""Characters of a shortened id: 32 bits, so that in a corpus of a million samples one in 4,000 means two."""

MAX_LISTED = 10


class Place(NamedTuple):
    """A branch and the commit where it is."""

    branch: str
    commit: str


NIGHT_BRANCH = "night/"


def scope(place: Place, folder: Literal["data", "decisions"]) -> str:
    """Where to look below a folder: all of it on the base branch, an open night's own files on its branch."""
    night = place.branch.removeprefix(NIGHT_BRANCH)
    if night == place.branch:
        return folder
    return f":(glob)data/*/*/{night}.jsonl" if folder == "data" else f"decisions/{night}.jsonl"


class Line(NamedTuple):
    """A sample's line in a shard of a branch, parsed."""

    place: Place
    path: str
    sample: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The sample's id."""
        return str(self.sample["id"])

    def origin(self, name: str) -> Any:
        """A value of the sample's provenance, None where it has none."""
        provenance = self.sample.get("provenance")
        return provenance.get(name) if isinstance(provenance, dict) else None


@dataclass
class Family:
    """What is withdrawn together.

    `ids` are samples and what was made of them, `parts` shorter records whose whole text stands in one of them.
    `lines` are where they stand now.
    """

    ids: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)
    conversation_ids: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)

    @property
    def all_ids(self) -> set[str]:
        """Of all samples."""
        return self.ids | self.parts

    def size(self) -> int:
        """Grows with every name that is found."""
        return len(self.ids) + len(self.parts) + len(self.conversation_ids)


def lines_with(store: BulkObjects, places: Sequence[Place], texts: Collection[str]) -> Iterator[Line]:
    """The lines of all shards that hold one of these texts, and others of the same shards."""
    for place in places:
        for path in store.containing(place.commit, texts, scope(place, "data")):
            for line in (store.file(place.commit, path) or b"").splitlines():
                sample = parsed(line)
                if sample and isinstance(sample.get("id"), str):
                    yield Line(place, path, sample)


def _decided(store: BulkObjects, places: Sequence[Place], texts: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """Sample and edited sample of the decisions in files that hold one of these texts."""
    for place in places:
        for path in store.containing(place.commit, texts, scope(place, "decisions")):
            for line in (store.file(place.commit, path) or b"").splitlines():
                plain = parsed(line) or {}
                sample_id, edited_id = plain.get("sample_id"), plain.get("edited_id")
                if isinstance(sample_id, str):
                    yield sample_id, edited_id if isinstance(edited_id, str) else None


def resolved(
    store: BulkObjects, places: Sequence[Place], identifier: str, local: Collection[tuple[str, str]]
) -> Family:
    """The sample or the conversation that an id means; at least its first eight characters.

    Args:
        store: the corpus.
        places: where to look.
        identifier: of a sample or of a conversation.
        local: content id and conversation id of conversations on this machine that it may mean, too.

    Raises:
        InputError: it means none, or several; the message lists them.
    """
    asked = identifier.strip().lower()
    if len(asked) < SHORTEST_ID or not set(asked) <= set("0123456789abcdef"):
        raise InputError(
            f"{identifier!r} is no id: give at least the first {SHORTEST_ID} of its 32 hexadecimal characters, "
            "or `--subject` for a contributor"
        )
    samples = {(line.id, str(line.origin("conversation_id") or "")) for line in lines_with(store, places, [asked])}
    samples |= {(sample_id, "") for pair in _decided(store, places, [asked]) for sample_id in pair if sample_id}
    samples |= set(local)
    ids = {sample_id for sample_id, _ in samples if sample_id.startswith(asked)}
    conversations = {conversation for _, conversation in samples if conversation.startswith(asked)}
    if len(ids | conversations) > 1:
        listed = ", ".join(sorted(ids | conversations)[:MAX_LISTED])
        raise InputError(f"{identifier!r} means {len(ids | conversations)} things: {listed}; write more characters")
    return Family(ids=ids, conversation_ids=conversations)


def with_relatives(store: BulkObjects, places: Sequence[Place], family: Family) -> Family:
    """The family made complete: its edits and originals, other records of its conversations, and what extends it."""
    size = -1
    while family.size() > size:
        size = family.size()
        texts = family.ids | family.parts | family.conversation_ids | family.subjects
        _follow_decisions(store, places, family)
        family.lines = [line for line in lines_with(store, places, texts) if _adopt(line, family)]
    return family


def _follow_decisions(store: BulkObjects, places: Sequence[Place], family: Family) -> None:
    for sample_id, edited_id in _decided(store, places, family.ids):
        if edited_id and (sample_id in family.ids or edited_id in family.ids):
            family.ids |= {sample_id, edited_id}


def _adopt(line: Line, family: Family) -> bool:
    """Whether a line belongs to the family; then its names do, too."""
    conversation, extends = line.origin("conversation_id"), line.origin("extends")
    is_core = (
        line.id in family.ids
        or conversation in family.conversation_ids
        or line.origin("subject") in family.subjects
        or extends in family.ids
    )
    if is_core:
        family.ids.add(line.id)
        family.parts.discard(line.id)
        family.conversation_ids |= {conversation} if isinstance(conversation, str) and conversation else set()
        if isinstance(extends, str) and extends not in family.ids:
            family.parts.add(extends)
    return is_core or line.id in family.parts
