"""What a purge makes of the contents of the history's files: the same without what is withdrawn."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from corpus.cut import cut_decisions, cut_page, cut_shard, numbers_of, parsed
from corpus.leaving import Copies
from corpus.mirror import Mirror
from corpus.passages import Passages, letters
from schemas.canonical import canonical_bytes


def new_contents(
    mirror: Mirror, ids: Collection[str], copies: Copies, passages: Passages
) -> dict[str, tuple[bytes, int]]:
    """Blob to its new content and the number of lines that leave it, of those that change."""
    paths = mirror.paths()
    cut = _Cut(ids, _numbers(mirror, ids, paths), copies, passages)
    marks = Passages([*passages.wanted, *(one.encode() for one in ids)])
    replaced: dict[str, tuple[bytes, int]] = {}
    for found, content in mirror.contents(("blob",)):
        if marks.met(letters(content)):
            new, n_cut = cut.content(min(paths.get(found.id, {""})), content)
            if new != content:
                replaced[found.id] = new, n_cut
    return replaced


def _numbers(mirror: Mirror, ids: Collection[str], paths: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """By night, the numbers of the samples in its reading copy."""
    numbers: dict[str, set[str]] = {}
    pages = {blob: night for blob, named in paths.items() for path in named if (night := _night_of(path))}
    for blob, content in mirror.blobs(sorted(pages)):
        found = numbers_of(_text(content), ids)
        numbers.setdefault(pages[blob], set()).update(found)
    return numbers


@dataclass(frozen=True)
class _Cut:
    """What leaves: samples by id, their numbers in the reading copies by night, copies of theirs, passages."""

    ids: Collection[str]
    numbers: Mapping[str, set[str]]
    copies: Copies
    passages: Passages

    def content(self, path: str, content: bytes) -> tuple[bytes, int]:
        """The new content of a file and the number of lines that leave it."""
        if path.startswith("data/"):
            return cut_shard(content, self.ids, self.copies.is_one)
        if path.startswith("decisions/"):
            return cut_decisions(content, self.ids, self.passages), 0
        if path.startswith("review/"):
            numbers = self.numbers.get(_night_of(path) or "", set())
            return _bytes(cut_page(_text(content), self.ids, numbers, self.passages)), 0
        return self._other(path, content) if self.passages.met(letters(content)) else content, 0

    def _other(self, path: str, content: bytes) -> bytes:
        if path.endswith(".json") and (plain := parsed(content)) is not None:
            return canonical_bytes(_silenced(plain, self.passages)) + b"\n"
        return _bytes(cut_page(_text(content), (), (), self.passages))


def _silenced(plain: Any, passages: Passages) -> Any:
    """A JSON value without the strings that quote."""
    if isinstance(plain, dict):
        return {key: _silenced(value, passages) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_silenced(value, passages) for value in plain]
    is_quoting = isinstance(plain, str) and passages.met(letters(b" " + plain.encode("utf-8", "replace")))
    return "(withdrawn)" if is_quoting else plain


def _night_of(path: str) -> str | None:
    found = re.fullmatch(r"review/([^/]+)/[^/]+\.md", path)
    return found[1] if found else None


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
