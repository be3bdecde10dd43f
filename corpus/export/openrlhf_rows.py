"""OpenRLHF: JSON lines whose keys are named on its command line.

Reward and DPO rows are two whole conversations that share all but the last message, from which it takes the prompt.
Prompts in which `<image>` stands are turned into lists by its loader, so they are left out.
"""

from __future__ import annotations

from corpus.export.formats import ExportFacts, Format, Record, same_messages, whole_pair
from corpus.export.rows import Row

_COMMANDS = {
    "sft": "openrlhf.cli.train_sft --data.input_key messages --data.multiturn",
    "preference": "openrlhf.cli.train_dpo --data.chosen_key chosen --data.rejected_key rejected",
    "reward": "openrlhf.cli.train_rm --data.chosen_key chosen --data.rejected_key rejected",
    "prompt": "openrlhf.cli.train_ppo_ray --data.input_key input --data.label_key label",
}


def _prompt(row: Row) -> Record:
    return {"input": row.prompt, "label": row.reply or "", "datasource": row.expert}


def _names_image(row: Row) -> str | None:
    return "media_tag" if any("<image>" in message["content"] for message in row.prompt) else None


def _usage(facts: ExportFacts) -> str:
    option = "--data.prompt_dataset" if facts.kind == "prompt" else "--data.dataset"
    return f"""```sh
python -m {_COMMANDS[facts.kind]} \\
  --data.apply_chat_template {option} PATH/OF/THIS/FOLDER ...
```"""


OPENRLHF = Format(
    name="openrlhf",
    title="OpenRLHF, JSON lines",
    shapes={"sft": same_messages, "preference": whole_pair, "reward": whole_pair, "prompt": _prompt},
    usage=_usage,
    refusals={"prompt": _names_image},
)
