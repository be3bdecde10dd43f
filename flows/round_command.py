"""Starts a round as a command, and says later how it ended; flows/round_supervisor.py is the process beside it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from corpus.stage import disk_errors
from flows.round_webhook import RoundRefused

EARLY_S = 3.0
"""How long a start waits for a command that fails at once, as one that is missing or misses an argument does."""

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Command:
    """What is run: program and arguments, the folder that it runs in, its environment, and its time."""

    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    timeout_s: float


@dataclass(frozen=True)
class Ended:
    """How an attempt ended, in words; `is_lost`: nobody saw its end."""

    is_well: bool
    message: str
    is_lost: bool = False


def start_command(command: Command, place: Path, attempt: int) -> Ended | None:
    """Runs a command beside this process; gives its end if that comes at once, None while it runs.

    What it says goes to `output.log` in `place`.

    Raises:
        RoundRefused: something of an earlier attempt is still running.
    """
    with disk_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    with _locked(place) as lock:
        if lock is None:
            raise RoundRefused(f"an earlier attempt is still running, it holds {place / 'lock'}; wait, or end it")
        reader, writer = os.pipe()
        try:
            _supervise(command, place, attempt, lock.fileno(), writer)
        finally:
            os.close(writer)
    with os.fdopen(reader, "rb"):
        select.select([reader], [], [], EARLY_S)  # readable once the supervisor is gone
    return end_of(place, attempt)


def end_of(place: Path, attempt: int) -> Ended | None:
    """How an attempt ended, None while it runs."""
    if found := _word_of_end(place, attempt):
        return found
    if not place.is_dir():
        return Ended(False, "the command was never begun", is_lost=True)
    with _locked(place) as lock:
        if lock is None:
            return None
    lost = "the command was ended from outside, with this machine or by somebody, before it was done"
    return _word_of_end(place, attempt) or Ended(
        False, f"{lost}; what it said is in {place / 'output.log'}", is_lost=True
    )


def _word_of_end(place: Path, attempt: int) -> Ended | None:
    try:
        told: dict[str, Any] = json.loads((place / "ended.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if told.get("attempt") != attempt:
        return None
    is_well = told["code"] == 0
    where = "" if is_well else f"; what it said is in {place / 'output.log'}"
    return Ended(is_well, f"{told['message']}{where}")


@contextmanager
def _locked(place: Path) -> Iterator[IO[bytes] | None]:
    """The lock of a round's command; None when somebody has it."""
    with disk_errors(place):
        file = (place / "lock").open("ab")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file


def _supervise(command: Command, place: Path, attempt: int, lock: int, writer: int) -> None:
    asked = {
        "command": list(command.arguments),
        "folder": str(command.folder),
        "environment": dict(command.environment),
        "timeout_s": command.timeout_s,
        "attempt": attempt,
        "lock": lock,
        "ended": str(place / "ended.json"),
        "log": str(place / "output.log"),
    }
    packages = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
    subprocess.run(
        [sys.executable, "-P", "-m", "flows.round_supervisor"],
        input=json.dumps(asked).encode(),  # not as arguments, which every user of the machine can read
        env={**os.environ, "PYTHONPATH": packages},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(lock, writer),
        check=True,
    )
