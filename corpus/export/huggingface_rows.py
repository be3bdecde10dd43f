"""Plain Hugging Face folders: everything that a row says, in Parquet or JSON lines, loadable by `load_dataset`.

Conversations in which tools speak are a configuration of their own, "tools"; conversations that no trainer takes as
they are (two user messages in a row, no answer at the end) are in, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from corpus.export.formats import MESSAGES, ExportFacts, Format, Record, Shape
from corpus.export.rows import Kind, Row
from corpus.export.talk_rules import ANY_TALK

_FACTS = ("source", "licence", "language", "model")


def _with_facts(shape: Shape) -> Shape:
    def shaped(row: Row) -> Record:
        facts = {name: row.provenance[name] for name in _FACTS}
        return {"id": row.sample_id, "expert": row.expert, **facts, **shape(row)}

    return shaped


def _sft(row: Row) -> Record:
    return {"messages": row.messages}


def _pair(row: Row) -> Record:
    return {"prompt": row.prompt, "chosen": row.completion, "rejected": row.worse, "signal": row.signal}


def _unpaired(row: Row) -> Record:
    return {"prompt": row.prompt, "completion": row.completion, "label": row.label}


def _prompt(row: Row) -> Record:
    return {"prompt": row.prompt, "reference": row.reply}


_SHAPES: Mapping[Kind, Shape] = {
    "sft": _with_facts(_sft),
    "preference": _with_facts(_pair),
    "unpaired": _with_facts(_unpaired),
    "prompt": _with_facts(_prompt),
    "reward": _with_facts(_pair),
}
_PAIR = [("prompt", MESSAGES), ("chosen", MESSAGES), ("rejected", MESSAGES), ("signal", pa.string())]
_COLUMNS: Mapping[Kind, list[tuple[str, pa.DataType]]] = {
    "sft": [("messages", MESSAGES)],
    "preference": _PAIR,
    "unpaired": [("prompt", MESSAGES), ("completion", MESSAGES), ("label", pa.bool_())],
    "prompt": [("prompt", MESSAGES), ("reference", pa.string())],
    "reward": _PAIR,
}


def _usage(facts: ExportFacts) -> str:
    more = ""
    if "tools" in facts.counts:
        more = '\n\nConversations in which tools speak: `load_dataset("PATH/OF/THIS/FOLDER", "tools")`.'
    return f"""```python
from datasets import load_dataset

rows = load_dataset("PATH/OF/THIS/FOLDER")
```{more}"""


PARQUET = Format(
    name="huggingface",
    title="a plain folder for load_dataset, Parquet",
    shapes=_SHAPES,
    usage=_usage,
    rules=ANY_TALK,
    is_parquet=True,
    columns={
        kind: pa.schema([(name, pa.string()) for name in ("id", "expert", *_FACTS)] + own)
        for kind, own in _COLUMNS.items()
    },
)

JSON_LINES = replace(
    PARQUET, name="huggingface-jsonl", title="a plain folder for load_dataset, JSON lines", is_parquet=False
)
