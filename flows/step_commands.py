"""One step alone, on files: `gristmill screen IN -o OUT` and its siblings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from corpus.stage import n_rows
from flows import road
from flows.cli import json_option
from flows.console import exit_code, print_json, print_report, progress
from flows.pull_files import pull_files
from flows.settings_file import Project, find_project
from schemas.outcome import StepReport


def _finish(report: StepReport, as_json: bool) -> int:
    print_report(report)
    if as_json:
        print_json(report.to_json())
    return exit_code([report])


def _file_step(name: str, text: str) -> Callable[[Callable[..., StepReport]], click.Command]:
    """Makes a command `NAME IN -o OUT --json` of a function (project, source, output, on_row) -> StepReport."""

    def decorate(step: Callable[..., StepReport]) -> click.Command:
        def command(config: Path | None, /, source: Path, output: Path, as_json: bool, **options: Any) -> int:
            project = find_project(config)
            with progress(name, n_rows(source)) as advance:
                report = step(project, source, output, on_row=lambda: advance(1), **options)
            return _finish(report, as_json)

        command.__doc__ = text + f"\n\n\b\nExample:  gristmill {name} in.parquet -o {name}.parquet"
        decorated = click.pass_obj(command)
        decorated = json_option(decorated)
        file = click.Path(path_type=Path, dir_okay=False)
        decorated = click.option("-o", "--output", type=file, required=True, help="Parquet to write.")(decorated)
        decorated = click.argument("source", metavar="IN", type=file)(decorated)
        return click.command(name)(decorated)

    return decorate


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Parquet to write."
)
@click.option("--type", "source_type", help="The source's type, when recognising it by content is not wanted.")
@json_option
@click.pass_obj
def pull(config: Path | None, sources: tuple[str, ...], output: Path, source_type: str | None, as_json: bool) -> int:
    """Read logs: SOURCE is a path, a folder, a glob, an http address, or the name of a source in the settings.

    The type of each file is recognised by its content. Unreadable records are listed, with their place, in
    OUT.quarantine.jsonl; the exit code is then 3.

    \b
    Example:  gristmill pull "logs/**/*.jsonl" -o pulled.parquet
    """
    project = find_project(config)
    with progress("pull", None, in_bytes=True) as advance:
        report = pull_files(project, sources, output, source_type=source_type, on_bytes=advance)
    return _finish(report, as_json)


@_file_step("screen", "Drop what is no usable conversation, and replace personal data and secrets by placeholders.")
def screen(project: Project, source: Path, output: Path, on_row: Callable[[], None]) -> StepReport:
    """Rules and redaction."""
    return road.screen(project, source, output, on_row=on_row)


@_file_step("deduplicate", "Drop exact, prefix and near duplicates within the file.")
def deduplicate(project: Project, source: Path, output: Path, on_row: Callable[[], None]) -> StepReport:
    """Within the file only: the corpus is compared in the night."""
    return road.deduplicate_file(project, source, output, on_row=on_row)


@_file_step("decontaminate", "Drop conversations that contain text of the evaluation sets named in the settings.")
def decontaminate(project: Project, source: Path, output: Path, on_row: Callable[[], None]) -> StepReport:
    """Against the evaluation sets of the settings."""
    return road.decontaminate(project, source, output, on_row=on_row)


@_file_step("judge", "Rate each conversation from 1 to 10 with the judge of the settings.")
def judge(project: Project, source: Path, output: Path, on_row: Callable[[], None]) -> StepReport:
    """Ratings are kept in var/, so the same conversation is never judged twice by the same judge."""
    return road.judge(project, source, output, on_row=on_row)


@_file_step("select", "Take the best above the threshold, within the quotas of the settings.")
def select(project: Project, source: Path, output: Path, on_row: Callable[[], None]) -> StepReport:
    """Threshold and quotas."""
    return road.select(project, source, output, on_row=on_row)
