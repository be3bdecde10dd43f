"""Axolotl: axolotl.yaml as it reads it, and its strategies on every row."""

import os

from export_on_disk import Export, run, tokenizer


def check(export: Export) -> dict:
    from importlib.metadata import version

    import yaml
    from axolotl.utils.data.shared import load_dataset_with_config
    from axolotl.utils.dict import DictDefault

    os.chdir(export.folder)
    settings = yaml.safe_load((export.folder / "axolotl.yaml").read_text())
    configuration = DictDefault(settings)
    found = {}
    for key, split in (("datasets", "train"), ("test_datasets", "validation")):
        for number, one in enumerate(configuration[key] or ()):
            rows = load_dataset_with_config(DictDefault(one), use_auth_token=False)
            read = {"sft": _sft, "preference": _preference, "unpaired": _unpaired, "reward": _reward}[export.kind]
            read(configuration, key, number, rows)
            found[split] = found.get(split, 0) + len(rows)
    return {"rows": found, "version": version("axolotl")}


def _sft(configuration, key, number, rows) -> None:
    from axolotl.prompt_strategies.chat_template import load

    own = tokenizer()
    strategy = load(own, configuration, configuration[key][number])
    for row in rows:
        made = strategy.tokenize_prompt(row)
        taught = own.decode([token for token in made["labels"] if token != -100])
        for message in row["messages"]:
            assert message["role"] != "assistant" or message["content"] in taught


def _preference(configuration, key, number, rows) -> None:
    from axolotl.prompt_strategies.dpo.chat_template import default

    transform = default({**configuration, "datasets": configuration[key]}, number)
    transform = transform[0] if isinstance(transform, tuple) else transform
    own = tokenizer()
    for row in rows:
        made = transform(dict(row), tokenizer=own)
        assert made["chosen"] == row["chosen"]["content"] + "<|im_end|>", row
        assert made["rejected"] == row["rejected"]["content"] + "<|im_end|>", row


def _unpaired(configuration, key, number, rows) -> None:
    from axolotl.prompt_strategies.kto.chatml import argilla_chat

    transform = argilla_chat(configuration)
    for row in rows:
        made = transform(dict(row))
        assert made["prompt"].endswith("<|im_start|>assistant\n")
        assert made["completion"] == row["completion"][-1]["content"] + "<|im_end|>"
        assert isinstance(made["label"], bool)


def _reward(configuration, key, number, rows) -> None:
    from axolotl.prompt_strategies.bradley_terry.chat_template import load

    strategy = load(tokenizer(), configuration, configuration[key][number])
    for row in rows:
        made = strategy._tokenize_single_prompt(dict(row))
        assert made["chosen_ids"] != made["rejected_ids"]


run(check)
