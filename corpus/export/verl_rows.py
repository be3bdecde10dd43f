"""verl: Parquet for MultiTurnSFTDataset, and prompts with the columns that its reinforcement learning reads.

`ground_truth` has one Arrow type in all rows, text: the reply that people kept. `data_source` selects the reward
function and is none of verl's own, so one must be given.
"""

from __future__ import annotations

import pyarrow as pa

from corpus.export.formats import MESSAGES, ExportFacts, Format, Record, same_messages
from corpus.export.rows import Row

_INDEX_DIGITS = 15
"""Hexadecimal digits of a sample's id that make its index: 60 bits, which a signed 64-bit number holds."""


def _prompt(row: Row) -> Record:
    return {
        "data_source": "gristmill",
        "prompt": row.prompt,
        "ability": row.expert,
        "reward_model": {"style": "model", "ground_truth": row.reply},
        "extra_info": {"index": int(row.sample_id[:_INDEX_DIGITS], 16), "split": row.split, "id": row.sample_id},
    }


def _unanswered(row: Row) -> str | None:
    return "ends_without_answer" if row.reply is None else None


def _usage(facts: ExportFacts) -> str:
    keys = "data.messages_key=messages" if facts.kind == "sft" else "data.prompt_key=prompt"
    files = " ".join(
        f"data.{key}_files=[{','.join(facts.shards(split))}]"
        for key, split in (("train", "train"), ("val", "validation"))
        if facts.shards(split)
    )
    reward = "\n\nGive a reward function of your own for the data source `gristmill`." if facts.kind == "prompt" else ""
    return f"```sh\n{keys} {files}\n```{reward}"


VERL = Format(
    name="verl",
    title="verl, Parquet",
    shapes={"sft": same_messages, "prompt": _prompt},
    usage=_usage,
    refusals={"prompt": _unanswered},
    is_parquet=True,
    columns={
        "sft": pa.schema([("messages", MESSAGES)]),
        "prompt": pa.schema(
            [
                ("data_source", pa.string()),
                ("prompt", MESSAGES),
                ("ability", pa.string()),
                ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
                ("extra_info", pa.struct([("index", pa.int64()), ("split", pa.string()), ("id", pa.string())])),
            ]
        ),
    },
)
