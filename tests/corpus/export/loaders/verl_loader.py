"""verl: its own data sets on the Parquet files; it drops prompts that fail, so rows are counted."""

from export_on_disk import Export, run, tokenizer


def check(export: Export) -> dict:
    import verl
    from omegaconf import OmegaConf
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset
    from verl.utils.dataset.rl_dataset import RLHFDataset

    found = {}
    for split in export.splits:
        files = export.shards(split)
        if export.kind == "sft":
            config = OmegaConf.create({"max_length": 4096, "truncation": "error", "pad_mode": "no_padding"})
            rows = MultiTurnSFTDataset(files, tokenizer(), config)
            assert all(int(rows[n]["loss_mask"].sum()) > 0 for n in range(len(rows)))
        else:
            config = OmegaConf.create({"max_prompt_length": 4096, "filter_overlong_prompts_workers": 1})
            rows = RLHFDataset(files, tokenizer(), config)
            for n in range(len(rows)):
                assert rows[n]["reward_model"]["ground_truth"]
                assert rows[n]["index"] == rows[n]["extra_info"]["index"]
        found[split] = len(rows)
    return {"rows": found, "version": verl.__version__}


run(check)
