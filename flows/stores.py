"""What a project keeps for itself, and where: clone, verdicts, picks, heads, the key of pseudonyms; and the models."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from corpus.picks import Picks
from flows.settings_file import Project
from judges.verdicts import VerdictStore
from schemas.errors import SettingsError


def clone(project: Project) -> Path:
    """Our private bare clone of the corpus; made anew when it is missing or damaged."""
    return project.var / "clone.git"


def heads_folder(project: Project) -> Path:
    """Where the project's heads and the records of the judge's rounds are kept."""
    return project.var / "judge"


def verdicts_of(project: Project) -> VerdictStore:
    """What the judges said."""
    return VerdictStore(project.var / "verdicts.duckdb")


def picks_of(project: Project) -> Picks:
    """What the nights picked."""
    return Picks(project.var / "picks.sqlite")


def model_cache() -> Path:
    """Where requantised models are kept: GRISTMILL_CACHE, else gristmill/ in the user's cache folder."""
    if named := os.environ.get("GRISTMILL_CACHE"):
        return Path(named) / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gristmill" / "models"


def subject_key(project: Project) -> bytes:
    """The secret that pseudonymises user ids: the file of the settings, else one made once in var/.

    Raises:
        SettingsError: the file named in the settings cannot be read or is empty.
    """
    named = project.settings.night.subject_key_file
    if named:
        try:
            key = (project.root / named).read_bytes().strip()
        except OSError as error:
            raise SettingsError(f"night.subject_key_file {named!r} cannot be read: {error.strerror}") from error
        if len(key) < 16:
            raise SettingsError(f"night.subject_key_file {named!r} holds {len(key)} bytes; at least 16 are needed")
        return key
    return _own_key(project.var / "subject.key")


def _own_key(file: Path) -> bytes:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            new.write(secrets.token_hex(32).encode())
    except FileExistsError:
        if not file.read_bytes():  # killed between making and filling it
            file.unlink()
            return _own_key(file)
    return file.read_bytes()
