"""The rubric: what a judge is asked, as data with a version. Changing it invalidates the verdicts that it made."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas.canonical import digest
from schemas.errors import SettingsError, nearest

DEFAULT_RUBRIC = Path(__file__).parent / "rubrics" / "fitness.toml"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing looked at; `weight` is its share beside the other criteria's weights."""

    name: str
    question: str
    weight: float


@dataclass(frozen=True, slots=True)
class Rubric:
    """Instructions, one question answered with a number from 1 to 10, and the criteria behind it."""

    id: str
    version: int
    instructions: str
    question: str
    criteria: tuple[Criterion, ...]

    @property
    def name(self) -> str:
        """Id and version as verdicts carry them, such as `fitness-1`."""
        return f"{self.id}-{self.version}"

    def digest(self) -> str:
        """SHA-256 of what the rubric says; comments and layout of its file do not count."""
        return digest(asdict(self))

    def system_text(self) -> str:
        """The instructions with the criteria, most weighty first: what stands before every conversation."""
        ranked = sorted(self.criteria, key=lambda criterion: (-criterion.weight, criterion.name))
        listed = [f"- {criterion.name}: {criterion.question}" for criterion in ranked]
        return "\n".join([self.instructions.strip(), "Look at:", *listed] if listed else [self.instructions.strip()])


def load_rubric(path: Path | None = None) -> Rubric:
    """The rubric in a TOML file; without a path the one that ships, judges/rubrics/fitness.toml.

    Raises:
        SettingsError: the file is missing or not TOML, or has unknown, missing or wrong keys.
    """
    file = path or DEFAULT_RUBRIC
    try:
        plain = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"judge.rubric {str(file)!r} cannot be read: {error.strerror}; check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not a TOML file: {error}") from error
    criteria = plain.pop("criteria", [])
    if not isinstance(criteria, list) or not all(isinstance(item, dict) for item in criteria):
        raise SettingsError(f"{file}: criteria are written as [[criteria]] tables")
    rubric = _checked(plain, {"id": str, "version": int, "instructions": str, "question": str}, str(file))
    return Rubric(
        **rubric, criteria=tuple(_criterion(item, f"{file}, criterion {n}") for n, item in enumerate(criteria, 1))
    )


def _criterion(plain: Mapping[str, Any], place: str) -> Criterion:
    weight = plain.get("weight")
    plain = {**plain, "weight": float(weight)} if isinstance(weight, int) else plain
    criterion = Criterion(**_checked(plain, {"name": str, "question": str, "weight": float}, place))
    if not criterion.weight > 0:
        raise SettingsError(f"{place}: weight must be above 0, not {criterion.weight}")
    return criterion


def _checked(plain: Mapping[str, Any], types: Mapping[str, type], place: str) -> dict[str, Any]:
    for key in plain:
        if key not in types:
            raise SettingsError(f"{place}: no such key {key!r}{nearest(key, types)}")
    for key, kind in types.items():
        if not isinstance(plain.get(key), kind) or plain[key] == "":
            raise SettingsError(f"{place}: {key} must be a {kind.__name__} (found {plain.get(key)!r:.60})")
    return dict(plain)
