"""Takes a withdrawn sample out of the files of a corpus: its lines out of shards, its passages out of pages.

A page keeps the heading of a sample that left it, and its number, so that links to the others stay true.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple

import orjson

from corpus.passages import Passages, letters, said_in
from corpus.reading_copy import ballots

WITHDRAWN_NOTE = "Withdrawn."

_HEADING = re.compile(r"^#{1,6} ")
_NUMBER = re.compile(r"^## Sample (\d+)\b")


class CutShard(NamedTuple):
    """A shard without some samples, and how many lines left it."""

    content: bytes
    n_cut: int


def cut_shard(content: bytes, ids: Collection[str], is_quoting: Callable[[str, bytes], bool] | None = None) -> CutShard:
    """A shard without the lines of these ids, nor those of which `is_quoting(id, letters of its texts)` is true.

    The rest stays as it is. What cannot be read as a sample stays, too: it is nobody's.
    """
    lines = content.splitlines(keepends=True)
    kept = [line for line in lines if not _is_cut(line, ids, is_quoting)]
    return CutShard(b"".join(kept), len(lines) - len(kept))


def _is_cut(line: bytes, ids: Collection[str], is_quoting: Callable[[str, bytes], bool] | None) -> bool:
    sample = parsed(line)
    if sample is None or not isinstance(sample.get("id"), str):
        return False
    sample_id = str(sample["id"])
    return sample_id in ids or bool(is_quoting and is_quoting(sample_id, letters_of(sample)))


def letters_of(sample: Mapping[str, object]) -> bytes:
    """The letters of all that a sample says."""
    return b"".join(letters(b" " + text.encode("utf-8", "replace")) for text in said_in(sample))


def parsed(line: bytes) -> dict[str, object] | None:
    """The object in a line, None when there is none."""
    try:
        plain = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return plain if isinstance(plain, dict) else None


def cut_decisions(content: bytes, ids: Collection[str], passages: Passages) -> bytes:
    """A file of decisions in which those on these samples, or with such passages, give no reason any more.

    A reason may quote. Who decided what stays: it is the reviewers' work.
    """
    lines = []
    for line in content.splitlines(keepends=True):
        plain = parsed(line)
        is_told = plain is not None and (
            plain.get("sample_id") in ids or plain.get("edited_id") in ids or bool(passages.met(letters(line)))
        )
        if plain is not None and is_told and plain.get("reason"):
            line = orjson.dumps({**plain, "reason": ""}, option=orjson.OPT_SORT_KEYS) + b"\n"
        lines.append(line)
    return b"".join(lines)


def sections(text: str) -> Iterator[str]:
    """The parts of a page, each beginning with its second-level heading; the first is what stands before any."""
    yield from re.split(r"(?m)^(?=## )", text)


def numbers_of(text: str, ids: Collection[str]) -> set[str]:
    """The numbers of these samples in a page."""
    found = set()
    for section in sections(text):
        heading = _NUMBER.match(section)
        if heading and any(one in ids for one in ballots(section)):
            found.add(heading[1])
    return found


def cut_page(text: str, ids: Collection[str], numbers: Collection[str], passages: Passages) -> str:
    """A page of the reading copy without what it shows of these samples.

    Args:
        text: the page.
        ids: the samples' ids.
        numbers: their numbers in this night's pages: lists and neighbours refer to them.
        passages: what they say; wherever a page quotes it, the quotation goes.
    """
    kept = []
    for section in sections(text):
        heading = _NUMBER.match(section)
        if heading and any(one in ids for one in ballots(section)):
            kept.append(f"## Sample {heading[1]}\n\n{WITHDRAWN_NOTE}\n\n---\n" + _end(section))
        else:
            kept.append(_cut_lines(section, ids, numbers, passages))
    return "".join(kept)


def _end(section: str) -> str:
    """The blank lines behind a section's rule."""
    return section[len(section.rstrip("\n")) + 1 :]


def _cut_lines(text: str, ids: Collection[str], numbers: Collection[str], passages: Passages) -> str:
    """A text without lines that name one of the samples, with the quotation that follows, or that quote it."""
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    bad = set(_quoting(lines, passages))
    named = [number for number, line in enumerate(lines) if _names(line, ids, numbers)]
    bad.update(named)
    for number in named:
        bad.update(_quotation_after(lines, number))
    for number in sorted(bad):
        if lines[number].startswith(">"):
            bad.update(_block(lines, number))
    return "".join(line for number, line in enumerate(lines) if number not in bad or _HEADING.match(line))


def _names(line: str, ids: Collection[str], numbers: Collection[str]) -> bool:
    if line.startswith(">"):  # conversation text, which names what it likes
        return False
    found = re.findall(r"[0-9a-f]{32}", line)
    linked = re.findall(r"#sample-(\d+)\)", line)
    return any(one in ids for one in found) or any(one in numbers for one in linked)


def _quotation_after(lines: list[str], number: int) -> Iterator[int]:
    """The block quote behind a line, blank lines between them or not."""
    at = number + 1
    while at < len(lines) and not lines[at].strip():
        at += 1
    if at < len(lines) and lines[at].startswith(">"):
        yield from _block(lines, at)


def _block(lines: list[str], number: int) -> Iterator[int]:
    """The lines of the block quote that a line is part of."""
    first = last = number
    while first > 0 and lines[first - 1].startswith(">"):
        first -= 1
    while last + 1 < len(lines) and lines[last + 1].startswith(">"):
        last += 1
    yield from range(first, last + 1)


def _quoting(lines: list[str], passages: Passages) -> Iterator[int]:
    """The numbers of the lines over which a passage stretches."""
    said = [letters(b" " + line.encode("utf-8", "surrogateescape")) for line in lines]
    ends = list(accumulate(map(len, said)))
    for first, end in passages.spans(b"".join(said)):
        yield from range(bisect_right(ends, first), bisect_right(ends, end - 1) + 1)
