"""How git learns the token of an https remote: from the environment alone, at the moment that the server asks for it.

Git runs a helper that prints the variable's value. So the token stands in no address, file, log or reflog, and the list
of processes shows the variable's name alone. The user's own helpers are left aside: one of them would store it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from corpus.remote import Remote
from schemas.errors import SettingsError
from schemas.forge_address import is_loopback

_USER = "x-access-token"
"""GitHub's user for tokens of apps; with other tokens GitHub, GitLab, Gitea and Forgejo take any name."""


def credential_config(remote: Remote) -> list[tuple[str, str]]:
    """Git's configuration for the token of a remote, in order; empty without a token or without https.

    It holds for the remote's host alone: where a redirect leads elsewhere, git has no credentials.

    Raises:
        SettingsError: the variable is not set, or the token would travel unencrypted.
    """
    parts = urlsplit(remote.address)
    if remote.token_env is None or remote.path is not None or parts.scheme not in ("https", "http"):
        return []
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise SettingsError(f"corpus.remote is {remote}: over http anybody on the way reads the token; write https")
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    helper = f'!f() {{ test "$1" = get && printf "username={_USER}\\npassword=%s\\n" "${remote.token_env}"; }}; f'
    return [
        (f"credential.{place}.helper", ""),  # forgets the helpers named before
        (f"credential.{place}.helper", helper),
    ]


def token_of(remote: Remote, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variable with the remote's token, for git's environment; empty when the remote needs none.

    Raises:
        SettingsError: the environment has no such variable.
    """
    if not credential_config(remote) or remote.token_env is None:
        return {}
    token = (os.environ if environment is None else environment).get(remote.token_env, "").strip()
    if not token:
        raise SettingsError(
            f"corpus.token_env names {remote.token_env}, which the environment does not hold; put the token there, or "
            "remove the setting to let git find credentials by itself"
        )
    if not token.isprintable() or not token.isascii():
        raise SettingsError(f"{remote.token_env} holds something that is no token (line ends or foreign letters)")
    return {remote.token_env: token}
