"""Numbers, times and codes of the night's page as people say them."""

from __future__ import annotations

import math
import re

from markupsafe import Markup, escape

from corpus.markdown import visible
from corpus.page.words import LANGUAGES
from schemas.reasons import REASONS


def number(value: float) -> str:
    """A number with its thousands set apart; one decimal if it is no whole number."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def duration(seconds: float) -> str:
    """Seconds as people say them: `0.4 s`, `42 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def in_words(n: int) -> str:
    """A small number as people write it."""
    words = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[n - 1] if 0 < n <= len(words) else number(n)


def sentence(code: str, *, is_short: bool = False) -> Markup:
    """The sentence of a reason code, with what stands in backticks as code; the short form ends before a semicolon."""
    whole = REASONS.get(code, code.replace("_", " "))
    words = str(escape(whole.split(";")[0] if is_short else whole))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", words))  # noqa: S704 (escaped)


def rating_text(rating: float, threshold: float | None) -> str:
    """A rating with one decimal; with two, cut off, where rounding would carry it over the threshold."""
    if threshold is not None and rating < threshold <= round(rating, 1):
        return f"{math.floor(rating * 100) / 100:.2f}"
    return f"{rating:.1f}"


def language_name(code: str) -> str:
    """The language of a code in English, the code itself where it is rare."""
    return LANGUAGES.get(code, visible(code[:20])) if code else "not recognised"


def count(n: int) -> str:
    """So many conversations."""
    return f"{n:,} conversation{'' if n == 1 else 's'}"


def were(n: int) -> str:
    """The verb that goes with a count."""
    return "was" if n == 1 else "were"


def power_of_two(n: float) -> str:
    """A power of two as a label that fits below a bar: 512, 1k, 2k."""
    return f"{n / 1024:.0f}k" if n >= 1024 else f"{n:.0f}"


def percent(n: int, whole: int) -> str:
    """A part in whole per cent."""
    return f"{100 * n / whole:.0f} %" if whole else "–"


def rate(per_second: float | None) -> str:
    """A speed with as many decimals as are worth reading."""
    if per_second is None:
        return "–"
    return number(round(per_second, 1) if per_second < 10 else round(per_second))


def lower_first(text: str) -> str:
    """A sentence as it stands within another."""
    return text[:1].lower() + text[1:]


def upper_first(text: str) -> str:
    """A sentence that stands alone."""
    return text[:1].upper() + text[1:]
