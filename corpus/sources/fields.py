"""Typed access to JSON of unknown shape, and the fields that logs of several systems share."""

from __future__ import annotations

import re
from typing import Any

from corpus.sources.decode import JsonObject, decode_text

_REFUSALS = {"", "no", "none", "false", "0", "denied", "deny", "refused", "declined", "withdrawn", "revoked", "opt-out"}
"""What people and programs write for: this must not be published."""

_LANGUAGE = re.compile(r"([a-z]{2})(?:[-_][A-Za-z]{2,8})*$")


def as_object(value: Any) -> JsonObject:
    """The object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str | None:
    """A non-empty string, also of a number; None for anything else."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def as_number(value: Any) -> float | None:
    """A number, also when it is written as a string."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def first_text(record: JsonObject, *keys: str) -> str | None:
    """The first of the keys that holds a non-empty string or a number."""
    return next((text for key in keys if (text := as_text(record.get(key)))), None)


def unpacked(value: Any) -> Any:
    """The value, parsed when it is JSON in a string."""
    return decode_text(value) if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") else value


def language_of(value: Any) -> str | None:
    """The ISO 639-1 code of a language tag such as `en` or `pt-BR`; None for names of languages."""
    match = _LANGUAGE.match(value) if isinstance(value, str) else None
    return match[1] if match else None


def consent_of(record: JsonObject) -> tuple[str | None, bool]:
    """The basis for publication that the record itself states, and whether it refuses."""
    value = record.get("consent", as_object(record.get("metadata")).get("consent"))
    if isinstance(value, str):
        is_refused = value.strip().lower() in _REFUSALS
        return (None if is_refused else value), is_refused
    if value is True:
        return "stated in the record", False
    return None, value is not None


def licence_of(record: JsonObject) -> str | None:
    """The licence that the record itself states."""
    return first_text(record, "licence", "license") or first_text(
        as_object(record.get("metadata")), "licence", "license"
    )
