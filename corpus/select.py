"""select: the night's picks. Threshold, wholeness, nothing that another pick says, quotas; the best first.

Two passes over the file: the first keeps a few words a conversation in memory and decides, the second copies rows.
What is picked does not depend on the order of the rows, nor on what the contributors' pseudonyms look like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl

from corpus.meaning import Near, Others, Picked, nearest
from corpus.stage import Row, read_rows, require_columns, run_step
from schemas.embedding import checked
from schemas.errors import SettingsError
from schemas.outcome import Dropped, Kept, Outcome, StepReport
from schemas.settings import ExpertSettings, NightSettings
from schemas.tables import JUDGED, SELECTED
from schemas.verdict import RATING_MAX, RATING_MIN

GENERAL = "general"
"""The expert of a conversation that no expert of the settings matches."""

BIN_WIDTH = 0.5
"""Of the rating histogram: 18 bins between 1 and 10, so the threshold's default of 6.0 is an edge."""


class _Key(NamedTuple):
    """What the decision needs to know of one row; sorted, the best comes first."""

    descending: float
    content_id: str
    conversation_id: str
    row: int
    expert: str
    contributor: str | None
    intact: float | None
    embedding: str


def select(
    source: Path,
    output: Path,
    *,
    threshold: float,
    min_intact: float = 0.0,
    cosine_min: float = 1.0,
    earlier: Others | None = None,
    night: NightSettings,
    experts: Sequence[ExpertSettings],
    on_row: Callable[[], None] | None = None,
) -> StepReport:
    """Writes the picks of a JUDGED file as SELECTED; the others are dropped with the rule that stopped them.

    `min_intact` is compared with the figure `intact` of verdicts that have it: the judge's probability that no answer
    is damaged or out of place. From `cosine_min` on two conversations say the same (corpus/meaning.py): the better one
    is picked, and none that says what `earlier` nights picked; 1 leaves them all. One that extends a known
    conversation says the same of course, and is not compared. Ties in the rating go to the smaller content id. A
    contributor is a non-null `subject`; conversations of unknown contributors are not capped, since they cannot be told
    apart. The report's facts: `threshold`, `histogram` (of all rated, as [lower edge, count]), `lowest_pick` (rating)
    and `experts` (picks of each).

    Raises:
        InputError: the input is no JUDGED file. SettingsError: an expert's pattern is no regular expression.
    """
    require_columns(source, JUDGED, "select")
    keys = list(_keys(source, experts))
    refusals = _refusals(keys, threshold, min_intact, night, cosine_min, earlier)

    def transform(rows: Iterator[Row]) -> Iterable[tuple[Row, Outcome[Row]]]:
        for key, row in zip(keys, rows, strict=True):
            yield row, refusals.get(key.row) or Kept({**row, "expert": key.expert})

    return run_step(
        "select",
        source,
        output,
        needs=JUDGED,
        gives=SELECTED,
        transform=transform,
        facts=lambda: _facts(keys, refusals, threshold),
        on_row=on_row,
    )


def _keys(source: Path, experts: Sequence[ExpertSettings]) -> Iterator[_Key]:
    columns = ["content_id", "conversation_id", "rating", "verdict", "subject", "language", "source", "extends"]
    if any(expert.pattern for expert in experts):
        columns.append("messages")
    for number, row in enumerate(read_rows(source, columns)):
        verdict = orjson.loads(row["verdict"])
        yield _Key(
            descending=-row["rating"],
            content_id=row["content_id"],
            conversation_id=row["conversation_id"],
            row=number,
            expert=expert_of(row, experts),
            contributor=row["subject"],
            intact=verdict.get("features", {}).get("intact"),
            embedding="" if row["extends"] else checked(verdict.get("embedding", "")),
        )


def expert_of(row: Mapping[str, Any], experts: Sequence[ExpertSettings]) -> str:
    """The name of the first expert that matches the row's language, source and text, else `general`.

    Raises:
        SettingsError: an expert's pattern is not a regular expression.
    """
    return next((expert.name for expert in experts if _matches(row, expert)), GENERAL)


def _matches(row: Mapping[str, Any], expert: ExpertSettings) -> bool:
    if expert.languages and row["language"] not in expert.languages:
        return False
    if expert.sources and row["source"] not in expert.sources:
        return False
    return expert.pattern is None or _contains(row["messages"], expert)


