"""TRL: its data functions on every row, then one step of its trainer with a model of two layers."""

from export_on_disk import Export, run, tokenizer


def check(export: Export) -> dict:
    import trl

    rows, own = export.loaded(), tokenizer()
    for split in rows:
        for row in rows[split]:
            assert trl.is_conversational(row)
            rendered = trl.apply_chat_template(row, own)
            assert all(text for key, text in rendered.items() if key != "label"), row["id"]
    _one_step(export.kind, rows, own)
    return {"rows": export.splits, "version": trl.__version__}


def _one_step(kind: str, rows, own) -> None:
    import trl

    n_rows = len(rows["train"])
    if kind == "prompt":
        return _one_grpo_step(rows["train"], own)
    trainer, config = {
        "sft": (trl.SFTTrainer, trl.SFTConfig),
        "preference": (trl.DPOTrainer, trl.DPOConfig),
        "unpaired": (trl.KTOTrainer, trl.KTOConfig),
        "reward": (trl.RewardTrainer, trl.RewardConfig),
    }[kind]
    facts = {"assistant_only_loss": True} if kind == "sft" else {}
    # Without one, the reference is loaded from the path that the model came from, and ours came from none.
    reference = {"ref_model": _model(kind, own)} if kind in ("preference", "unpaired") else {}
    made = trainer(
        model=_model(kind, own),
        **reference,
        args=config(**_arguments(), **facts, max_length=4096, per_device_train_batch_size=4),
        train_dataset=rows["train"],
        eval_dataset=rows.get("validation"),
        processing_class=own,
    )
    assert len(made.train_dataset) == n_rows, (len(made.train_dataset), n_rows)
    made.train()
    return None


def _one_grpo_step(rows, own) -> None:
    import trl

    def longer(completions, reference, **_):
        assert all(isinstance(text, str) for text in reference)
        return [float(len(said[0]["content"])) for said in completions]

    arguments = trl.GRPOConfig(
        **_arguments(), per_device_train_batch_size=2, num_generations=2, max_completion_length=4
    )
    trl.GRPOTrainer(
        model=_model("prompt", own), args=arguments, train_dataset=rows, reward_funcs=longer, processing_class=own
    ).train()


def _arguments() -> dict:
    quiet = {"report_to": "none", "disable_tqdm": True, "save_strategy": "no", "logging_strategy": "no"}
    return {"output_dir": "trained", "max_steps": 1, "use_cpu": True, "bf16": False, **quiet}


def _model(kind: str, own):
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=len(own),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        pad_token_id=own.pad_token_id,
        eos_token_id=own.eos_token_id,
        bos_token_id=None,
        num_labels=1,
    )
    return (LlamaForSequenceClassification if kind == "reward" else LlamaForCausalLM)(config)


run(check)
