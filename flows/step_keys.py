"""What a step's result rests on: the key under which it may be reused."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from corpus.carried import taken, waiting_after
from corpus.pull import matching_files
from corpus.stage import read_report
from corpus.stages import STEPS
from flows.nights import Night, complete_before
from flows.settings_file import Project
from schemas.canonical import digest, file_digest
from schemas.errors import InputError
from schemas.reasons import UNRATED_FOR_NOW

_ROOT = Path(__file__).parent.parent

_TABLES = {
    "pull": ("sources", "night", "corpus"),
    "screen": ("screen",),
    "deduplicate": ("dedupe",),
    "decontaminate": ("decontaminate",),
    "judge": ("judge", "judges"),
    "select": ("dedupe", "judge", "night", "experts"),
    "validate": ("night", "corpus"),
}
"""The tables of the settings that each step rests on."""


@cache
def code_digest() -> str:
    """SHA-256 over our own source and data files: a new version of Gristmill reuses nothing of an old one."""
    folders = ("schemas", "corpus", "judges")
    files = [
        file for folder in folders for file in (_ROOT / folder).rglob("*") if file.suffix in (".py", ".toml", ".json")
    ]
    return digest([[str(file.relative_to(_ROOT)), file_digest(file)] for file in sorted(files)])


def step_key(project: Project, night: Night, step: str, head: str) -> tuple[str, bool]:
    """The key of a step's result, and whether the files that the result speaks of are still there.

    Args:
        project: settings and places.
        night: its sequence number decides what the stores show of earlier nights.
        step: a key of `STEPS`; the step before it must be complete.
        head: commit of the corpus's base branch, which decides what counts as accepted or withdrawn.
    """
    tables = [project.settings.model_dump(mode="json", include={table}) for table in _TABLES[step]]
    parts: list[Any] = [step, code_digest(), tables, night.date, night.sequence, _input(project, night, step)]
    if step == "pull":
        waiting = waiting_after(complete_before(project, night))
        parts.append([[one.night, one.conversation_id, one.content_id] for one in waiting])
    if step == "deduplicate":
        parts += [head, sorted(row["content_id"] for row in taken(night.folder))]
    return digest(parts), _is_intact(night.output(step)) and not _is_to_be_asked_again(night, step)


def _is_to_be_asked_again(night: Night, step: str) -> bool:
    """Whether the judge left conversations for later and the night has not ended, so that they can still be its own."""
    report = read_report(night.output("judge")) if step == "judge" and not night.is_complete else None
    return report is not None and UNRATED_FOR_NOW in report.held


def _input(project: Project, night: Night, step: str) -> Any:
    steps = list(STEPS)
    if step == "pull":
        return _logs(project)
    before = file_digest(night.output(steps[steps.index(step) - 1]))
    return [before, *_evaluation_files(project)] if step == "decontaminate" else before


def _logs(project: Project) -> list[list[Any]]:
    """Path, size and time of change of every log: what `make` and `rsync` trust, too."""
    files = []
    for source in project.settings.sources:
        try:
            found = matching_files(source, project.root)
        except InputError as error:  # a missing source is reported by pull itself
            files.append([source.name, str(error), 0, 0])
            continue
        files += [[source.name, str(file), *_size_and_time(file)] for file in found]
    return files


def _size_and_time(file: Path) -> tuple[int, int]:
    facts = file.stat()
    return facts.st_size, facts.st_mtime_ns


def _evaluation_files(project: Project) -> list[list[Any]]:
    patterns = project.settings.decontaminate.paths
    files = sorted({file for pattern in patterns for file in project.root.glob(pattern) if file.is_file()})
    return [[str(file.relative_to(project.root)), file_digest(file)] for file in files]


def _is_intact(output: Path) -> bool:
    report = read_report(output)
    return report is not None and all(Path(path).exists() for path in report.outputs)
