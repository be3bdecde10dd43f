"""llama.cpp in this process: loads a GGUF and gives the logits that were asked for. Generates no text.

The only module that imports llama_cpp. Its C log is silenced; the error lines are kept for messages. What is asked of
the model, and what its answers mean, is in judges/reading.py.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from schemas.errors import JudgeError

BATCH_TOKENS = 512
"""Tokens of one pass through the layers. llama.cpp's own default for a physical batch; 1,024 was slower here."""

FORMATS = {
    "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
    "q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "bf16": llama_cpp.LLAMA_FTYPE_MOSTLY_BF16,
}

_ERROR_LEVEL = 4
_error_lines: deque[str] = deque(maxlen=5)
_backend_lock = threading.Lock()


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator, unused-ignore]
def _keep_errors(level: int, text: bytes, _: object) -> None:
    if level == _ERROR_LEVEL:
        _error_lines.append(text.decode("utf-8", "replace").strip())


@contextmanager
def _quiet_backend() -> Iterator[None]:
    """One caller at a time, our log callback set, the error lines of this call only."""
    with _backend_lock:
        llama_cpp.llama_log_set(_keep_errors, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        _error_lines.clear()
        yield


def _why() -> str:
    return "; ".join(_error_lines) or "llama.cpp gave no reason"


def requantise(source: Path, target: Path, *, name: str, n_threads: int) -> None:
    """Writes the weights of a GGUF in another format of `FORMATS`; the same source gives the same bytes.

    Raises:
        JudgeError: the source is no GGUF, or the target cannot be written.
    """
    with _quiet_backend():
        params = llama_cpp.llama_model_quantize_default_params()
        params.nthread, params.ftype, params.allow_requantize = n_threads, FORMATS[name], True
        failed = llama_cpp.llama_model_quantize(bytes(source), bytes(target), ctypes.byref(params))
        if failed:
            raise JudgeError(
                f"{source} could not be written as {name} to {target}: {_why()}; check that there is room for "
                f"{source.stat().st_size // 2**20} MiB and that the file is a whole GGUF model"
            )


class Model:
    """The weights of a GGUF with their vocabulary; shared by any number of `Reader`s.

    Raises:
        JudgeError: the file is missing or damaged, or is no model that llama.cpp knows.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise JudgeError(f"the model {path} does not exist; set judge.model to a GGUF file or remove the setting")
        with _quiet_backend():
            params = llama_cpp.llama_model_default_params()
            params.n_gpu_layers = 0
            self._model = llama_cpp.llama_model_load_from_file(bytes(path), params)
            if not self._model:
                raise JudgeError(f"{path} cannot be loaded as a GGUF model: {_why()}; fetch the file again")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.n_vocab = int(llama_cpp.llama_vocab_n_tokens(self._vocab))
        self.n_ctx_train = int(llama_cpp.llama_model_n_ctx_train(self._model))

    def tokens(self, text: str, *, has_control: bool = False) -> list[int]:
        """The tokens of a text; control tokens are recognised only where `has_control` says so.

        Without it no token that comes back is a control token: a text that spells one is cut into characters.
        """
        found = self._tokenise(text, has_control)
        if not has_control and any(self._is_control(token) for token in found):
            return [token for character in text for token in self._tokenise(character, False)]
        return found

    def _tokenise(self, text: str, has_control: bool) -> list[int]:
        encoded = text.encode("utf-8", "replace")
        room = len(encoded) + 8
        buffer = (llama_cpp.llama_token * room)()
        n = llama_cpp.llama_tokenize(self._vocab, encoded, len(encoded), buffer, room, False, has_control)
        assert n >= 0, "a token stands for at least one byte"
        return list(buffer[:n])

    def _is_control(self, token: int) -> bool:
        return bool(llama_cpp.llama_vocab_is_control(self._vocab, token))

    def begins_with_bos(self) -> int | None:
        """The token that every prompt of this model begins with, None where it has none."""
        if not llama_cpp.llama_vocab_get_add_bos(self._vocab):
            return None
        return int(llama_cpp.llama_vocab_bos(self._vocab))

    def chat_prompt(self, system: str, user: str) -> str:
        """A system and a user message in the model's chat template (ChatML where it has none), ready for the answer."""
        template = llama_cpp.llama_model_chat_template(self._model, None) or b"chatml"
        messages = (llama_cpp.llama_chat_message * 2)(
            llama_cpp.llama_chat_message(b"system", system.encode()),
            llama_cpp.llama_chat_message(b"user", user.encode()),
        )
        room = 4 * (len(system.encode()) + len(user.encode())) + 1024
        buffer = ctypes.create_string_buffer(room)
        for name in (template, b"chatml"):
            n = llama_cpp.llama_chat_apply_template(name, messages, 2, True, buffer, room)
            if n >= 0 and user.encode() in buffer.raw[:n]:
                return buffer.raw[:n].decode()
        raise JudgeError("the model's chat template cannot be applied; use a model that has a common template")

    def close(self) -> None:
        """Frees the weights; no reader may be used afterwards."""
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = None


class Reader:
    """One context with the state of a common prefix, which is computed once.

    Each text is read alone, after the prefix: its logits depend on prefix and text, not on what was read before or
    on the number of threads (measured: equal to the last bit), while llama.cpp's batches of several sequences moved
    logits by up to 1.3. Readers of one model may run in threads at the same time: llama.cpp works outside the GIL.

    Raises:
        JudgeError: there is no memory for the context.
    """

    def __init__(self, model: Model, prefix: Sequence[int], *, max_tokens: int) -> None:
        self._n_prefix, self._n_vocab = len(prefix), model.n_vocab
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = -(-(len(prefix) + max_tokens) // 256) * 256
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_seq_max, params.kv_unified, params.no_perf = 2, True, True
        params.n_threads = params.n_threads_batch = 1
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        with _quiet_backend():
            self._context = llama_cpp.llama_init_from_model(model._model, params)
            if not self._context:
                raise JudgeError(f"no context of {params.n_ctx} tokens: {_why()}; lower judge.max_tokens")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(BATCH_TOKENS, 0, 1)
        self._decode(prefix, sequence=0, start=0, wanted=frozenset())

    def logits(self, tokens: Sequence[int], wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """The logits after each token whose index is wanted, in rising order, as `(index, values of the vocabulary)`.

        The values are llama.cpp's own memory, good until the next is asked for.

        Raises:
            JudgeError: llama.cpp failed on this text.
        """
        llama_cpp.llama_memory_seq_rm(self._memory, 1, -1, -1)
        llama_cpp.llama_memory_seq_cp(self._memory, 0, 1, -1, -1)
        asked = frozenset(wanted)
        for begin in range(0, len(tokens), BATCH_TOKENS):
            part = tokens[begin : begin + BATCH_TOKENS]
            rows = [row for row in range(len(part)) if begin + row in asked]
            self._decode(part, sequence=1, start=self._n_prefix + begin, wanted=frozenset(rows))
            for row in rows:
                pointer = llama_cpp.llama_get_logits_ith(self._context, row)
                yield begin + row, np.ctypeslib.as_array(pointer, shape=(self._n_vocab,))

    def _decode(self, tokens: Sequence[int], *, sequence: int, start: int, wanted: frozenset[int]) -> None:
        for begin in range(0, len(tokens), BATCH_TOKENS):
            batch, part = self._batch, tokens[begin : begin + BATCH_TOKENS]
            for row, token in enumerate(part):
                batch.token[row], batch.pos[row] = token, start + begin + row
                batch.n_seq_id[row], batch.seq_id[row][0] = 1, sequence
                batch.logits[row] = begin + row in wanted
            batch.n_tokens = len(part)
            if code := llama_cpp.llama_decode(self._context, batch):
                raise JudgeError(
                    f"llama.cpp failed with code {code} on {len(part)} tokens at {start + begin}: {_why()}"
                )

    def close(self) -> None:
        """Frees the context."""
        if self._context:
            llama_cpp.llama_batch_free(self._batch)
            llama_cpp.llama_free(self._context)
            self._context = None
