"""Commands that look back: status (where everything stands) and explain (one conversation's whole life)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson
from rich.table import Table

from flows.cli import json_option
from flows.console import DONE, DONE_BUT_HELD, print_json, printable, say, stderr
from flows.nights import Night, all_nights
from flows.settings_file import Project, require_project
from schemas.errors import CorpusError, InputError
from schemas.reasons import REASONS


@click.command()
@json_option
@click.pass_obj
def status(config: Path | None, as_json: bool) -> int:
    """Where everything stands: nights, open proposals, the last release, what waits for a person, what was withdrawn.

    \b
    Example:  gristmill status
    """
    project = require_project(config)
    nights = [_summary(night) for night in all_nights(project)]
    corpus, problem = _corpus(project)
    rounds = list(_rounds(project))
    if nights:
        _print_nights(nights)
    else:
        say("no night was run yet; `gristmill run` runs one")
    for line in [*_corpus_lines(corpus), *([f"corpus: {problem}"] if problem else []), *_round_lines(rounds)]:
        say(line)
    for line in _warnings(nights):
        say(line)
    if as_json:
        known = {"root": str(project.root), "corpus": project.settings.corpus.remote, "nights": nights}
        print_json({**known, "standing": corpus, "problem": problem, "rounds": rounds})
    waits = any(night["held"] or night["alarms"] for night in nights) or bool(problem) or _is_waiting(corpus, rounds)
    return DONE_BUT_HELD if waits else DONE


def _summary(night: Night) -> dict[str, Any]:
    reports = night.reports()
    proposal = night.proposal() or {}
    totals: dict[str, dict[str, int]] = {"dropped": {}, "held": {}}
    for report in reports:
        for kind in totals:
            for reason, n in getattr(report, kind).items():
                totals[kind][reason] = totals[kind].get(reason, 0) + n
    stopped = f"stopped after {reports[-1].step}" if reports else "begun"
    return {
        "night": night.date,
        "state": proposal.get("state", stopped),
        "in": reports[0].n_in if reports else 0,
        "proposed": proposal.get("n_samples", 0),
        **totals,
        "alarms": night.alarms(),
        "branch": proposal.get("branch"),
        "commit": proposal.get("commit"),
    }


def _corpus(project: Project) -> tuple[dict[str, Any] | None, str | None]:
    """Where the corpus stands, or why that is not known: the rest is told all the same."""
    from corpus.history import standing
    from flows.road import clone

    try:
        found = standing(corpus=project.settings.corpus, root=project.root, clone=clone(project))
    except CorpusError as error:
        return None, str(error)
    return found.to_json(), None


def _rounds(project: Project) -> Iterator[dict[str, Any]]:
    """The rounds that were started or wait to be, by file: what `var/rounds/` says of each."""
    for file in sorted((project.var / "rounds").glob("*.json")):
        try:
            plain = orjson.loads(file.read_bytes())
        except orjson.JSONDecodeError as error:
            raise InputError(f"{file} is damaged ({error}); remove it, and the next merge makes it anew") from error
        if isinstance(plain, dict):
            yield {"round": file.stem, **plain}


def _print_nights(nights: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    numbers = ("in", "proposed", "dropped", "held")
    for column in ("night", "state", *numbers, "branch"):
        table.add_column(column, justify="right" if column in numbers else "left")
    for night in nights:
        table.add_row(
            *(printable(str(night[key])) for key in ("night", "state", "in", "proposed")),
            *(str(sum(night[key].values()) or "") for key in ("dropped", "held")),
            str(night["branch"] or ""),
        )
    stderr().print(table)


def _corpus_lines(corpus: dict[str, Any] | None) -> Iterator[str]:
    if corpus is None:
        return
    yield f"corpus: {corpus['n_samples']:,} samples of {corpus['n_nights']} nights, at {corpus['head'][:12]}"
    for night in corpus["open_nights"]:
        held = f", {night['n_held']} held: reviewers disagree" if night["n_held"] else ""
        yield (
            f"  open: night/{night['night']}, {night['n_samples']} samples, {night['n_decided']} decided, "
            f"{night['n_undecided']} undecided{held}"
        )
    release = corpus["release"]
    yield f"  last release: {release['tag']} of {release['released_on']}" if release else "  no release yet"
    if corpus["n_tombstones"]:
        yield f"  withdrawn: {corpus['n_tombstones']} tombstones, the last of {corpus['last_retraction'][:10]}"


def _round_lines(rounds: list[dict[str, Any]]) -> Iterator[str]:
    for one in rounds:
        if one.get("state") not in ("started", "done"):
            why = f": {one['message']}" if one.get("message") else ""
            yield f"round {one['round']}: {one.get('state', 'waiting')}{why}"


def _warnings(nights: list[dict[str, Any]]) -> Iterator[str]:
    for night in nights:
        for reason, n in night["held"].items():
            yield f"  {night['night']}: {n} held, {reason}: {REASONS.get(reason, '')}"
        for alarm in night["alarms"]:
            yield f"  {night['night']}: alarm: {alarm}"


def _is_waiting(corpus: dict[str, Any] | None, rounds: list[dict[str, Any]]) -> bool:
    has_held = any(night["n_held"] for night in corpus["open_nights"]) if corpus else False
    return has_held or any(True for _ in _round_lines(rounds))


@click.command()
@click.argument("identifier", metavar="ID")
@json_option
@click.pass_obj
def explain(config: Path | None, identifier: str, as_json: bool) -> int:
    """One conversation's whole life, from its log to the experts that learned from it.

    ID is a conversation id, a content or sample id, or the chat system's own id. What this machine does not know is
    read from the corpus, and the other way round.

    \b
    Example:  gristmill explain 3f2a9c41
    """
    project = require_project(config)
    from flows.life import life

    told = life(project, identifier)
    if not told["events"]:
        raise InputError(
            f"nothing is known of {identifier!r}; an id (or its first 6 characters, 8 for what only the corpus knows) "
            "is on the night's page and in the reading copy" + (f". {told['problem']}" if told["problem"] else "")
        )
    _print_life(told)
    if as_json:
        print_json({"id": identifier, **told})
    return DONE


def _short(key: str, value: Any) -> str:
    """A value as a person compares it; --json has commits in full."""
    return str(value)[:12] if key == "commit" else str(value)


def _print_life(told: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in ("when", "what", ""):
        table.add_column(column, no_wrap=True)
    table.add_column("facts", overflow="fold")
    for event in told["events"]:
        facts = ", ".join(
            f"{key} {_short(key, value)}" for key, value in event["facts"].items() if value not in (None, "")
        )
        cells = (event["at"] or event["night"] or "", event["step"], event["outcome"], facts)
        table.add_row(*(printable(str(cell)).replace("[", r"\[") for cell in cells))
    stderr().print(table)
    if told["problem"]:
        say(f"the corpus was not asked: {told['problem']}")
