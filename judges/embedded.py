"""The judge that works on every machine: the embedded model reads, the scorer rates."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from judges import prompt, scorer
from judges.llama import Model, Reader, Reading
from judges.rubric import Rubric
from schemas.canonical import file_digest
from schemas.conversation import Turn
from schemas.verdict import JudgeIdentity, Unrated, Verdict


class EmbeddedJudge:
    """Rates with a local GGUF model in this process. The model is loaded when the first conversation comes.

    Verdicts depend on the list given to `judge` (batched arithmetic), on the machine's instruction set, and on
    nothing else; ratings have two decimals.
    """

    def __init__(self, model: Path, rubric: Rubric, *, n_threads: int = 0, max_tokens: int = 2048) -> None:
        self._path, self._rubric = model, rubric
        self._n_threads, self._max_tokens = n_threads, max_tokens
        self._head = scorer.load_head()

    @cached_property
    def identity(self) -> JudgeIdentity:
        """Who is speaking."""
        return JudgeIdentity(
            name="embedded",
            model=self._path.stem,
            model_digest=file_digest(self._path),
            rubric=self._rubric.name,
            rubric_digest=self._rubric.digest(),
            head=self._head.name,
            head_digest=self._head.digest,
            prompt_digest=prompt.prompt_digest(),
        )

    @cached_property
    def _opened(self) -> tuple[Model, Reader]:
        model = Model(self._path, n_threads=self._n_threads)
        prefix = model.tokens(prompt.prefix_of(self._rubric), has_control=True)
        return model, model.open(prefix, model.tokens(prompt.suffix(), has_control=True))

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        """One verdict a conversation, in order."""
        if not conversations:
            return
        model, reader = self._opened
        limit = min(self._max_tokens, reader.n_free)
        texts = [prompt.text_of(model, turns, limit) for turns in conversations]
        readings = reader.read([text for text in texts if len(text.tokens)])
        for turns, text in zip(conversations, texts, strict=True):
            started = time.monotonic()
            if not len(text.tokens):
                yield Unrated("unrated_no_reply", "there is nothing to read")
                continue
            yield self._verdict(turns, next(readings), started)

    def _verdict(self, turns: Sequence[Turn], reading: Reading, started: float) -> Verdict:
        features = scorer.text_features(turns, self._head) | scorer.likelihood_features(reading.answer_logprob)
        measured = {
            "model_rating": float(sum((i + 1) * p for i, p in enumerate(reading.ratings))),
            "answer_logprob": reading.answer_logprob,
            "answer_spread": reading.answer_spread,
        }
        known = {name: round(value, 3) for name, value in (features | measured).items() if not math.isnan(value)}
        return Verdict(
            rating=scorer.rate({name: known[name] for name in features}, self._head),
            judge=self.identity,
            criteria=scorer.criteria(features),
            features=known,
            n_tokens=reading.n_tokens,
            seconds=round(time.monotonic() - started, 4),
        )
