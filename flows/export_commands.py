"""The command export: a release's samples as one toolkit's files."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from corpus.clone import Clone
from corpus.export.manifest import Asked, Exported
from corpus.export.registry import FORMATS, format_named
from corpus.export.rejected import rejected_samples
from corpus.export.released import released
from corpus.export.rows import KINDS, Kind
from corpus.export.write import export as write_export
from corpus.release_rows import read_release
from corpus.repository import base_commit, on_corpus
from corpus.tombstones import read_withdrawn
from flows.cli import json_option
from flows.console import DONE, print_json, progress, say, stderr
from flows.settings_file import Project, require_project
from schemas.errors import SettingsError
from schemas.reasons import REASONS


@click.command()
@click.argument("tag", required=False)
@click.option("--format", "format_name", metavar="NAME", help="Toolkit; --list shows them.")
@click.option("--kind", type=click.Choice(KINDS), default="sft", show_default=True, help="What rows are for.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="New or empty folder, or an earlier export.")
@click.option("--expert", "experts", multiple=True, metavar="NAME", help="Only of this expert; repeat for more.")
@click.option(
    "--weak", is_flag=True, help="A reply that nobody rated counts as worse than the one the user went on with."
)
@click.option("--list", "is_list", is_flag=True, help="Show the formats and their kinds.")
@json_option
@click.pass_obj
def export(
    config: Path | None,
    tag: str | None,
    format_name: str | None,
    kind: Kind,
    output: Path | None,
    experts: tuple[str, ...],
    weak: bool,
    is_list: bool,
    as_json: bool,
) -> int:
    """Write a release in the form of a training toolkit. The sealed holdout is never exported.

    What the toolkit cannot hold is left out, with its reason: counts here, ids in left_out.jsonl.

    \b
    Example:  gristmill export v1 --format trl --kind preference -o exports/v1-dpo
    """
    if is_list:
        return _list(as_json)
    if tag is None or format_name is None or output is None:
        raise SettingsError("name a release, --format and -o; `gristmill export --list` shows the formats")
    form = format_named(format_name, kind)
    project = require_project(config)
    asked = Asked(tag=tag, commit="", form=form, kind=kind, experts=experts, with_weak=weak)
    exported = export_release(project, asked, output)
    _tell(exported, asked, output)
    if as_json:
        print_json(_plain(exported, asked, output))
    return DONE


def _list(as_json: bool) -> int:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("format", "kinds", "what"):
        table.add_column(column)
    for form in FORMATS.values():
        table.add_row(form.name, " ".join(kind for kind in KINDS if kind in form.shapes), form.title)
    stderr().print(table)
    if as_json:
        print_json({"formats": [{"name": one.name, "kinds": list(one.shapes)} for one in FORMATS.values()]})
    return DONE


def export_release(project: Project, asked: Asked, output: Path) -> Exported:
    """Writes one export of a release; what was withdrawn since is left out. Raises as `corpus.export.write.export`."""
    corpus = project.settings.corpus

    def run(store: Clone) -> Exported:
        withdrawn = read_withdrawn(store, base_commit(store, corpus, store.heads()))
        commit, manifest = released(store, asked.tag)

        def is_withdrawn(line: Any) -> bool:
            origin = line["provenance"]
            return withdrawn.named(line["id"], origin["conversation_id"], origin["subject"]) is not None

        resolved = replace(asked, commit=commit, withdrawn=is_withdrawn)
        with ExitStack() as opened:
            rejected = (
                opened.enter_context(rejected_samples(store, commit, manifest.corpus_commit))
                if asked.kind == "unpaired"
                else iter(())
            )
            on_sample = opened.enter_context(progress("export", manifest.n_samples))
            kept = read_release(store, commit)
            return write_export(kept, resolved, output, rejected=rejected, on_sample=lambda: on_sample(1))

    return on_corpus(corpus, root=project.root, clone=project.var / "clone.git", operation=run)


def _tell(exported: Exported, asked: Asked, output: Path) -> None:
    splits = ", ".join(f"{split} {n:,}" for split, n in exported.counts.items())
    say(f"{exported.written:,} of {exported.n_in:,} rows of {asked.kind} ({splits}) for {asked.form.title}: {output}")
    for reason, n in sorted(exported.left_out.items(), key=lambda item: (-item[1], item[0])):
        say(f"  {n:>8,} left out  {reason:<22} {REASONS[reason]}")
    for warning in exported.warnings:
        say(f"  note: {warning}")


def _plain(exported: Exported, asked: Asked, output: Path) -> dict[str, Any]:
    return {
        "release": asked.tag,
        "format": asked.form.name,
        "kind": asked.kind,
        "in": exported.n_in,
        "written": exported.written,
        "left_out": exported.left_out,
        "splits": exported.counts,
        "labels": exported.labels,
        "signals": exported.signals,
        "warnings": list(exported.warnings),
        "outputs": [str(output / file.path) for file in exported.files],
    }
