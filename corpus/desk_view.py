"""What the review page is told of a night and of a sample, as JSON; texts of strangers are safe HTML or plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson
from markupsafe import escape

from corpus.desk import Desk
from corpus.desk_journal import Ballot
from corpus.desk_night import DeskSample
from corpus.markdown import visible
from corpus.readable import rendered
from corpus.word_diff import Span, word_diff
from schemas.errors import InputError

SHOWN_CHARACTERS = 20_000
"""Of a turn that are shown at once: some ten screens, an eighth of a second to render; the rest is one key away."""

SHOWN_TURNS = 40
"""Turns shown at once; a conversation that is longer goes on at a button."""

LAST_TURNS = 4
"""Turns at the end of a long conversation that are shown at once, too: the last answer is what is learned from most."""

SAME_CHARACTERS = 240
"""Of an unchanged passage in a diff that are shown on either side of a change: three lines."""

_ALIGNED = re.compile(r'<(t[hd]) style="text-align:(left|center|right)">')


def overview(desk: Desk) -> dict[str, Any]:
    """The night, the reviewer, and a row for each sample in reading order."""
    night, ballots, unsaved = desk.night, desk.ballots(), desk.unsaved()
    return {
        "night": night.night,
        "reviewer": asdict(desk.reviewer),
        "threshold": night.threshold,
        "n_damaged": night.n_damaged,
        "progress": progress(desk),
        "samples": [_row(sample, ballots.get(sample.id), unsaved) for sample in night.samples],
    }


def progress(desk: Desk) -> dict[str, int]:
    """How far the reviewer is."""
    return asdict(desk.progress())


def row(desk: Desk, sample_id: str) -> dict[str, Any]:
    """The row of one sample."""
    return _row(desk.sample(sample_id), desk.ballot(sample_id), desk.unsaved())


def _row(sample: DeskSample, ballot: Ballot | None, unsaved: set[str]) -> dict[str, Any]:
    return {
        "id": sample.id,
        "rating": sample.rating,
        "opening": sample.opening,
        "about": " · ".join(part for part in (sample.language, sample.expert) if part),
        "is_doubtful": sample.is_doubtful,
        "is_planned": sample.is_planned,
        "verdict": ballot.verdict if ballot else None,
        "is_unsaved": sample.id in unsaved,
    }


def sample_view(desk: Desk, sample_id: str) -> dict[str, Any]:
    """Everything about one sample but the middle of a very long one; other reviewers only after one's own decision."""
    sample, ballot = desk.sample(sample_id), desk.ballot(sample_id)
    plain = sample.parsed()
    messages = shown_messages(desk, sample_id)
    n = len(messages)
    last = range(max(SHOWN_TURNS, n - LAST_TURNS), n)
    return {
        **row(desk, sample_id),
        "turns": list(_turns(plain, messages, range(min(SHOWN_TURNS, n)))),
        "last_turns": list(_turns(plain, messages, last)),
        "n_turns": n,
        "facts": _facts(plain),
        "criteria": [_criterion(one) for one in _list(plain["verdict"].get("criteria"))],
        "acceptance": sample.acceptance,
        "redactions": [_named(one) for one in _list(plain["provenance"].get("redactions"))],
        "reason": ballot.reason if ballot else "",
        "changes": _changes(plain["messages"], ballot.messages) if ballot and ballot.messages else [],
        "edited_from": _edits_before(desk, sample),
        "is_on_branch": sample.is_on_branch,
        "others": [
            {"reviewer": vote.reviewer, "verdict": vote.verdict, "reason": visible(vote.reason)}
            for vote in desk.others(sample_id)
        ],
    }


def shown_messages(desk: Desk, sample_id: str) -> Sequence[Mapping[str, str]]:
    """The messages as the reviewer left them: edited, or as they stand."""
    ballot = desk.ballot(sample_id)
    messages: Sequence[Mapping[str, str]] = desk.sample(sample_id).parsed()["messages"]
    return ballot.messages if ballot and ballot.messages else messages


def turns_view(desk: Desk, sample_id: str, start: int, n: int) -> list[dict[str, Any]]:
    """Further turns of a long conversation, `SHOWN_TURNS` at most."""
    messages = shown_messages(desk, sample_id)
    numbers = range(max(0, start), min(len(messages), start + min(n, SHOWN_TURNS)))
    return list(_turns(desk.sample(sample_id).parsed(), messages, numbers))


def passage_view(desk: Desk, sample_id: str, turn: int, start: int) -> dict[str, Any]:
    """The next passage of a long turn.

    Raises:
        InputError: there is no such turn.
    """
    text = _turn_text(desk, sample_id, turn)[start:]
    return {"html": html_of(text[:SHOWN_CHARACTERS]), "n_more": max(0, len(text) - SHOWN_CHARACTERS)}


def source_view(desk: Desk, sample_id: str, turn: int) -> dict[str, str]:
    """A turn's text as it stands in the corpus, to be edited. Raises: InputError: there is no such turn."""
    return {"text": _turn_text(desk, sample_id, turn)}


def _turn_text(desk: Desk, sample_id: str, turn: int) -> str:
    messages = shown_messages(desk, sample_id)
    if not 0 <= turn < len(messages):
        raise InputError(f"this sample has {len(messages)} turns, so none with number {turn + 1}")
    return messages[turn]["content"]


