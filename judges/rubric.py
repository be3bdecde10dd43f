"""The rubric: the question asked of a conversation and its criteria, as versioned data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from schemas.canonical import digest
from schemas.errors import SettingsError, nearest

DEFAULT = Path(__file__).parent / "rubrics" / "fitness.toml"


@dataclass(frozen=True)
class Rubric:
    """A question on a scale from 1 to 10 and the criteria behind it, each (name, question)."""

    id: str
    version: int
    question: str
    criteria: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Id and version, as verdicts name it."""
        return f"{self.id}-{self.version}"

    def digest(self) -> str:
        """SHA-256 of what the rubric says, whatever its layout."""
        return digest([self.id, self.version, self.question, self.criteria])

    def text(self) -> str:
        """The question with its criteria, as a judge reads it."""
        return self.question.strip() + "\n" + "\n".join(f"- {name}: {question}" for name, question in self.criteria)


def load_rubric(path: Path | None = None) -> Rubric:
    """The rubric in a TOML file; the one that ships when no path is given.

    Raises:
        SettingsError: the file is missing, is not TOML, or has unknown or missing keys.
    """
    file = path or DEFAULT
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the rubric {file} cannot be read: {error.strerror}; check judge.rubric") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the rubric {file} is not valid TOML: {error}") from error
    known = ("id", "version", "question", "criteria")
    for key in table:
        if key not in known:
            raise SettingsError(f"the rubric {file} has an unknown key {key!r}{nearest(key, known)}")
    if missing := [key for key in known if key not in table]:
        raise SettingsError(f"the rubric {file} lacks {', '.join(missing)}")
    criteria = tuple((str(item["name"]), str(item["question"])) for item in table["criteria"])
    return Rubric(str(table["id"]), int(table["version"]), str(table["question"]), criteria)
