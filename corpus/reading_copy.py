"""The reading copy: a night's samples as people read them, in pages that a forge renders, with a ballot box each.

The box of a sample stands at the beginning of a line; conversation text never does, since each of its lines begins with
`>`. So no text can cast a vote, close its frame or pass for ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from corpus.doubt import Rule
from corpus.markdown import inline, quoted
from corpus.neighbours import Neighbour
from corpus.reading_index import Listed, Place, index_text
from corpus.review_notes import ReviewNotes
from corpus.sampling_plan import SamplingPlan

PAGE_BYTES = 200_000
"""A page is closed before it grows beyond this: GitHub shows no more than 500 KiB of a Markdown file, others more."""

SAMPLE_BYTES = 150_000
"""Of one sample on its page, with all escapes: so a page of one sample and its head are below `PAGE_BYTES`, too. The
rest is counted and stands in the sample's line."""

PAGE_SAMPLES = 25
"""What one sitting reads: 25 conversations of 300 words take half an hour at 250 words a minute."""

_BALLOT = re.compile(r"^- \[([ xX])\] keep `([0-9a-f]{32})`\s*$", re.MULTILINE)


_LIKE = {"phrases": "of its phrases in common", "meaning": "alike in what is said"}


@dataclass(frozen=True)
class Page:
    """A file of the reading copy."""

    name: str
    text: str


@dataclass(frozen=True)
class Shown:
    """A sample to be read: its parsed line and what else is known of it."""

    sample: Mapping[str, Any]
    notes: ReviewNotes = field(default_factory=ReviewNotes)


@dataclass(frozen=True)
class Reading:
    """A night to be read.

    `ids` are in the order in which people should read, by `rule`; `read` gives one of them, and may be asked twice.
    `record` is the night's: `steps`, and what else is known. `earlier` are nights whose reading copy the corpus has.
    """

    night: str
    ids: Sequence[str]
    read: Callable[[str], Shown]
    record: Mapping[str, Any] = field(default_factory=dict)
    rule: Rule = "rating"
    plan: SamplingPlan | None = None
    earlier: Collection[str] = ()


def ballots(text: str) -> dict[str, bool]:
    """Sample id to whether its box is ticked, as they stand in a page."""
    return {found[2]: found[1] != " " for found in _BALLOT.finditer(text.replace("\r\n", "\n"))}


def reading_copy(reading: Reading) -> Iterator[Page]:
    """The pages `01.md`, `02.md`, ..., and `index.md` last; one page is in memory at once.

    Each sample is rendered twice: where one stands depends on the length of those before it, and its text on where its
    neighbours stand.
    """
    places = _places(reading)
    listed: list[Listed] = []
    parts: list[str] = []
    for one in reading.ids:
        shown, place = reading.read(one), places[one]
        if listed and listed[-1].place.page != place.page:
            yield _page(reading.night, listed[-1].place.page, parts)
            parts = []
        parts.append(_sample(shown, places, reading))
        listed.append(_listed(shown, place))
    if parts:
        yield _page(reading.night, listed[-1].place.page, parts)
    yield Page("index.md", index_text(reading.night, listed, reading.record, reading.rule, reading.plan))


def _places(reading: Reading) -> dict[str, Place]:
    """Number and page of each sample."""
    places = {one: Place(number, "00.md") for number, one in enumerate(reading.ids, 1)}
    sizes = {one: len(_sample(reading.read(one), places, reading).encode()) for one in reading.ids}
    n_page, n_bytes, n_samples = 1, 0, 0
    for one in reading.ids:
        if n_samples and (n_bytes + sizes[one] > PAGE_BYTES or n_samples == PAGE_SAMPLES):
            n_page, n_bytes, n_samples = n_page + 1, 0, 0
        n_bytes, n_samples = n_bytes + sizes[one], n_samples + 1
        places[one] = Place(places[one].number, f"{n_page:02}.md")
    return places


def _page(night: str, name: str, parts: Sequence[str]) -> Page:
    number = name.removesuffix(".md").lstrip("0")
    head = f"# Night {night}, page {number}\n\n[Index](index.md). Untick a box to reject its sample.\n\n"
    return Page(name, head + "\n".join(parts))


