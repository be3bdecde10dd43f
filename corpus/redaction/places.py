"""Street addresses and birth dates."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from corpus.redaction.finding import Finding, is_free_before, lowered
from corpus.redaction.word_lists import word_list

_FILE = Path(__file__).with_name("street_forms.toml")
_CAPITAL = "[A-ZÀ-ÖØ-ÞĀŁŚŻŹČŠŽ]"
_PROPER = rf"{_CAPITAL}[\w'’.-]{{1,25}}"

# What programs write for an address, and what a count of courts looks like.
_NO_STREET = re.compile(
    r"(?i)\A(?:123|1234|456|789|321|654|101|100) (?:main|elm|oak|maple|pine|any|first|second|example)\b|"
    r"\b(?:supreme|high|district|federal|circuit|appeals?|food|tennis|basketball) courts?\b|\A\d{1,2} (?:way|ways) "
)


@cache
def _streets() -> tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]:
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["form"]
    patterns = [row["pattern"].replace("{proper}", _PROPER).replace("{capital}", _CAPITAL) for row in rows]
    return tuple((tuple(row["needles"]), re.compile(pattern)) for row, pattern in zip(rows, patterns, strict=True))


def street_addresses(text: str) -> Iterator[Finding]:
    """Street and number as the countries write them, with the town where it follows in a common form."""
    for needles, pattern in _streets():
        for match in pattern.finditer(text) if any(needle in text for needle in needles) else ():
            if is_free_before(text, match.start(), "_.,$€£-") and not _NO_STREET.search(match[0]):
                yield Finding(match.start(), match.end(), "ADDRESS", " ".join(match[0].lower().split()))


_MONTH = r"[^\W\d_]{3,10}\.?"
_YEAR = r"(?:19|20)\d\d"
_DATE = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th|\.|º)? ?(?:of |de |di )?{_MONTH},? (?:de )?{_YEAR}|"
    rf"{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? {_YEAR}|"
    rf"\d{{1,2}}[./-]\d{{1,2}}[./-](?:19|20)?\d\d|{_YEAR}[./-]\d{{1,2}}[./-]\d{{1,2}}|{_YEAR}年\d{{1,2}}月\d{{1,2}}日)"
)
_BORN = re.compile(
    rf"(?i)(?:{'|'.join(word_list('birth_forms'))})[\s:=*：\"'()-]{{0,6}}(?:is |on |the ){{0,2}}(?P<date>{_DATE})(?!\w)"
)
_NEEDLES = word_list("birth_words")


def birth_dates(text: str) -> Iterator[Finding]:
    """Dates that a label, the first person or an apposition ("Jane Roe, born 1 May 1970") makes somebody's birthday.

    "Ada Lovelace (born 10 December 1815)" and "Einstein was born on ..." are history and stay.
    """
    lower = lowered(text)
    if any(needle in lower for needle in _NEEDLES):
        for match in _BORN.finditer(text):
            yield Finding(match.start("date"), match.end("date"), "BIRTH_DATE", " ".join(match["date"].lower().split()))
