"""The reading behind the default head: one pass of the cut model over the conversation, and a sentence model beside it.

Each answer gets a row of features (`BLOCKS`):

- the hidden states of two inner layers over the answer's tokens, mean and standard deviation, and the last token's;
- likelihoods of the answer's tokens, given what came before and without it (their difference is what the question
  explains: instruction-following difficulty). They come from the cut model's own end, layer 20 of 30, so they are those
  of a rougher language model than the whole one;
- cosines of question and answer under the sentence model: its relevance, and whether both would fit better elsewhere in
  the conversation;
- the figures of judges/measures.py, taken from the text.

A conversation is read in windows of 512 tokens that begin 64 tokens before the end of the one before: together they
cover every token once, and an answer's means run over all of its tokens in whichever windows they lie. Words that talk
to the rater are taken out before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from judges.contexts import BATCH_TOKENS, Floats, SentenceReader, StateReader
from judges.llama import Model
from judges.measurement import COSINES, LIKELIHOODS, Measurement
from judges.measures import ANSWER_FIGURES, Exchange, exchanges, measure, measure_exchange, without_steering
from schemas.canonical import digest
from schemas.conversation import Turn

LAYERS = (12, 18)
"""Measured on PandaLM pairs, held-out prompts, a linear head on one layer's mean: 0.65 at layer 4, 0.72 at 12, 0.73 at
18, 0.66 at 28."""

N_LAYERS = 20
"""Layers that are kept of the 30: those up to the last that is read, and one, whose own state llama.cpp withholds."""

WINDOW, OVERLAP = BATCH_TOKENS, 64
"""Tokens. Attention is the dear part of long texts: 2,450 tokens/s in windows of 512, 1,950 in 1,024 (2 cores)."""

MAX_TOKENS = 32_768
"""A longer conversation is not rated: a chat of 64 windows, about 25,000 words, took 14 s."""

STRIDE, N_START, N_ALONE = 8, 16, 48
"""Every eighth token of an answer, and the first 16, are asked for their likelihood; 48 are read without the question.
The projection on the vocabulary costs 28 million multiplications a token, the 20 layers 71 million."""

SENTENCE_TOKENS = 128
"""Of a question, of an answer's beginning and of its end. The sentence model was trained on texts of 128 tokens."""

_WIDE_BLOCKS = (*(f"mean_{n}" for n in LAYERS), *(f"spread_{n}" for n in LAYERS), f"last_{LAYERS[-1]}")


def blocks(width: int) -> tuple[tuple[str, int], ...]:
    """The features of an answer in order, as (block, columns), for a model of this width."""
    wide = tuple((name, width) for name in _WIDE_BLOCKS)
    return (*wide, ("likelihood", len(LIKELIHOODS)), ("relevance", len(COSINES)), ("text", len(ANSWER_FIGURES)))


def reading_digest() -> str:
    """SHA-256 of all that decides the features beside the models."""
    return digest([LAYERS, N_LAYERS, WINDOW, OVERLAP, STRIDE, N_START, N_ALONE, SENTENCE_TOKENS, "features-2"])


_Vectors = tuple[Floats, Floats, Floats]
"""Of the sentence model, for a question, its answer's beginning and the answer's end."""


class TooLong(Exception):  # noqa: N818 (an answer about one conversation, not an error)
    """The conversation is longer than the reading takes; the message says how long it is."""


@dataclass
class _Answer:
    """What was gathered of an answer so far. `begin` and `end` are its tokens in the conversation."""

    begin: int
    end: int
    sums: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    squares: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    last: Floats | None = None
    likelihoods: dict[int, float] = field(default_factory=dict)

    def likely(self) -> set[int]:
        """The tokens that are asked for their likelihood; `end` is the mark after the answer."""
        strided = range(self.begin + (-self.begin) % STRIDE, self.end, STRIDE)
        return {*strided, *range(self.begin, min(self.end, self.begin + N_START)), self.end}

    def add(self, layer: int, states: Floats) -> None:
        wide = states.astype(np.float64)
        self.sums[layer] = self.sums.get(layer, 0.0) + wide.sum(axis=0)
        self.squares[layer] = self.squares.get(layer, 0.0) + (wide**2).sum(axis=0)
        if layer == LAYERS[-1]:
            self.last = states[-1]


