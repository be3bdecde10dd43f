"""How a file of lines changed from commit to commit, read once and in order, whatever its size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.bulk import BulkObjects
from corpus.objects import Commit
from corpus.proposal import lines_of

_REMEMBERED = 3
"""Versions in memory at once: a commit's and those of its (nearly always at most two) parents."""


@dataclass(frozen=True)
class Step:
    """A commit that changed a file: its blob before (one a parent) and after; None where there is no such file."""

    commit: Commit
    before: tuple[str | None, ...]
    after: str | None


@dataclass(frozen=True)
class LineChange:
    """The lines that a commit added to, and removed from, what each of its parents has."""

    commit: Commit
    removed: frozenset[bytes]
    added: frozenset[bytes]


def line_changes(store: BulkObjects, steps: Sequence[Step]) -> Iterator[LineChange]:
    """What each step changed. Line ends, the order of lines and repeated lines are no part of it."""
    versions = _Versions(store, [blob for step in steps for blob in (*step.before, step.after) if blob])
    for step in steps:
        before = [versions.lines(blob) for blob in step.before]
        after = versions.lines(step.after)
        removed = frozenset.intersection(*(old - after for old in before))
        yield LineChange(step.commit, removed, after.difference(*before))


class _Versions:
    """The lines of blobs in a known order of use, each blob read as seldom as `_REMEMBERED` allows."""

    def __init__(self, store: BulkObjects, order: Sequence[str]) -> None:
        self._kept: OrderedDict[str, frozenset[bytes]] = OrderedDict()
        self._stream = store.blobs(_missed(order))

    def lines(self, blob: str | None) -> frozenset[bytes]:
        if blob is None:
            return frozenset()
        if blob not in self._kept:
            found, content = next(self._stream)
            assert found == blob
            self._kept[blob] = frozenset(lines_of(content))
        _touch(self._kept, blob)
        return self._kept[blob]


def _missed(order: Iterable[str]) -> list[str]:
    """What has to be read when the blobs are used in this order."""
    kept: OrderedDict[str, None] = OrderedDict()
    missed = []
    for blob in order:
        if blob not in kept:
            missed.append(blob)
            kept[blob] = None
        _touch(kept, blob)
    return missed


def _touch(kept: OrderedDict[str, Any], blob: str) -> None:
    kept.move_to_end(blob)
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)
