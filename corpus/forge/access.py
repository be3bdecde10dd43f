"""The token of a forge: where it is kept, what it must allow, and words for its absence. It is never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.errors import SettingsError

NEEDS = {
    "github": 'a fine-grained token with "Contents" and "Pull requests" read and write on the project, or a classic '
    'one with the scope "repo" ("public_repo" for a public project)',
    "gitlab": 'a project, group or personal access token with the scope "api" and the role Developer or higher',
    "gitea": 'a token with "repository" and "issue" read and write (scopes write:repository and write:issue)',
}
"""What a token must allow, by kind of forge: from the documentation of the calls that are made."""


@dataclass(frozen=True)
class Access:
    """A token and the words about it."""

    kind: str
    variable: str
    token: str = field(repr=False)

    @property
    def remedy(self) -> str:
        """What to type next when the token is not good enough."""
        return f"Make {NEEDS[self.kind]}, put it into {self.variable}, then run the same command again"


def access_of(kind: str, variable: str, environment: Mapping[str, str]) -> Access:
    """The token that the environment holds.

    Raises:
        SettingsError: there is none, or it cannot be a token.
    """
    token = environment.get(variable, "").strip()
    access = Access(kind, variable, token)
    if not token:
        raise SettingsError(f"forge.kind is {kind!r}, and the environment has no token in {variable}. {access.remedy}")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(f"{variable} holds something that is no token (spaces or foreign letters). {access.remedy}")
    return access
