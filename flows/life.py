"""A conversation's life: what the nights' folders know of it, then what the corpus knows, then what was made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import orjson

from corpus.history import Event, sample_life
from corpus.local_traces import records_of
from corpus.stage import rejects_path
from corpus.stages import STEPS
from flows.nights import Night, all_nights
from flows.settings_file import Project
from flows.stores import clone
from schemas.errors import CorpusError
from schemas.reasons import REASONS


def life(project: Project, identifier: str) -> dict[str, Any]:
    """`events` in the order in which they happened, and `problem`: why the corpus could not be asked, else None.

    An event has `night`, `at`, `step`, `outcome`, `sample_id` and `facts`; each but the step may be None or empty.

    Raises:
        InputError: the id means several things.
    """
    nights = all_nights(project)
    named = [(night, _conversation_ids(night, identifier)) for night in nights]
    local = [event for night, ids in named for event in _events(night, ids)]
    known = {pair for night, ids in named for pair in _names(night, ids)}
    try:
        found = sample_life(
            identifier,
            known=known,
            corpus=project.settings.corpus,
            root=project.root,
            clone=clone(project),
        )
        problem = None
    except CorpusError as error:
        found, problem = [], str(error)
    return {"events": [*local, *map(_published, found), *_made_of(project.var, found)], "problem": problem}


def _published(event: Event) -> dict[str, Any]:
    night = event.facts.get("night")
    facts = {key: value for key, value in event.facts.items() if key != "night"}
    return {
        "night": night,
        "at": event.at,
        "step": event.what,
        "outcome": str(facts.pop("verdict", facts.pop("tag", ""))),
        "sample_id": event.sample_id,
        "facts": facts,
    }


def _made_of(var: Path, events: Sequence[Event]) -> Iterator[dict[str, Any]]:
    """Exports, rounds and experts made of a release that has it."""
    tags = sorted({str(event.facts["tag"]) for event in events if event.what == "released"})
    for kind, step in (("exports", "exported"), ("rounds", "trained in"), ("experts", "learned by")):
        for name, record in records_of(var, kind, tags):
            keys = ("format", "path", "state", "base_model")
            facts = {key: record[key] for key in keys if record.get(key)}
            at = record.get("at") or record.get("made_at")
            yield {"night": None, "at": at, "step": step, "outcome": name, "sample_id": None, "facts": facts}


def _events(night: Night, ids: list[str]) -> Iterator[dict[str, Any]]:
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
    return {"night": night.date, "at": None, "step": step, "outcome": outcome, "sample_id": None, "facts": facts}


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


def _names(night: Night, ids: list[str]) -> Iterator[tuple[str, str]]:
    """Content id and conversation id of each."""
    for row in _rows(night.output("screen"), ids):
        yield row["content_id"], row["conversation_id"]


def _conversation_ids(night: Night, identifier: str) -> list[str]:
    """The conversations of the night that an id means: exactly, or by its first characters (at least 6)."""
    is_prefix = len(identifier) >= 6
    pulled, screened = night.output("pull"), night.output("screen")
    by_name = f"SELECT conversation_id FROM '{{file}}' WHERE native_id = $id OR {_match('conversation_id', is_prefix)}"
    found = _query(pulled, by_name, identifier)
    found += _query(
        screened, f"SELECT conversation_id FROM '{{file}}' WHERE {_match('content_id', is_prefix)}", identifier
    )
    found += _query(rejects_path(pulled), by_name, identifier)
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
