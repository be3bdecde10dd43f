"""Axolotl: JSON lines and a configuration, ready but for the model.

Three of its loaders are narrow. The one of preferences looks for the reply in the rendered text and cuts there, so a
reply that a template trims, or that stands in the template itself, would be cut wrongly without an error. KTO rows of
several turns are rendered as ChatML, whatever the model's template is. Reward rows have one question, not several
turns.
"""

from __future__ import annotations

import json

from corpus.export.formats import ExportFacts, Format, Record, same_messages
from corpus.export.rows import Kind, Row

TYPES: dict[Kind, str] = {
    "sft": "chat_template",
    "preference": "chat_template.default",
    "unpaired": "chatml.argilla_chat",
    "reward": "bradley_terry.chat_template",
}
"""The `type` of a data set's configuration."""

_TRAINING: dict[Kind, str] = {"sft": "", "preference": "rl: dpo\n", "unpaired": "rl: kto\n"}
_REWARD = "reward_model: true\nmodel_type: AutoModelForSequenceClassification\nnum_labels: 1\n"

_BEFORE_A_REPLY = (
    "<|im_start|>user\n[[dummy_message]]<|im_end|>\n<|im_start|>assistant\n",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n[[dummy_message]]<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<s>[INST] [[dummy_message]] [/INST] <bos><start_of_turn>user\n[[dummy_message]]<end_of_turn>\n"
    "<start_of_turn>model\n<|user|>\n[[dummy_message]]<|end|>\n<|assistant|>\n",
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n",
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n",
    "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n",
)
"""What the common templates (ChatML, Llama 3, Mistral, Gemma, Phi, Qwen, SmolLM) set before the first reply."""


def _pair(row: Row) -> Record:
    return {"messages": row.prompt, "chosen": row.completion[0], "rejected": row.worse[0]}


def _labelled(row: Row) -> Record:
    return {"completion": row.messages, "label": row.label}


def _reward(row: Row) -> Record:
    system = row.prompt[0]["content"] if row.prompt[0]["role"] == "system" else ""
    return {"system": system, "input": row.prompt[-1]["content"], "chosen": row.reply, "rejected": row.rejected}


def _cut_wrongly(row: Row) -> str | None:
    """The reason of a reply that would not be found where it stands."""
    for reply in (str(row.reply), str(row.rejected)):
        if reply != reply.strip() or any(reply in text for text in _BEFORE_A_REPLY):
            return "reply_not_found"
    return None


def _several_turns(row: Row) -> str | None:
    n_questions = sum(message["role"] == "user" for message in row.prompt)
    return "several_turns" if n_questions > 1 else None


def _configuration(facts: ExportFacts) -> str:
    lines = [
        "# Run in this folder:  axolotl train axolotl.yaml   (or preprocess, to look at the rows first)",
        "base_model:  # name the model",
        *([_REWARD.rstrip()] if facts.kind == "reward" else _TRAINING[facts.kind].splitlines()),
        "chat_template: tokenizer_default",
        *_data_sets("datasets", facts, "train"),
        *(_data_sets("test_datasets", facts, "validation") if facts.shards("validation") else ["val_set_size: 0"]),
        "dataset_prepared_path: prepared",
        "output_dir: trained",
        "sequence_len: 4096",
        "micro_batch_size: 1",
        "gradient_accumulation_steps: 8",
        "num_epochs: 1",
        "learning_rate: 0.00002",
        "optimizer: adamw_torch",
        "lr_scheduler: cosine",
    ]
    return "\n".join(lines) + "\n"


def _data_sets(key: str, facts: ExportFacts, split: str) -> list[str]:
    lines = [f"{key}:"] if facts.shards(split) else [f"{key}: []"]
    for path in facts.shards(split):
        lines += [f"  - path: {json.dumps(path)}", "    ds_type: json", f"    type: {TYPES[facts.kind]}"]
        lines += ["    split: train"]  # a single file has only this one
    return lines


def _usage(facts: ExportFacts) -> str:
    note = "The rows are rendered as ChatML, so take a model that speaks it." if facts.kind == "unpaired" else ""
    return f"Name the model in `axolotl.yaml`, then run `axolotl train axolotl.yaml` in this folder. {note}".strip()


AXOLOTL = Format(
    name="axolotl",
    title="Axolotl, JSON lines and axolotl.yaml",
    shapes={"sft": same_messages, "preference": _pair, "unpaired": _labelled, "reward": _reward},
    usage=_usage,
    refusals={"preference": _cut_wrongly, "reward": _several_turns},
    companions=lambda facts: {"axolotl.yaml": _configuration(facts)},
)
