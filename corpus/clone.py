"""The private bare clone that everything goes through: a cache, made anew from the remote when it breaks."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from corpus.branch import init_repository, is_local_refusal, make_repository, run_git
from corpus.bulk import BulkObjects
from corpus.credentials import credential_config, token_of
from corpus.objects import Damaged
from corpus.remote import Remote, is_network_failure, is_partial, refusal
from corpus.stage import disk_errors
from schemas.errors import CorpusError

T = TypeVar("T")

log = logging.getLogger("gristmill.corpus")

REMOTE_NAME = "gristmill-corpus"
"""The remote's name in git's configuration, which is passed in the environment: no address in a file or `ps`."""

_NO_LIKENESS = ("-c", "pack.window=0")
"""For a release, whose shards git finds no likeness of (it looks under the same path): a million samples
are pushed in 20 s instead of 45."""

_LOST_RACE = re.compile(r"reference already exists|is at [0-9a-f]+ but expected")
"""What the remote's git says of a branch that moved after it had told us where it was."""

_TRIES = 5
"""Pushes that lost a race against another push are decided anew; more in a row is no accident."""

LOCK_PATIENCE_S = 10.0
"""A ref's lock is held for milliseconds; one that has not changed for so long was left by a killed process."""

_CONNECTION_CONFIG = {
    "core.hooksPath": os.devnull,
    "gc.autoDetach": "false",  # a process left behind would write while the next command reads
    "http.lowSpeedLimit": "1000",  # bytes a second; a stalled connection must end, not hang the night
    "http.lowSpeedTime": "60",
    "push.followTags": "false",
    "push.gpgSign": "false",
}


class Moved(Exception):
    """The remote branch is not where it was; never leaves this module."""


