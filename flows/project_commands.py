"""Commands about the project itself: init, doctor, prepare."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import click
from rich.table import Table

from flows.cli import json_option
from flows.console import DONE, FAILED, print_json, printable, say, stderr
from flows.settings_file import FILE_NAME, Project, find_project, read_project
from schemas.errors import GristmillError
from schemas.settings_text import settings_text


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), default=Path())
@json_option
@click.pass_obj
def init(config: Path | None, folder: Path, as_json: bool) -> int:
    """Write a commented gristmill.toml and create the corpus repository; what exists already is left as it is.

    \b
    Example:  gristmill init my-bot
    """
    from corpus.propose import init_corpus

    file = config or folder / FILE_NAME
    is_new = not file.exists()
    if is_new:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(settings_text(), encoding="utf-8")
    project = read_project(file)
    head = init_corpus(project.settings.corpus, root=project.root, clone=project.var / "clone.git")
    say(f"{'wrote' if is_new else 'kept'} {file}; the corpus is {project.settings.corpus.remote} at {head[:12]}")
    if is_new:
        say(f"next: name your logs, their consent and licence in {file}, then `gristmill doctor` and `gristmill run`")
    if as_json:
        print_json({"settings": str(file), "written": is_new, "corpus": project.settings.corpus.remote, "head": head})
    return DONE


@click.command()
@json_option
@click.pass_obj
def prepare(config: Path | None, as_json: bool) -> int:
    """Make the judge's model ready: find it, requantise it for this machine, check it. Part of `make setup`.

    \b
    Example:  gristmill prepare
    """
    from flows.stores import model_cache
    from judges.choose import prepare_models

    project = find_project(config)
    settings = project.settings
    files = prepare_models(settings.judge, root=project.root, cache=model_cache(), named=settings.judges)
    say(f"the judge is ready: {', '.join(str(file) for file in files)}")
    if as_json:
        print_json({"ready": True, "model": str(files[0]), "files": [str(file) for file in files]})
    return DONE


@dataclass(frozen=True)
class Finding:
    """One thing that `doctor` looked at; `remedy` says what to type when it is not well."""

    what: str
    state: Literal["well", "warning", "wrong"]
    found: str
    remedy: str = ""


@click.command()
@json_option
@click.pass_obj
def doctor(config: Path | None, as_json: bool) -> int:
    """Check the tools, the settings, the sources with their consent, the model and the corpus; say what to type.

    \b
    Example:  gristmill doctor
    """
    findings = list(_findings(config))
    marks = {"well": "[green]well[/]", "warning": "[yellow]look[/]", "wrong": "[red]wrong[/]"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        remedy = f"\n→ {finding.remedy}" if finding.remedy else ""
        table.add_row(marks[finding.state], finding.what, _plain(finding.found + remedy))
    stderr().print(table)
    is_well = all(finding.state != "wrong" for finding in findings)
    if as_json:
        print_json({"well": is_well, "findings": [asdict(finding) for finding in findings]})
    return DONE if is_well else FAILED


def _plain(text: str) -> str:
    return printable(text).replace("[", r"\[")


def _findings(config: Path | None) -> Iterator[Finding]:
    yield Finding("python", "well", sys.version.split()[0])
    git = shutil.which("git")
    yield Finding("git", "well" if git else "wrong", git or "not found", "" if git else "install git")
    yield Finding("llama.cpp", "well", f"llama-cpp-python {version('llama-cpp-python')}")
    try:
        project = find_project(config)
    except GristmillError as error:
        yield Finding("settings", "wrong", str(error), "correct the file, then `gristmill doctor` again")
        return
    found = str(project.file) if project.file else "none here; defaults are used"
    yield Finding("settings", "well" if project.file else "warning", found, "" if project.file else "gristmill init")
    yield from _sources(project)
    yield _checked("judge", "gristmill prepare", lambda: _model(project))
    yield _checked("corpus", "gristmill init", lambda: _corpus(project))


def _checked(what: str, remedy: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, "well", check())
    except GristmillError as error:
        return Finding(what, "wrong", str(error), remedy)


def _sources(project: Project) -> Iterator[Finding]:
    from corpus.pull import matching_files

    for source in project.settings.sources:
        n_files = len(matching_files(source, project.root))
        lacking = [key for key in ("consent", "licence") if not getattr(source, key)]
        found = f"{n_files} file(s) match {source.path!r}"
        if lacking:
            remedy = f"set {' and '.join(lacking)} for [[sources]] {source.name!r}; until then all of it is held"
            yield Finding(f"source {source.name}", "warning", found + f"; no {' and no '.join(lacking)}", remedy)
        elif not n_files:
            yield Finding(f"source {source.name}", "warning", found, f"check path under {project.root}")
        else:
            yield Finding(f"source {source.name}", "well", f"{found}; {source.licence}")
    if not project.settings.sources:
        yield Finding("sources", "warning", "none", f"add [[sources]] to {project.file or FILE_NAME}")


def _model(project: Project) -> str:
    from flows.stores import model_cache
    from judges.choose import prepare_models

    settings = project.settings
    files = prepare_models(settings.judge, root=project.root, cache=model_cache(), named=settings.judges)
    return ", ".join(str(file) for file in files)


def _corpus(project: Project) -> str:
    from corpus.propose import corpus_head

    head = corpus_head(project.settings.corpus, root=project.root, clone=project.var / "clone.git")
    return f"{project.settings.corpus.remote} at {head[:12]}"
