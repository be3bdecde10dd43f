"""Commands that look back: status (where everything stands) and explain (one conversation's whole life)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson
from rich.table import Table

from corpus.relatives import SHORTEST_ID
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
    rounds, coming = list(_rounds(project)), _next_release(project)
    merged = corpus["nights"] if corpus else {}
    for night in nights:  # its own folder says what this machine did of it last, which was to propose it
        night["state"] = merged.get(night["night"], night["state"])
    if nights:
        _print_nights(nights)
    else:
        say("no night was run yet; `gristmill run` runs one")
    problems = [f"corpus: {problem}"] if problem else []
    for line in [*_corpus_lines(corpus), *problems, *_next_release_lines(coming), *_round_lines(rounds)]:
        say(line)
    for line in _warnings(nights):
        say(line)
    if as_json:
        known = {"root": str(project.root), "corpus": project.settings.corpus.remote, "nights": nights}
        print_json({**known, "standing": corpus, "problem": problem, "next_release": coming, "rounds": rounds})
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
    state = proposal.get("state", stopped)
    return {
        "night": night.date,
        "state": "proposed" if state == "unchanged" else state,  # that running it again changed nothing is no state
        "in": reports[0].n_in if reports else 0,
        "proposed": proposal.get("n_samples", 0),
        **totals,
        "alarms": night.alarms(),
        "branch": proposal.get("branch"),
        "commit": proposal.get("commit"),
        "pull_request_pending": proposal.get("pull_request_pending"),
    }


def _corpus(project: Project) -> tuple[dict[str, Any] | None, str | None]:
    """Where the corpus stands, or why that is not known: the rest is told all the same."""
    from corpus.history import standing
    from flows.stores import clone

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


def _next_release(project: Project) -> dict[str, Any] | None:
    """How far the next release that is cut by itself has come together; None when none is, or nobody knows."""
    from flows.trigger import due_release

    n_wanted = project.settings.release.min_new_samples
    try:
        found, unsettled = due_release(project) if n_wanted else (None, [])
    except CorpusError:  # told already where the corpus stands
        return None
    return {**found.to_json(), "n_wanted": n_wanted, "unsettled": unsettled} if found else None


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
    for night, n in corpus["held"].items():
        yield f"  held: {n} of {night} wait for another vote: `gristmill review {night}`"
    release = corpus["release"]
    yield f"  last release: {release['tag']} of {release['released_on']}" if release else "  no release yet"
    for tag in corpus["unsigned"]:
        yield f"  release {tag} lost its signature to a purge: `gristmill release {tag}` signs it (release.signing_key)"
    if corpus["n_tombstones"]:
        yield f"  withdrawn: {corpus['n_tombstones']} tombstones, the last of {corpus['last_retraction'][:10]}"


def _next_release_lines(coming: dict[str, Any] | None) -> Iterator[str]:
    if coming:
        waits = f"; it waits until {', '.join(coming['unsettled'])} is settled" if coming["unsettled"] else ""
        yield f"  next release: {coming['n_new']:,} of {coming['n_wanted']:,} new samples{waits}"


def _round_lines(rounds: list[dict[str, Any]]) -> Iterator[str]:
    for one in rounds:
        if one.get("state") not in ("started", "done", "dropped"):
            why = f": {one['message']}" if one.get("message") else ""
            tries = f" ({one['n_failed']} failed)" if one.get("n_failed") else ""
            yield f"round {one['round']}: {one.get('state', 'waiting')}{tries}{why}"
            if one.get("remedy"):
                yield f"  {one['remedy']}"


def _warnings(nights: list[dict[str, Any]]) -> Iterator[str]:
    for night in nights:
        for reason, n in night["held"].items():
            yield f"  {night['night']}: {n} held, {reason}: {REASONS.get(reason, '')}"
        if night["pull_request_pending"] and night["state"] not in ("merged", "settled"):
            yield f"  {night['night']}: its pull request is pending: {night['pull_request_pending']}"
        for alarm in night["alarms"]:
            yield f"  {night['night']}: alarm: {alarm}"


def _is_waiting(corpus: dict[str, Any] | None, rounds: list[dict[str, Any]]) -> bool:
    held = corpus and any([*(night["n_held"] for night in corpus["open_nights"]), corpus["held"], corpus["unsigned"]])
    return bool(held) or any(True for _ in _round_lines(rounds))


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


def _short(value: Any) -> str:
    """A value as a person compares it; --json has ids and commits in full."""
    return re.sub(r"(?<![0-9a-f])([0-9a-f]{12})[0-9a-f]{20,52}(?![0-9a-f])", r"\1", str(value))


def _print_life(told: dict[str, Any]) -> None:
    """An event a row; whose it is only where an edit or a longer record made several samples of one conversation."""
    has_several = len({event["sample_id"] for event in told["events"]} - {None, ""}) > 1
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in ("when", *(("sample",) if has_several else ()), "what"):
        table.add_column(column, no_wrap=True)
    table.add_column("facts", overflow="fold")
    for event in told["events"]:
        when = _minute(event["at"] or event["night"] or "")
        facts = (f"{key} {_short(value)}" for key, value in event["facts"].items() if value not in (None, "", "{}"))
        sample = ((event["sample_id"] or "")[:SHORTEST_ID],) if has_several else ()
        what = event["step"] if event["step"].endswith(event["outcome"]) else f"{event['step']} {event['outcome']}"
        cells = (when, *sample, what, ", ".join(facts))
        table.add_row(*(printable(str(cell)).replace("[", r"\[") for cell in cells))
    stderr().print(table)
    if told["problem"]:
        say(f"the corpus was not asked: {told['problem']}")


def _minute(instant: str) -> str:
    """An instant or a date, for people: no seconds."""
    return instant[:16].replace("T", " ")
