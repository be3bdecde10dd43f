"""Gathers the facts of a night from its folder: the steps' reports, the tables, what was quarantined and proposed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from corpus.night_facts import (
    Bin,
    Cluster,
    Disagreement,
    HeldGroup,
    MemberShare,
    NightFacts,
    Reviewed,
    Share,
    Shift,
    ShownConversation,
    ShownTurn,
    SourceCounts,
    UnreadableRecord,
)
from corpus.night_tables import BIN_WIDTH, N_BINS, NightTables
from corpus.stage import read_report
from corpus.stages import STEPS, stage_file
from schemas.errors import InputError
from schemas.outcome import StepReport
from schemas.verdict import RATING_MIN, JudgeIdentity

N_SHOWN = 10
"""Conversations of each kind on the page: the ten best, the ten nearest misses."""

N_TURNS, N_CHARACTERS, N_ALL_CHARACTERS = 24, 6_000, 16_000
"""What the page shows of one conversation: turns, characters of one turn, characters in all.

Arithmetic: escaping makes at most 6 bytes of a character, so 2 * 10 * 16,000 * 6 = 1.9 MB bound the page.
"""

N_TITLE = 200
N_PLACES = 10
N_CLUSTERS = 10


def build_report(night_folder: Path) -> NightFacts:
    """The facts of a night, complete or not.

    Raises:
        InputError: there is no such night (the message lists those that exist), or a file of it is damaged.
    """
    if not night_folder.is_dir():
        raise InputError(f"no night {night_folder.name!r} in {night_folder.parent}; {_nights_beside(night_folder)}")
    steps = {step: report for step in STEPS if (report := _report(night_folder, step))}
    with NightTables(night_folder, tuple(steps)) as tables:
        return _facts(night_folder, steps, tables)


def _nights_beside(folder: Path) -> str:
    nights = sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) if folder.parent.is_dir() else []
    return f"there are {', '.join(nights)}" if nights else "none was run yet: `gristmill run` runs one"


def _report(folder: Path, step: str) -> StepReport | None:
    try:
        return read_report(stage_file(folder, step))
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(
            f"the report of {step} in {folder} is damaged ({error!r:.100}); "
            f"run `gristmill run --night {folder.name}`, which makes it again"
        ) from error


def _facts(folder: Path, steps: Mapping[str, StepReport], tables: NightTables) -> NightFacts:
    unreadable, n_unreadable = _unreadable(folder / "pulled.quarantine.jsonl")
    drift = _object(folder / "drift.json") or {}
    select = steps.get("select")
    return NightFacts(
        night=folder.name,
        steps=tuple(steps.values()),
        proposal=_object(folder / "proposal.json"),
        held=tuple(HeldGroup(*row) for row in tables.held()),
        ratings=_rating_bins(tables),
        threshold=select.facts.get("threshold") if select else None,
        languages=tuple(Share(*row) for row in tables.languages()),
        lengths=_length_bins(tables),
        sources=tuple(SourceCounts(*row) for row in tables.sources()),
        clusters=_clusters(steps.get("deduplicate"), tables),
        redactions=tuple((name, n) for name, n in tables.redactions()),
        judges=tuple((JudgeIdentity.from_json(orjson.loads(judge)), n) for judge, n in tables.judges()),
        unreadable=unreadable,
        n_unreadable=n_unreadable,
        best=_shown(tables, dict.fromkeys(tables.best(N_SHOWN), "")),
        nearest_misses=_shown(tables, tables.nearest_misses(N_SHOWN)),
        missing_steps=tuple(step for step in STEPS if step not in steps),
        alarms=tuple(map(str, drift.get("alarms", []))),
        shifts=_shifts(drift),
        reviewed=_reviewed(drift),
        members=_members(steps.get("judge"), tables),
        disagreement=_disagreement(steps.get("judge"), tables),
    )


def _members(report: StepReport | None, tables: NightTables) -> tuple[MemberShare, ...]:
    """Those that rated. A panel or cascade among them did no work of its own: its members did (`jury/small`)."""
    work: list[Mapping[str, Any]] = report.facts.get("members", []) if report else []
    shares = []
    for name, n_rated in tables.members():
        own = [one for one in work if one["name"].split("/")[-1] == name]
        n_judged, n_tokens = (sum(one[key] for one in own) for key in ("n_judged", "tokens"))
        shares.append(MemberShare(name, n_rated, n_judged, n_tokens, math.fsum(one["cost"] for one in own)))
    return tuple(shares)


def _disagreement(report: StepReport | None, tables: NightTables) -> Disagreement | None:
    found = tables.disagreement()
    n_held = report.held.get("judges_disagree", 0) if report else 0
    return Disagreement(*found, n_held) if found else None


def _shifts(drift: Mapping[str, Any]) -> tuple[Shift, ...]:
    """Those that could be measured."""
    found = drift.get("shifts", [])
    return tuple(Shift(one["what"], one["index"], one["bound"]) for one in found if one["index"] is not None)


def _reviewed(drift: Mapping[str, Any]) -> tuple[Reviewed, ...]:
    return tuple(
        Reviewed(one["night"], one["n"], one["n_agreed"], (one["share_low"], one["share_high"]), one["kappa"])
        for one in drift.get("agreement", [])
    )


def _object(file: Path) -> Mapping[str, Any] | None:
    try:
        plain = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"{file} is damaged ({error}); run `gristmill run --night {file.parent.name}` again"
        ) from error
    return plain if isinstance(plain, dict) else None


def _unreadable(file: Path) -> tuple[tuple[UnreadableRecord, ...], int]:
    """The first records that could not be read, and how many there are."""
    if not file.exists():
        return (), 0
    shown: list[UnreadableRecord] = []
    n = 0
    with file.open("rb") as lines:
        for line in lines:
            n += 1
            if len(shown) < N_PLACES:
                shown.append(_record(line))
    return tuple(shown), n


def _record(line: bytes) -> UnreadableRecord:
    """Only its place: the excerpt of a quarantined record may hold anything, and the page may be passed on."""
    try:
        plain = orjson.loads(line)
    except orjson.JSONDecodeError:
        plain = None
    if not isinstance(plain, dict):
        return UnreadableRecord("", "", "its entry in the quarantine is damaged")
    places = (("line", plain.get("line")), ("byte", plain.get("offset")))
    where = ", ".join(f"{name} {value:,}" for name, value in places if isinstance(value, int))
    member = f" ({plain['member']})" if plain.get("member") else ""
    return UnreadableRecord(f"{plain.get('file', '')}{member}", where, str(plain.get("reason", "")))


def _rating_bins(tables: NightTables) -> tuple[Bin, ...]:
    """All bins of the scale when anything was rated, the empty ones too."""
    counts = {number: (n, n_picked) for number, n, n_picked in tables.ratings()}
    edges = [RATING_MIN + number * BIN_WIDTH for number in range(N_BINS)]
    bins = (Bin(low, low + BIN_WIDTH, *counts.get(number, (0, 0))) for number, low in enumerate(edges))
    return tuple(bins) if counts else ()


def _length_bins(tables: NightTables) -> tuple[Bin, ...]:
    """Bins from one power of two to the next, without gaps."""
    counts = {exponent: (n, n_picked) for exponent, n, n_picked in tables.lengths()}
    if not counts:
        return ()
    return tuple(Bin(2**at, 2 ** (at + 1), *counts.get(at, (0, 0))) for at in range(min(counts), max(counts) + 1))


def _clusters(report: StepReport | None, tables: NightTables) -> tuple[Cluster, ...]:
    listed = report.facts.get("clusters", [])[:N_CLUSTERS] if report else []
    titles = tables.titles([cluster["survivor"] for cluster in listed], N_TITLE)
    return tuple(_cluster(plain, titles.get(plain["survivor"], "")) for plain in listed)


def _cluster(plain: Mapping[str, Any], title: str) -> Cluster:
    members = plain.get("members", [])
    kinds = sorted({member["kind"] for member in members})
    similarities = [member["jaccard"] for member in members if member.get("jaccard") is not None]
    return Cluster(
        survivor=plain["survivor"],
        night=plain.get("night"),
        title=title,
        size=plain["size"],
        n_by_kind={kind: sum(member["kind"] == kind for member in members) for kind in kinds},
        jaccard=(min(similarities), max(similarities)) if similarities else None,
    )


def _shown(tables: NightTables, reasons: Mapping[str, str]) -> tuple[ShownConversation, ...]:
    rows = tables.conversations(list(reasons), N_TURNS, N_CHARACTERS)
    return tuple(_conversation(row, reasons[row["conversation_id"]]) for row in rows)


def _conversation(row: Mapping[str, Any], reason: str) -> ShownConversation:
    head, last = _within_budget([ShownTurn(**turn) for turn in row["head"]], row)
    criteria = orjson.loads(row["criteria"] or b"{}")
    redactions: dict[str, int] = orjson.loads(row["redactions"])
    return ShownConversation(
        id=row["conversation_id"],
        rating=row["rating"],
        acceptance=row["acceptance"],
        criteria=tuple((name, float(value)) for name, value in sorted(criteria.items()) if math.isfinite(value)),
        source=row["source"],
        language=row["language"] or "",
        model=row["model"] or "",
        n_words=row["n_words"],
        n_turns=row["n_turns"],
        n_characters=row["n_characters"] or 0,
        redactions=tuple(sorted(redactions.items())),
        head=head,
        last=last,
        reason=reason,
    )


def _within_budget(turns: list[ShownTurn], row: Mapping[str, Any]) -> tuple[tuple[ShownTurn, ...], ShownTurn | None]:
    """As many of the first turns as `N_ALL_CHARACTERS` allow, room for the last one set aside."""
    ends = [ShownTurn(**turn) for turn in row["last"]]
    left = N_ALL_CHARACTERS - sum(len(turn.content) for turn in ends)
    shown: list[ShownTurn] = []
    for turn in turns[: row["n_turns"] - 1]:
        left -= len(turn.content)
        if left < 0:
            break
        shown.append(turn)
    if len(shown) == row["n_turns"] - 1:
        return (*shown, *ends), None
    return tuple(shown), ends[0] if ends else None
