"""deduplicate: kept conversations become distinct ones; each duplicate names the one it repeats.

Exact duplicates, records of a growing conversation (the longest stays) and near-duplicates are found within the night
and against everything that earlier nights accepted or saw. `corpus/duplicates.py` says which one survives.

May be repeated: the same input and the same earlier nights give the same bytes. The night is recorded in the index
after its output is complete and before its report, so a run that was killed leaves either nothing or the whole.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.duplicates import Candidate, Findings, Kind, Night, Repeat, find_repeats, peer_id
from corpus.fingerprint import Fingerprint, Keys, fingerprints
from corpus.minhash import Banding, band_keys, banding_for, signatures
from corpus.seen import Earlier, Seen
from corpus.spill import Spill
from corpus.stage import (
    StageWriter,
    disk_errors,
    n_rows,
    read_tables,
    refuse_overwriting,
    rejected_row,
    rejects_path,
    report_path,
    require_columns,
    write_report,
)
from corpus.tombstones import Withdrawn
from schemas.conversation import Turn
from schemas.outcome import Dropped, StepReport
from schemas.settings import DedupeSettings
from schemas.tables import DISTINCT, REJECTED, SCREENED

_REASON_OF: dict[Kind, str] = {
    "exact": "exact_duplicate",
    "prefix": "prefix_duplicate",
    "near": "near_duplicate",
    "withdrawn": "withdrawn",
}

_CLUSTERS_SHOWN, _MEMBERS_SHOWN = 20, 50
"""What the report lists of the largest clusters; the rejects file has all."""

_PER_BATCH = 64
"""Conversations fingerprinted together: numpy's cost per call is shared, and more gained nothing (16: same, 256: less,
as the arrays leave the cache)."""


def deduplicate(
    source: Path,
    output: Path,
    settings: DedupeSettings,
    *,
    seen: Seen | None = None,
    night: str | None = None,
    withdrawn: Withdrawn | None = None,
    again: Collection[str] = (),
    on_row: Callable[[], None] | None = None,
) -> StepReport:
    """Writes the distinct rows of a screened table, in its order, and gives the counts.

    With `seen` (open), rows are compared with all nights before `night`, which is recorded at the end; without a night
    nothing is recorded. What `withdrawn` names or resembles must not return. `again` are content ids of which only what
    was accepted counts: earlier nights saw them and could not have them judged. `on_row` is called after each row read.
    The report's facts: `duplicates` by kind, `against_earlier`, `n_candidates`, `n_verified`, the banding, and the
    largest `clusters`.

    Raises:
        InputError: the input lacks columns, or is the output. CorpusError: the output or the index cannot be used.
    """
    started = time.monotonic()
    require_columns(source, SCREENED, "deduplicate")
    refuse_overwriting(source, output)
    with disk_errors(output):
        report_path(output).unlink(missing_ok=True)
    banding = banding_for(settings.jaccard_min)
    before = 0
    if seen is not None:
        seen.use(banding)
        seen.overlook(again)
        before = seen.sequence(night)
    with Spill(output.parent) as spill:
        kept_out = _KeptOut(withdrawn or Withdrawn())
        tonight = _read_night(source, spill, banding, seen, before, kept_out, on_row)
        findings = find_repeats(
            tonight, jaccard_min=settings.jaccard_min, seen=seen, before=before, withdrawn=kept_out.evidence
        )
        _write(source, output, tonight.candidates, findings)
        if seen is not None and night is not None:
            _record(seen, night, tonight, findings)
    report = _report(source, output, tonight.candidates, findings, banding, started)
    write_report(report, output)
    return report


@dataclass
class _KeptOut:
    """Asks the tombstones about the rows; `evidence` is by content id."""

    withdrawn: Withdrawn
    evidence: dict[str, str] = field(default_factory=dict)

    def ask_names(self, rows: pa.Table) -> None:
        names = (rows[name].to_pylist() for name in ("content_id", "conversation_id", "subject"))
        for content_id, conversation_id, subject in zip(*names, strict=True):
            if found := self.withdrawn.named(content_id, conversation_id, subject):
                self.evidence[content_id] = found

    def ask_text(self, mark: Fingerprint) -> None:
        if mark.content_id not in self.evidence and (found := self.withdrawn.resembled(mark)):
            self.evidence[mark.content_id] = found


def _read_night(
    source: Path,
    spill: Spill,
    banding: Banding,
    seen: Seen | None,
    before: int,
    kept_out: _KeptOut,
    on_row: Callable[[], None] | None,
) -> Night:
    candidates: list[Candidate] = []
    keys: list[Keys] = []
    for table in read_tables(source, ["conversation_id", "content_id", "subject", "messages"]):
        for start in range(0, table.num_rows, _PER_BATCH):
            rows = table.slice(start, _PER_BATCH)
            kept_out.ask_names(rows)
            known = seen.by_content_id(rows["content_id"].to_pylist(), before) if seen else {}
            for row in _candidates(rows, known, len(candidates), spill, banding, keys, kept_out):
                candidates.append(row)
                if on_row:
                    on_row()
    ends = np.cumsum([len(one) for one in keys], dtype=np.int64)
    return Night(candidates, spill, np.concatenate([*keys, np.empty(0, np.int64)]), ends, banding.n_bands)


def _candidates(
    rows: pa.Table,
    known: Mapping[str, Earlier],
    first_place: int,
    spill: Spill,
    banding: Banding,
    keys: list[Keys],
    kept_out: _KeptOut,
) -> Iterator[Candidate]:
    """The rows as candidates; what the index does not know yet is fingerprinted and spilled, its keys appended."""
    content_ids = rows["content_id"].to_pylist()
    is_new = [content_id not in known for content_id in content_ids]
    new = rows.filter(pa.array(is_new))
    marks = list(fingerprints(list(zip(new["content_id"].to_pylist(), _turns(new), strict=True))))
    keys += _keys(marks, banding)
    waiting = iter(marks)
    for place, (conversation_id, content_id) in enumerate(
        zip(rows["conversation_id"].to_pylist(), content_ids, strict=True), first_place
    ):
        if exact := known.get(content_id):
            yield Candidate(place, conversation_id, content_id, exact)
        else:
            mark = next(waiting)
            kept_out.ask_text(mark)
            yield Candidate(
                place,
                conversation_id,
                content_id,
                spilled=spill.add(mark),
                length=mark.length,
                n_shingles=len(mark.shingles),
                end=mark.end,
                last_opening=mark.last_opening,
            )


def _turns(rows: pa.Table) -> list[list[Turn]]:
    return [[Turn(one["role"], one["content"] or "") for one in said] for said in rows["messages"].to_pylist()]


def _keys(marks: Sequence[Fingerprint], banding: Banding) -> list[Keys]:
    """For each fingerprint the keys that `Night` holds: bands (none without words), then links and openings."""
    bands = band_keys(signatures([mark.shingles for mark in marks]), banding).view(np.int64)
    return [
        np.concatenate([row if len(mark.shingles) else row[:0], mark.links])
        for mark, row in zip(marks, bands, strict=True)
    ]


def _write(source: Path, output: Path, candidates: Sequence[Candidate], findings: Findings) -> None:
    folded = Counter(r.of.place for r in findings.repeats.values() if isinstance(r.of, Candidate))
    first = 0
    with StageWriter(output, DISTINCT) as writer, StageWriter(rejects_path(output), REJECTED) as rejects:
        for table in read_tables(source):
            places = range(first, first + table.num_rows)
            first += table.num_rows
            kept = [place for place in places if place not in findings.repeats]
            if kept:
                columns = {
                    "n_duplicates": pa.array([folded[place] for place in kept], pa.int32()),
                    "extends": pa.array([findings.extends.get(place) for place in kept], pa.string()),
                }
                writer.write_table(_with(table.filter(_mask(places, findings)), columns))
            _reject(table, places, findings, rejects)


def _mask(places: range, findings: Findings) -> pa.Array:
    return pa.array([place not in findings.repeats for place in places])


def _with(table: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


def _reject(table: pa.Table, places: range, findings: Findings, rejects: StageWriter) -> None:
    dropped = table.select(["conversation_id", "source", "native_id"]).filter(pc.invert(_mask(places, findings)))
    repeats = (findings.repeats[place] for place in places if place in findings.repeats)
    for row, repeat in zip(dropped.to_pylist(), repeats, strict=True):
        rejects.write(rejected_row(row, _outcome(repeat)), n_bytes=200)


def _outcome(repeat: Repeat) -> Dropped:
    return Dropped(_REASON_OF[repeat.kind], repeat.evidence())


def _record(seen: Seen, night: str, tonight: Night, findings: Findings) -> None:
    """Keeps the distinct rows' fingerprints, and the ids alone of duplicates: the same text comes back every night."""
    spill = tonight.spill
    kept = (
        Fingerprint(
            row.content_id, *row.length, *spill.links(row.spilled), row.last_opening, spill.shingles(row.spilled)
        )
        for row in tonight.candidates
        if row.place not in findings.repeats
    )
    duplicates = (
        row.content_id
        for row in tonight.candidates
        if row.exact is None and (found := findings.repeats.get(row.place)) and found.kind != "withdrawn"
    )
    seen.record(night, kept, duplicates)


