"""OpenAssistant trees: one JSON object a tree, `{"message_tree_id", "tree_state", "prompt": {..., "replies": [...]}}`.

The active path follows the best-ranked reply at each step and ends with an answer. `rank` 0 is best, among siblings
only. Deleted messages stay, with their text blanked, because their replies may live; they and what reviewers rejected
or never reviewed have weight 0. corpus/sources/oasst_rows.py puts the export of flat rows together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from corpus.sources.decode import JsonObject
from corpus.sources.draft import Draft
from corpus.sources.fields import (
    as_list,
    as_number,
    as_object,
    as_text,
    consent_of,
    first_text,
    language_of,
    licence_of,
)
from corpus.sources.parts import text_part
from corpus.sources.problems import UnreadableRecord
from corpus.sources.timestamps import utc
from corpus.sources.tree import repaired
from schemas.conversation import Feedback, Message, Role

_ROLES: dict[str, Role] = {"prompter": "user", "assistant": "assistant"}
_UNRANKED = 10**6


def recognise(record: JsonObject) -> bool:
    """Whether it is a tree of the OpenAssistant export."""
    return isinstance(record.get("prompt"), dict) and "message_id" in record["prompt"] and "replies" in record["prompt"]


def read(record: JsonObject) -> Draft:
    """The conversation of a tree."""
    return draft_of_nodes(record, list(_nodes(record["prompt"])))


def _nodes(prompt: JsonObject) -> Iterator[tuple[JsonObject, str | None]]:
    """Each message with its parent's id, parents first, replies in their order."""
    waiting: list[tuple[Any, str | None]] = [(prompt, None)]
    while waiting:
        node, parent_id = waiting.pop()
        if not isinstance(node, dict):
            raise UnreadableRecord("one of its replies is not an object")
        yield node, parent_id
        waiting += [(reply, as_text(node.get("message_id"))) for reply in reversed(as_list(node.get("replies")))]


def draft_of_nodes(tree: JsonObject, nodes: Sequence[tuple[JsonObject, str | None]]) -> Draft:
    """The conversation of a tree's messages, each with its parent's id.

    Raises:
        UnreadableRecord: ids are missing or repeated, a role is unknown, or the parents form a cycle.
    """
    messages = repaired(_message(node, parent_id) for node, parent_id in nodes)
    root = nodes[0][0]
    ranks = {message.id: as_number(node.get("rank")) for message, (node, _) in zip(messages, nodes, strict=True)}
    consent, is_refused = consent_of(tree)
    state = as_text(tree.get("tree_state"))
    return Draft(
        native_id=first_text(tree, "message_tree_id") or messages[0].id,
        messages=messages,
        active_leaf=_best_leaf(messages, ranks),
        created_at=utc(root.get("created_date")),
        language=language_of(root.get("lang")),
        feedback=(
            *(item for node, _ in nodes for item in _feedback(node)),
            *((Feedback("label", state, "code", name="tree_state"),) if state else ()),
        ),
        user=as_text(root.get("user_id")),
        consent=consent,
        is_refused=is_refused,
        licence=licence_of(tree),
    )


def _message(node: JsonObject, parent_id: str | None) -> Message:
    message_id, role = as_text(node.get("message_id")), _ROLES.get(as_text(node.get("role")) or "")
    if message_id is None or role is None:
        raise UnreadableRecord(f"one of its messages has the id {message_id!r} and the role {node.get('role')!r:.40}")
    is_deleted = node.get("deleted") is True
    text = as_text(node.get("text"))
    is_good = node.get("review_result") is True and not is_deleted
    return Message(
        id=message_id,
        parent_id=parent_id,
        role=role,
        parts=(text_part(text),) if text and not is_deleted else (),
        model=as_text(node.get("model_name")),
        created_at=utc(node.get("created_date")),
        status="deleted" if is_deleted else None if is_good else "not_approved",
        weight=1.0 if is_good else 0.0,
    )


def _best_leaf(messages: Sequence[Message], ranks: Mapping[str, float | None]) -> str:
    """The last answer on the path of the best replies; the last message where nobody answers."""
    replies: dict[str | None, list[Message]] = defaultdict(list)
    for message in messages:
        replies[message.parent_id].append(message)

    def badness(message: Message) -> tuple[bool, float]:
        rank = ranks[message.id]
        return message.weight == 0, _UNRANKED if rank is None else rank

    at, answer = messages[0], None
    while children := replies[at.id]:
        at = min(children, key=badness)
        if at.role == "assistant" and at.weight > 0:
            answer = at
    return (answer or at).id


def _feedback(node: JsonObject) -> Iterator[Feedback]:
    """Rank, labels (means of several raters, 0 to 1), counts of emojis, and the scores of a toxicity model."""
    message_id = as_text(node.get("message_id"))
    rank = as_number(node.get("rank"))
    if rank is not None:
        yield Feedback("rank", rank, "human", message_id)
    for name, label in as_object(node.get("labels")).items():
        value = as_number(as_object(label).get("value"))
        if value is not None:
            yield Feedback("label", value, "human", message_id, name=name, scale_min=0.0, scale_max=1.0)
    for name, count in as_object(node.get("emojis")).items():
        if (value := as_number(count)) is not None:
            yield Feedback("label", value, "human", message_id, name=f"emoji:{name}")
    for name, score in as_object(node.get("detoxify")).items():
        if (value := as_number(score)) is not None:
            yield Feedback("label", value, "model", message_id, name=f"detoxify:{name}", scale_min=0.0, scale_max=1.0)
