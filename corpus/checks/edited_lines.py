"""The lines that people changed in a night's shard: an edit of a sample that was proposed, or something else.

Anybody may delete a line, which rejects the sample. A line that is new must be what `edited_line` makes of a line that
stood in the shard before: the same sample with other messages. So no byte of a verdict, of a provenance or of an
alternative can change without being seen, though the id does not cover them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from corpus.checks.problem import Problem, problem
from corpus.checks.text_file import ParsedLine
from corpus.edits import edited_line
from schemas.errors import InputError
from schemas.sample_shape import sample_shape_problems

Lines = Iterable[bytes]


def edit_problems(added: Iterable[ParsedLine], before: Callable[[], Iterator[Lines]]) -> Iterator[Problem]:
    """What is wrong with lines that were not proposed.

    Args:
        added: parsed lines of a sample's shape.
        before: gives the contents (lines without ends) that the night's shards had before, the proposed first; it is
            asked for more only while an edit's original is missing.
    """
    waiting = list(added)
    verdicts: dict[int, Problem | None] = {}
    for lines in before() if waiting else ():
        originals = _by_conversation(lines, {_conversation(line.plain) for line in waiting})
        for line in waiting:
            for original in originals.get(_conversation(line.plain), ()):
                found = _compared(line, original)
                if found is None or id(line) not in verdicts or found.is_mended:
                    verdicts[id(line)] = found
        waiting = [line for line in waiting if verdicts.get(id(line), line) is not None]
        if not waiting:
            return
    for line in waiting:
        unknown = problem(line.path, line.number, "line_added", "the sample was not proposed by the night")
        yield verdicts.get(id(line)) or unknown


def _compared(line: ParsedLine, original: bytes) -> Problem | None:
    """What keeps a line from being an edit of the original, None when it is one."""
    plain = orjson.loads(original)
    if line.plain == plain:
        return None
    try:
        edited_id, edited = edited_line(original, line.plain["messages"])
    except InputError:
        changed = "something else than its messages was changed, or they are no edit of what was proposed"
        return problem(line.path, line.number, "line_changed", changed)
    wanted = orjson.loads(edited)
    if line.plain == wanted:
        return None
    same = all(plain[key] == line.plain[key] for key in plain if key not in ("id", "messages", "alternatives"))
    if same and line.plain["alternatives"] in (plain["alternatives"], wanted["alternatives"]):
        found = f"the messages were changed and the id was not; it becomes {edited_id}"
        return problem(line.path, line.number, "edited_by_hand", found)
    return problem(line.path, line.number, "line_changed", "something else than its messages was changed")


def _by_conversation(lines: Lines, wanted: set[Any]) -> Mapping[Any, list[bytes]]:
    """The lines of the wanted conversations; a conversation has one line, or two while somebody edits."""
    marks = [one.encode() for one in wanted if isinstance(one, str)]
    found: dict[Any, list[bytes]] = {}
    for content in lines:
        if len(marks) > _SEARCHED_AT_MOST or any(mark in content for mark in marks):
            try:
                plain = orjson.loads(content)
            except orjson.JSONDecodeError:  # somebody's damaged version of the file
                continue
            if not any(sample_shape_problems(plain)):
                found.setdefault(_conversation(plain), []).append(content)
    return found


_SEARCHED_AT_MOST = 20
"""Ids that are looked for as bytes before a line is parsed; with more of them parsing every line is quicker."""


def _conversation(plain: Mapping[str, Any]) -> Any:
    return plain["provenance"]["conversation_id"]
