"""Git: the only module that imports it, and what every use of it shares.

The configuration and environment of whoever runs Gristmill are kept out of local commands. Connections use them,
because credentials live there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO

from corpus.remote import refusal
from corpus.stage import disk_errors
from schemas.errors import CorpusError

_IDENTITY = "Gristmill <gristmill@localhost>"

_FOR_CONNECTIONS = re.compile(
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_.*|HTTP_.*|PROXY_.*|ALLOW_PROTOCOL|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM))"
    r"|GIT_CONFIG_(COUNT|KEY_\d+|VALUE_\d+)"
)
"""The caller's variables that a connection may need; all other GIT_* are hidden from git."""


def signature(day: str) -> list[str]:
    """The author and committer lines of our commits: nobody's name, and midnight (UTC) of the date given."""
    at = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return [f"{role} {_IDENTITY} {int(at.timestamp())} +0000" for role in ("author", "committer")]


def make_repository(path: Path) -> None:
    """Creates the bare repository at `path` unless something is there already.

    Raises:
        CorpusError: something else than a repository is there, or the folder cannot be written.
    """
    if (path / "objects").is_dir() or (path / ".git").exists():
        return
    with disk_errors(path):
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise CorpusError(f"{path} is no git repository; name another place in corpus.remote, or move it away")
    init_repository(path)


def init_repository(path: Path) -> None:
    """Makes an empty bare repository beside its place and moves it there: it is complete or absent."""
    new = path.with_name(f".{path.name}.new")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(new, ignore_errors=True)
        options = ("--bare", "--quiet", "--template=", "--initial-branch=main")
        status, _, said = run_git(("init", *options, str(new)), {}, folder=path.parent)
        if status:
            raise refusal(f"creating {path}", said)
        new.replace(path)


def is_local_refusal(said: str) -> bool:
    """Whether git's message speaks of a full disk or missing rights: a clone made anew would fare no better."""
    return bool(
        re.search(
            r"No space left|Disk quota|Permission denied|Read-only file|Operation not permitted|insufficient", said
        )
    )


def run_git(
    arguments: Sequence[str],
    variables: Mapping[str, str],
    *,
    is_isolated: bool = True,
    stdin: IO[bytes] | None = None,
    folder: Path | None = None,
) -> tuple[int, bytes, str]:
    """Exit status, standard output and standard error of git, run without the caller's GIT_* variables."""
    try:
        import git  # noqa: PLC0415 (looks for the program when imported, and takes a tenth of a second)
    except ImportError as error:
        raise CorpusError("the program git is not installed; install it, then run the same command again") from error
    given = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0", **variables}
    if is_isolated:
        given |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    hidden = [
        name
        for name in os.environ
        if name.startswith("GIT_")
        and name not in given
        and name != "GIT_EXEC_PATH"
        and (is_isolated or not _FOR_CONNECTIONS.fullmatch(name))
    ]
    command = ["env", *(part for name in hidden for part in ("-u", name)), "git", *arguments]
    runner = git.Git(str(folder) if folder else variables.get("GIT_DIR"))
    execute: Callable[..., tuple[int, bytes, str]] = runner.execute  # its overloads lack this combination
    return execute(
        command,
        istream=stdin,
        env=given,
        with_extended_output=True,
        with_exceptions=False,
        stdout_as_string=False,
        strip_newline_in_stdout=False,
    )
