"""A pick as a sample: its path, the replies that stood beside it, its verdict and its provenance.

Every line has the same keys at every depth, so that a loader which infers types shard by shard finds the same ones:
what is a mapping with open names elsewhere (criteria, features, counts of redactions) is a list of named values here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from schemas.conversation import Conversation, Feedback, Message
from schemas.sample import Sample
from schemas.verdict import Verdict


def sample_of(row: Mapping[str, Any], *, night: str, publish_subjects: bool) -> Sample:
    """The sample of one SELECTED row.

    Raises:
        ValueError: the row's tree says something else than its messages.
        InputError, KeyError, TypeError: its verdict or tree is not what `to_json` writes.
    """
    conversation = Conversation.from_json(orjson.loads(row["tree"]))
    if [{"role": turn.role, "content": turn.content} for turn in conversation.turns()] != row["messages"]:
        # Perhaps only one of the two was redacted, so nothing of the row may be published.
        raise ValueError("the path of the tree differs from the messages")
    return Sample(
        id=row["content_id"],
        expert=row["expert"],
        messages=tuple(row["messages"]),
        alternatives=tuple(alternatives(conversation)),
        verdict=published_verdict(Verdict.from_json(orjson.loads(row["verdict"]))),
        provenance=_provenance(row, night, publish_subjects),
    )


def published_verdict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as samples carry it: without cost, criteria and features as `{"name", "value"}` sorted by name."""
    return {
        "rating": float(verdict.rating),
        "acceptance": None if verdict.acceptance is None else float(verdict.acceptance),
        "criteria": _named(verdict.criteria, float),
        "features": _named(verdict.features, float),
        "judge": asdict(verdict.judge),
    }


def _named(values: Mapping[str, Any], kind: type[float] | type[int]) -> list[dict[str, Any]]:
    return [{"name": name, "value": kind(values[name])} for name in sorted(values)]


def _provenance(row: Mapping[str, Any], night: str, publish_subjects: bool) -> dict[str, Any]:
    created_at = row["created_at"]
    copied = ("conversation_id", "source", "system", "model", "language", "consent", "licence", "extends")
    return {
        **{name: row[name] for name in copied},
        "created_on": created_at.date().isoformat() if created_at else None,  # the hour could identify somebody
        "night": night,
        "redactions": _named(orjson.loads(row["redactions"]), int),
        "subject": row["subject"] if publish_subjects else None,
    }


def alternatives(conversation: Conversation) -> Iterator[dict[str, Any]]:
    """The other replies that the user saw beside the path's, in the path's order, then the log's.

    Replies that failed, were hidden, are empty or say what is already there are left out.
    """
    beside = defaultdict(list)
    for message in conversation.messages:
        beside[message.parent_id].append(message)
    for turn, chosen in _turn_messages(conversation):
        said = {chosen.text()}
        for sibling in beside[chosen.parent_id] if chosen.role == "assistant" else ():
            if not _was_seen(sibling) or (text := sibling.text()) in said:
                continue
            said.add(text)
            about = [item for item in conversation.feedback if item.message_id == sibling.id]
            yield {"turn": turn, "content": text, "rank": _rank(about), "vote": _vote(about)}


def _turn_messages(conversation: Conversation) -> Iterator[tuple[int, Message]]:
    """The messages behind `Conversation.turns()`, numbered as there."""
    return enumerate(m for m in conversation.path() if m.weight > 0 and m.text().strip())


def _was_seen(message: Message) -> bool:
    return (
        message.role == "assistant" and message.status is None and message.weight > 0 and bool(message.text().strip())
    )


def _rank(about: Sequence[Feedback]) -> int | None:
    """The first rank given, 0 for the best; a rank in words cannot be compared and is none."""
    ranks = (int(item.value) - int(item.scale_min or 0) for item in about if item.kind == "rank" and _is_number(item))
    return next(ranks, None)


def _vote(about: Sequence[Feedback]) -> int | None:
    """1 or -1 as most thumbs of people point, None without thumbs or with a draw."""
    signs = [_sign(item) for item in about if item.kind == "thumb" and item.by == "human" and _is_number(item)]
    total = sum(signs)
    return (total > 0) - (total < 0) or None


def _is_number(item: Feedback) -> bool:
    return isinstance(item.value, (int, float))


def _sign(thumb: Feedback) -> int:
    """Which way a thumb points: above or below the middle of its scale, which is 0 when none is given."""
    low, high = thumb.scale_min, thumb.scale_max
    middle = (low + high) / 2 if low is not None and high is not None else 0.0
    value = float(thumb.value)
    return (value > middle) - (value < middle)