class FeatureReader:
    """Reads conversations with the cut model and the sentence model; one thread at a time.

    Raises:
        JudgeError: there is no memory for the contexts.
    """

    def __init__(self, model: Model, sentence_model: Model) -> None:
        self._model = model
        self._states = StateReader(model, LAYERS, max_tokens=WINDOW)
        self._sentences = SentenceReader(sentence_model, max_tokens=SENTENCE_TOKENS)
        self._marks = {
            role: model.tokens(f"<|im_start|>{role}\n", has_control=True)
            for role in ("system", "user", "assistant", "tool")
        }
        self._end = model.tokens("<|im_end|>\n", has_control=True)

    def read(self, turns: Sequence[Turn]) -> Measurement:
        """Measures a conversation; `vector` has no row where nobody answers.

        Raises:
            TooLong: more than `MAX_TOKENS`. JudgeError: llama.cpp failed.
        """
        clean = [replace(turn, content=without_steering(turn.content)[0]) for turn in turns]
        tokens, answers = self._tokens(clean)
        n_tokens = len(tokens)
        for begin, fresh, end in _windows(len(tokens)):
            self._read_window(tokens, answers, begin, fresh, end)
        said = list(exchanges(turns))
        rows = []
        vectors = [self._vectors(exchange) for exchange in said]
        for answer, exchange, cosines in zip(answers, said, _cosines(vectors), strict=True):
            alone = self._alone(tokens[answer.begin : min(answer.end, answer.begin + N_ALONE)])
            n_tokens += min(answer.end - answer.begin, N_ALONE)
            rows.append(_row(answer, alone, cosines, exchange, self._model.width))
        vector = np.array(rows, np.float32).reshape(len(rows), sum(n for _, n in blocks(self._model.width)))
        return Measurement(_scalars(turns, vector), vector, n_tokens, _embedding(vectors))

    def _tokens(self, turns: Sequence[Turn]) -> tuple[list[int], list[_Answer]]:
        if sum(len(turn.content) for turn in turns) > 32 * MAX_TOKENS:  # 32 characters a token is unheard of
            raise TooLong(f"{sum(len(turn.content) for turn in turns)} characters")
        tokens: list[int] = []
        answers = []
        for turn in turns:
            tokens += self._marks[turn.role]
            content = self._model.tokens(turn.content)
            if turn.role == "assistant":
                answers.append(_Answer(len(tokens), len(tokens) + len(content)))
            tokens += content + self._end
        if len(tokens) > MAX_TOKENS:
            raise TooLong(f"{len(tokens)} tokens")
        return tokens, answers

    def _read_window(self, tokens: Sequence[int], answers: Sequence[_Answer], begin: int, fresh: int, end: int) -> None:
        touched = [answer for answer in answers if answer.begin < end and answer.end >= fresh]
        likely = {i - begin for answer in touched for i in answer.likely() if fresh <= i < end}
        states, found = self._states.read(tokens[begin:end], likely)
        for answer in touched:
            low, high = max(answer.begin, fresh), min(answer.end, end)
            if low < high:
                for layer in LAYERS:
                    answer.add(layer, states[layer][low - begin : high - begin])
            answer.likelihoods |= {i: found[i - begin] for i in answer.likely() if i - begin in found}

    def _alone(self, answer: Sequence[int]) -> float:
        """The mean log-probability of an answer's beginning when nothing was asked."""
        mark = self._marks["assistant"]
        _, found = self._states.read([*mark, *answer], range(len(mark), len(mark) + len(answer)))
        return float(np.mean(list(found.values()))) if found else 0.0

    def _vectors(self, exchange: Exchange) -> _Vectors:
        """Of the question, of the answer's beginning and of its end."""
        question, answer = self._sentences.vector(exchange.question), self._sentences.vector(exchange.answer)
        tail = exchange.answer[-4 * SENTENCE_TOKENS :]
        return question, answer, answer if tail == exchange.answer else self._sentences.vector(tail)

    def close(self) -> None:
        """Frees the contexts."""
        self._states.close()
        self._sentences.close()


