"""The screen on all cores: batches of rows to worker processes and back in order, and what to do when one dies."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.stage import Row
from schemas.outcome import Held
from schemas.settings import ScreenSettings

if TYPE_CHECKING:
    from corpus.screen import Screened

_SMALL_BYTES = 3 * 2**20
"""Compressed input below which one process is quicker: a worker takes 0.7 s to start and could screen 1 MB."""

_BATCH_ROWS = 64
_BATCH_CHARACTERS = 2**20
_BATCHES_AHEAD = 2
"""Batches in the hands of each worker: none waits for the reader, and memory stays at a few megabytes a worker."""

_log = logging.getLogger("gristmill.screen")
Batch = list[Row]


def in_processes(
    rows: Iterator[Row], settings: ScreenSettings, source: Path, n_processes: int | None
) -> Iterator[tuple[Row, Screened]]:
    """Each row with what becomes of it, in order."""
    if n_processes is None:
        n_processes = _cores() if source.stat().st_size >= _SMALL_BYTES else 1
    if n_processes < 2:
        for row in rows:
            yield row, _screen_trees([row["tree"]], settings)[0]
        return
    with _Pool(n_processes, settings) as pool:
        yield from pool.screened(_batches(rows))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def _screen_trees(trees: list[str], settings: ScreenSettings) -> list[Screened]:
    from corpus.screen import screen_row

    return [screen_row(tree, settings) for tree in trees]


class _Pool:
    """Worker processes, started anew (not forked: the caller may have threads), replaced when one is killed."""

    def __init__(self, n_processes: int, settings: ScreenSettings) -> None:
        self._n_processes = n_processes
        self._settings = settings
        self._workers = self._started()

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._n_processes, mp_context=get_context("spawn"))

    def screened(self, batches: Iterator[Batch]) -> Iterator[tuple[Row, Screened]]:
        waiting: deque[tuple[Batch, Future[list[Screened]]]] = deque()
        for batch in batches:
            waiting.append((batch, self._submit(batch)))
            if len(waiting) > _BATCHES_AHEAD * self._n_processes:
                yield from self._finished(waiting)
        while waiting:
            yield from self._finished(waiting)

    def _submit(self, batch: Batch) -> Future[list[Screened]]:
        try:
            return self._workers.submit(_screen_trees, [row["tree"] for row in batch], self._settings)
        except BrokenProcessPool as error:  # a worker died since; `_finished` takes care of the batch
            failed: Future[list[Screened]] = Future()
            failed.set_exception(error)
            return failed

    def _finished(self, waiting: deque[tuple[Batch, Future[list[Screened]]]]) -> Iterator[tuple[Row, Screened]]:
        batch, future = waiting.popleft()
        try:
            results = future.result()
        except BrokenProcessPool:
            _log.warning(
                "a worker process of the screen died; its %d conversations are screened one by one", len(batch)
            )
            results = [self._alone(row) for row in batch]
            self._workers.shutdown(wait=False, cancel_futures=True)
            self._workers = self._started()
            for at, (later, _) in enumerate(waiting):
                waiting[at] = (later, self._submit(later))
        yield from zip(batch, results, strict=True)

    def _alone(self, row: Row) -> Screened:
        """One conversation in a process of its own: if that dies, too, it is this one that kills, and it is held."""
        from collections import Counter

        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
            try:
                return worker.submit(_screen_trees, [row["tree"]], self._settings).result()[0]
            except BrokenProcessPool:
                return None, Held("failed_screen", "the process that screened it died"), Counter()
