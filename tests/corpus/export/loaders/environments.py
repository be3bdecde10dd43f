"""An environment of its own for each toolkit, made from pinned packages below a cache folder, and commands run there.

Of each toolkit, `requirements/` holds:

- `TOOLKIT.txt`: what the loader needs.
- `TOOLKIT.alone.txt`: what is installed without what it asks for, such as compilers for GPUs.
- `TOOLKIT.constraints.txt`: everything that was installed and tried together, so that an installation of today is the
  one of tomorrow. Made with `pip freeze` in the environment, without what follows a `+` in a version.

torch is pinned without its build: where pip is told of a CPU build (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL), it takes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
FILES = (".txt", ".alone.txt", ".constraints.txt")


def environment(cache: Path, toolkit: str, seconds: float, requirements: Path = REQUIREMENTS) -> Path:
    """The Python of a toolkit's environment, which is made anew when what it is made of has changed.

    Raises:
        subprocess.SubprocessError: it could not be made, or not within `seconds`; nothing of it is left.
    """
    files = [requirements / f"{toolkit}{ending}" for ending in FILES]
    contents = b"".join(file.read_bytes() for file in files if file.exists())
    folder = cache.absolute() / toolkit
    done, python = folder / "made-of", folder / "bin" / "python"
    made_of = hashlib.sha256(contents + sys.version.encode()).hexdigest()
    if done.exists() and done.read_text() == made_of:
        return python
    print(f"making the environment of {toolkit} in {folder}", file=sys.stderr, flush=True)
    try:
        _make(folder, python, files, seconds)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    done.write_text(made_of)
    return python


def _make(folder: Path, python: Path, files: Sequence[Path], seconds: float) -> None:
    needed, alone, constraints = files
    install: list[str | Path] = [python, "-m", "pip", "install", "--quiet"]
    if seconds <= 0:
        raise subprocess.TimeoutExpired([str(word) for word in install], seconds)
    ends_at = time.monotonic() + seconds
    venv.create(folder, clear=True, with_pip=True)
    if constraints.exists():
        install += ["--constraint", constraints]
    run([*install, "--requirement", needed], ends_at - time.monotonic())
    if alone.exists():
        run([*install, "--no-deps", "--requirement", alone], ends_at - time.monotonic())


def run(command: Sequence[str | Path], seconds: float, folder: Path | None = None) -> str:
    """What a command writes to its standard output; its working files go to `folder`, and what it starts ends with it.

    Raises:
        subprocess.SubprocessError: it failed, or had not ended after `seconds`.
    """
    words = [str(word) for word in command]
    with subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        try:
            out, err = running.communicate(timeout=max(seconds, 0))
        except BaseException:
            # With what it has started, which may hold its pipes open and would be waited for.
            os.killpg(running.pid, signal.SIGKILL)
            raise
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, words, out, err)
    return out


def end_of(error: Exception) -> str:
    """The last lines of what a command said before it failed."""
    said = getattr(error, "stderr", None) or str(error)
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " / ".join(text.strip().splitlines()[-4:])[-600:]