def _report(
    source: Path,
    output: Path,
    candidates: Sequence[Candidate],
    findings: Findings,
    banding: Banding,
    started: float,
) -> StepReport:
    repeats = findings.repeats
    kinds = Counter(repeat.kind for repeat in repeats.values())
    return StepReport(
        step="deduplicate",
        n_in=n_rows(source),
        kept=len(candidates) - len(repeats),
        dropped={_REASON_OF[kind]: n for kind, n in kinds.items()},
        seconds=time.monotonic() - started,
        outputs=(str(output), str(rejects_path(output))),
        facts={
            "duplicates": {kind: kinds[kind] for kind in _REASON_OF},
            "against_earlier": sum(isinstance(repeat.of, Earlier) for repeat in repeats.values()),
            "n_candidates": findings.n_candidates,
            "n_verified": findings.n_verified,
            "n_bands": banding.n_bands,
            "n_rows": banding.n_rows,
            "clusters": _clusters(candidates, repeats),
        },
    )


def _clusters(candidates: Sequence[Candidate], repeats: Mapping[int, Repeat]) -> list[dict[str, Any]]:
    """The largest clusters: the survivor, its night if it is an earlier one, the size with it, and the members."""
    members: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for place, repeat in sorted(repeats.items()):
        if repeat.of is not None:
            night = repeat.of.night if isinstance(repeat.of, Earlier) else None
            similarity = None if repeat.jaccard is None else round(repeat.jaccard, 3)
            member = {"id": candidates[place].conversation_id, "kind": repeat.kind, "jaccard": similarity}
            members.setdefault((peer_id(repeat.of), night), []).append(member)
    largest = sorted(members.items(), key=lambda item: (-len(item[1]), item[0][0]))[:_CLUSTERS_SHOWN]
    return [
        {
            "survivor": survivor,
            "night": night,
            "size": len(found) + 1,
            "members": sorted(found, key=lambda member: str(member["id"]))[:_MEMBERS_SHOWN],
        }
        for (survivor, night), found in largest
    ]
