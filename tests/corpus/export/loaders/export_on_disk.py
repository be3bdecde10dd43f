"""What a loader is held against: the export's manifest, its raw rows, and a tokenizer that needs no download."""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

NOT_IMPORTED = 3
"""The exit status that says: the toolkit cannot be imported here, so nothing was tried."""

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "TOKENIZERS_PARALLELISM": "false",
    "WANDB_MODE": "disabled",
}

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|im_end|>{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Export:
    """An export in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = json.loads((folder / "export.json").read_text())
        self.kind = self.manifest["kind"]

    @property
    def splits(self) -> dict[str, int]:
        return self.manifest["splits"]

    def shards(self, split: str) -> list[str]:
        named = (file["path"] for file in self.manifest["files"] if file["rows"])
        return [str(self.folder / path) for path in named if split in path and not path.startswith("tools")]

    def lines(self, split: str) -> list[dict]:
        return [json.loads(line) for path in self.shards(split) for line in Path(path).read_bytes().splitlines()]

    def loaded(self):
        """All rows by split, as `load_dataset` reads the folder; their number is that of the manifest."""
        from datasets import load_dataset

        found = load_dataset(str(self.folder))
        if (self.folder / "tools").exists():
            tools = load_dataset(str(self.folder), "tools")
            counts = {split: len(found[split]) + len(tools.get(split, ())) for split in found}
        else:
            counts = {split: len(found[split]) for split in found}
        assert counts == self.splits, (counts, self.splits)
        return found


def tokenizer():
    """A tokenizer of single bytes that speaks ChatML: nothing is unknown, and what is decoded is what was encoded."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    own = Tokenizer(models.BPE({piece: n for n, piece in enumerate([*special, *letters])}, []))
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=own,
        pad_token="<|pad|>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
        clean_up_tokenization_spaces=False,
    )
    made.chat_template = CHATML
    return made


def run(check: Callable[[Export], dict]) -> None:
    """Runs a loader's check on the folder that is named as argument, and says what it found as JSON.

    The check imports its toolkit itself: what the environment says is read at the import.
    """
    export = Export(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="export-check-", ignore_cleanup_errors=True) as cache:
        # A cache of its own: cached rows are found by path and time, so an old pass could stand for a new failure.
        os.environ |= {**OFFLINE, "HF_HOME": cache}
        try:
            found = check(export)
        except ImportError:
            traceback.print_exc()
            sys.exit(NOT_IMPORTED)
    print(json.dumps({"kind": export.kind, **found}))
