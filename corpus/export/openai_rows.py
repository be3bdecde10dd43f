"""OpenAI fine-tuning: JSON lines of chats, of preferences (DPO) and of prompts (reinforcement fine-tuning).

Services that take the same files refuse a key that they do not know, so there is none: no ids.
"""

from __future__ import annotations

from corpus.export.formats import ExportFacts, Format, Record, same_messages
from corpus.export.rows import Row

MIN_EXAMPLES = 10
SHARD_BYTES = 200 * 10**6
"""OpenAI's documentation: at least ten examples; 512 MB a file on one page, 200 MB on another. The smaller holds."""


def _pair(row: Row) -> Record:
    return {
        "input": {"messages": row.prompt},
        "preferred_output": row.completion,
        "non_preferred_output": row.worse,
    }


def _prompt(row: Row) -> Record:
    return {"messages": row.prompt, "reference_answer": row.reply or ""}


def _warnings(facts: ExportFacts) -> list[str]:
    n_train = sum(by_split.get("train", 0) for by_split in facts.counts.values())
    return [f"{n_train} examples to train on; OpenAI takes at least {MIN_EXAMPLES}"] if n_train < MIN_EXAMPLES else []


def _usage(facts: ExportFacts) -> str:
    files = "\n".join(f"- {split}: `{path}`" for split in ("train", "validation") for path in facts.shards(split))
    return f"Upload with the purpose `fine-tune` and start a job; one file is one job's training set.\n\n{files}"


OPENAI = Format(
    name="openai",
    title="OpenAI fine-tuning, JSON lines",
    shapes={"sft": same_messages, "preference": _pair, "prompt": _prompt},
    usage=_usage,
    shard_bytes=SHARD_BYTES,
    warnings=_warnings,
)
