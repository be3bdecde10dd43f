"""The exports of a made release, read by each toolkit's own loader in an environment of its own.

    python -m tests.corpus.export.loaders.nightly CACHE [TOOLKIT...]

Environments are made below CACHE once per change of their pinned packages (`requirements/TOOLKIT.txt`; those in
`TOOLKIT.alone.txt` are installed without what they ask for, such as compilers for GPUs). Prints a Markdown table; exits
with 1 when a loader failed or read another number of rows, 2 when an environment could not be made.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus.export.manifest import Exported
from corpus.export.registry import FORMATS
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


def main(cache: Path, wanted: Sequence[str]) -> int:
    """Makes what is missing, runs the loaders, prints the table."""
    print("| loader | version | format | kind | rows in | written | loaded | left out |")
    print("| --- | --- | --- | --- | ---: | ---: | ---: | --- |")
    problems: list[str] = []
    is_missing = False
    for toolkit in wanted or LOADERS:
        try:
            python = environment(cache, toolkit)
        except subprocess.SubprocessError as error:
            is_missing = True
            problems.append(f"{toolkit}: its environment could not be made: {_end(error)}")
            continue
        for one in _loaded(toolkit, python):
            print(one, flush=True)
            problems += [f"{toolkit} {one.form} {one.kind}: {one.problem}"] if one.problem else []
    print(*problems, sep="\n", file=sys.stderr)
    return 2 if is_missing else int(bool(problems))


def environment(cache: Path, toolkit: str) -> Path:
    """The Python of a toolkit's environment, which is made anew when what it is made of has changed."""
    files = [HERE / "requirements" / f"{toolkit}{ending}" for ending in (".txt", ".alone.txt")]
    contents = b"".join(file.read_bytes() for file in files if file.exists())
    folder = cache.absolute() / toolkit
    done, python = folder / "made-of", folder / "bin" / "python"
    made_of = hashlib.sha256(contents + sys.version.encode()).hexdigest()
    if done.exists() and done.read_text() == made_of:
        return python
    print(f"making the environment of {toolkit} in {folder}", file=sys.stderr, flush=True)
    venv.create(folder, clear=True, with_pip=True)
    for file, options in zip(files, ([], ["--no-deps"]), strict=True):
        if file.exists():
            _run([python, "-m", "pip", "install", "--quiet", *options, "--requirement", file], INSTALL_SECONDS)
    done.write_text(made_of)
    return python


def _loaded(toolkit: str, python: Path) -> Iterator[Line]:
    script, forms = LOADERS[toolkit]
    for form in forms:
        for kind in FORMATS[form].shapes:
            if (form, kind) not in WITHOUT_CHECKER:
                with tempfile.TemporaryDirectory(prefix="gristmill-export-") as place:
                    yield _line(toolkit, form, kind, [python, HERE / f"{script}_loader.py"], Path(place))


def _line(toolkit: str, form: str, kind: str, command: Sequence[str | Path], place: Path) -> Line:
    rejected = made_rejected() if kind == "unpaired" else ()
    exported = export_made(place / "export", form, kind, rejected=rejected)
    try:
        said = json.loads(_run([*command, place / "export"], LOADER_SECONDS, place).splitlines()[-1])
    except (subprocess.SubprocessError, json.JSONDecodeError, IndexError) as error:
        return Line(toolkit, form, kind, exported, "?", 0, _end(error))
    is_all = said["rows"] == dict(exported.counts)
    problem = None if is_all else f"{said['rows']} rows were read of {dict(exported.counts)}"
    return Line(toolkit, form, kind, exported, said["version"], sum(said["rows"].values()), problem)


def _run(command: Sequence[str | Path], seconds: int, folder: Path | None = None) -> str:
    """What a command writes to its standard output; its working files go to `folder`."""
    ended = subprocess.run(
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, timeout=seconds, check=True
    )
    return ended.stdout


def _end(error: Exception) -> str:
    """The last lines of what a command said before it failed."""
    said = getattr(error, "stderr", None) or str(error)
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " / ".join(text.strip().splitlines()[-4:])[-600:]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