def edited_messages(desk: Desk, sample_id: str, texts: Mapping[str, Any]) -> list[dict[str, str]]:
    """The messages with some texts replaced; keys are the turns' numbers, from 0.

    Raises:
        InputError: a key is no turn of this sample, or a text is none.
    """
    messages = [dict(message) for message in shown_messages(desk, sample_id)]
    for key, text in texts.items():
        if not (key.isdecimal() and key.isascii() and int(key) < len(messages)) or not isinstance(text, str):
            raise InputError("an edit gives texts for turns of the sample; load the page again")
        messages[int(key)]["content"] = text
    return messages


def diff_view(desk: Desk, sample_id: str, messages: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """What an edit would change of the sample as it stands, turn by turn."""
    return _changes(desk.sample(sample_id).parsed()["messages"], messages)


def neighbours_view(desk: Desk, sample_id: str) -> list[dict[str, Any]]:
    """The samples most like this one, with their first turns."""
    return [
        {
            "id": sample.id,
            "shared": round(neighbour.shared, 3),
            "opening": sample.opening,
            "rating": sample.rating,
            "turns": list(_turns(sample.parsed(), sample.parsed()["messages"], range(min(6, sample.n_messages)))),
            "n_turns": sample.n_messages,
        }
        for sample, neighbour in desk.neighbours(sample_id)
    ]


def html_of(text: str) -> str:
    """A text as inert HTML without inline style, which the page's policy forbids."""
    return _ALIGNED.sub(r"<\1 class=align-\2>", str(rendered(text)))


def _turns(plain: Mapping[str, Any], messages: Sequence[Mapping[str, str]], numbers: range) -> Iterator[dict[str, Any]]:
    for number in numbers:
        text = messages[number]["content"]
        yield {
            "turn": number,
            "role": messages[number]["role"],
            "html": html_of(text[:SHOWN_CHARACTERS]),
            "n_characters": len(text),
            "n_more": max(0, len(text) - SHOWN_CHARACTERS),
            "beside": [_beside(other) for other in plain["alternatives"] if other["turn"] == number],
        }


def _beside(other: Mapping[str, Any]) -> dict[str, Any]:
    """A reply that stood beside one of the path."""
    vote = other.get("vote")
    opinion = {1: "its user liked it", -1: "its user disliked it"}.get(vote, "") if isinstance(vote, int) else ""
    return {"html": html_of(other["content"][:SHOWN_CHARACTERS]), "opinion": opinion}


def _changes(before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    pairs = enumerate(zip(before, after, strict=False))
    changed = [(n, old, new) for n, (old, new) in pairs if old["content"] != new["content"]]
    return [
        {
            "turn": n,
            "role": old["role"],
            "html": _diff_html(word_diff(visible(old["content"]), visible(new["content"]))),
        }
        for n, old, new in changed
    ]


def _diff_html(spans: Sequence[Span]) -> str:
    return "".join(_span_html(span, n == 0, n == len(spans) - 1) for n, span in enumerate(spans))


def _span_html(span: Span, is_first: bool, is_last: bool) -> str:
    if span.kind != "same":
        tag = "del" if span.kind == "removed" else "ins"
        return f"<{tag}>{escape(span.text)}</{tag}>"
    text = span.text
    if is_first and len(text) > SAME_CHARACTERS:
        return f"<span class=cut>…</span>{escape(text[-SAME_CHARACTERS:])}"
    if is_last and len(text) > SAME_CHARACTERS:
        return f"{escape(text[:SAME_CHARACTERS])}<span class=cut>…</span>"
    if len(text) > 2 * SAME_CHARACTERS:
        return f"{escape(text[:SAME_CHARACTERS])}<span class=cut> … </span>{escape(text[-SAME_CHARACTERS:])}"
    return str(escape(text))


def _edits_before(desk: Desk, sample: DeskSample) -> list[dict[str, Any]]:
    """What another reviewer has changed of the proposed sample."""
    line = desk.night.lines.get(sample.edited_from or "")
    if line is None:
        return []
    return _changes(orjson.loads(line.line)["messages"], sample.parsed()["messages"])


def _facts(plain: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a reviewer should know besides the text."""
    origin = plain["provenance"]
    names = (("Source", "source"), ("Model", "model"), ("Date", "created_on"), ("Language", "language"),
             ("Licence", "licence"), ("Consent", "consent"))  # fmt: skip
    facts = [{"name": name, "value": visible(str(origin[key])[:200])} for name, key in names if origin.get(key)]
    return [*facts, {"name": "Expert", "value": visible(plain["expert"][:40])}]


def _criterion(one: Mapping[str, Any]) -> dict[str, Any]:
    value = one.get("value")
    return {"name": visible(str(one.get("name"))[:60]), "value": float(value) if isinstance(value, (int, float)) else 0}


def _named(one: Mapping[str, Any]) -> dict[str, str]:
    return {"name": visible(str(one.get("name"))[:60]), "value": visible(str(one.get("value"))[:20])}


def _list(value: Any) -> list[Mapping[str, Any]]:
    """A list of objects, whatever a stranger's line has there."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
