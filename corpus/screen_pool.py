"""Work on all cores: batches of rows to worker processes and back in order, and what to do when a worker dies."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

from corpus.stage import Row

_SMALL_BYTES = 3 * 2**20
"""Compressed input below which one process is quicker: a worker takes 0.7 s to start and could screen 1 MB."""

_BATCH_ROWS = 64
_BATCH_CHARACTERS = 2**20
_BATCHES_AHEAD = 2
"""Batches in the hands of each worker: none waits for the reader, and memory stays at a few megabytes a worker."""

_log = logging.getLogger("gristmill.screen")

Result = TypeVar("Result")
Batch = list[Row]
Work = Callable[[list[str]], list[Result]]
"""What a worker does with the trees of a batch; it must be importable by name (`functools.partial` of such is, too)."""


def n_workers(source: Path) -> int:
    """Processes that a stage file is worth: one a core, or one in all for a small file."""
    if source.stat().st_size < _SMALL_BYTES:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    rows: Iterator[Row], work: Work[Result], dead: Callable[[], Result], n_processes: int
) -> Iterator[tuple[Row, Result]]:
    """Each row with the result for its tree, in order; `dead` gives that of a row which kills its process."""
    if n_processes < 2:
        for row in rows:
            yield row, work([row["tree"]])[0]
        return
    with _Pool(work, dead, n_processes) as pool:
        yield from pool.results(_batches(rows))


def _batches(rows: Iterable[Row]) -> Iterator[Batch]:
    batch: Batch = []
    n_characters = 0
    for row in rows:
        batch.append(row)
        n_characters += len(row["tree"])
        if len(batch) >= _BATCH_ROWS or n_characters >= _BATCH_CHARACTERS:
            yield batch
            batch, n_characters = [], 0
    if batch:
        yield batch


class _Pool(Generic[Result]):
    """Worker processes, started anew (not forked: the caller may have threads), replaced when one is killed."""

    def __init__(self, work: Work[Result], dead: Callable[[], Result], n_processes: int) -> None:
        self._work = work
        self._dead = dead
        self._n_processes = n_processes
        self._workers = _started(n_processes)

    def __enter__(self) -> _Pool[Result]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._workers.shutdown(wait=True, cancel_futures=True)

    def results(self, batches: Iterator[Batch]) -> Iterator[tuple[Row, Result]]:
        """The rows of all batches with their results, in order."""
        waiting: deque[tuple[Batch, Future[list[Result]]]] = deque()
        for batch in batches:
            waiting.append((batch, self._submit(batch)))
            if len(waiting) > _BATCHES_AHEAD * self._n_processes:
                yield from self._finished(waiting)
        while waiting:
            yield from self._finished(waiting)

    def _submit(self, batch: Batch) -> Future[list[Result]]:
        try:
            return self._workers.submit(self._work, [row["tree"] for row in batch])
        except BrokenProcessPool as error:  # a worker died since; `_finished` takes care of the batch
            failed: Future[list[Result]] = Future()
            failed.set_exception(error)
            return failed

    def _finished(self, waiting: deque[tuple[Batch, Future[list[Result]]]]) -> Iterator[tuple[Row, Result]]:
        batch, future = waiting.popleft()
        try:
            results = future.result()
        except BrokenProcessPool:
            _log.warning("a worker process died; the %d conversations in its hands are taken one by one", len(batch))
            results = list(self._one_by_one(batch))
            self._workers.shutdown(wait=False, cancel_futures=True)
            self._workers = _started(self._n_processes)
            for at, (later, _) in enumerate(waiting):
                waiting[at] = (later, self._submit(later))
        yield from zip(batch, results, strict=True)

    def _one_by_one(self, batch: Batch) -> Iterator[Result]:
        """The results of a batch, each row alone in a process: if that dies, it is this row that kills."""
        worker = _started(1)
        for row in batch:
            try:
                yield worker.submit(self._work, [row["tree"]]).result()[0]
            except BrokenProcessPool:
                worker.shutdown(wait=False)
                worker = _started(1)
                yield self._dead()
        worker.shutdown()


def _started(n_processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(n_processes, mp_context=get_context("spawn"))
