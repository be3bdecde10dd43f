"""The command migrate: an older corpus becomes one that this Gristmill writes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from flows.cli import json_option
from flows.console import DONE, print_json, say
from flows.settings_file import require_project


@click.command()
@json_option
@click.pass_obj
def migrate(config: Path | None, as_json: bool) -> int:
    """Bring the corpus to the format of this Gristmill, in one commit; rows are counted before and after.

    A corpus of the present format is left alone. When a row would be lost, nothing is pushed.

    \b
    Example:  gristmill migrate
    """
    project = require_project(config)
    from corpus.migrations import migrate as migrate_corpus
    from flows.nights import only_one
    from flows.stores import clone

    with only_one(project):
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        done = migrate_corpus(project.settings.corpus, root=project.root, clone=clone(project), day=day)
    rows = ", ".join(f"{n:,} {kind}" for kind, n in done.rows.items())
    if done.state == "current":
        say(f"the corpus has format {done.after}, the one of this Gristmill; nothing to do ({rows})")
    else:
        say(f"format {done.before} became {done.after} ({done.commit[:12]}, {done.n_files} files); none lost of {rows}")
    if as_json:
        print_json(done.to_json())
    return DONE
