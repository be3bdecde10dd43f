"""TRL: conversational rows for SFTTrainer, DPOTrainer, KTOTrainer, GRPOTrainer and RewardTrainer.

The trainers look at the first row only to see what a set holds, so all rows of a set have the same keys. Further
columns (`id`, `signal`) are carried along and not read; GRPO hands `reference` to the reward function.
"""

from __future__ import annotations

from corpus.export.formats import ExportFacts, Format, Record, whole_pair
from corpus.export.rows import Row

_TRAINERS = {"sft": "SFT", "preference": "DPO", "unpaired": "KTO", "prompt": "GRPO", "reward": "Reward"}


def _sft(row: Row) -> Record:
    return {"id": row.sample_id, "messages": row.messages}


def _preference(row: Row) -> Record:
    pair = {"prompt": row.prompt, "chosen": row.completion, "rejected": row.worse}
    return {"id": row.sample_id, "signal": row.signal, **pair}


def _unpaired(row: Row) -> Record:
    return {"id": row.sample_id, "prompt": row.prompt, "completion": row.completion, "label": row.label}


def _prompt(row: Row) -> Record:
    return {"id": row.sample_id, "prompt": row.prompt, "reference": row.reply or ""}


def _reward(row: Row) -> Record:
    return {"id": row.sample_id, "signal": row.signal, **whole_pair(row)}


def _usage(facts: ExportFacts) -> str:
    trainer = f"{_TRAINERS[facts.kind]}Trainer"
    return f"""```python
from datasets import load_dataset
from trl import {trainer}

rows = load_dataset("PATH/OF/THIS/FOLDER", split="train")
{trainer}(..., train_dataset=rows).train()
```"""


TRL = Format(
    name="trl",
    title="TRL, conversational JSON lines",
    shapes={"sft": _sft, "preference": _preference, "unpaired": _unpaired, "prompt": _prompt, "reward": _reward},
    usage=_usage,
)
