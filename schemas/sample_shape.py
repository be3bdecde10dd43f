"""The keys and types of a sample's line at every depth, and of a contribution's: what a hostile line is held against.

What values the fields may hold, the contracts of schemas/contracts.py say; they read fields that must be there first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, cast

from schemas.errors import nearest
from schemas.sample import FORMAT_VERSION

Shape = type | tuple["Shape", ...] | Mapping[str, "Shape"] | list["Shape"] | None
"""A type, one of several, an object with exactly these keys, or a list of one shape."""

_TEXT_OR_NULL: Shape = (str, None)
_MESSAGE: Shape = {"role": str, "content": str}

SAMPLE: Mapping[str, Shape] = {
    "format": int,
    "id": str,
    "expert": str,
    "messages": [_MESSAGE],
    "alternatives": [{"turn": int, "content": str, "rank": (int, None), "vote": (int, None)}],
    "verdict": {
        "rating": float,
        "acceptance": (float, None),
        "criteria": [{"name": str, "value": float}],
        "features": [{"name": str, "value": float}],
        "judge": dict.fromkeys(
            ("name", "model", "model_digest", "rubric", "rubric_digest", "head", "head_digest", "prompt_digest"), str
        ),
    },
    "provenance": {
        "conversation_id": str,
        "source": str,
        "system": str,
        "created_on": _TEXT_OR_NULL,
        "model": _TEXT_OR_NULL,
        "language": _TEXT_OR_NULL,
        "consent": str,
        "licence": str,
        "subject": _TEXT_OR_NULL,
        "night": str,
        "redactions": [{"name": str, "value": int}],
        "extends": _TEXT_OR_NULL,
    },
}

CONTRIBUTION: Mapping[str, Shape] = {"messages": [_MESSAGE], "consent": str, "licence": str}
CONTRIBUTION_MAY_HAVE: Mapping[str, Shape] = {"language": str, "model": str}

INTEGER_MAX = 2**63 - 1
"""Readers keep whole numbers in 64 bits with a sign."""


def sample_shape_problems(plain: Any) -> Iterator[str]:
    """Where the object of a line is not of a sample's shape; no value is shown, and no key that is not ours."""
    found = list(_differences(plain, SAMPLE, "the line"))
    yield from found
    if not found:
        yield from _value_problems(plain)


def contribution_shape_problems(plain: Mapping[str, Any]) -> Iterator[str]:
    """Where the object of a line is not of a contribution's shape."""
    extra = {key: shape for key, shape in CONTRIBUTION_MAY_HAVE.items() if key in plain}
    yield from _differences(plain, {**CONTRIBUTION, **extra}, "the line", known=[*CONTRIBUTION, *CONTRIBUTION_MAY_HAVE])
    if not plain.get("messages"):
        yield "messages is empty"


def _differences(value: Any, shape: Shape, place: str, *, known: list[str] | None = None) -> Iterator[str]:
    if isinstance(shape, tuple):
        if not any(_is(value, one) for one in shape):
            yield f"{place} must be {' or '.join(_name(one) for one in shape)}"
    elif isinstance(shape, Mapping):
        yield from _object_differences(value, shape, place, known or list(shape))
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{place} must be a list"
            return
        for number, item in enumerate(value):
            yield from _differences(item, shape[0], f"{place}[{number}]")
    elif not _is(value, shape):
        yield f"{place} must be {_name(shape)}"


def _object_differences(value: Any, shape: Mapping[str, Shape], place: str, known: list[str]) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} must be an object"
        return
    for key in value:
        if key not in shape:
            yield f"{place} has a key that is none of {', '.join(known)}{nearest(key[:60], known)}"
    for key, inner in shape.items():
        if key not in value:
            yield f"{place} lacks {key!r}"
        else:
            yield from _differences(value[key], inner, key if place == "the line" else f"{place}.{key}")


def _is(value: Any, shape: Shape) -> bool:
    if shape is None:
        return value is None
    if shape is int:
        return type(value) is int and abs(value) <= INTEGER_MAX
    return type(value) is shape


def _name(shape: Shape) -> str:
    if shape is None:
        return "null"
    return {str: "text", int: "a whole number of 64 bits", float: "a number with a point"}.get(
        cast(type, shape), "other"
    )


def _value_problems(plain: Mapping[str, Any]) -> Iterator[str]:
    """What the contracts take for granted, or do not see."""
    if plain["format"] != FORMAT_VERSION:
        yield f"format must be {FORMAT_VERSION}"
    if not plain["messages"]:
        yield "messages is empty"
    messages = plain["messages"]
    for number, other in enumerate(plain["alternatives"]):
        if not 0 <= other["turn"] < len(messages) or messages[other["turn"]]["role"] != "assistant":
            yield f"alternatives[{number}].turn is not the number of a message of the assistant"
    acceptance = plain["verdict"]["acceptance"]
    if acceptance is not None and not 0 <= acceptance <= 1:
        yield "verdict.acceptance must lie between 0 and 1"
    for name in ("created_on", "night"):
        if plain["provenance"][name] is not None and not _is_date(plain["provenance"][name]):
            yield f"provenance.{name} must be a date such as 2026-11-04"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
