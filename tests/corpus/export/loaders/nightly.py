"""The exports of a made release, read by each toolkit's own loader in an environment of its own.

    python -m tests.corpus.export.loaders.nightly CACHE [TOOLKIT...] [--where-it-installs MINUTES]

Environments are made below CACHE once per change of their pinned packages (see environments.py). Prints a Markdown
table; exits with 1 when a loader failed or read another number of rows, 2 when an environment could not be made.

With `--where-it-installs`, for a machine that may lack a network, a wheel or the time: what cannot be installed,
cannot be imported, or is not reached within these minutes is told as not checked, and is no failure. A loader that
refuses rows or reads another number of them is one all the same.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus.export.manifest import Exported
from corpus.export.registry import FORMATS
from tests.corpus.export.loaders.environments import REQUIREMENTS, end_of, environment, run
from tests.corpus.export.loaders.export_on_disk import NOT_IMPORTED
from tests.corpus.export.made_release import export_made, made_rejected

HERE = Path(__file__).parent
LOADERS: Mapping[str, tuple[str, Sequence[str]]] = {
    "datasets": ("huggingface", ("huggingface", "huggingface-jsonl")),
    "trl": ("trl", ("trl",)),
    "axolotl": ("axolotl", ("axolotl",)),
    "llamafactory": ("llamafactory", ("llamafactory",)),
    "torchtune": ("torchtune", ("torchtune",)),
    "unsloth": ("unsloth", ("unsloth",)),
    "openrlhf": ("openrlhf", ("openrlhf",)),
    "verl": ("verl", ("verl",)),
    "together": ("together", ("openai",)),
}
"""Of each environment: its loader's script, and the formats that it reads."""

WITHOUT_CHECKER = {("openai", "prompt")}
"""Together's check knows no prompts for reinforcement fine-tuning."""

LOADER_SECONDS = 600
INSTALL_SECONDS = 1800


class NotChecked(Exception):
    """A toolkit could not be tried on this machine: its message says why."""


@dataclass(frozen=True)
class Line:
    """What one loader made of one export; `problem` is the end of what it said, None when all was read."""

    toolkit: str
    form: str
    kind: str
    exported: Exported
    version: str
    loaded: int
    problem: str | None

    def __str__(self) -> str:
        left = ", ".join(f"{reason} {n}" for reason, n in self.exported.left_out.items())
        rows = f"{self.exported.n_in} | {self.exported.written} | {self.loaded}"
        return f"| {self.toolkit} | {self.version} | {self.form} | {self.kind} | {rows} | {left} |"


@dataclass(frozen=True)
class Limit:
    """The moment of the monotonic clock at which the whole run stops; infinity without one."""

    ends_at: float = math.inf

    def seconds(self, most: float) -> float:
        """How long a step that takes at most so many seconds may run now."""
        return max(0.0, min(most, self.ends_at - time.monotonic()))

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.ends_at


def main(cache: Path, wanted: Sequence[str], minutes: float | None = None, requirements: Path = REQUIREMENTS) -> int:
    """Makes what is missing, runs the loaders, prints the table."""
    print("| loader | version | format | kind | rows in | written | loaded | left out |")
    print("| --- | --- | --- | --- | ---: | ---: | ---: | --- |")
    limit = Limit() if minutes is None else Limit(time.monotonic() + 60 * minutes)
    problems: list[str] = []
    not_checked: list[str] = []
    for toolkit in wanted or LOADERS:
        try:
            for one in _loaded(toolkit, _python(cache, toolkit, limit, requirements), limit):
                print(one, flush=True)
                problems += [f"{toolkit} {one.form} {one.kind}: {one.problem}"] if one.problem else []
        except NotChecked as reason:
            not_checked.append(f"not checked: {toolkit}: {reason}")
    print(*problems, *not_checked, sep="\n", file=sys.stderr)
    return 1 if problems else 2 if not_checked and minutes is None else 0


def _python(cache: Path, toolkit: str, limit: Limit, requirements: Path) -> Path:
    seconds = limit.seconds(INSTALL_SECONDS)
    try:
        return environment(cache, toolkit, seconds, requirements)
    except (subprocess.SubprocessError, OSError) as error:
        raise NotChecked(f"could not be installed within {seconds:.0f} s: {end_of(error)}") from error


def _loaded(toolkit: str, python: Path, limit: Limit) -> Iterator[Line]:
    script, forms = LOADERS[toolkit]
    for form in forms:
        for kind in FORMATS[form].shapes:
            if (form, kind) not in WITHOUT_CHECKER:
                with tempfile.TemporaryDirectory(prefix="gristmill-export-") as place:
                    yield line(toolkit, form, kind, [python, HERE / f"{script}_loader.py"], Path(place), limit)


def line(
    toolkit: str, form: str, kind: str, command: Sequence[str | Path], place: Path, limit: Limit | None = None
) -> Line:
    """What a loader, a command that is given the export's folder, makes of an export below `place`."""
    rejected = made_rejected() if kind == "unpaired" else ()
    exported = export_made(place / "export", form, kind, rejected=rejected)
    try:
        said = json.loads(_said([*command, place / "export"], place, limit or Limit()).splitlines()[-1])
    except (subprocess.SubprocessError, json.JSONDecodeError, IndexError) as error:
        return Line(toolkit, form, kind, exported, "?", 0, end_of(error))
    is_all = said["rows"] == dict(exported.counts)
    problem = None if is_all else f"{said['rows']} rows were read of {dict(exported.counts)}"
    return Line(toolkit, form, kind, exported, said["version"], sum(said["rows"].values()), problem)


def _said(command: Sequence[str | Path], place: Path, limit: Limit) -> str:
    try:
        return run(command, limit.seconds(LOADER_SECONDS), place)
    except subprocess.TimeoutExpired as error:
        if limit.is_over:
            raise NotChecked("the time for all loaders was up before this one had ended") from error
        raise
    except subprocess.CalledProcessError as error:
        if error.returncode == NOT_IMPORTED:
            raise NotChecked(f"was installed, but cannot be imported: {end_of(error)}") from error
        raise


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nightly", description="Each toolkit's own loader on an export.")
    parser.add_argument("cache", type=Path, help="the folder of the environments")
    parser.add_argument("toolkits", nargs="*", metavar="TOOLKIT", help=f"all when none is named: {', '.join(LOADERS)}")
    parser.add_argument("--where-it-installs", type=float, metavar="MINUTES", help="what cannot be tried is no failure")
    asked = parser.parse_args(words)
    if unknown := set(asked.toolkits) - set(LOADERS):
        parser.error(f"there is no loader for {', '.join(sorted(unknown))}; there is one for {', '.join(LOADERS)}")
    return asked


if __name__ == "__main__":
    asked = _arguments(sys.argv[1:])
    sys.exit(main(asked.cache, asked.toolkits, asked.where_it_installs))