def _cosines(vectors: Sequence[_Vectors]) -> list[tuple[float, ...]]:
    """The figures `COSINES` of each exchange: the end is the answer's, `unity` is of its beginning and its end."""
    away = _misplaced([question for question, _, _ in vectors], [answer for _, answer, _ in vectors])
    return [
        (float(question @ answer), float(question @ end), float(answer @ end), misplaced)
        for (question, answer, end), misplaced in zip(vectors, away, strict=True)
    ]


def _embedding(vectors: Sequence[_Vectors]) -> Floats:
    """What the conversation is about: the mean of its questions and of its answers' beginnings, of length 1."""
    total = np.sum([question + answer for question, answer, _ in vectors], axis=0)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length if length else total, np.float32)


def _misplaced(questions: Sequence[Floats], answers: Sequence[Floats]) -> list[float]:
    """How much closer an answer is to another question of the conversation, and its question to another answer.

    The smaller of the two, 0 where either is in its place: of 113 conversations in which two answers had changed places
    the largest of these was above 0.17 in half, of intact ones in less than a tenth.
    """
    if len(questions) < 2:
        return [0.0] * len(questions)
    cosines = np.stack(questions) @ np.stack(answers).T
    own = np.diag(cosines).copy()
    np.fill_diagonal(cosines, -1.0)
    nearer = np.minimum(cosines.max(axis=0), cosines.max(axis=1)) - own
    return [float(value) for value in np.maximum(0.0, nearer)]


def _windows(n: int) -> Iterator[tuple[int, int, int]]:
    """(begin, first token that no window before held, end) of each window."""
    begin = fresh = 0
    while fresh < n:
        end = min(n, begin + WINDOW)
        yield begin, fresh, end
        begin, fresh = end - OVERLAP, end


def _row(answer: _Answer, alone: float, cosines: Sequence[float], exchange: Exchange, width: int) -> Floats:
    n = max(1, answer.end - answer.begin)
    zeros = np.zeros(width)
    means = {layer: answer.sums.get(layer, zeros) / n for layer in LAYERS}
    spreads = [np.sqrt(np.maximum(0, answer.squares.get(k, zeros) / n - means[k] ** 2)) for k in LAYERS]
    last = zeros if answer.last is None else answer.last
    figures = measure_exchange(exchange)
    parts = [
        *means.values(), *spreads, last,
        _likelihoods(answer, alone), cosines, [figures[name] for name in ANSWER_FIGURES],
    ]  # fmt: skip
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


def _likelihoods(answer: _Answer, alone: float) -> list[float]:
    found = answer.likelihoods
    inside = [value for i, value in sorted(found.items()) if i < answer.end]
    if not inside:
        return [0.0] * len(LIKELIHOODS)
    start = [value for i, value in found.items() if i < answer.begin + N_START]
    mean, start_mean = float(np.mean(inside)), float(np.mean(start)) if start else 0.0
    return [mean, float(np.std(inside)), start_mean, found.get(answer.end, 0.0), alone, start_mean - alone]


def _scalars(turns: Sequence[Turn], vector: Floats) -> Mapping[str, float]:
    if not len(vector):
        return {}
    n = len(LIKELIHOODS) + len(COSINES)
    at = vector.shape[1] - len(ANSWER_FIGURES) - n
    found = dict(zip((*LIKELIHOODS, *COSINES), vector[-1, at : at + n], strict=True))
    lowest = float(vector[:, at + len(LIKELIHOODS)].min())
    figures = {name: round(float(value), 4) + 0.0 for name, value in found.items()}
    return {**measure(turns), **figures, "lowest_relevance": round(lowest, 4), "n_answers": float(len(vector))}
