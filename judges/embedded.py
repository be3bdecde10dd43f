"""The embedded judge: two small models in this process measure, the head rates. Nothing leaves the machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cached_property

from judges.features import FeatureReader, reading_digest
from judges.head import Head
from judges.llama import Model
from judges.measurement import Measurement
from judges.models import ModelFile
from judges.rubric import Rubric
from judges.threads import ReaderPool
from schemas.canonical import digest
from schemas.conversation import Turn
from schemas.embedding import packed
from schemas.verdict import JudgeIdentity, Unrated, Verdict


class EmbeddedJudge:
    """Rates with the cut language model, the sentence model and a head. Implements `schemas.verdict.Judge`.

    A verdict depends on the conversation alone, not on the others or the number of threads (judges/contexts.py). The
    models are loaded when the first conversation comes.

    Args:
        model: the cut language model.
        sentence_model: the sentence model.
        rubric: whose criteria are rated.
        head: how to rate.
        n_threads: conversations read at once; 0: one a core.
    """

    def __init__(
        self, model: ModelFile, sentence_model: ModelFile, rubric: Rubric, head: Head, *, n_threads: int = 0
    ) -> None:
        self._pool = ReaderPool(lambda: FeatureReader(*self.models), n_threads)
        self._file, self._sentence_file, self._rubric, self._head = model, sentence_model, rubric, head
        self._identity = JudgeIdentity(
            name="embedded",
            model=f"{model.name}, {sentence_model.name}",
            model_digest=digest([model.digest, sentence_model.digest]),
            rubric=rubric.name,
            rubric_digest=rubric.digest(),
            head=head.name,
            head_digest=head.digest(),
            prompt_digest=reading_digest(),
        )

    @property
    def identity(self) -> JudgeIdentity:
        """Models, rubric, head and way of reading."""
        return self._identity

    @property
    def head(self) -> Head:
        """How it rates."""
        return self._head

    @cached_property
    def models(self) -> tuple[Model, Model]:
        """The loaded models.

        Raises:
            JudgeError: one cannot be loaded.
        """
        return Model(self._file.path), Model(self._sentence_file.path)

    def measure(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Measurement | Unrated]:
        """What the head would be given for each conversation, in order; `Unrated` where it cannot be read.

        Raises:
            JudgeError: at the first conversation, when a model cannot be loaded or has no memory to work in.
        """
        return self._pool.read(conversations, lambda reader, turns: reader.read(turns))

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        """One verdict a conversation, in order. A failure on one is its `Unrated`; the others go on.

        Raises:
            JudgeError: at the first conversation, when a model cannot be loaded or has no memory to work in.
        """
        return self._pool.read(conversations, self._verdict)

    def _verdict(self, reader: FeatureReader, turns: Sequence[Turn]) -> Verdict:
        started = time.perf_counter()
        measurement = reader.read(turns)
        found = self._head.assess(measurement)
        wanted = {criterion.name for criterion in self._rubric.criteria}
        return Verdict(
            rating=found.rating,
            judge=self._identity,
            acceptance=found.acceptance,
            uncertainty=found.uncertainty,
            criteria={name: rating for name, rating in found.criteria.items() if name in wanted},
            features={**measurement.scalars, "intact": found.intact},
            n_tokens=measurement.n_tokens,
            seconds=round(time.perf_counter() - started, 4),
            embedding=packed(self._sentence_file.digest, measurement.embedding),
        )

    def close(self) -> None:
        """Frees contexts and weights."""
        if "models" not in self.__dict__:
            return
        self._pool.close()
        for model in self.models:
            model.close()
        del self.__dict__["models"]
