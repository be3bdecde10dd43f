"""What a source type makes of one record: a conversation without the facts that only pull knows."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.conversation import Feedback, Message


@dataclass(frozen=True, slots=True)
class Draft:
    """A conversation as its log tells it.

    `user` is the raw identifier of the person, which goes into the keyed subject and nowhere else. `consent` and
    `licence` are what the record itself states; with `is_refused` it states that it must not be published.
    """

    native_id: str
    messages: tuple[Message, ...]
    active_leaf: str
    created_at: str | None = None
    title: str | None = None
    language: str | None = None
    feedback: tuple[Feedback, ...] = ()
    user: str | None = None
    consent: str | None = None
    is_refused: bool = False
    licence: str | None = None
    format_version: str = ""
