"""Reads several conversations at once, a thread each, and gives the results in order."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

from judges.features import TooLong
from schemas.conversation import Turn
from schemas.verdict import Unrated

_log = logging.getLogger("gristmill.judge")

AHEAD = 4
"""Conversations under way or finished early for each thread: keeps all busy beside one long conversation."""


class Closeable(Protocol):
    """A reader with memory of llama.cpp's."""

    def close(self) -> None:
        """Frees it."""
        ...


R = TypeVar("R", bound=Closeable)
T = TypeVar("T")


class ReaderPool(Generic[R]):
    """Readers of one kind, one a thread, made when the first conversation comes.

    Args:
        make: makes a reader.
        n_threads: conversations read at once; 0: one a core.
    """

    def __init__(self, make: Callable[[], R], n_threads: int) -> None:
        self._make, self._n_threads = make, n_threads or os.cpu_count() or 1
        self._readers: SimpleQueue[R] = SimpleQueue()

    def read(
        self, conversations: Sequence[Sequence[Turn]], read: Callable[[R, Sequence[Turn]], T]
    ) -> Iterator[T | Unrated]:
        """What `read` makes of each conversation, in order. A failure on one is its `Unrated`; the others go on.

        Args:
            conversations: what to read.
            read: called with a reader that nobody else uses meanwhile; may raise `TooLong`.

        Raises:
            JudgeError: at the first conversation, when a model cannot be loaded or has no memory to work in.
        """
        if not conversations:
            return
        while self._readers.qsize() < self._n_threads:
            self._readers.put(self._make())
        pending: deque[Future[T | Unrated]] = deque()
        with ThreadPoolExecutor(self._n_threads, thread_name_prefix="judge") as pool:
            for turns in conversations:
                pending.append(pool.submit(self._read_one, read, tuple(turns)))
                if len(pending) >= AHEAD * self._n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _read_one(self, read: Callable[[R, Sequence[Turn]], T], turns: Sequence[Turn]) -> T | Unrated:
        if not any(turn.role == "assistant" and turn.content.strip() for turn in turns):
            return Unrated("unrated_bad_reply", "there is no answer to rate")
        reader = self._readers.get()
        try:
            return read(reader, turns)
        except TooLong as found:
            return Unrated("unrated_too_long", str(found))
        except Exception as error:  # one conversation must neither end the night nor pass as a bad one
            _log.exception("a conversation could not be judged")
            # Not retryable: the same models read the same text, and would fail on it every night.
            return Unrated("unrated_no_reply", f"{type(error).__name__}: {error}"[:300])
        finally:
            self._readers.put(reader)

    def close(self) -> None:
        """Frees the readers; the next conversation makes new ones."""
        while not self._readers.empty():
            self._readers.get().close()
