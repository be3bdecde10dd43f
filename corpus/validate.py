"""validate: picks become samples, the canonical lines of the corpus, and every contract is checked before any is used.

A broken contract is a defect of a step before this one: all failures are listed and nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from corpus.contributors import Contributors
from corpus.meaning import Others
from corpus.review_notes import NightNotes, ReviewNotes
from corpus.samples import sample_of
from corpus.seen import Seen
from corpus.spool import Spool
from corpus.stage import (
    Row,
    StageWriter,
    n_rows,
    read_tables,
    rejects_path,
    report_path,
    require_columns,
    write_report,
)
from schemas.canonical import canonical_bytes
from schemas.contracts import (
    Contract,
    failures,
    identity_contract,
    raise_failures,
    sample_contract,
    stage_contracts,
    text_contract,
)
from schemas.conversation import Turn, content_id
from schemas.errors import InputError
from schemas.outcome import StepReport
from schemas.tables import REJECTED, SAMPLES, SELECTED
from schemas.verdict import RATING_MIN


def build_samples(
    source: Path,
    output: Path,
    *,
    night: str,
    publish_subjects: bool,
    threshold: float = RATING_MIN,
    licences: Sequence[str] = (),
    seen: Seen | None = None,
    contributors: Contributors | None = None,
    earlier: Others | None = None,
    on_row: Callable[[], None] | None = None,
) -> StepReport:
    """Turns a SELECTED file into a SAMPLES file, sorted by id.

    Args:
        source: the picks.
        output: where the samples go; the file appears only when all contracts hold.
        night: the date that the samples bear, `2026-11-04`.
        publish_subjects: whether the contributors' pseudonyms become public; else they are left out.
        threshold: no sample may be rated lower.
        licences: the licences that the corpus allows; empty: any.
        seen: the open index of the corpus, for the notes of the reviewers; None: they know nothing of the corpus.
        contributors: who contributed before, for the same; the night's are recorded.
        earlier: what the nights before picked, by meaning, for the same.
        on_row: called after each row, for a progress bar.

    Raises:
        InputError: a contract is broken; the message lists every failure. CorpusError: the output cannot be written.
    """
    started = time.monotonic()
    require_columns(source, SELECTED, "validate")
    report_path(output).unlink(missing_ok=True)
    notes = NightNotes()
    with Spool[str](output.parent) as spool:
        found = list(_spool(spool, notes, source, night, publish_subjects, threshold, licences, on_row))
        found += failures(
            pl.DataFrame({"id": [entry.key for entry in spool.entries]}, schema={"id": pl.String}), identity_contract()
        )
        raise_failures(found, str(source))
        _write(spool, notes.all(night, seen, contributors, earlier), output)
    n_samples = n_rows(output)
    report = StepReport(
        step="validate",
        n_in=n_rows(source),
        kept=n_samples,
        seconds=time.monotonic() - started,
        outputs=(str(output), str(rejects_path(output))),
    )
    write_report(report, output)
    return report


def _spool(
    spool: Spool[str],
    notes: NightNotes,
    source: Path,
    night: str,
    publish_subjects: bool,
    threshold: float,
    licences: Sequence[str],
    on_row: Callable[[], None] | None,
) -> Iterator[str]:
    """Spools the lines of the samples, and gives what breaks a contract."""
    contract = sample_contract(threshold=threshold, licences=tuple(licences))
    for table in read_tables(source, SELECTED.names):
        yield from failures(_frame(table), stage_contracts()["selected"], "conversation_id")
        lines: list[tuple[str, bytes]] = []
        rows = table.to_pylist()
        for row in rows:
            try:
                sample = sample_of(row, night=night, publish_subjects=publish_subjects)
                lines.append((sample.id, canonical_bytes(sample.to_json())))
            except (InputError, ValueError, KeyError, TypeError) as error:
                yield f"{row['conversation_id']}: cannot be made a sample: {error!r:.200}"
            if on_row:
                on_row()
        yield from broken(lines, contract)
        for sample_id, line in lines:
            spool.add(sample_id, line)
        is_sample = {sample_id for sample_id, _ in lines}
        notes.add(row for row in rows if row["content_id"] in is_sample)


def broken(lines: Sequence[tuple[str, bytes]], contract: Contract) -> list[str]:
    """What breaks the contracts in (id, line) pairs; the lines are read back, as anybody else will read them."""
    plains = [(sample_id, line, orjson.loads(line)) for sample_id, line in lines]
    facts = pl.DataFrame([sample_facts(*read) for read in plains], schema=FACTS)
    texts = pl.DataFrame([text for *_, plain in plains for text in sample_texts(plain)], schema=TEXTS)
    return failures(facts, contract, "place") + failures(texts, text_contract(), "place")


FACTS = {
    **dict.fromkeys(("place", "id", "line_id", "spoken_id", "line", "rewritten", "roles", "expert"), pl.String),
    "rating": pl.Float64,
    **dict.fromkeys(("consent", "licence", "night"), pl.String),
}
TEXTS = {
    **dict.fromkeys(("place", "role", "content", "chosen"), pl.String),
    "rank": pl.Int64,
    "vote": pl.Int64,
}


def sample_facts(sample_id: str, line: bytes, plain: Mapping[str, Any]) -> dict[str, Any]:
    """The row of `FACTS` that `sample_contract` speaks of, read back from a line."""
    turns = [Turn(message["role"], message["content"]) for message in plain["messages"]]
    return {
        "place": f"sample {sample_id}",
        "id": sample_id,
        "line_id": plain["id"],
        "spoken_id": content_id(turns),
        "line": line.decode(),
        "rewritten": canonical_bytes(plain).decode(),
        "roles": "".join(turn.role[:1] for turn in turns),
        "expert": plain["expert"],
        "rating": plain["verdict"]["rating"],
        **{name: plain["provenance"][name] for name in ("consent", "licence", "night")},
    }


def sample_texts(plain: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of `TEXTS` that `text_contract` speaks of: every turn and alternative."""
    place = f"sample {plain['id']}"
    for number, message in enumerate(plain["messages"]):
        yield {"place": f"{place} message {number}", **message}
    for number, other in enumerate(plain["alternatives"]):
        beside = plain["messages"][other["turn"]]
        yield {"place": f"{place} alternative {number}", "role": beside["role"], "chosen": beside["content"], **other}


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _write(spool: Spool[str], notes: Mapping[str, ReviewNotes], output: Path) -> None:
    """The lines in the order of their ids."""
    with StageWriter(rejects_path(output), REJECTED), StageWriter(output, SAMPLES) as writer:
        for entry in sorted(spool.entries):
            line = spool.read(entry)
            writer.write(_sample_row(line, notes[entry.key]), n_bytes=2 * len(line))


def _sample_row(line: bytes, notes: ReviewNotes) -> Row:
    plain = orjson.loads(line)
    return {
        "id": plain["id"],
        "expert": plain["expert"],
        "rating": plain["verdict"]["rating"],
        "line": line.decode(),
        "notes": notes.to_text(),
    }
