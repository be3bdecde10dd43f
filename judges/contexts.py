"""What llama.cpp computes of a text: logits after a shared prefix, hidden states of inner layers, a sentence's vector.

Each text is read alone. Its values then depend on the text, not on what was read before or on the number of threads
(measured: equal to the last bit), while llama.cpp's batches of several sequences moved logits by up to 1.3. Contexts of
one model may run in threads at the same time: llama.cpp works outside the GIL. One compute thread each needs no
waiting at barriers: two of them read 1.1 to 1.5 times as much as one with two threads (texts of 64 to 1,024 tokens).
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from judges.llama import Model, quiet_backend, why
from schemas.errors import JudgeError

BATCH_TOKENS = 512
"""Tokens of one pass through the layers. llama.cpp's own default for a physical batch; 1,024 was slower here."""

Floats = NDArray[np.float32]

_ggml = ctypes.CDLL(str(next((Path(llama_cpp.__file__).parent / "lib").glob("*ggml-base.*"))))
_ggml.ggml_get_name.restype, _ggml.ggml_get_name.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
_ggml.ggml_nelements.restype, _ggml.ggml_nelements.argtypes = ctypes.c_int64, [ctypes.c_void_p]
_ggml.ggml_backend_tensor_get.restype = None
_ggml.ggml_backend_tensor_get.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]


class _Context:
    """Memory to compute in, for texts of `n_tokens` with `n_sequences` states.

    Raises:
        JudgeError: there is no memory for it.
    """

    def __init__(self, model: Model, n_tokens: int, n_sequences: int, **settings: object) -> None:
        self.n_vocab = model.n_vocab
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = -(-n_tokens // 256) * 256
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_seq_max, params.kv_unified, params.no_perf = n_sequences, True, True
        params.n_threads = params.n_threads_batch = 1
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        for name, value in settings.items():
            setattr(params, name, value)
        with quiet_backend():
            self.pointer = llama_cpp.llama_init_from_model(model.pointer, params)
            if not self.pointer:
                raise JudgeError(f"no context of {params.n_ctx} tokens: {why()}; lower judge.max_tokens")
        self.memory = llama_cpp.llama_get_memory(self.pointer)
        self._batch = llama_cpp.llama_batch_init(BATCH_TOKENS, 0, 1)

    def decode(self, tokens: Sequence[int], *, sequence: int, start: int, wanted: Collection[int] | None) -> None:
        """Computes at most `BATCH_TOKENS` tokens at position `start`; `wanted` are the rows to give out, None all."""
        batch = self._batch
        for row, token in enumerate(tokens):
            batch.token[row], batch.pos[row] = token, start + row
            batch.n_seq_id[row], batch.seq_id[row][0] = 1, sequence
            batch.logits[row] = wanted is None or row in wanted
        batch.n_tokens = len(tokens)
        if code := llama_cpp.llama_decode(self.pointer, batch):
            raise JudgeError(f"llama.cpp failed with code {code} on {len(tokens)} tokens at {start}: {why()}")

    def logits(self, row: int) -> Floats:
        """The values after one row of the last batch, over the vocabulary; llama.cpp's memory until the next."""
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self.pointer, row), shape=(self.n_vocab,))

    def close(self) -> None:
        """Frees the memory."""
        if self.pointer:
            llama_cpp.llama_batch_free(self._batch)
            llama_cpp.llama_free(self.pointer)
            self.pointer = None


