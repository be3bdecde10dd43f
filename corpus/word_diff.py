"""What changed between two texts, word by word, as people see an edit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

Kind = Literal["same", "removed", "added"]

MAX_EDITS = 1_000
"""Words removed and added beyond which the differing middle is shown as replaced as a whole: nobody reads so many,
and the search takes steps with the square of it (10^6 at most, a second)."""

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class Span:
    """A passage of a diff. All spans but the added ones, joined, are the text before; all but the removed, after."""

    kind: Kind
    text: str


def word_diff(before: str, after: str) -> list[Span]:
    """The fewest words removed and added that turn one text into the other, in reading order."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    start = _n_alike(old, new)
    end = _n_alike(old[start:][::-1], new[start:][::-1])
    middle = _shortest(old[start : len(old) - end], new[start : len(new) - end])
    marked: list[tuple[Kind, str]] = [("same", word) for word in old[:start]]
    marked += middle
    marked += [("same", word) for word in old[len(old) - end :]]
    return list(_joined(marked))


def _n_alike(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _shortest(old: Sequence[str], new: Sequence[str]) -> list[tuple[Kind, str]]:
    """Myers' greedy search: the furthest point on each diagonal for one edit more, until the end is reached."""
    furthest: dict[int, int] = {1: 0}
    trace: list[dict[int, int]] = []
    for n_edits in range(min(len(old) + len(new), MAX_EDITS) + 1):
        trace.append(dict(furthest))
        for diagonal in range(-n_edits, n_edits + 1, 2):
            x = _step(furthest, diagonal, n_edits)
            while x < len(old) and x - diagonal < len(new) and old[x] == new[x - diagonal]:
                x += 1
            furthest[diagonal] = x
            if x >= len(old) and x - diagonal >= len(new):
                return _walked(trace, old, new)[::-1]
    return [("removed", word) for word in old] + [("added", word) for word in new]


def _step(furthest: dict[int, int], diagonal: int, n_edits: int) -> int:
    """Where a path to this diagonal begins: down (a word added) or right (a word removed), whichever is further."""
    if diagonal == -n_edits:
        return furthest[diagonal + 1]
    if diagonal != n_edits and furthest[diagonal - 1] < furthest[diagonal + 1]:
        return furthest[diagonal + 1]
    return furthest[diagonal - 1] + 1


def _walked(trace: list[dict[int, int]], old: Sequence[str], new: Sequence[str]) -> list[tuple[Kind, str]]:
    """The path found, from its end to its beginning."""
    x, y = len(old), len(new)
    steps: list[tuple[Kind, str]] = []
    for n_edits in range(len(trace) - 1, -1, -1):
        diagonal = x - y
        begun = _step(trace[n_edits], diagonal, n_edits) if n_edits else 0
        while x > begun and y > begun - diagonal:
            x, y = x - 1, y - 1
            steps.append(("same", old[x]))
        if n_edits and (diagonal == -n_edits or begun == trace[n_edits].get(diagonal + 1)):
            y -= 1
            steps.append(("added", new[y]))
        elif n_edits:
            x -= 1
            steps.append(("removed", old[x]))
    return steps


def _joined(marked: list[tuple[Kind, str]]) -> Iterator[Span]:
    """Runs of words as one span each; a lone space between changed words is changed with them, removed before added."""
    kinds: tuple[Kind, ...] = ("removed", "added")
    for is_changed, group in groupby(_bridged(marked), key=lambda one: one[0] != "same"):
        run = list(group)
        if not is_changed:
            yield Span("same", "".join(word for _, word in run))
            continue
        for kind in kinds:
            if text := "".join(word for one, word in run if one == kind):
                yield Span(kind, text)


def _bridged(marked: list[tuple[Kind, str]]) -> Iterator[tuple[Kind, str]]:
    """White space that stands alone between changes counts as removed and added, so phrases stay whole."""
    for n, (kind, word) in enumerate(marked):
        is_between = 0 < n < len(marked) - 1 and marked[n - 1][0] != "same" and marked[n + 1][0] != "same"
        if kind == "same" and word.isspace() and is_between:
            yield from (("removed", word), ("added", word))
        else:
            yield kind, word
