"""Reads several conversations at once, a thread each, and gives the results in order."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from judges.features import TooLong
from schemas.conversation import Turn
from schemas.verdict import Unrated

_log = logging.getLogger("gristmill.judge")

AHEAD = 4
"""Conversations under way or finished early for each thread: keeps all busy beside one long conversation."""

R = TypeVar("R")
T = TypeVar("T")


def read_all(
    conversations: Sequence[Sequence[Turn]], readers: SimpleQueue[R], read: Callable[[R, Sequence[Turn]], T]
) -> Iterator[T | Unrated]:
    """What `read` makes of each conversation, in order. A failure on one is its `Unrated`; the others go on.

    Args:
        conversations: what to read.
        readers: as many as there shall be threads; all are back in it at the end.
        read: called with a reader that nobody else uses meanwhile; may raise `TooLong`.
    """
    n_threads = readers.qsize()
    pending: deque[Future[T | Unrated]] = deque()
    with ThreadPoolExecutor(n_threads, thread_name_prefix="judge") as pool:
        for turns in conversations:
            pending.append(pool.submit(_read_one, readers, read, tuple(turns)))
            if len(pending) >= AHEAD * n_threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _read_one(readers: SimpleQueue[R], read: Callable[[R, Sequence[Turn]], T], turns: Sequence[Turn]) -> T | Unrated:
    if not any(turn.role == "assistant" and turn.content.strip() for turn in turns):
        return Unrated("unrated_bad_reply", "there is no answer to rate")
    reader = readers.get()
    try:
        return read(reader, turns)
    except TooLong as found:
        return Unrated("unrated_too_long", str(found))
    except Exception as error:  # one conversation must neither end the night nor pass as a bad one
        _log.exception("a conversation could not be judged")
        return Unrated("unrated_no_reply", f"{type(error).__name__}: {error}"[:300], is_retryable=True)
    finally:
        readers.put(reader)