def _parts(tokens: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    for begin in range(0, len(tokens), BATCH_TOKENS):
        yield begin, tokens[begin : begin + BATCH_TOKENS]


class Reader:
    """Logits of texts after a common prefix, whose state is computed once.

    Raises:
        JudgeError: there is no memory for the context.
    """

    def __init__(self, model: Model, prefix: Sequence[int], *, max_tokens: int) -> None:
        self._context, self._n_prefix = _Context(model, len(prefix) + max_tokens, 2), len(prefix)
        for begin, part in _parts(prefix):
            self._context.decode(part, sequence=0, start=begin, wanted=())

    def logits(self, tokens: Sequence[int], wanted: Sequence[int]) -> Iterator[tuple[int, Floats]]:
        """The logits after each token whose index is wanted, in rising order, as `(index, values of the vocabulary)`.

        The values are llama.cpp's own memory, good until the next is asked for.

        Raises:
            JudgeError: llama.cpp failed on this text.
        """
        llama_cpp.llama_memory_seq_rm(self._context.memory, 1, -1, -1)
        llama_cpp.llama_memory_seq_cp(self._context.memory, 0, 1, -1, -1)
        asked = frozenset(wanted)
        for begin, part in _parts(tokens):
            rows = [row for row in range(len(part)) if begin + row in asked]
            self._context.decode(part, sequence=1, start=self._n_prefix + begin, wanted=frozenset(rows))
            for row in rows:
                yield begin + row, self._context.logits(row)

    def close(self) -> None:
        """Frees the context."""
        self._context.close()


class StateReader:
    """Hidden states of inner layers for every token of a text, and the likelihood of tokens, in the same pass.

    llama.cpp hands out the last layer only, and computes the vocabulary projection for every token whose state is
    asked for; its evaluation callback sees the output of each layer (`l_out-<n>`) for all tokens at no such price.

    Args:
        model: the weights; the last layer's output is not to be had.
        layers: which layers' outputs, counted from 0.
        max_tokens: of one text.

    Raises:
        JudgeError: there is no memory for the context.
    """

    def __init__(self, model: Model, layers: Sequence[int], *, max_tokens: int) -> None:
        self._names = {f"l_out-{layer}".encode(): layer for layer in layers}
        self._seen: dict[int, list[Floats]] = {}
        self._callback = llama_cpp.ggml_backend_sched_eval_callback(self._watch)
        self._context, self._width = _Context(model, max_tokens, 1, cb_eval=self._callback), model.width

    def read(
        self, tokens: Sequence[int], likely: Collection[int] = ()
    ) -> tuple[Mapping[int, Floats], Mapping[int, float]]:
        """The states by layer, shape (tokens, width), and the log-probability in nats of each token in `likely`.

        Args:
            tokens: the text, at least one token.
            likely: indices above 0 of tokens whose likelihood is asked for.

        Raises:
            JudgeError: llama.cpp failed on this text.
        """
        self._seen = {layer: [] for layer in self._names.values()}
        llama_cpp.llama_memory_seq_rm(self._context.memory, 0, -1, -1)
        found: dict[int, float] = {}
        for begin, part in _parts(tokens):
            rows = [row for row in range(len(part)) if begin + row + 1 in likely]
            self._context.decode(part, sequence=0, start=begin, wanted=frozenset(rows))
            for row in rows:
                logits = self._context.logits(row)
                found[begin + row + 1] = float(logits[tokens[begin + row + 1]]) - log_sum(logits)
        return {layer: np.concatenate(parts) for layer, parts in self._seen.items()}, found

    def _watch(self, tensor: int, is_question: bool, _: object) -> bool:
        """Asked before each tensor whether we want it, and told after it was computed; False then stops the pass."""
        layer = self._names.get(_ggml.ggml_get_name(tensor))
        if is_question or layer is None:
            return layer is not None
        values = np.empty(_ggml.ggml_nelements(tensor), np.float32)
        _ggml.ggml_backend_tensor_get(tensor, values.ctypes.data, 0, values.nbytes)
        self._seen[layer].append(values.reshape(-1, self._width))
        return True

    def close(self) -> None:
        """Frees the context."""
        self._context.close()


class SentenceReader:
    """Vectors of texts under a sentence model; the cosine of two says how much they are about the same.

    Raises:
        JudgeError: there is no memory for the context.
    """

    def __init__(self, model: Model, *, max_tokens: int) -> None:
        self._model, self._max_tokens = model, max_tokens
        self._context = _Context(model, max_tokens, 1, embeddings=True)

    def vector(self, text: str) -> Floats:
        """The text's vector of length 1, from its first `max_tokens` tokens; zeros for a text without any.

        Raises:
            JudgeError: llama.cpp failed on this text.
        """
        begin, end = self._model.sentence_marks()
        tokens = [token for token in self._model.tokens(text) if token not in (begin, end)][: self._max_tokens - 2]
        llama_cpp.llama_memory_clear(self._context.memory, True)
        self._context.decode([begin, *tokens, end], sequence=0, start=0, wanted=None)
        pointer = llama_cpp.llama_get_embeddings_seq(self._context.pointer, 0)
        found = np.ctypeslib.as_array(pointer, shape=(self._model.width,)).astype(np.float32)
        return found / float(np.linalg.norm(found)) if tokens else np.zeros_like(found)

    def close(self) -> None:
        """Frees the context."""
        self._context.close()


def log_sum(logits: Floats) -> float:
    """The logarithm of the sum of exponentials."""
    top = float(logits.max())
    return top + float(np.log(np.exp(logits - top).sum(dtype=np.float64)))
