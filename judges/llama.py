"""llama.cpp in this process: loads a GGUF, cuts text into its tokens, writes weights in another format.

Only this module and judges/contexts.py, which computes, import llama_cpp. Its C log is silenced; the error lines are
kept for messages.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import llama_cpp

from schemas.errors import JudgeError

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
def quiet_backend() -> Iterator[None]:
    """One caller at a time, our log callback set, the error lines of this call only."""
    with _backend_lock:
        llama_cpp.llama_log_set(_keep_errors, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        _error_lines.clear()
        yield


def why() -> str:
    """The error lines of the last call."""
    return "; ".join(_error_lines) or "llama.cpp gave no reason"


def requantise(source: Path, target: Path, *, name: str, n_threads: int) -> None:
    """Writes the weights of a GGUF in another format of `FORMATS`; the same source gives the same bytes.

    Raises:
        JudgeError: the source is no GGUF, or the target cannot be written.
    """
    with quiet_backend():
        params = llama_cpp.llama_model_quantize_default_params()
        params.nthread, params.ftype, params.allow_requantize = n_threads, FORMATS[name], True
        failed = llama_cpp.llama_model_quantize(bytes(source), bytes(target), ctypes.byref(params))
        if failed:
            raise JudgeError(
                f"{source} could not be written as {name} to {target}: {why()}; check that there is room for "
                f"{source.stat().st_size // 2**20} MiB and that the file is a whole GGUF model"
            )


class Model:
    """The weights of a GGUF with their vocabulary; shared by any number of contexts (judges/contexts.py).

    Raises:
        JudgeError: the file is missing or damaged, or is no model that llama.cpp knows.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise JudgeError(f"the model {path} does not exist; set judge.model to a GGUF file or remove the setting")
        with quiet_backend():
            params = llama_cpp.llama_model_default_params()
            params.n_gpu_layers = 0
            self.pointer = llama_cpp.llama_model_load_from_file(bytes(path), params)
            if not self.pointer:
                raise JudgeError(f"{path} cannot be loaded as a GGUF model: {why()}; fetch the file again")
        self._vocab = llama_cpp.llama_model_get_vocab(self.pointer)
        self.n_vocab = int(llama_cpp.llama_vocab_n_tokens(self._vocab))
        self.width = int(llama_cpp.llama_model_n_embd(self.pointer))
        self.n_layers = int(llama_cpp.llama_model_n_layer(self.pointer))
        self.n_ctx_train = int(llama_cpp.llama_model_n_ctx_train(self.pointer))

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

    def sentence_marks(self) -> tuple[int, int]:
        """The tokens that a sentence model expects before and after its text."""
        return int(llama_cpp.llama_vocab_bos(self._vocab)), int(llama_cpp.llama_vocab_sep(self._vocab))

    def chat_prompt(self, system: str, user: str) -> str:
        """A system and a user message in the model's chat template (ChatML where it has none), ready for the answer."""
        template = llama_cpp.llama_model_chat_template(self.pointer, None) or b"chatml"
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
        if self.pointer:
            llama_cpp.llama_model_free(self.pointer)
            self.pointer = None
