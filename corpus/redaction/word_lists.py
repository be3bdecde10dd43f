"""The word lists of the recognisers, kept as data in words.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("words.toml")


@cache
def _lists() -> dict[str, list[str]]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def word_list(name: str) -> tuple[str, ...]:
    """One list of words.toml, in its order."""
    return tuple(_lists()[name])
