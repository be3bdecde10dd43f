"""Where the corpus repository is, and what git's refusals mean to people. Tokens in addresses are never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import CorpusError

_URL = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SCP_LIKE = re.compile(r"^[^/:]+:")
"""`user@host:path`: git's rule is a colon before the first slash."""

_CREDENTIALS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s]*@", re.IGNORECASE)


@dataclass(frozen=True)
class Remote:
    """The corpus repository as git is told it.

    `path` is its folder when it is on this machine, else None. `token_env` names the environment variable with a token
    for git, None when git finds credentials by itself.
    """

    address: str
    path: Path | None
    token_env: str | None = None

    def __str__(self) -> str:
        """The address without credentials, for messages."""
        return without_credentials(self.address)


def remote_of(text: str, root: Path, token_env: str | None = None) -> Remote:
    """The remote that a setting means: a URL, `user@host:path`, or a path relative to `root`."""
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    elif _URL.match(text) or (_SCP_LIKE.match(text) and not (root / text).exists()):
        return Remote(text, None, token_env)
    path = (root / Path(text).expanduser()).absolute()
    return Remote(str(path), path)


def without_credentials(text: str) -> str:
    """The text with `user:token@` taken out of every URL."""
    return _CREDENTIALS.sub(r"\1", text)


_NETWORK = (
    r"Could not resolve host|unable to access|Connection (refused|reset|timed out|closed)|Operation timed out|early EOF"
    r"|RPC failed|hung up unexpectedly|Network is unreachable"
)
_CHECK_NETWORK = "check the network and the address"
_PARTIAL = re.compile(r"promisor remote|lazy fetching disabled")
_REMEDIES: tuple[tuple[str, str], ...] = (
    (
        _PARTIAL.pattern,
        "it is a partial clone (made with --filter) that lacks files: name the repository that it was cloned from, or "
        "clone it anew without --filter",
    ),
    (
        r"hook declined|aborted by hook|protected branch|denyCurrentBranch|branch is currently checked out|GH\d{3}",
        "ask who administers the repository, or change its rules",
    ),
    (r"No space left on device|Disk quota exceeded|unable to write .*file too large", "free space"),
    (
        r"HOST IDENTIFICATION HAS CHANGED|Host key verification failed",
        "compare the server's key with the one that the forge publishes: somebody may stand between; then correct "
        "~/.ssh/known_hosts",
    ),
    (
        r"Authentication failed|could not read (Username|Password)|Permission denied \(|terminal prompts disabled"
        r"|The requested URL returned error: (401|403)|Invalid username or",
        "give git credentials for this address: a good token in the variable that corpus.token_env names, a credential "
        "helper, or an SSH key",
    ),
    (_NETWORK, _CHECK_NETWORK),
    (
        r"does not appear to be a git repository|Repository not found|not found|does not exist|No such file",
        "check corpus.remote in the settings; an empty repository at that address is enough",
    ),
    (
        r"Read-only file system|Permission denied|Operation not permitted|insufficient permission"
        r"|unable to create temporary|unable to migrate objects|Unable to create",
        "allow writing to the repository",
    ),
    (r"dubious ownership", "give the repository to the user who runs Gristmill, or list it as git's safe.directory"),
)
"""What git says, and what people can do about it; the first that matches counts."""

_PASSING = re.compile(_NETWORK)


class Unreachable(CorpusError):
    """The repository does not answer; what this machine has of it may still be read."""


def is_network_failure(said: str) -> bool:
    """Whether git's message speaks of the connection, not of the repositories at its ends."""
    return bool(_PASSING.search(said))


def is_partial(said: str) -> bool:
    """Whether git's message speaks of a clone that was made without the files, and cannot get them now."""
    return bool(_PARTIAL.search(said))


def refusal(asked: str, said: str) -> CorpusError:
    """The error for a git command that was refused: what was asked, what git said, what to do."""
    shown = "; ".join(_told(without_credentials(said))) or "git gave no reason"
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, said)), "mend what git reports")
    kind = Unreachable if remedy == _CHECK_NETWORK else CorpusError
    return kind(f"{asked} was refused: {shown}. {remedy[:1].upper()}{remedy[1:]}, then run the same command again")


def _told(said: str) -> list[str]:
    """The lines of git's message that say something, the first six."""
    lines = [line.strip() for line in said.splitlines()]
    return [
        line for line in lines if line and not line.startswith(("hint:", "To ", "Done", "Please make sure", "@@@"))
    ][:6]
