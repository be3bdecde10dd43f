"""Times of all logs as one form: ISO 8601 in UTC, with microseconds only where there are some."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""A log of conversations with a machine that is older or younger than this has a broken clock."""

_UNITS_PER_SECOND = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3), (0, 1))
"""From this magnitude on a number counts units of which so many make a second.

10^11 s is the year 5138 and 10^11 ms is 1973, so between 1973 and 5138 the magnitude tells the unit apart; the same
holds for milli- against microseconds (10^14) and micro- against nanoseconds (10^17).
"""

_NUMBER = re.compile(r"[+-]?\d{1,25}(\.\d{1,12})?$", re.ASCII)
_ISO = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|z|UTC|[+-]\d\d:?(?:\d\d)?)?$",
    re.ASCII,
)
_AT = re.compile(r"(\d{4})-(\d\d?)-(\d\d?) ?@(\d\d?)h ?(\d\d?)m ?(\d\d?)s(?: ?(\d{1,3})ms)?$", re.ASCII)
_ENGLISH = re.compile(r"([A-Z][a-z]+) (\d\d?), (\d{4}) (\d\d?):(\d\d) ?([ap]m)$", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def utc(value: Any) -> str | None:
    """The moment as `2026-11-01T09:30:00Z` or `2026-11-01T09:30:00.250000Z`; None when it is none.

    Accepts seconds, milli-, micro- and nanoseconds since 1970 as numbers or strings, ISO 8601 with or without an
    offset (naive is taken as UTC), and the spelt-out dates of chat programs. Never raises.
    """
    if isinstance(value, bool) or value is None:
        return None
    try:
        moment = _of_number(value) if isinstance(value, (int, float)) else _of_text(value)
    except (ValueError, OverflowError):  # the 31st of February, the year 10^290
        return None
    if moment is None or not _EARLIEST <= moment < _LATEST:
        return None
    return moment.isoformat().replace("+00:00", "Z")


def moment_of(text: str | None) -> datetime | None:
    """The moment that `utc` wrote."""
    return datetime.fromisoformat(text) if text else None


def _of_number(value: float) -> datetime | None:
    if not math.isfinite(value):
        return None
    per_second = next(units for least, units in _UNITS_PER_SECOND if abs(value) >= least)
    if isinstance(value, int):  # in whole numbers: a float has no room for nanoseconds
        return _EPOCH + timedelta(microseconds=value * 10**6 // per_second)
    return _EPOCH + timedelta(microseconds=round(value / per_second * 10**6))


def _of_text(value: Any) -> datetime | None:
    text = value.strip()[:64] if isinstance(value, str) else ""
    if _NUMBER.match(text):
        return _of_number(float(text) if "." in text else int(text))
    if match := _ISO.match(text):
        return _of_iso(match)
    if match := _AT.match(text):
        year, month, day, hour, minute, second, milliseconds = (int(field or 0) for field in match.groups())
        return datetime(year, month, day, hour, minute, second, milliseconds * 1000, tzinfo=UTC)
    if (match := _ENGLISH.match(text)) and match[1][:3] in _MONTHS:
        hour = int(match[4]) % 12 + (12 if match[6] == "pm" else 0)
        month = _MONTHS.index(match[1][:3]) + 1
        return datetime(int(match[3]), month, int(match[2]), hour, int(match[5]), tzinfo=UTC)
    return None


def _of_iso(match: re.Match[str]) -> datetime:
    fraction, zone = match.groups()[6:]
    year, month, day, hour, minute, second = (int(field or 0) for field in match.groups()[:6])
    microsecond = int((fraction or "0").ljust(6, "0")[:6])
    moment = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        moment += offset if zone[0] == "-" else -offset
    return moment
