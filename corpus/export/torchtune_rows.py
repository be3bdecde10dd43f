"""torchtune: JSON lines for chat_dataset (conversation_style openai) and preference_dataset, and their configuration.

Its own checks refuse two user messages in a row, a late system message and ordinary tool messages; the strict rule of
corpus/export/talk_rules.py keeps all of them out before.
"""

from __future__ import annotations

import json

from corpus.export.formats import ExportFacts, Format, same_messages, whole_pair

_COMPONENT = {
    "sft": ("chat_dataset", "  conversation_column: messages\n  conversation_style: openai\n"),
    "preference": ("preference_dataset", ""),
    "reward": ("preference_dataset", ""),
}


def _configuration(facts: ExportFacts) -> str:
    name, more = _COMPONENT[facts.kind]
    parts = [
        f"{key}:\n  _component_: torchtune.datasets.{name}\n  source: json\n"
        f"  data_files: {json.dumps(list(facts.shards(split)))}\n  split: train\n{more}"
        for key, split in (("dataset", "train"), ("dataset_val", "validation"))
        if facts.shards(split)
    ]
    return "# Put this into a recipe's configuration; the paths start in this folder.\n" + "".join(parts)


def _usage(facts: ExportFacts) -> str:  # noqa: ARG001
    return "Put `torchtune.yaml` into a recipe's configuration and run `tune run` in this folder."


TORCHTUNE = Format(
    name="torchtune",
    title="torchtune, JSON lines and torchtune.yaml",
    shapes={"sft": same_messages, "preference": whole_pair, "reward": whole_pair},
    usage=_usage,
    companions=lambda facts: {"torchtune.yaml": _configuration(facts)},
)
