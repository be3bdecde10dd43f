"""The zero-shot judge: a GGUF model of the user's own is asked for a rating, out of 10, by the rubric.

No text is generated: the rating is the expected value of the rating tokens' probabilities (judges/reading.py). It says
how the model answers, not how far people agree with it; measure that with `gristmill judge eval`. The packaged 135M
model answers at chance; with it this judge is only a baseline.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cached_property

from judges.contexts import Reader
from judges.llama import Model
from judges.models import ModelFile
from judges.reading import Prompt, prompt_digest
from judges.rubric import Rubric
from judges.threads import ReaderPool
from schemas.conversation import Turn
from schemas.verdict import JudgeIdentity, Unrated, Verdict


class ZeroShotJudge:
    """Rates with a model's own opinion. Implements `schemas.verdict.Judge`; `acceptance` is None.

    A verdict depends on the conversation alone, not on the others or the number of threads (judges/contexts.py).

    Args:
        model: the GGUF.
        rubric: what to ask.
        max_tokens: tokens of one conversation that are read.
        n_threads: conversations read at once; 0: one a core.
    """

    def __init__(self, model: ModelFile, rubric: Rubric, *, max_tokens: int, n_threads: int = 0) -> None:
        self._pool = ReaderPool(
            lambda: Reader(self.prompt.model, self.prompt.prefix, max_tokens=self.prompt.room), n_threads
        )
        self._file, self._rubric, self._max_tokens = model, rubric, max_tokens
        self._identity = JudgeIdentity(
            name="zero-shot",
            model=model.name,
            model_digest=model.digest,
            rubric=rubric.name,
            rubric_digest=rubric.digest(),
            prompt_digest=prompt_digest(max_tokens),
        )

    @property
    def identity(self) -> JudgeIdentity:
        """Model, rubric and prompt."""
        return self._identity

    @cached_property
    def prompt(self) -> Prompt:
        """The prompt with the loaded model.

        Raises:
            JudgeError: the model cannot be loaded.
        """
        return Prompt(Model(self._file.path), self._rubric, max_tokens=self._max_tokens)

    def _reader(self) -> Reader:
        return Reader(self.prompt.model, self.prompt.prefix, max_tokens=self.prompt.room)

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        """One verdict a conversation, in order. A failure on one is its `Unrated`; the others go on.

        Raises:
            JudgeError: at the first conversation, when the model cannot be loaded or has no memory to work in.
        """
        return self._pool.read(conversations, self._verdict)

    def _verdict(self, reader: Reader, turns: Sequence[Turn]) -> Verdict:
        started = time.perf_counter()
        reading = self.prompt.read(reader, turns)
        return Verdict(
            rating=round(reading.features["lm_rating"], 2),
            judge=self._identity,
            features={**reading.features, "n_left_out": float(reading.n_left_out)},
            n_tokens=reading.n_tokens,
            seconds=round(time.perf_counter() - started, 4),
        )

    def close(self) -> None:
        """Frees contexts and weights."""
        if "prompt" not in self.__dict__:
            return
        self._pool.close()
        self.prompt.model.close()
        del self.__dict__["prompt"]
