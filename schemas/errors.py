"""The errors people see. Every message says what was asked, what was found and what to do next.

GristmillError            anything that Gristmill reports by itself; the command line prints it without a traceback
├── InputError            your data: a file, a record, a stage table that breaks its contract
├── JudgeError            the model: missing, unreadable, not answering
├── CorpusError           git or the forge: a rejected push, a moved base, a read-only corpus
└── SettingsError         gristmill.toml or a flag
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GristmillError(Exception):
    """Base of all errors that a user is meant to read; `str(error)` is the whole message."""


class InputError(GristmillError):
    """The data given is missing, damaged or breaks a contract."""


class JudgeError(GristmillError):
    """The judge cannot work at all; one conversation without a verdict is `Unrated`, not this."""


class CorpusError(GristmillError):
    """The corpus repository, its remote or the forge refused or cannot be used."""


class SettingsError(GristmillError):
    """A settings file or a command-line value is wrong."""


def nearest(unknown: str, known: Iterable[str]) -> str:
    """A hint to append to a message (`; did you mean 'quota'?`), empty when nothing known is close."""
    matches = get_close_matches(unknown, list(known), n=1, cutoff=0.6)
    return f"; did you mean {matches[0]!r}?" if matches else ""
