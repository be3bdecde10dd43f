"""The lines of a trial: a prompt, two answers and which one people preferred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import orjson

from schemas.conversation import ROLES, Turn
from schemas.errors import InputError

Label = Literal["a", "b", "tie"]
LABELS: tuple[Label, ...] = get_args(Label)

_FORM = '{"id", "prompt": [{"role", "content"}...], "a", "b", "label": "a", "b" or "tie"}'


@dataclass(frozen=True)
class TrialPair:
    """Two answers to one prompt. `group` and `language` are what the line says, empty where it says nothing."""

    id: str
    prompt: tuple[Turn, ...]
    a: str
    b: str
    label: Label
    group: str = ""
    language: str = ""

    def conversation(self, side: Literal["a", "b"]) -> tuple[Turn, ...]:
        """The prompt with one of the answers: what a judge is shown."""
        return (*self.prompt, Turn("assistant", self.a if side == "a" else self.b))

    def better_and_worse(self) -> tuple[tuple[Turn, ...], tuple[Turn, ...]] | None:
        """Both conversations, the preferred one first; None for a tie."""
        if self.label == "tie":
            return None
        return self.conversation(self.label), self.conversation("b" if self.label == "a" else "a")


@dataclass(frozen=True)
class DamagedLine:
    """A line that is no pair; `number` counts from 1. What is said of it holds none of its text."""

    file: str
    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.number}: {self.what}"


def read_pairs(file: Path) -> tuple[list[TrialPair], list[DamagedLine]]:
    """The pairs of a JSONL file in order, and the lines that are none; empty lines are passed over.

    Raises:
        InputError: the file cannot be read, or holds no pair.
    """
    pairs, damaged = [], []
    for number, line in json_lines(file, _FORM):
        try:
            pairs.append(trial_pair(orjson.loads(line)))
        except orjson.JSONDecodeError as error:
            damaged.append(DamagedLine(str(file), number, f"not JSON ({error.msg} at character {error.pos})"))
        except InputError as error:
            damaged.append(DamagedLine(str(file), number, str(error)))
    if not pairs:
        found = f"; {damaged[0]}" if damaged else ", only empty lines"
        raise InputError(f"{file} holds no pair{found}; each line should be {_FORM}")
    return pairs, damaged


def json_lines(file: Path, form: str) -> list[tuple[int, bytes]]:
    """The lines of a file that are not empty, with their numbers from 1; `form` says what a line should be.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        lines = file.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
        return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    except FileNotFoundError as error:
        raise InputError(f"{file} does not exist; name a JSONL file with lines {form}") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error


def trial_pair(line: Any) -> TrialPair:
    """The pair of a parsed line. Raises: InputError: it is none."""
    if not isinstance(line, Mapping):
        raise InputError("not a JSON object")
    label = line.get("label")
    if label not in LABELS:
        raise InputError('"label" is none of "a", "b", "tie"')
    return TrialPair(
        id=_name(line, "id", is_required=True),
        prompt=read_turns(line.get("prompt"), "prompt"),
        a=_answer(line, "a"),
        b=_answer(line, "b"),
        label=cast("Label", label),
        group=_name(line, "group"),
        language=_name(line, "language"),
    )


def _answer(line: Mapping[str, Any], key: str) -> str:
    if not isinstance(line.get(key), str):
        raise InputError(f'"{key}" is missing or no text')
    return str(line[key])


def _name(line: Mapping[str, Any], key: str, *, is_required: bool = False) -> str:
    value = line.get(key)
    if value is None and not is_required:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError(f'"{key}" is {"missing or " if is_required else ""}neither text nor a whole number')
    return str(value)


def read_turns(value: Any, key: str) -> tuple[Turn, ...]:
    """The turns under a key of a line. Raises: InputError: they are none."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise InputError(f'"{key}" is missing, empty or no list of {{"role", "content"}}')
    return tuple(_turn(item, number, key) for number, item in enumerate(value, 1))


def _turn(item: Any, number: int, key: str) -> Turn:
    if not isinstance(item, Mapping) or not isinstance(item.get("content"), str):
        raise InputError(f'turn {number} of "{key}" has no text as "content"')
    if item.get("role") not in ROLES:
        raise InputError(f'turn {number} of "{key}" has a "role" that is none of {", ".join(ROLES)}')
    return Turn(item["role"], item["content"])