def with_clone(remote: Remote, path: Path, operation: Callable[[Clone], T]) -> T:
    """What `operation` returns, run on the clone at `path`.

    It is run again on a clone made anew when the clone turns out to be damaged, and again when a push lost a race; so
    it must begin by asking where the remote is. One process at a time has the clone.

    Raises:
        CorpusError: the remote cannot be reached, read or written, or git itself is missing.
    """
    with _lock(path):
        for _ in range(_TRIES):
            try:
                return operation(Clone(remote, path))
            except Moved as moved:
                log.info("the corpus moved meanwhile (%s); looking again", moved)
            except Damaged as damage:
                log.warning("the clone %s is damaged and is made anew: %s", path, damage)
                with disk_errors(path):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    raise CorpusError(f"{remote} kept changing, or {path} kept breaking; run the same command again")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Holds the clone's lock, which the system frees even when the process is killed."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f"{path.name}.lock").open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Clone(BulkObjects):
    """A private bare clone of the corpus. Ids are full commit or blob ids, branches are named without refs/heads/."""

    def __init__(self, remote: Remote, path: Path) -> None:
        super().__init__(path)
        self.remote = remote
        if remote.path is not None:
            make_repository(remote.path)
        if not path.exists():
            init_repository(path)
        if not (path / "objects").is_dir():
            raise Damaged("it is no repository")

    # The remote.

    def heads(self) -> dict[str, str]:
        """Branch to commit, as the remote has them now; empty for an empty repository."""
        status, out, said = self._connect("ls-remote", "--heads", REMOTE_NAME)
        if status:
            self._git("rev-parse", "--git-dir")  # with damaged configuration no command works
            raise refusal(f"reading {self.remote}", said)
        pairs = (line.split("\t") for line in out.decode().splitlines())
        return {ref.removeprefix("refs/heads/"): commit for commit, ref in pairs}

    def known_heads(self) -> dict[str, str]:
        """Branch to commit, as they were when they were fetched last."""
        found = self._git("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/corpus/").decode()
        return {name: commit for commit, name in (line.split(" ", 1) for line in found.splitlines())}

    def fetch(self, heads: Mapping[str, str]) -> None:
        """Brings these branches here; costs what is new."""
        known = self._git("for-each-ref", "--format=%(objectname) %(refname)", "refs/corpus/").decode().splitlines()
        wanted = [name for name, commit in sorted(heads.items()) if f"{commit} refs/corpus/{name}" not in known]
        if not wanted:
            return
        refspecs = [f"+refs/heads/{name}:refs/corpus/{name}" for name in wanted]
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        status, _, said = self._connect("fetch", *options, REMOTE_NAME, *refspecs)
        if status and "couldn't find remote ref" in said:
            raise Moved(said)
        if status and (is_partial(said) or is_network_failure(said) or is_local_refusal(said)):
            raise refusal(f"fetching {self.remote}", said)
        if status:
            raise Damaged(said)

    def push(self, commit: str, branch: str, *, expected: str | None, kind: str = "heads") -> None:
        """Sets the remote branch, provided that it still is at `expected` (None: does not exist).

        Raises:
            Moved: it is not. CorpusError: the remote refuses; the commit stays in the clone.
        """
        status, out, said = self._push(commit, f"refs/{kind}/{branch}", expected)
        if status and (lock := self._left_behind(said)):
            log.warning("removing %s, which a killed process left", lock)
            lock.unlink(missing_ok=True)
            status, out, said = self._push(commit, f"refs/{kind}/{branch}", expected)
        if not status:
            return
        told = out.decode(errors="replace")
        if "stale info" in told or "cannot lock ref" in told or _LOST_RACE.search(said + told):
            raise Moved(branch)
        if not told and not is_network_failure(said) and not is_local_refusal(said) and self._is_broken(commit):
            raise Damaged(said)
        rejected = [line.split("\t")[-1] for line in told.splitlines() if line.startswith("!")]
        raise refusal(f"pushing {branch} to {self.remote}", "\n".join([*rejected, said]))

    def tags(self) -> dict[str, str]:
        """Tag to the object that it names (an annotated tag's own id), as the remote has them now."""
        status, out, said = self._connect("ls-remote", "--tags", "--refs", REMOTE_NAME)
        if status:
            raise refusal(f"reading {self.remote}", said)
        pairs = (line.split("\t") for line in out.decode().splitlines())
        return {ref.removeprefix("refs/tags/"): found for found, ref in pairs}

    def fetch_tag(self, tag: str) -> str:
        """The commit behind a tag of the remote, brought here.

        Raises:
            CorpusError: there is no such tag, or the remote cannot be read.
        """
        own = f"refs/corpus-tags/{tag}"
        status, _, said = self._connect("fetch", "--quiet", "--no-tags", REMOTE_NAME, f"+refs/tags/{tag}:{own}")
        if status:
            raise refusal(f"fetching the tag {tag} of {self.remote}", said)
        return self._git("rev-parse", f"{own}^{{commit}}").decode().strip()

    def push_tag(self, found: str, tag: str) -> None:
        """Sets a new tag at the remote. Raises: Moved: it exists already. CorpusError: the remote refuses."""
        self.push(found, tag, expected=None, kind="tags")

    def _push(self, commit: str, ref: str, expected: str | None) -> tuple[int, bytes, str]:
        configured = _NO_LIKENESS if ref.startswith("refs/tags/") else ()
        options = ("--porcelain", "--quiet", "--no-verify", "--no-signed", "--recurse-submodules=no")
        lease = f"--force-with-lease={ref}:{expected or ''}"
        return self._connect(*configured, "push", *options, *self._own_hooks(), lease, REMOTE_NAME, f"{commit}:{ref}")

    def _own_hooks(self) -> list[str]:
        """The option that lets a repository on this machine run its own hooks and not the user's everywhere."""
        for folder in (self.remote.path, self.remote.path and self.remote.path / ".git"):
            if folder is not None and (folder / "objects").is_dir():
                own, named, _ = run_git(("config", "--local", "core.hooksPath"), {"GIT_DIR": str(folder)})
                hooks = folder / ("hooks" if own else named.decode().rstrip("\n"))
                return [f"--receive-pack=git -c {shlex.quote(f'core.hooksPath={hooks}')} receive-pack"]
        return []

    def _left_behind(self, said: str) -> Path | None:
        """The lock file in a repository on this machine that git complains of and that nobody is working on."""
        found = re.search(r"Unable to create '([^']+\.lock)': File exists", said)
        if not found or self.remote.path is None:
            return None
        lock = (self.remote.path / found[1]).resolve()
        if not lock.is_relative_to(self.remote.path.resolve()):
            return None
        before = _stamp(lock)
        for _ in range(100):
            if before is None or _stamp(lock) != before:
                return None  # somebody was at work, and is done
            time.sleep(LOCK_PATIENCE_S / 100)
        return lock

    def _is_broken(self, commit: str) -> bool:
        return self._status("rev-list", "--objects", "--quiet", commit) != 0

    # Running git.

    def _connect(self, *arguments: str) -> tuple[int, bytes, str]:
        """A command that talks to the remote, with the user's configuration but none of its traps."""
        config = {f"remote.{REMOTE_NAME}.url": self.remote.address, **_CONNECTION_CONFIG}
        given = os.environ.get("GIT_CONFIG_COUNT", "0")
        first = int(given) if given.isdigit() else 0
        entries = [*config.items(), *credential_config(self.remote)]
        variables = {"GIT_DIR": str(self.path), "GIT_CONFIG_COUNT": str(first + len(entries)), **token_of(self.remote)}
        for number, (key, value) in enumerate(entries, first):
            variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return run_git(arguments, variables, is_isolated=False)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        facts = file.stat()
    except FileNotFoundError:
        return None
    return facts.st_ino, facts.st_mtime_ns
