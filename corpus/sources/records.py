"""What a log is split into: records with their place, and stretches that could not be read, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corpus.sources.decode import JsonObject
from corpus.sources.window import Place, Window


@dataclass(frozen=True, slots=True)
class Record:
    """A JSON object of a log."""

    value: JsonObject
    place: Place


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stretch of a log that could not be read: why, and how it begins."""

    place: Place
    reason: str
    excerpt: bytes = b""


Item = Record | Unreadable


def item(value: Any, place: Place) -> Item:
    """A record, or the reason why this JSON value is none."""
    if isinstance(value, dict):
        return Record(value, place)
    kinds = {list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return Unreadable(place, f"it is {kinds.get(type(value), 'null')}, not an object")


def too_large(max_bytes: int) -> str:
    """The reason for skipping a record that is larger."""
    return f"it is larger than night.max_record_mb = {max_bytes // 10**6}"


def cut_off(window: Window) -> str:
    """Why the record that begins here has no end."""
    if window.failure:
        return str(window.take_failure())
    return f"the file ends inside this record, at byte {window.offset + window.held}"


def failure(window: Window) -> list[Unreadable]:
    """What stopped the stream before its end, if anything did and no record told of it."""
    return [Unreadable(window.place(0), str(window.take_failure()))] if window.failure else []
