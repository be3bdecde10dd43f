"""The reading: one pass of a small model over rubric and conversation gives the measurements that a head rates by.

No text is generated: the rating is the expected value of the rating tokens' probabilities, and the likelihood of the
assistant's own words comes from the same pass.

A conversation of more than `max_tokens` is read in two pieces, the first quarter of the budget from its beginning and
three quarters from its end, with a line between them that says how much was left out: the task stands at the
beginning, the last answer at the end. Likelihoods are averaged over what was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judges.contexts import Reader, log_sum
from judges.features import TooLong
from judges.fence import Piece, fenced, mark
from judges.llama import Model
from judges.rubric import Rubric
from schemas.canonical import digest
from schemas.conversation import Turn
from schemas.errors import JudgeError

INTRODUCTION = "This is the chat to rate, between marked lines:"
LEAD = "Rating: "
RATINGS = tuple(range(1, 11))

STRIDE = 8
"""Every eighth assistant token is asked for its likelihood. The vocabulary projection of SmolLM2-135M is 28 of 134
million multiplications a token, so a stride of 8 adds 28 / (134 - 28) / 8 = 3 % to the pass."""

START_TOKENS = 16
"""The first tokens of the last answer, all asked for: an answer to another question shows at its beginning."""

MAX_LEFT_OUT = 16
"""A conversation of more than 16 times `max_tokens` is not rated: under 7 % of it would be read."""

_PLACE = "<<the chat>>"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one pass measured. `n_tokens` were computed (without the shared prefix), `n_left_out` were not read.

    `features`, rounded to 4 digits: `lm_rating` (expected value, 1 to 10), `lm_entropy` (nats), `lm_mass` (probability
    of answering with a rating at all); mean log-probability in nats a token of all answers `ll_mean`, of the last
    answer `ll_last`, of its first 16 tokens `ll_start`; `ll_end` of its ending where it ends; `ll_spread` the standard
    deviation over the answers' tokens.
    """

    n_tokens: int
    n_left_out: int
    features: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Body:
    """The conversation's tokens; `turns[i]` is the turn whose words token i belongs to, -1 for the fence."""

    tokens: list[int]
    turns: list[int]
    n_left_out: int = 0


def prompt_digest(max_tokens: int) -> str:
    """SHA-256 of all that decides what the model sees and is asked beside model and rubric."""
    return digest([INTRODUCTION, LEAD, max_tokens, STRIDE, START_TOKENS, MAX_LEFT_OUT, "fence-1", "reading-1"])


class Prompt:
    """The rubric in a model's chat template, cut where the conversation goes."""

    def __init__(self, model: Model, rubric: Rubric, *, max_tokens: int) -> None:
        self.model, self.max_tokens = model, max_tokens
        written = model.chat_prompt(rubric.system_text(), f"{INTRODUCTION}\n{_PLACE}\n{rubric.question.strip()}")
        before, after = written.split(_PLACE)
        bos = model.begins_with_bos()
        before_tokens = model.tokens(before, has_control=True)
        self.prefix = before_tokens if bos is None or before_tokens[:1] == [bos] else [bos, *before_tokens]
        lead, self._rating_tokens, self._zero = _rating_tokens(model)
        self._after = model.tokens(after, has_control=True) + lead
        self._after += [self._rating_tokens[0]] if self._zero is not None else []
        if model.n_ctx_train < len(self.prefix) + self.room:
            raise JudgeError(
                f"the model reads {model.n_ctx_train} tokens, rubric and conversation need "
                f"{len(self.prefix) + self.room}; lower judge.max_tokens"
            )

    @property
    def room(self) -> int:
        """Tokens that a reader needs room for, beside the prefix."""
        return self.max_tokens + len(self._after)

    def read(self, reader: Reader, turns: Sequence[Turn]) -> Reading:
        """Reads one conversation.

        Raises:
            TooLong: more than `MAX_LEFT_OUT` times `max_tokens`. JudgeError: llama.cpp failed.
        """
        body = self._body(turns)
        tokens = body.tokens + self._after
        likelihood = _wanted_likelihoods(body, turns)
        at_rating = len(tokens) - (1 if self._zero is None else 2)
        wanted = sorted({*(target - 1 for target in likelihood), *range(at_rating, len(tokens))})
        ratings: list[NDArray[np.float64]] = []
        log_probabilities: dict[int, float] = {}
        for index, logits in reader.logits(tokens, wanted):
            if index >= at_rating:
                ratings.append(_log_softmax(logits))
            else:
                log_probabilities[index + 1] = float(logits[tokens[index + 1]]) - log_sum(logits)
        features = {**self._rating_features(ratings), **_likelihood_features(likelihood, log_probabilities)}
        rounded = {name: round(value, 4) + 0.0 for name, value in features.items()}
        return Reading(n_tokens=len(tokens), n_left_out=body.n_left_out, features=rounded)

    def conversation_tokens(self, turns: Sequence[Turn]) -> list[int]:
        """The tokens of a conversation as it is read: fenced, and shortened where it is too long.

        Raises:
            TooLong: see `read`.
        """
        return self._body(turns).tokens

    def _body(self, turns: Sequence[Turn]) -> _Body:
        n_bytes = sum(len(turn.content) for turn in turns)
        if n_bytes > 32 * MAX_LEFT_OUT * self.max_tokens:  # not worth tokenising: 32 characters a token is unheard of
            raise TooLong(f"{n_bytes} characters")
        tokens, owners = [], []
        for piece in fenced(turns):
            found = self.model.tokens(piece.text)
            tokens += found
            owners += [-1 if piece.turn is None else piece.turn] * len(found)
        if len(tokens) > MAX_LEFT_OUT * self.max_tokens:
            raise TooLong(f"{len(tokens)} tokens")
        return self._shortened(_Body(tokens, owners), turns)

    def _shortened(self, body: _Body, turns: Sequence[Turn]) -> _Body:
        n = len(body.tokens)
        if n <= self.max_tokens:
            return body
        gap = self.model.tokens(Piece(f"\n{mark(turns)} {n - self.max_tokens} tokens left out\n").text)
        room = self.max_tokens - len(gap)
        head, tail = room // 4, room - room // 4
        return _Body(
            body.tokens[:head] + gap + body.tokens[n - tail :],
            body.turns[:head] + [-1] * len(gap) + body.turns[n - tail :],
            n_left_out=n - room,
        )

    def _rating_features(self, positions: Sequence[NDArray[np.float64]]) -> dict[str, float]:
        """Expected rating, entropy and mass. Where "10" is two tokens, P(10) is P("1") times P("0" after "1")."""
        probability = np.exp(positions[0][list(self._rating_tokens)])
        if self._zero is not None:
            is_ten = float(np.exp(positions[1][self._zero]))
            probability = np.append(probability, probability[0] * is_ten)
            probability[0] *= 1 - is_ten
        mass = float(probability.sum())
        share = probability / mass
        entropy = -float(np.sum(share * np.log(np.maximum(share, 1e-12))))
        return {"lm_rating": float(share @ np.array(RATINGS)), "lm_entropy": entropy, "lm_mass": mass}


