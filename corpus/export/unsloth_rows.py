"""Unsloth: the rows of TRL, whose trainers it patches; for SFT under `conversations`, as its own functions expect.

`standardize_data_formats` finds out which of a message's two keys is the role by looking at the first ten rows, and
wants no third key. Its older versions took the key with fewer different values, so a set of a few rows that repeat
themselves was read the wrong way round; rows that are named role and content already need not pass through it.
"""

from __future__ import annotations

from corpus.export.formats import ExportFacts, Format, Record
from corpus.export.rows import Row
from corpus.export.trl_rows import TRL

FEW_ROWS = 10
"""As many as it looks at."""


def _sft(row: Row) -> Record:
    return {"conversations": row.messages}


def _usage(facts: ExportFacts) -> str:
    if facts.kind != "sft":
        return TRL.usage(facts)
    return """```python
from datasets import load_dataset

rows = load_dataset("PATH/OF/THIS/FOLDER", split="train")
rows = rows.map(lambda row: {"text": tokenizer.apply_chat_template(row["conversations"], tokenize=False)})
```

The messages are named `role` and `content` already: `standardize_data_formats` has nothing to do."""


def _warnings(facts: ExportFacts) -> list[str]:
    if facts.kind != "sft" or facts.n_rows >= FEW_ROWS:
        return []
    return [f"fewer than {FEW_ROWS} rows: old versions of standardize_data_formats may take contents for roles"]


UNSLOTH = Format(
    name="unsloth",
    title="Unsloth, JSON lines for its TRL trainers",
    shapes={**TRL.shapes, "sft": _sft},
    usage=_usage,
    warnings=_warnings,
)