def _contains(messages: Sequence[Mapping[str, str]], expert: ExpertSettings) -> bool:
    # polars' regular expressions run in linear time: text made to stall Python's backtracking cannot stop the night.
    texts = pl.Series([message["content"] for message in messages], dtype=pl.String)
    try:
        return bool(texts.str.contains(expert.pattern or "").any())
    except pl.exceptions.ComputeError as error:
        raise SettingsError(
            f"the pattern of expert {expert.name!r} cannot be used: {error}; it is a regular expression without "
            "look-around and back-references"
        ) from error


def _refusals(
    keys: Sequence[_Key],
    threshold: float,
    min_intact: float,
    night: NightSettings,
    cosine_min: float,
    earlier: Others | None,
) -> dict[int, Dropped]:
    """Row number to refusal, for every row that is not picked."""
    refusals = {key.row: refusal for key in keys if (refusal := _unfit(key, threshold, min_intact))}
    fit = sorted(key for key in keys if key.row not in refusals)
    said = _said_before(fit, cosine_min, earlier)
    picks: Counter[tuple[str, str]] = Counter()
    picked = Picked()
    for key in fit:
        near = said.get(key.content_id) or (picked.nearest(key.embedding) if cosine_min < 1 else None)
        shares = _shares(key, night)
        refusal = _said(near, cosine_min) or _over_quota(key, shares, picks)
        if refusal:
            refusals[key.row] = refusal
        else:
            picks.update((name, who) for name, who, _ in shares)
            picked.add(key.content_id, key.embedding)
    return refusals


def _said_before(fit: Sequence[_Key], cosine_min: float, earlier: Others | None) -> Mapping[str, Near]:
    """What earlier nights picked that says the same."""
    if earlier is None or cosine_min >= 1:
        return {}
    found = nearest({key.content_id: key.embedding for key in fit}, earlier, n=1, cosine_min=cosine_min)
    return {one: some[0] for one, some in found.items()}


def _unfit(key: _Key, threshold: float, min_intact: float) -> Dropped | None:
    rating = -key.descending
    if rating < threshold:
        return Dropped("below_threshold", f"rating {rating!r}, threshold {threshold!r}")
    if key.intact is not None and key.intact < min_intact:
        return Dropped("not_intact", f"intact with probability {key.intact!r}, wanted {min_intact!r}")
    return None


def _said(near: Near | None, cosine_min: float) -> Dropped | None:
    if near is None or not near.cosine >= cosine_min:
        return None
    whose = f"of night {near.night}" if near.night else "of tonight"
    return Dropped("semantic_duplicate", f"cosine {near.cosine:.3f} to {near.id} {whose}")


def _over_quota(
    key: _Key, shares: Iterable[tuple[str, str, int | None]], picks: Counter[tuple[str, str]]
) -> Dropped | None:
    full = next(((name, quota) for name, who, quota in shares if quota is not None and picks[name, who] >= quota), None)
    return Dropped(f"over_{full[0]}_quota", f"rating {-key.descending!r}, quota {full[1]}") if full else None


def _shares(key: _Key, night: NightSettings) -> list[tuple[str, str, int | None]]:
    """What a pick counts towards, narrowest first: (quota's name, whose it is, its size; None is unlimited)."""
    shares: list[tuple[str, str, int | None]] = [
        ("expert", key.expert, night.quota_per_expert),
        ("night", "", night.quota),
    ]
    if key.contributor is not None:
        shares.insert(0, ("contributor", key.contributor, night.quota_per_contributor))
    return shares


def _facts(keys: Sequence[_Key], refusals: Mapping[int, Dropped], threshold: float) -> dict[str, Any]:
    picked = [key for key in keys if key.row not in refusals]
    return {
        "threshold": threshold,
        "histogram": _histogram([-key.descending for key in keys]),
        "lowest_pick": min((-key.descending for key in picked), default=None),
        "experts": dict(sorted(Counter(key.expert for key in picked).items())),
    }


def _histogram(ratings: Sequence[float]) -> list[list[float]]:
    """[lower edge, count] of each bin from 1 to 10; a bin holds its lower edge, the last one also the 10."""
    counts = [0] * round((RATING_MAX - RATING_MIN) / BIN_WIDTH)
    for rating in ratings:
        counts[min(int((rating - RATING_MIN) / BIN_WIDTH), len(counts) - 1)] += 1
    return [[RATING_MIN + number * BIN_WIDTH, count] for number, count in enumerate(counts)]
