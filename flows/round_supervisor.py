"""Runs a round's command beside everything else, and writes down how it ended.

A round may take hours, and merging waits for none, so the command runs in a process of its own that outlives the one
that started it. The lock that it was given stays held as long as it, or anything of the command, is alive: whoever can
take the lock and finds no word of the end knows that it was killed. Run as `python -m flows.round_supervisor`, with
what to do as JSON on standard input.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

GRACE_S = 10.0
"""From the request to end to the end by force; what container runtimes and systemd units commonly give."""


def main() -> None:
    """Leaves the process that started it, runs the command, writes its end."""
    asked = json.loads(sys.stdin.buffer.read())
    if os.fork():
        os._exit(0)  # whoever waits for this process goes on
    os.setsid()
    code, message = _run(asked)
    _write(Path(asked["ended"]), {"attempt": asked["attempt"], "code": code, "message": message, "at": _now()})


def _run(asked: dict[str, Any]) -> tuple[int, str]:
    program = asked["command"][0]
    try:
        with Path(asked["log"]).open("ab") as log:
            process = subprocess.Popen(
                asked["command"],
                cwd=asked["folder"],
                env=asked["environment"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[asked["lock"]],  # held as long as the command is alive, whatever becomes of this process
            )
    except (OSError, ValueError) as error:
        return 127, f"{program} cannot be run ({error})"
    try:
        code = process.wait(timeout=asked["timeout_s"])
    except subprocess.TimeoutExpired:
        _end(process)
        return 124, f"{program} did not end in {asked['timeout_s']:g} s and was ended"
    return code, f"{program} ended with code {code}" if code >= 0 else f"{program} was ended by signal {-code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _write(file: Path, value: dict[str, Any]) -> None:
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(file)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    main()