def _rating_tokens(model: Model) -> tuple[list[int], list[int], int | None]:
    """The lead's tokens, those of the ratings after it, and that of the "0" after "1" where "10" is two tokens."""
    written = [model.tokens(f"{LEAD}{rating}") for rating in RATINGS]
    n_lead = next(i for i in range(99) if len({tuple(tokens[: i + 1]) for tokens in written}) > 1)
    ends = [tokens[n_lead:] for tokens in written]
    if all(len(end) == 1 for end in ends):
        return written[0][:n_lead], [end[0] for end in ends], None
    if all(len(end) == 1 for end in ends[:9]) and len(ends[9]) == 2 and ends[9][0] == ends[0][0]:
        return written[0][:n_lead], [end[0] for end in ends[:9]], ends[9][1]
    raise JudgeError(
        "the model's tokeniser cuts the numbers 1 to 10 in a way this judge cannot read; use another model"
    )


def _wanted_likelihoods(body: _Body, turns: Sequence[Turn]) -> dict[int, str]:
    """Which tokens are asked for their likelihood: index in the body -> "other", "last", "start" or "end"."""
    last = max((index for index, turn in enumerate(turns) if turn.role == "assistant"), default=-1)
    starts = [i for i, owner in enumerate(body.turns) if owner == last][:START_TOKENS] if last >= 0 else []
    found = {
        i: "last" if owner == last else "other"
        for i, owner in enumerate(body.turns)
        if i % STRIDE == 0 and i > 0 and owner >= 0 and turns[owner].role == "assistant"
    }
    found.update({i: "start" for i in starts if i > 0})
    end = max((i for i, owner in enumerate(body.turns) if owner == last), default=-1) + 1 if last >= 0 else 0
    return {**found, end: "end"} if 0 < end < len(body.tokens) else found


def _likelihood_features(wanted: Mapping[int, str], found: Mapping[int, float]) -> dict[str, float]:
    def mean(*kinds: str) -> float:
        values = [found[i] for i, kind in wanted.items() if kind in kinds]
        return float(np.mean(values)) if values else 0.0

    strided = [found[i] for i, kind in wanted.items() if kind != "end" and (i % STRIDE == 0 or kind == "start")]
    return {
        "ll_mean": float(np.mean(strided)) if strided else 0.0,
        "ll_last": mean("last", "start"),
        "ll_start": mean("start"),
        "ll_end": mean("end"),
        "ll_spread": float(np.std(strided)) if strided else 0.0,
    }


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    return logits.astype(np.float64) - log_sum(logits)
