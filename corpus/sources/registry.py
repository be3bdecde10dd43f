"""The source types: what a log can be, how it is recognised by its content, and what reads it. One line each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from corpus.sources import chatgpt, gristmill_log, litellm, oasst_rows, open_webui, openai_messages, sharegpt
from corpus.sources.decode import JsonObject
from corpus.sources.draft import Draft
from corpus.sources.records import Item
from schemas.errors import SettingsError, nearest


@dataclass(frozen=True)
class SourceType:
    """One kind of log.

    Attributes:
        name: as in the settings and on the command line.
        system: as in a conversation's source.
        recognise: whether an object is a record of this type.
        read: a record as a conversation, with the rows of other tables or files about it. Raises UnreadableRecord or
            NoContent.
        regroup: joins neighbouring records that are one conversation.
        select: told all records of a log, gives the test which of them count; the others are repeated in those.
        can_resume: whether a line stands for itself, so that a grown log is read from where the last night stopped.
    """

    name: str
    system: str
    recognise: Callable[[JsonObject], bool]
    read: Callable[[JsonObject, Sequence[JsonObject]], Draft]
    regroup: Callable[[Iterable[Item]], Iterator[Item]] | None = None
    select: Callable[[Iterable[JsonObject]], Callable[[JsonObject], bool]] | None = None
    can_resume: bool = True


def _alone(read: Callable[[JsonObject], Draft]) -> Callable[[JsonObject, Sequence[JsonObject]], Draft]:
    return lambda record, side: read(record)


TYPES: tuple[SourceType, ...] = (
    SourceType("gristmill", "gristmill", gristmill_log.recognise, _alone(gristmill_log.read)),
    SourceType("chatgpt", "chatgpt", chatgpt.recognise, chatgpt.read),
    SourceType("open-webui", "openwebui", open_webui.recognise, open_webui.read),
    SourceType(
        "oasst", "oasst", oasst_rows.recognise, _alone(oasst_rows.read), regroup=oasst_rows.regroup, can_resume=False
    ),
    SourceType("litellm", "litellm", litellm.recognise, _alone(litellm.read), select=litellm.last_calls),
    SourceType("sharegpt", "sharegpt", sharegpt.recognise, _alone(sharegpt.read)),
    SourceType("openai-messages", "openai", openai_messages.recognise, _alone(openai_messages.read)),
)
"""Ordered from the particular to the general: the first that recognises a record has it."""

OPEN_WEBUI = next(kind for kind in TYPES if kind.name == "open-webui")


def source_type(name: str) -> SourceType:
    """The type of that name.

    Raises:
        SettingsError: there is none; the message names the nearest and all that there are.
    """
    found = next((kind for kind in TYPES if kind.name == name), None)
    if found is None:
        names = [kind.name for kind in TYPES]
        raise SettingsError(f"no source type {name!r}{nearest(name, names)}; there are {', '.join(names)}")
    return found


def recognised(record: JsonObject) -> SourceType | None:
    """The type of a record, None when nobody knows it."""
    return next((kind for kind in TYPES if kind.recognise(record)), None)
