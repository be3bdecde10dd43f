"""Why a record of a log did not become a conversation. Raised by the readers, written down by pull, never shown raw."""

from __future__ import annotations

from schemas.errors import InputError


class UnreadableRecord(InputError):
    """One record is damaged or not of the form its log should have; the records around it go on."""


class NoContent(InputError):
    """One record is whole but holds no conversation: its prompts were not stored, or the call failed."""


class DamagedFile(InputError):
    """From here on a file cannot be read: a broken archive, an input or output error. What came before stands."""


class UnknownLog(InputError):
    """A file is not a log of a known type."""
