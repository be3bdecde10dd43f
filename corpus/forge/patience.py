"""When to ask a forge again, and how long to wait before: the server's own word where it gives one, within bounds.

Sources: RFC 9110, 10.2.3 (Retry-After); GitHub's documentation of REST rate limits (403 or 429; wait for Retry-After,
else until x-ratelimit-reset when x-ratelimit-remaining is 0, else at least a minute); GitLab's response headers for
rate limits (429, Retry-After, RateLimit-Reset).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

PATIENCE_S = 300.0
"""Waited for one question, all waits together: five of GitHub's minutes, but not the hour until a quota is full."""

_UNNAMED_LIMIT_S = 60.0
"""GitHub: wait at least a minute when a limit was met and no header says how long."""

_FIRST_WAIT_S = 1.0
"""Doubled at each failure without a word of the server: 1 + 2 + 4 + 8 s bridge a restart."""

MAX_FAILURES = 5

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses that speak of the moment; 52x are those of proxies in front of many forges."""


@dataclass(frozen=True)
class Clock:
    """The time and the waiting, given from outside: seconds since 1970, and a function that waits so many seconds."""

    now: Callable[[], float] = time.time
    wait: Callable[[float], None] = time.sleep


def is_limit(status: int, headers: Mapping[str, str], text: str) -> bool:
    """Whether the answer says that too much was asked, which GitHub does with 403, too."""
    if status == 429:
        return True
    told = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers or "rate limit" in text.lower()
    return status == 403 and told


def wait_s(status: int, headers: Mapping[str, str], n_failures: int, now: float, *, limited: bool) -> float:
    """Seconds to wait before asking again, never less than one. `n_failures` counts those in a row, from 1."""
    named = _named_wait_s(headers, now)
    if named is not None:
        return max(named, 1.0)
    return _UNNAMED_LIMIT_S if limited else _FIRST_WAIT_S * 2 ** (n_failures - 1)


def _named_wait_s(headers: Mapping[str, str], now: float) -> float | None:
    """What the server says, None when it says nothing that can be read."""
    if (found := _seconds(headers.get("retry-after", ""), now)) is not None:
        return found
    if headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining", "0")) != "0":
        return None
    reset = _number(headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", "")))
    return reset - now + 1.0 if reset is not None else None  # in which part of that second is not said


def _seconds(text: str, now: float) -> float | None:
    """Retry-After as seconds or as a date."""
    if (number := _number(text)) is not None:
        return number
    try:
        return parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
