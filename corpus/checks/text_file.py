"""The bytes of a JSON Lines file: its lines, and what is wrong with them as such."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from corpus.checks.problem import Problem, problem
from schemas.canonical import canonical_bytes

LINE_BYTES_MAX = 32 * 2**20
"""Of a sample: the largest record that `pull` reads unless the settings say otherwise."""


@dataclass(frozen=True)
class ParsedLine:
    """A line that is a JSON object: where it stands, its bytes without line end, and what it says."""

    path: str
    number: int
    content: bytes
    plain: dict[str, Any]


@dataclass
class TextFile:
    """The lines of a file that could be read, and the problems of all."""

    lines: list[ParsedLine] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_text_file(path: str, content: bytes, *, is_canonical: bool, line_bytes_max: int) -> TextFile:
    """The lines of a file; `is_canonical` says that each must be written in the one canonical way."""
    read = TextFile()
    read.problems += _file_problems(path, content)
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines, 1):
        if len(line) > line_bytes_max:
            found = f"the line has {len(line):,} bytes, and {line_bytes_max:,} are allowed"
            read.problems.append(problem(path, number, "too_large", found))
            continue
        if line.endswith(b"\r"):
            read.problems.append(problem(path, number, "line_ends", "the line ends with a carriage return"))
            line = line.rstrip(b"\r")  # noqa: PLW2901 (what else is wrong with it is told, too)
        problems, plain = _parsed(path, number, line, is_canonical)
        read.problems += problems
        if plain is not None:
            read.lines.append(ParsedLine(path, number, line, plain))
    return read


def _file_problems(path: str, content: bytes) -> Iterator[Problem]:
    if content.startswith(b"\xef\xbb\xbf"):
        yield problem(path, 1, "byte_order_mark", "the file begins with a byte order mark")
    if content and not content.endswith(b"\n"):
        yield problem(path, content.count(b"\n") + 1, "no_line_end", "the last line has no end")


def _parsed(path: str, number: int, line: bytes, is_canonical: bool) -> tuple[list[Problem], dict[str, Any] | None]:
    """The problems of a line, and its object where there is one."""

    def refused(code: str, found: str) -> tuple[list[Problem], None]:
        return [problem(path, number, code, found)], None

    if not line.strip():
        return refused("empty_line", "the line is empty")
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return refused("not_utf8", f"byte {error.start + 1} of the line is not UTF-8")
    try:
        plain = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if "surrogate" in str(error):
            return refused("lone_surrogate", f"half a character stands near character {error.pos}")
        return refused("not_json", f"the line is not JSON (near character {error.pos})")
    if not isinstance(plain, dict):
        return refused("not_json", "the line is JSON, but no object")
    problems = []
    if (rewritten := canonical_bytes(plain)) != line:
        if has_duplicate_key(line):
            problems.append(problem(path, number, "duplicate_key", "an object names a key twice"))
        elif is_canonical:
            at = next((n for n, pair in enumerate(zip(rewritten, line, strict=False)) if pair[0] != pair[1]), 0)
            found = f"the line is not written in the canonical way (first at byte {at + 1})"
            problems.append(problem(path, number, "not_canonical", found))
    return problems, plain


class _Twice(Exception):
    """A key was met twice."""


def has_duplicate_key(line: bytes) -> bool:
    """Whether a line of JSON has an object that names a key twice, which two readers may understand differently."""

    def once(pairs: list[tuple[str, Any]]) -> None:
        if len({key for key, _ in pairs}) < len(pairs):
            raise _Twice

    try:
        json.loads(line, object_pairs_hook=once)
    except _Twice:
        return True
    except (ValueError, RecursionError):  # other than what orjson reads; not the canonical form in any case
        return False
    return False


def order_problems(path: str, keys: list[tuple[int, bytes | str]]) -> Iterator[Problem]:
    """Lines (number and what sorts them) that stand out of order or twice."""
    for (_, before), (number, key) in zip(keys, keys[1:], strict=False):
        if key == before:
            yield problem(path, number, "repeated_line", "the line before has the same id")
        elif key < before:  # type: ignore[operator]  # all of one kind
            yield problem(path, number, "unsorted", "the line should stand before the one above it")
