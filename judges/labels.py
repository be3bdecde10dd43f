"""What people said of conversations, in whatever form it comes: the lines that `gristmill judge train` learns from.

    {"prompt": [...], "a": str, "b": str, "label": "a" | "b" | "tie"}     two answers; a tie teaches nothing
    {"prompt": [...], "answers": [str, ...]}                              answers from the best to the worst
    {"messages": [...], "keep": true | false}                             a conversation kept or rejected
    {"messages": [...], "rating": 7, "scale": [1, 10]}                    a conversation rated

Turns are `{"role", "content"}`. Ranks become pairs, each answer's weight shared among the pairs that it is in; a rating
becomes the share of the scale that lies below it. The group, which is never on both sides of a test, is the prompt.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from judges.trial_pairs import DamagedLine, json_lines, read_turns, trial_pair
from schemas.canonical import digest
from schemas.conversation import Turn
from schemas.errors import InputError

Turns = tuple[Turn, ...]

FORMS = '{"prompt", "a", "b", "label"}, {"prompt", "answers"}, {"messages", "keep"} or {"messages", "rating", "scale"}'


@dataclass(frozen=True)
class Label:
    """What people said: `better` is above `worse`; or, without `worse`, `better` is kept with probability `keep`."""

    group: str
    better: Turns
    worse: Turns | None = None
    keep: float = 1.0
    weight: float = 1.0

    def conversations(self) -> tuple[Turns, ...]:
        """Those it speaks of."""
        return (self.better,) if self.worse is None else (self.better, self.worse)


def read_labels(file: Path) -> tuple[list[Label], list[DamagedLine]]:
    """The labels of a JSONL file in order, and the lines that hold none.

    Raises:
        InputError: the file cannot be read, or holds no label.
    """
    labels: list[Label] = []
    damaged = []
    for number, line in json_lines(file, FORMS):
        try:
            labels += _labels(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            damaged.append(DamagedLine(str(file), number, f"not JSON ({error.msg} at character {error.pos})"))
        except InputError as error:
            damaged.append(DamagedLine(str(file), number, str(error)))
    if not labels:
        found = f"; {damaged[0]}" if damaged else ""
        raise InputError(f"{file} holds no label to learn from{found}; each line should be {FORMS}")
    return labels, damaged


def _labels(line: Any) -> Iterator[Label]:
    if not isinstance(line, Mapping):
        raise InputError("not a JSON object")
    if "label" in line:
        pair = trial_pair({"id": "", **line})
        if both := pair.better_and_worse():
            yield Label(_group(pair.prompt), *both)
    elif "answers" in line:
        yield from _ranked(line)
    elif "keep" in line or "rating" in line:
        turns = read_turns(line.get("messages"), "messages")
        keep = _kept(line["keep"]) if "keep" in line else _share(line["rating"], line.get("scale"))
        yield Label(_group(turns[:-1] or turns), turns, keep=keep)
    else:
        raise InputError('has none of "label", "answers", "keep", "rating"')


def _ranked(line: Mapping[str, Any]) -> Iterator[Label]:
    prompt, answers = read_turns(line.get("prompt"), "prompt"), line["answers"]
    if not isinstance(answers, list) or len(answers) < 2 or not all(isinstance(one, str) for one in answers):
        raise InputError('"answers" is no list of at least two texts')
    for better, worse in itertools.combinations(answers, 2):
        above, below = ((*prompt, Turn("assistant", text)) for text in (better, worse))
        yield Label(_group(prompt), above, below, weight=1 / (len(answers) - 1))


def _kept(value: Any) -> float:
    if not isinstance(value, bool):
        raise InputError('"keep" is neither true nor false')
    return float(value)


def _share(rating: Any, scale: Any) -> float:
    if not isinstance(scale, list) or len(scale) != 2 or not all(_is_number(bound) for bound in scale):
        raise InputError('"scale" is missing or no list of the lowest and the highest rating')
    low, high = scale
    if not low < high or not _is_number(rating) or not low <= rating <= high:
        raise InputError('"rating" is no number within "scale"')
    return float((rating - low) / (high - low))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _group(prompt: Sequence[Turn]) -> str:
    return digest([[turn.role, turn.content] for turn in prompt])[:12]
