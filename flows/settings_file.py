"""Finds and reads gristmill.toml; a flag overrides a setting, and the environment names only the file and secrets."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from schemas.canonical import digest
from schemas.errors import SettingsError
from schemas.settings import Settings, model_of, parse_settings

FILE_NAME = "gristmill.toml"


@dataclass(frozen=True)
class Project:
    """Settings, the folder that their paths are relative to, and the file (None: defaults, no file).

    State lives in `var/` beside the file.
    """

    settings: Settings
    root: Path
    file: Path | None

    @property
    def var(self) -> Path:
        """The folder of local state."""
        return self.root / "var"

    @property
    def nights(self) -> Path:
        """The folder with one folder of stage files a night."""
        return self.var / "nights"

    def night_folder(self, night: str) -> Path:
        """Where a night's stage files lie."""
        return self.nights / night

    def settings_digest(self) -> str:
        """SHA-256 of the settings that decide a night's commit: where things lie and the schedule do not."""
        plain = self.settings.model_dump(mode="json")
        for key in ("remote", "token_env", "gristmill"):
            plain["corpus"].pop(key)
        plain.pop("forge")
        plain.pop("release")
        for table in ("judge_round", "drift"):  # what they did to the judge, its head's digest says in every verdict
            plain.pop(table)
        for source in plain["sources"]:
            source.pop("path")
        for key in ("cron", "subject_key_file"):
            plain["night"].pop(key)
        for judge in (plain["judge"], *plain["judges"]):
            for key in ("n_threads", "endpoint_concurrency", "endpoint_key_env"):
                judge.pop(key)
        return digest(plain)


def find_project(config: Path | None) -> Project:
    """The project of `--config`, else of GRISTMILL_CONFIG, else of gristmill.toml in this folder, else defaults.

    Raises:
        SettingsError: the file is missing, is not TOML, or holds unknown keys or wrong values.
    """
    named = config or (Path(name) if (name := os.environ.get("GRISTMILL_CONFIG")) else None)
    if named is None and not Path(FILE_NAME).exists():
        return Project(Settings(), Path.cwd(), None)
    return read_project(named or Path(FILE_NAME))


def read_project(file: Path) -> Project:
    """The project whose settings are in this file. Raises as `find_project`."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise SettingsError(f"{file} does not exist; `gristmill init` writes one") from error
    except IsADirectoryError as error:
        raise SettingsError(f"{file} is a folder; name the settings file in it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error
    return Project(parse_settings(tables, file=str(file)), file.resolve().parent, file.resolve())


def require_project(config: Path | None) -> Project:
    """As `find_project`, for commands that need a settings file.

    Raises:
        SettingsError: also when there is no settings file.
    """
    project = find_project(config)
    if project.file is None:
        raise SettingsError(f"no {FILE_NAME} in {project.root}; `gristmill init` writes one, or name it with --config")
    return project


def resolved_settings(project: Project) -> list[tuple[str, str, str]]:
    """Every setting as (key, value, origin), for the log of a run."""
    origin = project.file.name if project.file else ""
    rows = []
    for table, field in Settings.model_fields.items():
        value = getattr(project.settings, table)
        if isinstance(value, tuple):
            rows += [(f"{table}.{item.name}", repr(item.model_dump(exclude_none=True)), origin) for item in value]
            continue
        rows += [
            (f"{table}.{key}", repr(getattr(value, key)), origin if key in value.model_fields_set else "default")
            for key in model_of(field).model_fields
        ]
    return rows
