"""LLaMA-Factory: ShareGPT-like JSON lines with role and content for keys, and the dataset_info.json that names them.

Its formatting `openai` is not used: it adds words to the system message and drops tool messages at the end. Rows that
it dislikes it drops with a warning only, and a text that names a medium by its tag needs that medium with a model that
sees, so such rows are left out here, with their count.
"""

from __future__ import annotations

import json
from typing import Any

from corpus.export.formats import ExportFacts, Format, Record, same_messages
from corpus.export.rows import Kind, Row

MEDIA_TAGS = ("<image>", "<video>", "<audio>")

_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": "function",
    "system_tag": "system",
}

_COLUMNS: dict[Kind, dict[str, str]] = {
    "sft": {},
    "preference": {"chosen": "chosen", "rejected": "rejected"},
    "reward": {"chosen": "chosen", "rejected": "rejected"},
    "unpaired": {"kto_tag": "label"},
}
_STAGES: dict[Kind, str] = {"sft": "sft", "preference": "dpo", "reward": "rm", "unpaired": "kto"}


def _pair(row: Row) -> Record:
    return {"messages": row.prompt, "chosen": row.completion[0], "rejected": row.worse[0]}


def _labelled(row: Row) -> Record:
    return {"messages": row.messages, "label": row.label}


def names_medium(row: Row) -> str | None:
    """The reason of a row whose text has the tag of an image, a video or a sound."""
    texts = [message["content"] for message in (*row.messages, *row.worse)]
    return "media_tag" if any(tag in text for text in texts for tag in MEDIA_TAGS) else None


def _dataset_info(facts: ExportFacts) -> str:
    # Once "columns" is given, a column that it does not name is none, so "messages" is named, too.
    described: dict[str, Any] = {
        f"gristmill_{split}": {
            "file_name": split,
            "formatting": "sharegpt",
            **({"ranking": True} if "chosen" in _COLUMNS[facts.kind] else {}),
            "columns": {"messages": "messages", **_COLUMNS[facts.kind]},
            "tags": _TAGS,
        }
        for split in ("train", "validation")
        if facts.shards(split)
    }
    return json.dumps(described, indent=2) + "\n"


def _usage(facts: ExportFacts) -> str:
    validation = "\neval_dataset: gristmill_validation" if facts.shards("validation") else ""
    return f"""In the training YAML:

```yaml
stage: {_STAGES[facts.kind]}
dataset_dir: PATH/OF/THIS/FOLDER
dataset: gristmill_train{validation}
```"""


LLAMAFACTORY = Format(
    name="llamafactory",
    title="LLaMA-Factory, JSON lines and dataset_info.json",
    shapes={"sft": same_messages, "preference": _pair, "reward": _pair, "unpaired": _labelled},
    usage=_usage,
    refusals=dict.fromkeys(("sft", "preference", "reward", "unpaired"), names_medium),
    layout="{split}/{number:05}-of-{total:05}",  # a folder that is named as a file may hold shards and nothing else
    companions=lambda facts: {"dataset_info.json": _dataset_info(facts)},
)
