"""Commands about what reviewers decided: settle (merge it) and reviewers (how far they agree)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table

from corpus.open_nights import OpenNight
from corpus.reviewers import Agreement, agreement
from corpus.settle import Settled
from flows.cli import json_option
from flows.console import DONE, DONE_BUT_HELD, print_json, progress, say, stderr
from flows.settings_file import require_project
from flows.settling import place_of, settle_nights, waiting_nights


@click.command()
@click.argument("nights", metavar="[NIGHT]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Also nights on which nobody said that the review is finished.")
@json_option
@click.pass_obj
def settle(config: Path | None, nights: tuple[str, ...], is_all: bool, as_json: bool) -> int:
    """Merge what people decided on a night: kept and edited samples go into the corpus, rejected ones do not.

    A night named is settled now. Without NIGHT those are settled that people are done with: somebody merged the pull
    request, or a commit on the branch has the first line "review: done" (`gristmill review` can finish with it), or
    people went on after the night was settled. With --all every open night is; what nobody rejected is kept.

    Where reviewers stand against each other the larger side wins; at a draw the sample is held and waits for another
    vote (review.conflict in the settings). A branch that holds anything but decisions on its night is refused, with
    every problem listed, and nothing is done; so is an edit that its author did not sign off (git commit --signoff).
    What another night brought since this one was proposed is left out and told. Settling again changes nothing.

    Exit code 3: something is held or refused.

    \b
    Example:  gristmill settle 2026-11-04
    """
    project = require_project(config)
    waiting = () if nights else waiting_nights(project)
    chosen = sorted(set(nights)) or [one.night for one in waiting if is_all or one.is_ready]
    settled: list[Settled] = []
    with progress("settle", len(chosen)) as advance:
        for one in settle_nights(project, chosen, datetime.now(UTC)):
            settled.append(one)
            advance(1)
    left = [one for one in waiting if one.night not in chosen]
    _tell(settled, left)
    if as_json:
        print_json({"nights": [one.to_json() for one in settled], "waiting": [one.to_json() for one in left]})
    return DONE_BUT_HELD if any(one.held or one.problems for one in settled) else DONE


def _tell(settled: Sequence[Settled], left: Sequence[OpenNight]) -> None:
    for one in settled:
        say(one.message)
        for sample_id in one.held:
            say(f"  held: {sample_id} waits for another vote")
        for problem in one.problems:
            say(f"  {problem}")
        for remark in one.remarks:
            say(f"  note: {remark}")
    for waiting in left:
        say(f"{waiting.night}: {waiting.told}")
    if not settled and not left:
        say("no night is open")


@click.command()
@json_option
@click.pass_obj
def reviewers(config: Path | None, as_json: bool) -> int:
    """How far the reviewers of settled nights agree, and how many planted samples each saw through.

    Agreement is Krippendorff's alpha: 1 is perfect, 0 is chance; from 0.8 on it is reliable, below 0.667 it should not
    be built on (Krippendorff). Only what somebody said counts, not boxes left ticked.

    \b
    Example:  gristmill reviewers --json
    """
    found = agreement(**place_of(require_project(config)))
    _show(found)
    if as_json:
        print_json(found.to_json())
    return DONE


def _show(found: Agreement) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("reviewer", "votes", "agreed with others", "honeypots seen through"):
        table.add_column(column, justify="left" if column == "reviewer" else "right")
    for one in found.reviewers:
        table.add_row(
            one.reviewer, str(one.n_votes), f"{one.n_agreed} of {one.n_pairs}", f"{one.n_hits} of {one.n_honeypots}"
        )
    stderr().print(table)
    shown = "not known" if found.alpha.value is None else f"{found.alpha.value:.3f}"
    say(
        f"Krippendorff's alpha {shown}: {found.alpha.n_ratings} votes on {found.alpha.n_units} samples with two or more"
    )
    if not found.reviewers:
        say("no settled night has decisions yet")