def _sample(shown: Shown, places: Mapping[str, Place], reading: Reading) -> str:
    """One sample: heading, ballot box, facts, turns, and the replies that stood beside them."""
    sample = shown.sample
    blocks = [
        f"## Sample {places[sample['id']].number}",
        f"- [x] keep `{sample['id']}`",
        "\n".join(_facts(shown, places, reading)),
    ]
    left = SAMPLE_BYTES - sum(len(block.encode()) for block in blocks)
    said = list(_said(sample))
    for number, (who, text) in enumerate(said):
        if left <= 0:
            blocks.append(f"**… {len(said) - number} more, only in the sample's line under data/**")
            break
        blocks.append(_turn(who, text, left))
        left -= len(blocks[-1].encode())
    return "\n\n".join(block.rstrip("\n") for block in blocks) + "\n\n---\n"


def _said(sample: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Who says what, in order."""
    for turn, message in enumerate(sample["messages"]):
        yield message["role"].capitalize(), message["content"]
        for other in sample["alternatives"]:
            if other["turn"] == turn:
                yield f"Beside it, not on the path{_opinion(other)}", other["content"]


def _turn(who: str, text: str, left: int) -> str:
    """What somebody says, as much of it as fits into the bytes that are left."""
    n_shown = min(max(len(text), 1), left)
    while n_shown > 0:
        block = f"**{who}**\n\n{quoted(text, limit=n_shown)}"
        n_bytes = len(block.encode())
        if n_bytes <= left:
            return block
        n_shown = min(n_shown - 1, n_shown * left // n_bytes * 9 // 10)
    return f"**{who}**: {len(text)} characters, only in the sample's line under data/"


def _opinion(other: Mapping[str, Any]) -> str:
    said = []
    if other["vote"] is not None:
        said.append("its user liked it" if other["vote"] > 0 else "its user disliked it")
    if other["rank"] is not None:
        said.append(f"rank {other['rank']}, 0 being best")
    return f" ({'; '.join(said)})" if said else ""


def _facts(shown: Shown, places: Mapping[str, Place], reading: Reading) -> Iterator[str]:
    """What a reviewer should know besides the text, as the rows of a table."""
    verdict, origin = shown.sample["verdict"], shown.sample["provenance"]
    why = reading.plan.why.get(shown.sample["id"]) if reading.plan else None
    yield f"| rating | **{verdict['rating']:.1f}** of 10{_reasons(verdict)} |"
    yield "| --- | --- |"
    if verdict["acceptance"] is not None:
        spread = f" ± {shown.notes.uncertainty:.2f}" if shown.notes.uncertainty is not None else ""
        yield f"| sureness | a reviewer keeps such a one with probability {verdict['acceptance']:.2f}{spread} |"
    if why:
        yield f"| read it | {why} |"
    place = [origin["language"], shown.sample["expert"], origin["source"], origin["model"], origin["created_on"]]
    yield f"| from | {', '.join(inline(str(fact)) for fact in place if fact)} |"
    yield f"| licence | {inline(origin['licence'])}; consent: {inline(origin['consent'])} |"
    redacted = ", ".join(f"{inline(one['name'])} {one['value']}" for one in origin["redactions"])
    yield f"| redacted | {redacted or 'nothing'} |"
    for near in shown.notes.neighbours:
        yield f"| like it | {_where(near, places, reading)}, {near.similarity:.2f} {_LIKE[near.by]} |"


def _reasons(verdict: Mapping[str, Any]) -> str:
    named = [f"{inline(one['name'])} {one['value']:.1f}" for one in verdict["criteria"]]
    return f": {', '.join(named)}" if named else ""


def _where(near: Neighbour, places: Mapping[str, Place], reading: Reading) -> str:
    if place := places.get(near.id):
        return f"[sample {place.number}]({place.page}#sample-{place.number})"
    night = f"[{near.night}](../{near.night}/index.md)" if near.night in reading.earlier else inline(near.night)
    return f"`{near.id}` of night {night}"


def _listed(shown: Shown, place: Place) -> Listed:
    sample = shown.sample
    asked = next((message["content"] for message in sample["messages"] if message["role"] == "user"), "")
    return Listed(
        id=sample["id"],
        place=place,
        rating=sample["verdict"]["rating"],
        acceptance=sample["verdict"]["acceptance"],
        expert=inline(sample["expert"]),
        language=inline(sample["provenance"]["language"] or ""),
        opening=inline(asked, limit=60),
    )
