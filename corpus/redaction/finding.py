"""What a recogniser finds, and how overlapping finds are settled."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal[
    "SECRET",
    "EMAIL",
    "IBAN",
    "CARD",
    "NATIONAL_ID",
    "WALLET",
    "PHONE",
    "IP",
    "MAC",
    "BIRTH_DATE",
    "ADDRESS",
    "USERNAME",
    "PERSON",
]

PLACEHOLDER = re.compile(r"\[([A-Z][A-Z0-9_]{0,30})_(\d{1,9})\]")
"""The form of all placeholders, ours and those that a log had already: no recogniser may touch one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A passage to be replaced: `text[start:end]`.

    `value` is the passage in its normal form (an e-mail address in lower case, a number without spaces): equal values
    of a kind get the same placeholder.
    """

    start: int
    end: int
    kind: Kind
    value: str


Recogniser = Callable[[str], Iterable[Finding]]


def settled(findings: Iterable[Finding]) -> list[Finding]:
    """Findings without overlaps, in order: of two that overlap the longer stays, of equally long ones the first given.

    Recognisers are asked in the order of their trust, so the first given is the better founded.
    """
    taken: list[Finding] = []
    ranked = sorted(enumerate(findings), key=lambda pair: (pair[1].start - pair[1].end, pair[0]))
    free = _Intervals()
    for _, finding in ranked:
        if free.take(finding.start, finding.end):
            taken.append(finding)
    return sorted(taken, key=lambda finding: finding.start)


class _Intervals:
    """Disjoint intervals, asked and filled in logarithmic time: a hostile text may hold very many."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def take(self, start: int, end: int) -> bool:
        """Whether the interval was free; it no longer is."""
        at = bisect_left(self._starts, start)
        if at < len(self._starts) and self._starts[at] < end:
            return False
        if at and self._ends[at - 1] > start:
            return False
        self._starts.insert(at, start)
        self._ends.insert(at, end)
        return True


@lru_cache(maxsize=4)
def lowered(text: str) -> str:
    """The text in lower case with every character in its place (`"İ".lower()` has two, so it stays as it is)."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(low if len(low := c.lower()) == 1 else c for c in text)


def before(text: str, at: int, n_characters: int) -> str:
    """At most `n_characters` of the same text that stand before a place, in lower case: where context is looked for."""
    return text[max(0, at - n_characters) : at].lower()


def is_free_before(text: str, at: int, closed: str = "_.,-") -> bool:
    """Whether a number or code may begin at a place: no letter, digit or sign of `closed` stands before it.

    A pattern that began with this as a lookbehind would be tried at every character; begun with a digit, it is not.
    """
    return at == 0 or not (text[at - 1].isalnum() or text[at - 1] in closed)


def positions(text: str, needle: str) -> Iterator[int]:
    """Every place where a literal stands, found at the speed of memory."""
    at = text.find(needle)
    while at >= 0:
        yield at
        at = text.find(needle, at + len(needle))
