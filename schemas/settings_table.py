"""What every table of gristmill.toml is: frozen, and without keys that nobody knows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

VARIABLE = r"^[A-Z_][A-Z0-9_]*$"
"""The name of an environment variable; tokens have small letters, so one written in its place is refused."""


class SettingsTable(BaseModel):
    """A table of gristmill.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")
