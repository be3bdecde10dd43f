"""Commands that look back: status (where everything stands) and explain (one conversation's whole life)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import duckdb
import orjson
from rich.table import Table

from corpus.stage import rejects_path
from corpus.stages import STEPS
from flows.cli import json_option
from flows.console import DONE, DONE_BUT_HELD, print_json, printable, say, stderr
from flows.nights import Night, all_nights
from flows.settings_file import require_project
from schemas.errors import InputError
from schemas.reasons import REASONS


@click.command()
@json_option
@click.pass_obj
def status(config: Path | None, as_json: bool) -> int:
    """Where everything stands: the nights, what each proposed, and what is held for a person.

    \b
    Example:  gristmill status
    """
    project = require_project(config)
    nights = [_summary(night) for night in all_nights(project)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("night", "state", "in", "proposed", "dropped", "held", "branch"):
        table.add_column(column)
    for night in nights:
        table.add_row(
            *(printable(str(night[key])) for key in ("night", "state", "in", "proposed")),
            str(sum(night["dropped"].values())),
            str(sum(night["held"].values())),
            str(night["branch"] or ""),
        )
    stderr().print(table)
    for night in nights:
        for reason, n in night["held"].items():
            say(f"  {night['night']}: {n} held, {reason}: {REASONS.get(reason, '')}")
        for alarm in night["alarms"]:
            say(f"  {night['night']}: alarm: {alarm}")
    if not nights:
        say("no night was run yet; `gristmill run` runs one")
    if as_json:
        print_json({"root": str(project.root), "corpus": project.settings.corpus.remote, "nights": nights})
    return DONE_BUT_HELD if any(night["held"] or night["alarms"] for night in nights) else DONE


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


@click.command()
@click.argument("identifier", metavar="ID")
@json_option
@click.pass_obj
def explain(config: Path | None, identifier: str, as_json: bool) -> int:
    """One conversation's whole life; ID is a conversation id, a content or sample id, or the chat system's own id.

    \b
    Example:  gristmill explain 3f2a9c
    """
    project = require_project(config)
    events = [event for night in all_nights(project) for event in _events(night, identifier)]
    if not events:
        raise InputError(
            f"nothing is known of {identifier!r}; an id (or its first 6 characters) is on the night's page"
        )
    for event in events:
        facts = ", ".join(f"{key} {value}" for key, value in event["facts"].items() if value not in (None, ""))
        say(f"{event['night']}  {event['step']:<14}{event['outcome']:<9}{facts}")
    if as_json:
        print_json({"id": identifier, "events": events})
    return DONE


def _events(night: Night, identifier: str) -> Iterator[dict[str, Any]]:
    ids = _conversation_ids(night, identifier)
    for step in STEPS:
        output = night.output(step)
        if step != "validate":
            for row in _rows(output, ids):
                yield _event(night, step, "kept", _facts(step, row))
        for row in _rows(rejects_path(output), ids):
            facts = {"reason": row["reason"], "evidence": row["evidence"], "meaning": REASONS.get(row["reason"], "")}
            yield _event(night, step, row["status"], {"conversation_id": row["conversation_id"], **facts})
    proposal = night.proposal()
    if proposal and any(True for _ in _rows(night.output("select"), ids)):
        keys = ("state", "branch", "commit")
        yield _event(night, "propose", "proposed", {key: proposal.get(key) for key in keys})


def _event(night: Night, step: str, outcome: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {"night": night.date, "step": step, "outcome": outcome, "facts": facts}


def _facts(step: str, row: dict[str, Any]) -> dict[str, Any]:
    keys = {
        "pull": ("conversation_id", "source", "system", "native_id", "created_at", "consent", "licence"),
        "screen": ("content_id", "language", "n_words", "redactions"),
        "deduplicate": ("n_duplicates", "extends"),
        "judge": ("rating",),
        "select": ("expert",),
    }.get(step, ())
    facts = {key: str(row[key]) for key in keys if row.get(key) is not None}
    if step == "judge":
        judge = orjson.loads(row["verdict"])["judge"]
        facts["judge"] = f"{judge['name']} {judge['head']} rubric {judge['rubric']}"
    return facts


def _conversation_ids(night: Night, identifier: str) -> list[str]:
    """The conversations of the night that an id means: exactly, or by its first characters (at least 6)."""
    is_prefix = len(identifier) >= 6
    pulled, screened = night.output("pull"), night.output("screen")
    found = _query(
        pulled,
        f"SELECT conversation_id FROM '{{file}}' WHERE native_id = $id OR {_match('conversation_id', is_prefix)}",
        identifier,
    )
    found += _query(
        screened, f"SELECT conversation_id FROM '{{file}}' WHERE {_match('content_id', is_prefix)}", identifier
    )
    held = rejects_path(pulled)
    found += _query(
        held,
        f"SELECT conversation_id FROM '{{file}}' WHERE native_id = $id OR {_match('conversation_id', is_prefix)}",
        identifier,
    )
    return sorted({row["conversation_id"] for row in found})


def _match(column: str, is_prefix: bool) -> str:
    return f"starts_with({column}, $id)" if is_prefix else f"{column} = $id"


def _query(file: Path, sql: str, identifier: str) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    quoted = str(file).replace("'", "''")
    with duckdb.connect() as connection:
        cursor = connection.execute(sql.replace("{file}", quoted), {"id": identifier})
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _rows(file: Path, ids: list[str]) -> Iterator[dict[str, Any]]:
    for conversation_id in ids:
        yield from _query(file, "SELECT * FROM '{file}' WHERE conversation_id = $id", conversation_id)
