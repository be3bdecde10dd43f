"""The ledger of nights: which dates were run, in which order, and how far each came."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from corpus.stage import read_report, write_atomically
from corpus.stages import STEPS, stage_file
from flows.settings_file import Project
from schemas.errors import GristmillError, InputError, SettingsError
from schemas.outcome import StepReport

PROPOSAL_FILE = "proposal.json"
"""What became of the night, in its folder; written last."""

REOPENED_FILE = "reopened"
"""Stands in the folder of a night that had ended and was run again, until it ends again."""

DRIFT_FILE = "drift.json"
"""What was found out about drift, in the night's folder."""


@dataclass(frozen=True)
class Night:
    """One night. `sequence` counts the nights of this project in the order they were first run, from 1."""

    date: str
    sequence: int
    folder: Path

    def output(self, step: str) -> Path:
        """The stage file that a step writes."""
        return stage_file(self.folder, step)

    def reports(self) -> list[StepReport]:
        """The counts of the steps that are complete, in the order of the road."""
        return [report for step in STEPS if (report := read_report(self.output(step)))]

    def proposal(self) -> dict[str, Any] | None:
        """What `propose` did, None when the night did not come so far."""
        return _read(self.folder / PROPOSAL_FILE)

    def alarms(self) -> list[str]:
        """What `watch_drift` found that a person should look at, as sentences."""
        found = _read(self.folder / DRIFT_FILE) or {}
        return [str(alarm) for alarm in found.get("alarms", [])]

    @property
    def is_complete(self) -> bool:
        """Whether the night ended: its proposal is the last thing written."""
        return (self.folder / PROPOSAL_FILE).exists()


def _read(file: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"{file} is damaged ({error}); delete the folder {file.parent} and run the night again"
        ) from error
    return value


def tonight(project: Project, now: datetime) -> str:
    """The date that a night starting now bears, in the time zone of the settings.

    Raises:
        SettingsError: the time zone does not exist.
    """
    name = project.settings.night.timezone
    try:
        return now.astimezone(ZoneInfo(name)).date().isoformat()
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(f"night.timezone = {name!r} is no time zone; write one such as 'Europe/Berlin'") from error


def checked_date(text: str) -> str:
    """The date in ISO form.

    Raises:
        SettingsError: it is not a date.
    """
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise SettingsError(f"--night {text!r} is not a date; write it as 2026-11-04")


def all_nights(project: Project) -> list[Night]:
    """The nights of the project, in the order they were first run."""
    nights = []
    for file in project.nights.glob("*/night.json"):
        if plain := _read(file):
            nights.append(Night(plain["night"], plain["sequence"], file.parent))
    return sorted(nights, key=lambda night: night.sequence)


def find_night(project: Project, name: str | None) -> Night:
    """A night by its date, or the last one.

    Raises:
        InputError: there is none; the message lists those that exist.
    """
    nights = all_nights(project)
    if not nights:
        raise InputError(f"no night was run yet in {project.root}; `gristmill run` runs one")
    if name is None:
        return nights[-1]
    for night in nights:
        if night.date == name:
            return night
    raise InputError(f"no night {name!r}; there are {', '.join(night.date for night in nights)}")


def begin_night(project: Project, night: str) -> Night:
    """The night of this date: the one already begun, or a new one with the next sequence number.

    An unfinished night that is not the last one begun gets a new number: later nights have read its logs since. The
    last one, run again when it proposed nothing, counts as unfinished until it ends: nothing of it is in the corpus, so
    if it is killed now, the next night may read what it read.
    """
    earlier = all_nights(project)
    last = earlier[-1].sequence if earlier else 0
    for known in earlier:
        if known.date == night and (known.is_complete or known.sequence == last):
            if known.sequence == last and (known.proposal() or {}).get("state") == "nothing_to_propose":
                (known.folder / PROPOSAL_FILE).unlink()
            elif known.is_complete:
                write_atomically(known.folder / REOPENED_FILE, b"")
            return known
    begun = Night(night, last + 1, project.night_folder(night))
    content = {"night": night, "sequence": begun.sequence}
    write_atomically(begun.folder / "night.json", orjson.dumps(content))
    return begun


def end_night(night: Night) -> None:
    """Says that a night is done with all that it read, after `propose`."""
    (night.folder / REOPENED_FILE).unlink(missing_ok=True)


def reopened(project: Project, date: str) -> list[str]:
    """The dates of other nights that had ended, were run again, perhaps on grown logs, and were killed since.

    They must be run to their end before a night of this date begins: what they read is in no proposal yet.
    """
    nights = [night for night in all_nights(project) if night.date != date]
    return [night.date for night in nights if (night.folder / REOPENED_FILE).exists()]


def unfinished_before(project: Project, night: Night) -> list[Night]:
    """Earlier nights that never ended; what they read is forgotten, so that this night reads it."""
    return [other for other in all_nights(project) if other.sequence < night.sequence and not other.is_complete]


def complete_before(project: Project, night: Night) -> list[Path]:
    """The folders of the nights before this one that ended, in the order they were first run."""
    return [other.folder for other in all_nights(project) if other.sequence < night.sequence and other.is_complete]


@contextmanager
def only_one(project: Project, name: str = "lock") -> Iterator[None]:
    """Holds a lock of the project, that of its nights unless named; the system frees it when the process dies.

    Raises:
        GristmillError: another process holds it.
    """
    project.var.mkdir(parents=True, exist_ok=True)
    with (project.var / name).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise GristmillError(f"another run is under way in {project.var} (process {owner}); wait for it") from error
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
