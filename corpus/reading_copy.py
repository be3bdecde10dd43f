"""The reading copy: a night's samples as people read them, in pages that a forge renders, with a ballot box each.

The box of a sample stands at the beginning of a line; conversation text never does, since each of its lines begins with
`>`. So no text can cast a vote, close its frame or pass for ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from corpus.markdown import inline, quoted

PAGE_BYTES = 200_000
"""A page is closed before it grows beyond this: forges render files up to about half a megabyte."""

PAGE_SAMPLES = 25
"""What one sitting reads: 25 conversations of 300 words take half an hour at 250 words a minute."""

LISTED_SAMPLES = 1000
"""Samples that the index lists one by one (about 150 bytes each); a larger night lists its pages only."""

SAMPLE_CHARACTERS = 100_000
"""Message text of one sample that is shown; the rest is named and stands in the sample's line."""

_BALLOT = re.compile(r"^- \[([ xX])\] keep `([0-9a-f]{32})`\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A file of the reading copy."""

    name: str
    text: str


@dataclass(frozen=True)
class Listed:
    """What the index says of a sample."""

    number: int
    page: str
    rating: float
    expert: str
    language: str
    opening: str


def ballots(text: str) -> dict[str, bool]:
    """Sample id to whether its box is ticked, as they stand in a page."""
    return {found[2]: found[1] != " " for found in _BALLOT.finditer(text.replace("\r\n", "\n"))}


def reading_copy(night: str, samples: Iterable[Mapping[str, Any]], record: Mapping[str, Any]) -> Iterator[Page]:
    """The pages `01.md`, `02.md`, ..., and `index.md` last; one page is in memory at once.

    Args:
        night: the date.
        samples: parsed lines in the order in which people should read them.
        record: the night's record: `steps`, and what else is known of the night.
    """
    listed: list[Listed] = []
    parts: list[str] = []
    n_bytes = n_pages = 0
    for number, sample in enumerate(samples, 1):
        part = _sample(number, sample)
        size = len(part.encode())
        if parts and (n_bytes + size > PAGE_BYTES or len(parts) == PAGE_SAMPLES):
            n_pages += 1
            yield _page(night, n_pages, parts)
            parts, n_bytes = [], 0
        parts.append(part)
        n_bytes += size
        listed.append(_listed(number, f"{n_pages + 1:02}.md", sample))
    if parts:
        yield _page(night, n_pages + 1, parts)
    yield Page("index.md", _index(night, listed, record))


def _page(night: str, number: int, parts: Sequence[str]) -> Page:
    head = f"# Night {night}, page {number}\n\n[Index](index.md). Untick a box to reject its sample.\n\n"
    return Page(f"{number:02}.md", head + "\n".join(parts))


def _sample(number: int, sample: Mapping[str, Any]) -> str:
    """One sample: heading, ballot box, facts, turns, and the replies that stood beside them."""
    blocks = [f"## Sample {number}", f"- [x] keep `{sample['id']}`", _facts(sample)]
    left = SAMPLE_CHARACTERS
    for turn, message in enumerate(sample["messages"]):
        blocks.append(_said(message["role"].capitalize(), message["content"], left))
        left -= len(message["content"])
        for other in sample["alternatives"]:
            if other["turn"] == turn:
                blocks.append(_said(f"Beside it, not on the path{_opinion(other)}", other["content"], left))
                left -= len(other["content"])
    return "\n\n".join(block.rstrip("\n") for block in blocks) + "\n\n---\n"


def _said(who: str, text: str, left: int) -> str:
    if left <= 0:
        return f"**{who}**: {len(text)} characters, only in the sample's line under data/"
    return f"**{who}**\n\n{quoted(text, limit=left)}"


def _opinion(other: Mapping[str, Any]) -> str:
    said = []
    if other["vote"] is not None:
        said.append("its user liked it" if other["vote"] > 0 else "its user disliked it")
    if other["rank"] is not None:
        said.append(f"rank {other['rank']}, 0 being best")
    return f" ({'; '.join(said)})" if said else ""


def _facts(sample: Mapping[str, Any]) -> str:
    """What a reviewer should know besides the text, as a list."""
    verdict, origin = sample["verdict"], sample["provenance"]
    rating = f"**{verdict['rating']:.1f}** of 10"
    if verdict["acceptance"] is not None:
        rating += f"; a reviewer keeps such a one with probability {verdict['acceptance']:.2f}"
    if verdict["criteria"]:
        rating += " (" + ", ".join(f"{inline(c['name'])} {c['value']:.1f}" for c in verdict["criteria"]) + ")"
    redacted = ", ".join(f"{inline(r['name'])} {r['value']}" for r in origin["redactions"]) or "nothing"
    place = [origin["language"], sample["expert"], origin["source"], origin["model"], origin["created_on"]]
    return "\n".join(
        [
            f"- Rating {rating}",
            f"- {', '.join(inline(str(fact)) for fact in place if fact)}",
            f"- Licence {inline(origin['licence'])}; consent: {inline(origin['consent'])}",
            f"- Redacted: {redacted}",
        ]
    )


def _listed(number: int, page: str, sample: Mapping[str, Any]) -> Listed:
    asked = next((message["content"] for message in sample["messages"] if message["role"] == "user"), "")
    return Listed(
        number=number,
        page=page,
        rating=sample["verdict"]["rating"],
        expert=inline(sample["expert"]),
        language=inline(sample["provenance"]["language"] or ""),
        opening=inline(asked, limit=60),
    )


def _index(night: str, listed: Sequence[Listed], record: Mapping[str, Any]) -> str:
    blocks = [
        f"# Night {night}: {len(listed)} conversations",
        "Every sample is kept unless somebody rejects it: untick its box on its page, delete its line under `data/`, "
        "or comment `/reject <id> <reason>`. The most doubtful (lowest rated) come first.",
        *_about(record),
        *_funnel(record.get("steps", [])),
        "## Samples",
        _table(("sample", "rating", "expert", "language", "begins"), map(_row, listed))
        if len(listed) <= LISTED_SAMPLES
        else _table(("page", "samples", "ratings"), _page_rows(listed)),
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


def _funnel(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not steps:
        return
    yield "## What became of the night's conversations"
    rows = (
        (step["step"], str(step["in"]), str(step["kept"]), _reasons(step["dropped"]), _reasons(step["held"]))
        for step in steps
    )
    yield _table(("step", "in", "kept", "dropped", "held"), rows)


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{inline(reason)} {n}" for reason, n in sorted(counts.items()))


def _row(sample: Listed) -> tuple[str, ...]:
    link = f"[{sample.number}]({sample.page}#sample-{sample.number})"
    return link, f"{sample.rating:.1f}", sample.expert, sample.language, sample.opening


def _page_rows(listed: Sequence[Listed]) -> Iterator[tuple[str, ...]]:
    for page, group in groupby(listed, key=lambda sample: sample.page):
        samples = list(group)
        numbers = f"{samples[0].number} to {samples[-1].number}"
        ratings = [sample.rating for sample in samples]
        yield f"[{page.removesuffix('.md')}]({page})", numbers, f"{min(ratings):.1f} to {max(ratings):.1f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
