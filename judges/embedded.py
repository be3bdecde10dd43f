"""The embedded judge: a small model in this process reads, the scorer rates. Nothing leaves the machine."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from queue import SimpleQueue

from judges.llama import Model, Reader
from judges.models import ModelFile
from judges.reading import Prompt, TooLong, prompt_digest
from judges.rubric import Rubric
from judges.scorer import Head, score_conversation
from schemas.conversation import Turn
from schemas.verdict import JudgeIdentity, Unrated, Verdict

_log = logging.getLogger("gristmill.judge")

AHEAD = 4
"""Conversations under way or finished early for each thread: keeps all busy beside one long conversation."""


class EmbeddedJudge:
    """Rates with a local GGUF model and a head. Implements `schemas.verdict.Judge`.

    A verdict depends on the conversation alone, not on its batch mates or the number of threads (see
    `judges.llama.Reader`). Each thread has a context of its own with one compute thread: no waiting at barriers, so it
    keeps its speed on a busy machine. The model is loaded when the first conversation comes. `acceptance` is None: the
    head is not calibrated to reviewers.

    Args:
        model: the GGUF.
        rubric: what to ask.
        head: how to rate.
        max_tokens: tokens of one conversation that are read.
        n_threads: conversations read at once; 0: one a core.
    """

    def __init__(self, model: ModelFile, rubric: Rubric, head: Head, *, max_tokens: int, n_threads: int = 0) -> None:
        self._n_threads = n_threads or os.cpu_count() or 1
        self._file, self._rubric, self._head, self._max_tokens = model, rubric, head, max_tokens
        self._identity = JudgeIdentity(
            name="embedded",
            model=model.name,
            model_digest=model.digest,
            rubric=rubric.name,
            rubric_digest=rubric.digest(),
            head=head.name,
            head_digest=head.digest(),
            prompt_digest=prompt_digest(max_tokens),
        )

    @property
    def identity(self) -> JudgeIdentity:
        """Model, rubric, head and prompt."""
        return self._identity

    @cached_property
    def prompt(self) -> Prompt:
        """The prompt with the loaded model.

        Raises:
            JudgeError: the model cannot be loaded.
        """
        return Prompt(Model(self._file.path), self._rubric, max_tokens=self._max_tokens)

    @cached_property
    def _readers(self) -> SimpleQueue[Reader]:
        readers: SimpleQueue[Reader] = SimpleQueue()
        for _ in range(self._n_threads):
            readers.put(Reader(self.prompt.model, self.prompt.prefix, max_tokens=self.prompt.room))
        return readers

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        """One verdict a conversation, in order. A failure on one is its `Unrated`; the others go on.

        Raises:
            JudgeError: at the first conversation, when the model cannot be loaded or has no memory to work in.
        """
        if not conversations:
            return
        readers = self._readers
        pending: deque[Future[Verdict | Unrated]] = deque()
        with ThreadPoolExecutor(self._n_threads, thread_name_prefix="judge") as pool:
            for turns in conversations:
                pending.append(pool.submit(self._judge_one, readers, tuple(turns)))
                if len(pending) >= AHEAD * self._n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _judge_one(self, readers: SimpleQueue[Reader], turns: Sequence[Turn]) -> Verdict | Unrated:
        reader = readers.get()
        try:
            return self._verdict(reader, turns)
        except TooLong as found:
            return Unrated("unrated_too_long", f"{found}; the judge reads {self._max_tokens} tokens")
        except Exception as error:  # one conversation must neither end the night nor pass as a bad one
            _log.exception("a conversation could not be judged")
            return Unrated("unrated_no_reply", f"{type(error).__name__}: {error}"[:300], is_retryable=True)
        finally:
            readers.put(reader)

    def _verdict(self, reader: Reader, turns: Sequence[Turn]) -> Verdict | Unrated:
        if not any(turn.role == "assistant" and turn.content.strip() for turn in turns):
            return Unrated("unrated_bad_reply", "there is no answer to rate")
        started = time.perf_counter()
        reading = self.prompt.read(reader, turns)
        names = [criterion.name for criterion in self._rubric.criteria]
        score = score_conversation(turns, reading.features, self._head, names)
        return Verdict(
            rating=score.rating,
            judge=self._identity,
            criteria=score.criteria,
            features={**score.features, "n_left_out": float(reading.n_left_out)},
            n_tokens=reading.n_tokens,
            seconds=round(time.perf_counter() - started, 4),
        )

    def close(self) -> None:
        """Frees contexts and weights."""
        if "prompt" not in self.__dict__:
            return
        while not self._readers.empty():
            self._readers.get().close()
        self.prompt.model.close()
        del self.__dict__["prompt"], self.__dict__["_readers"]
