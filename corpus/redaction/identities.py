"""Numbers that a state gives its people: python-stdnum's checksums, and the word that names the number.

The forms are data (identity_forms.toml).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from corpus.redaction.finding import Finding, before, is_free_before, lowered

_FORMS_FILE = Path(__file__).with_name("identity_forms.toml")

_NEAR_CHARACTERS = 40
"""How far before the number its name may stand: "my social security number is" has 30 characters."""


@dataclass(frozen=True)
class _Identity:
    needles: tuple[str, ...]  # words in lower case without one of which the text is not searched; empty: always
    form: re.Pattern[str]
    label: re.Pattern[str] | None
    checksum: str | None


@cache
def _forms() -> tuple[_Identity, ...]:
    rows = tomllib.loads(_FORMS_FILE.read_text(encoding="utf-8"))["form"]
    return tuple(
        _Identity(
            needles=tuple(row.get("needles", ())),
            form=re.compile(rf"{row['form']}(?![\w-])"),
            label=re.compile(row["label"]) if "label" in row else None,
            checksum=row.get("checksum"),
        )
        for row in rows
    )


def identities(text: str) -> Iterator[Finding]:
    """National identity, social security, tax, passport and driving licence numbers."""
    lower = lowered(text)
    for row in _forms():
        if not row.needles or any(needle in lower for needle in row.needles):
            yield from _found(text, row)


def _found(text: str, row: _Identity) -> Iterator[Finding]:
    for match in row.form.finditer(text):
        if not is_free_before(text, match.start()):
            continue
        if row.label and not row.label.search(before(text, match.start(), _NEAR_CHARACTERS)):
            continue
        if row.checksum and not _checksum(row.checksum)(match[0]):
            continue
        if sum(character.isdigit() for character in match[0]) >= 5:
            yield Finding(match.start(), match.end(), "NATIONAL_ID", re.sub(r"[^0-9A-Z]", "", match[0].upper()))


class _Checksum:
    def __init__(self, module: str) -> None:
        self._module = import_module(f"stdnum.{module}")

    def __call__(self, written: str) -> bool:
        return bool(self._module.is_valid(written))


@cache
def _checksum(module: str) -> _Checksum:
    return _Checksum(module)
