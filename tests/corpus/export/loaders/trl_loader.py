"""TRL: its data functions on every row, then one step of its trainer with a model of two layers."""

from export_on_disk import Export, run, tokenizer

END = "<|im_end|>\n"
REPLY = "<|im_start|>assistant\n"


def check(export: Export) -> dict:
    import trl

    rows, own = export.loaded(), tokenizer()
    for split in rows:
        _recognised(rows[split])
        _rendered(export.kind, rows[split], own)
        if export.kind in ("preference", "reward"):
            _taken_apart(export.kind, rows[split])
        else:
            assert trl.maybe_unpair_preference_dataset(rows[split]) is rows[split]
    _one_step(export.kind, rows, own)
    return {"rows": export.splits, "version": trl.__version__}


def _recognised(rows) -> None:
    """What TRL would convert if it took our rows for another shape stays as it is."""
    import trl

    for row in rows:
        assert trl.is_conversational(row), row["id"]
        assert trl.maybe_convert_to_chatml(dict(row)) == row


def _rendered(kind: str, rows, own) -> None:
    """As many texts as rows, each of which ends as its row does."""
    import trl

    made = rows.map(trl.maybe_apply_chat_template, fn_kwargs={"processing_class": own})
    assert len(made) == len(rows), (len(made), len(rows))
    for row, text in zip(rows, made, strict=True):
        assert text["id"] == row["id"]
        if kind == "sft":
            assert text["text"].endswith(REPLY + row["messages"][-1]["content"] + END), row["id"]
        else:
            assert "prompt" not in row or text["prompt"].endswith(row["prompt"][-1]["content"] + END + REPLY), row["id"]
        for key in {"completion", "chosen", "rejected"} & set(row):
            is_whole = len(row[key]) > 1
            assert text[key].endswith((REPLY if is_whole else "") + row[key][-1]["content"] + END), row["id"]
            assert is_whole or text[key] == row[key][0]["content"] + END, row["id"]


def _taken_apart(kind: str, rows) -> None:
    """A pair gives back its prompt and its two replies, and two rows when it is unpaired."""
    import trl

    pairs = rows.map(trl.maybe_extract_prompt)
    assert len(pairs) == len(rows), (len(pairs), len(rows))
    for row, pair in zip(rows, pairs, strict=True):
        before = row["prompt"] if kind == "preference" else []
        whole = {key: before + row[key] for key in ("chosen", "rejected")}
        assert trl.extract_prompt(whole) == {key: pair[key] for key in ("prompt", "chosen", "rejected")}, row["id"]
        assert {key: pair["prompt"] + pair[key] for key in whole} == whole, row["id"]
        assert len(pair["chosen"]) == len(pair["rejected"]) == 1, row["id"]
        assert pair["chosen"] != pair["rejected"], row["id"]
    for unpaired in (trl.unpair_preference_dataset(pairs), trl.maybe_unpair_preference_dataset(pairs)):
        said = {True: [], False: []}
        for one in unpaired:
            said[one["label"]].append((one["id"], one["prompt"], one["completion"]))
        for is_chosen, key in ((True, "chosen"), (False, "rejected")):
            assert said[is_chosen] == [(pair["id"], pair["prompt"], pair[key]) for pair in pairs]


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
