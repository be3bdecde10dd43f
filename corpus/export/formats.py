"""What a toolkit's module says of its format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from corpus.export.rows import Kind, Row
from corpus.export.talk_rules import STRICT, TalkRules

Record = dict[str, Any]
Shape = Callable[[Row], Record]
Refusal = Callable[[Row], str | None]

SHARD_BYTES = 512 * 2**20
"""Of one file at most: the larger ones make a download that breaks off dear, and the hubs advise against them."""


@dataclass(frozen=True)
class ExportFacts:
    """What the files beside the rows are written from.

    `paths` are the shards of each split, relative to the export, by the name of the configuration ("default", or
    "tools" for conversations in which tools speak). `counts` are rows by configuration and split.
    """

    tag: str
    commit: str
    kind: Kind
    paths: Mapping[str, Mapping[str, Sequence[str]]]
    counts: Mapping[str, Mapping[str, int]]
    licences: Mapping[str, int]
    languages: Mapping[str, int]
    experts: Mapping[str, int]

    def shards(self, split: str) -> Sequence[str]:
        """The files of a split's ordinary conversations; empty when it has none."""
        return self.paths.get("default", {}).get(split, ())

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        return sum(sum(by_split.values()) for by_split in self.counts.values())


def _nothing(facts: ExportFacts) -> Mapping[str, str]:  # noqa: ARG001
    return {}


def _no_warning(facts: ExportFacts) -> Sequence[str]:  # noqa: ARG001
    return ()


@dataclass(frozen=True)
class Format:
    """One toolkit's form of the rows.

    Attributes:
        name: what `--format` takes.
        title: a line for people.
        shapes: per kind that the toolkit has, a row as its record; the keys of all records of a kind are the same.
        usage: how to load it, Markdown, by kind.
        rules: which conversations it can hold.
        refusals: per kind, the reason why a row that keeps the rules cannot be held all the same, or None.
        columns: per kind, the Arrow types: for Parquet, and for the description that `load_dataset` reads.
        is_parquet: Parquet rather than JSON lines.
        layout: the path of a shard, without its ending.
        shard_bytes: of one file, at most (unless one row is larger).
        companions: further files, path to text.
        warnings: what the toolkit asks of a whole set and this one does not give.
    """

    name: str
    title: str
    shapes: Mapping[Kind, Shape]
    usage: Callable[[ExportFacts], str]
    rules: TalkRules = STRICT
    refusals: Mapping[Kind, Refusal] = field(default_factory=dict)
    columns: Mapping[Kind, pa.Schema] | None = None
    is_parquet: bool = False
    layout: str = "{folder}/{split}-{number:05}-of-{total:05}"
    shard_bytes: int = SHARD_BYTES
    companions: Callable[[ExportFacts], Mapping[str, str]] = _nothing
    warnings: Callable[[ExportFacts], Sequence[str]] = _no_warning

    @property
    def ending(self) -> str:
        """Of the shards' names."""
        return "parquet" if self.is_parquet else "jsonl"


def same_messages(row: Row) -> Record:
    """The whole conversation under `messages`, which most toolkits read."""
    return {"messages": row.messages}


def whole_pair(row: Row) -> Record:
    """Two whole conversations, which differ in the last message alone."""
    return {"chosen": row.messages, "rejected": [*row.prompt, *row.worse]}


MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
"""The Arrow type of a conversation."""
