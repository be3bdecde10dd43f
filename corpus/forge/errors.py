"""What a forge can answer instead of doing as asked.

CorpusError
├── ForgeRefused        asking again changes nothing: a person must mend the token, the project or the settings
│   ├── NotThere        what was asked for does not exist, or the token may not see it
│   └── ExistsAlready   what should be made is there
└── ForgeUnavailable    it did not answer, or asked to wait longer than a night waits: the same call later goes on
"""

from __future__ import annotations

from schemas.errors import CorpusError


class ForgeRefused(CorpusError):
    """The forge said no; the message names the variable of the token and what it must allow, never the token."""


class ForgeUnavailable(CorpusError):
    """The forge could not be asked now; nothing is lost, and the same call may be made again."""


class NotThere(ForgeRefused):
    """What was asked for does not exist, or the token may not see it."""


class ExistsAlready(ForgeRefused):
    """What should be made is there already."""
