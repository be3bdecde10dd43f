"""torchtune: its builders on the files, its message transforms and its own validator on every row."""

import json

from export_on_disk import Export, run


def check(export: Export) -> dict:
    from importlib.metadata import version

    from torchtune.data import validate_messages
    from torchtune.datasets import chat_dataset, preference_dataset

    found = {}
    for split in export.splits:
        files = {"source": "json", "data_files": export.shards(split), "split": "train"}
        own = _Words()
        if export.kind == "sft":
            rows = chat_dataset(own, conversation_column="messages", conversation_style="openai", **files)
        else:
            rows = preference_dataset(own, **files)
        for row in rows:
            assert row
        for messages in own.seen:
            validate_messages(messages)
        found[split] = len(rows)
        said = [[(m.role, m.text_content) for m in messages] for messages in own.seen]
        assert said == [_said(one) for line in export.lines(split) for one in _conversations(line)]
    return {"rows": found, "version": version("torchtune")}


def _conversations(line: dict) -> list:
    return [line["messages"]] if "messages" in line else [line["chosen"], line["rejected"]]


def _said(messages: list) -> list:
    return [(message["role"], message["content"]) for message in messages]


class _Words:
    """A tokenizer of letters that remembers the messages it was given."""

    def __init__(self) -> None:
        self.seen: list = []

    def __call__(self, sample, inference=False):
        self.seen.append(sample["messages"])
        tokens, mask = self.tokenize_messages(sample.pop("messages"))
        return {**sample, "tokens": tokens, "mask": mask}

    def tokenize_messages(self, messages, add_end_tokens=True):
        if messages not in self.seen:
            self.seen.append(messages)
        text = json.dumps([m.text_content for m in messages])
        return [ord(letter) % 97 for letter in text], [False] * len(text)


run(check)
