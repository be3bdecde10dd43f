"""OpenRLHF: the functions by which its data sets read a row, with a chat template."""

from export_on_disk import Export, run, tokenizer


def check(export: Export) -> dict:
    from importlib.metadata import version

    from openrlhf.datasets import prompts_dataset, reward_dataset, sft_dataset

    own = tokenizer()
    rows = export.loaded()
    template = {"apply_chat_template": own.apply_chat_template}
    for split in rows:
        for row in rows[split]:
            if export.kind == "sft":
                prompt, reply = sft_dataset.preprocess_data(row, None, "messages", **template)
                assert reply == row["messages"][-1]["content"] + "<|im_end|>\n"
            elif export.kind == "prompt":
                prompt, label = prompts_dataset.preprocess_data(row, None, "input", "label", **template)
                assert row["input"][-1]["content"] in prompt
                assert label == row["label"]
            else:
                is_dpo = export.kind == "preference"
                prompt, chosen, rejected, _ = reward_dataset.preprocess_data(row, is_dpo=is_dpo, **template)
                assert chosen.endswith(row["chosen"][-1]["content"] + "<|im_end|>\n")
                assert rejected.endswith(row["rejected"][-1]["content"] + "<|im_end|>\n")
                assert bool(prompt) == is_dpo
    return {"rows": export.splits, "version": version("openrlhf")}


run(check)
