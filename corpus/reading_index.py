"""The index of a night's reading copy: which samples to read, the funnel, the ratings, and the list of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from corpus.doubt import Rule
from corpus.markdown import inline
from corpus.sampling_plan import SamplingPlan
from schemas.verdict import RATING_MAX, RATING_MIN

LISTED_SAMPLES = 1000
"""Samples that the index lists one by one (about 200 bytes each); a larger night lists its pages only."""

BAR_CHARACTERS = 24
"""The longest bar of a chart: it fits beside its numbers on a phone."""

BIN_WIDTH = 0.5
"""Of the histogram, as `select` counts."""

_RULES: Mapping[Rule, str] = {
    "deviations": "whose acceptance lies the fewest standard deviations from one half",
    "acceptance": "whose acceptance is nearest to one half",
    "rating": "that are rated lowest",
}


@dataclass(frozen=True)
class Place:
    """Where a sample stands: its number in the night, from 1, and the file of its page."""

    number: int
    page: str


@dataclass(frozen=True)
class Listed:
    """What the index says of a sample; the last three are Markdown already."""

    id: str
    place: Place
    rating: float
    acceptance: float | None
    expert: str
    language: str
    opening: str

    @property
    def link(self) -> str:
        """To its place."""
        return f"[{self.place.number}]({self.place.page}#sample-{self.place.number})"


def index_text(
    night: str, listed: Sequence[Listed], record: Mapping[str, Any], rule: Rule, plan: SamplingPlan | None
) -> str:
    """The text of `index.md`; arguments as in `corpus.reading_copy.Reading`."""
    blocks = [
        f"# Night {night}: {len(listed)} conversations",
        "Every sample is kept unless somebody rejects it: untick its box on its page, delete its line under `data/`, "
        f"or comment `/reject <id> <reason>`. The most doubtful come first: those {_RULES[rule]}.",
        *_about(record),
        *(_plan(listed, plan, record) if plan else ()),
        *_funnel(record.get("steps", [])),
        *_histogram(listed, record.get("histogram", [])),
        "## All samples",
        _samples(listed, plan) if len(listed) <= LISTED_SAMPLES else _pages(listed),
    ]
    return "\n\n".join(blocks) + "\n"


def _about(record: Mapping[str, Any]) -> Iterator[str]:
    judges = [
        f"{inline(judge['name'])}, model {inline(judge['model'])}, rubric {inline(judge['rubric'])}"
        + (f", head {inline(judge['head'])}" if judge["head"] else "")
        for judge in record.get("judges", [])
    ]
    facts = [f"- Judge: {judge}" for judge in judges]
    if record.get("threshold") is not None:
        facts.append(f"- Threshold: {record['threshold']:g} of 10")
    if facts:
        yield "\n".join(facts)


# The sampling plan.


def _plan(listed: Sequence[Listed], plan: SamplingPlan, record: Mapping[str, Any]) -> Iterator[str]:
    yield "## The sampling plan"
    n_tests = (record.get("honeypots") or {}).get("n", 0)
    n_spoilt = n_tests - n_tests // 2
    yield (
        f"**Who cannot read all reads these {len(plan.why)}.** {plan.n} of the night's {plan.n_samples} were drawn by "
        f"lot. Were more than {100 * plan.bad_share:g} % of the night bad ({plan.n_bad} samples or more), there would "
        f"be a bad one among those drawn with probability {plan.probability:.3f}. So the night may pass if none of "
        f"them is bad; after {'one bad one' if not n_spoilt else f'{n_spoilt + 1} bad ones'}, read all. Always on the "
        "list are the doubtful ones and one sample of each new contributor."
    )
    if n_tests:
        yield (
            f"{n_tests} on the list are tests of attention, {n_spoilt} of them bad on purpose. Decide on them as on "
            "all others; settling takes them out."
        )
    rows = [one for one in listed if one.id in plan.why]
    items = [f"- {one.link} {plan.why[one.id]}, {one.rating:.1f}: {one.opening}" for one in rows[:LISTED_SAMPLES]]
    if len(rows) > LISTED_SAMPLES:
        items.append(f"- {len(rows) - LISTED_SAMPLES} more, which their pages name")
    yield "\n".join(items)
    yield f"Seed of the lot: `{plan.seed}`"


# The charts.


def _funnel(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not steps:
        return
    yield "## What became of the night's conversations"
    most = max(step["in"] for step in steps)
    rows = (
        (
            step["step"],
            str(step["in"]),
            str(step["kept"]),
            _bar(step["kept"], most),
            _reasons(step["dropped"]),
            _reasons(step["held"]),
        )
        for step in steps
    )
    yield _table(("step", "in", "kept", "", "dropped", "held"), rows)


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{inline(reason)} {n}" for reason, n in sorted(counts.items()))


def _histogram(listed: Sequence[Listed], rated: Sequence[Sequence[float]]) -> Iterator[str]:
    """The ratings of the proposed samples, and of all rated where the record has them ([lower edge, count] each)."""
    n_bins = round((RATING_MAX - RATING_MIN) / BIN_WIDTH)
    proposed = [0] * n_bins
    for one in listed:
        proposed[_bin(one.rating, n_bins)] += 1
    everything = list(proposed)
    for low, count in rated:
        everything[_bin(low, n_bins)] = max(int(count), proposed[_bin(low, n_bins)])
    filled = [number for number, count in enumerate(everything) if count]
    if not filled:
        return
    most = max(everything)
    rows = (
        (
            f"{RATING_MIN + BIN_WIDTH * number:.1f} to {RATING_MIN + BIN_WIDTH * (number + 1):.1f}",
            str(everything[number]),
            str(proposed[number]),
            _bar(proposed[number], most, everything[number]),
        )
        for number in range(filled[0], filled[-1] + 1)
    )
    yield "## Ratings"
    yield _table(("rating", "rated", "proposed", ""), rows)


def _bin(rating: float, n_bins: int) -> int:
    return min(int((rating - RATING_MIN) / BIN_WIDTH), n_bins - 1)


def _bar(n: int, most: int, n_in_all: int | None = None) -> str:
    """A bar of `n`, and pale beyond it up to `n_in_all`; of `most` it would be `BAR_CHARACTERS` long."""
    full, whole = (_length(count, most) for count in (n, max(n, n_in_all or 0)))
    return "█" * full + "░" * (whole - full)


def _length(n: int, most: int) -> int:
    """Rounded up: what is not nothing is seen."""
    return -(-n * BAR_CHARACTERS // most) if most else 0


# The list.


def _samples(listed: Sequence[Listed], plan: SamplingPlan | None) -> str:
    has_acceptance = any(one.acceptance is not None for one in listed)
    head = ("sample", "rating", *(("acceptance",) if has_acceptance else ()), "expert", "language", "read", "begins")
    return _table(head, (_row(one, plan, has_acceptance) for one in listed))


def _row(one: Listed, plan: SamplingPlan | None, has_acceptance: bool) -> tuple[str, ...]:
    sure = ("" if one.acceptance is None else f"{one.acceptance:.2f}",) if has_acceptance else ()
    why = plan.why.get(one.id, "") if plan else ""
    return one.link, f"{one.rating:.1f}", *sure, one.expert, one.language, why, one.opening


def _pages(listed: Sequence[Listed]) -> str:
    return _table(("page", "samples", "ratings"), _page_rows(listed))


def _page_rows(listed: Sequence[Listed]) -> Iterator[tuple[str, ...]]:
    for page, group in groupby(listed, key=lambda one: one.place.page):
        samples = list(group)
        numbers = f"{samples[0].place.number} to {samples[-1].place.number}"
        ratings = [one.rating for one in samples]
        yield f"[{page.removesuffix('.md')}]({page})", numbers, f"{min(ratings):.1f} to {max(ratings):.1f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
