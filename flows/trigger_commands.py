"""The command trigger: settle, release, start the round; by hand or from any scheduler."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from flows import rounds, trigger
from flows.cli import json_option
from flows.console import DONE, DONE_BUT_HELD, print_json, progress, say
from flows.nights import only_one
from flows.rounds import Round
from flows.settings_file import Project, require_project
from flows.trigger import Merged
from schemas.errors import SettingsError


@click.command(name="trigger")
@click.argument("tag", required=False)
@click.option("--again", "is_again", is_flag=True, help="Start the round of TAG once more, though it was started.")
@click.option("--drop", "is_drop", is_flag=True, help="Give the round of TAG up.")
@json_option
@click.pass_obj
def trigger_command(config: Path | None, tag: str | None, is_again: bool, is_drop: bool, as_json: bool) -> int:
    """Merge nights that people are done with, release when enough has come together, start the next round.

    That is what `gristmill serve` does on its schedule: release.min_new_samples says how much is enough, and
    release.next_round how a round is started. With TAG the round of that release is started now, whatever was before.
    A round that cannot start waits and is tried again; `gristmill status` shows it. Merging waits for none.

    Exit code 3: something is held, refused, or a round waits.

    \b
    Example:  gristmill trigger
              gristmill trigger 2026-11-04 --again
    """
    if (is_again or is_drop) and not tag or is_again and is_drop:
        raise SettingsError("name a release for --again or --drop, and one of the two")
    project = require_project(config)
    if tag and not is_drop:  # without a tag merging comes first, and what stops a round stands in the ledger
        trigger.check_round(project)
    with only_one(project, trigger.LOCK):
        merged, found = _one_round(project, tag, is_again, is_drop) if tag else _everything(project)
    _tell(project, merged, found)
    if as_json:
        print_json({"nights": [one.to_json() for one in merged], "rounds": [one.to_json() for one in found]})
    return DONE_BUT_HELD if any(one.needs_person for one in merged) or any(one.is_open for one in found) else DONE


def _everything(project: Project) -> tuple[list[Merged], list[Round]]:
    merged: list[Merged] = []
    found: list[Round] = []
    with progress("trigger", None) as advance:
        for one in trigger.run_trigger(project):
            if isinstance(one, Merged):
                merged.append(one)
            else:
                found.append(one)
            advance(1)
    return merged, found


def _one_round(project: Project, tag: str, is_again: bool, is_drop: bool) -> tuple[list[Merged], list[Round]]:
    now = datetime.now(UTC)
    if is_drop:
        return [], [trigger.drop_round(project, tag, now)]
    trigger.want_round(project, tag, now, is_again=is_again)
    return [], [trigger.go_on(project, tag, now)]


def _tell(project: Project, merged: list[Merged], found: list[Round]) -> None:
    for one in merged:
        say(one.message)
        for problem in one.settled.problems if one.settled else ():
            say(f"  {problem}")
    for line in rounds.told(found):
        say(line)
    if not merged and not found:
        say("no night is ready to be merged and no round waits; `gristmill status` says what is open")
