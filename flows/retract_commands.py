"""The command retract: a sample, a conversation or a contributor leaves the corpus, and on demand its history."""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from flows.cli import json_option
from flows.console import DONE, DONE_BUT_HELD, print_json, say
from flows.settings_file import Project, require_project


@click.command()
@click.argument("identifier", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in a sentence that names nobody: it is published.")
@click.option("--subject", "is_subject", is_flag=True, help="ID is a contributor: a pseudonym, or a user id of a log.")
@click.option("--purge", "with_purge", is_flag=True, help="Rewrite the history, so that no object holds the text.")
@click.option("--yes", is_flag=True, help="With --purge: yes, every commit id changes and every clone becomes void.")
@click.option(
    "--backup", type=click.Path(path_type=Path, dir_okay=False), help="With --purge: keep the old history in a bundle."
)
@json_option
@click.pass_obj
def retract(
    config: Path | None,
    identifier: str,
    reason: str,
    is_subject: bool,
    with_purge: bool,
    yes: bool,
    backup: Path | None,
    as_json: bool,
) -> int:
    """Withdraw a sample, a conversation or a contributor from the corpus; nothing of it returns.

    ID is at least the first 8 characters of a sample's or a conversation's id. What was made of it goes with it: edits,
    longer records of the conversation, what reading copies quote. Without --purge the text stays in git's history.

    \b
    Example:  gristmill retract 3f2a9c41 --reason "its contributor asked for it"
              gristmill retract 3f2a9c41 --reason "its contributor asked for it" --purge --yes
    """
    if with_purge and not yes:
        raise click.UsageError(
            "--purge rewrites the history: every commit id after the sample changes, open pull requests and all clones "
            "become void, and releases that had it are issued again. If that is meant, add --yes"
        )
    if (yes or backup) and not with_purge:
        raise click.UsageError("--yes and --backup go with --purge")
    project = require_project(config)
    from flows.retraction import retract_and_clean

    done = retract_and_clean(
        project,
        None if is_subject else identifier,
        subjects=_pseudonyms(project, identifier) if is_subject else (),
        reason=reason,
        at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        with_purge=with_purge,
        backup=backup,
    )
    for line in told(done):
        say(line)
    if as_json:
        print_json(done)
    return DONE_BUT_HELD if done["to_do"] else DONE


def _pseudonyms(project: Project, identifier: str) -> tuple[str, ...]:
    """The pseudonym given, or those that a user id of a log has in each chat system."""
    from corpus.sources.registry import TYPES
    from flows.stores import subject_key

    if re.fullmatch(r"[0-9a-f]{32}", identifier):
        return (identifier,)
    key = subject_key(project)
    systems = sorted({kind.system for kind in TYPES})
    return tuple(hmac.new(key, f"{system}\0{identifier}".encode(), sha256).hexdigest()[:32] for system in systems)


def told(done: dict[str, Any]) -> list[str]:
    """What was done, and what is left to people, as lines."""
    withdrawn = done["retraction"]
    what = f"{len(withdrawn['ids'])} samples of {len(withdrawn['conversation_ids'])} conversations"
    what += ", and all that the contributor may say later" if withdrawn["subjects"] else ""
    if withdrawn["state"] == "withdrawn":
        lines = [f"withdrawn: {what}; {withdrawn['n_lines']} lines left the base branch ({withdrawn['commit'][:12]})"]
    else:
        lines = [f"nothing left to withdraw: {what} have their tombstones"]
    lines += [f"  {sample_id}" for sample_id in withdrawn["ids"][:20]]
    lines += [f"  and {len(withdrawn['ids']) - 20} more (--json lists all)"] if len(withdrawn["ids"]) > 20 else []
    lines += [f"{one['branch']}: {one['n_lines']} lines left it ({one['commit'][:12]})" for one in withdrawn["nights"]]
    lines += [f"release {tag} had it" for tag in withdrawn["releases"]]
    lines += [f"expert {name} was trained on such a release" for name in done["experts"]]
    if purged := done["purge"]:
        lines.append(
            f"purged: {purged['n_blobs_rewritten']} files rewritten on {len(purged['refs'])} branches and tags; "
            f"none of {purged['n_passages']} passages is left in {purged['n_objects']} objects"
        )
        for tag in purged["reissued"]:
            signed = " and signed" if tag in purged["signed"] else ""
            lines.append(f"release {tag} was issued again{signed}; its old digest is noted")
    lines += [f"local: {trace['path']} ({_local_state(trace, done['local_state'])})" for trace in done["local"]]
    return [*lines, *(f"→ {remedy}" for remedy in done["to_do"])]


def _local_state(trace: dict[str, Any], state: str) -> str:
    """What became of a place on this machine."""
    if state != "cleaned" or trace["how"] == "left":
        return "still holds it"
    return {"rows": f"{trace['rows']} rows left", "lines": "cut"}.get(trace["how"], "removed")
