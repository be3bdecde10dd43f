"""Git: the only module that imports it. Everything goes through a private bare clone, by plumbing.

The clone has no work tree, so none can be dirty; it is a cache, made anew from the remote when it is missing or
damaged. Commits depend on their parent and their content alone: identity and date are given, and the configuration and
environment of whoever runs Gristmill are kept out. Connections use them, because credentials live there.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, TypeVar

from corpus.remote import Remote, is_network_failure, refusal
from corpus.stage import disk_errors
from schemas.errors import CorpusError

T = TypeVar("T")
BlobSource = tuple[str, Iterable[bytes], int]
"""A file to keep: path, content in chunks, size in bytes."""

log = logging.getLogger("gristmill.corpus")

_NAME = "gristmill-corpus"
"""The remote's name in git's configuration, which is passed in the environment: no address in a file or `ps`."""

_IDENTITY = "Gristmill <gristmill@localhost>"

_TRIES = 5
"""Pushes that lost a race against another push are decided anew; more in a row is no accident."""

LOCK_PATIENCE_S = 10.0
"""A ref's lock is held for milliseconds; one that has not changed for so long was left by a killed process."""

_FOR_CONNECTIONS = re.compile(
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_.*|HTTP_.*|PROXY_.*|ALLOW_PROTOCOL|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM))"
    r"|GIT_CONFIG_(COUNT|KEY_\d+|VALUE_\d+)"
)
"""The caller's variables that a connection may need; all other GIT_* are hidden from git."""

_CONNECTION_CONFIG = {
    "core.hooksPath": os.devnull,
    "gc.autoDetach": "false",  # a process left behind would write while the next command reads
    "http.lowSpeedLimit": "1000",  # bytes a second; a stalled connection must end, not hang the night
    "http.lowSpeedTime": "60",
    "push.followTags": "false",
    "push.gpgSign": "false",
}


class Damaged(Exception):
    """A local git command failed, so the clone cannot be trusted; never leaves this module."""


class Moved(Exception):
    """The remote branch is not where it was; never leaves this module."""


@dataclass(frozen=True)
class FileChange:
    """A file that differs between two commits; ids of blobs, `old` None for a new file."""

    path: str
    old: str | None
    new: str


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


class Clone:
    """A private bare clone of the corpus. Ids are full commit or blob ids, branches are named without refs/heads/."""

    def __init__(self, remote: Remote, path: Path) -> None:
        self.remote = remote
        self.path = path
        if remote.path is not None:
            _make_repository(remote.path)
        if not path.exists():
            _init(path)
        if not (path / "objects").is_dir():
            raise Damaged("it is no repository")

    # The remote.

    def heads(self) -> dict[str, str]:
        """Branch to commit, as the remote has them now; empty for an empty repository."""
        status, out, said = self._connect("ls-remote", "--heads", _NAME)
        if status:
            self._git("rev-parse", "--git-dir")  # with damaged configuration no command works
            raise refusal(f"reading {self.remote}", said)
        pairs = (line.split("\t") for line in out.decode().splitlines())
        return {ref.removeprefix("refs/heads/"): commit for commit, ref in pairs}

    def fetch(self, heads: Mapping[str, str]) -> None:
        """Brings these branches here; costs what is new."""
        known = self._git("for-each-ref", "--format=%(objectname) %(refname)", "refs/corpus/").decode().splitlines()
        wanted = [name for name, commit in sorted(heads.items()) if f"{commit} refs/corpus/{name}" not in known]
        if not wanted:
            return
        refspecs = [f"+refs/heads/{name}:refs/corpus/{name}" for name in wanted]
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        status, _, said = self._connect("fetch", *options, _NAME, *refspecs)
        if status and "couldn't find remote ref" in said:
            raise Moved(said)
        if status and (is_network_failure(said) or _is_local_refusal(said)):
            raise refusal(f"fetching {self.remote}", said)
        if status:
            raise Damaged(said)

    def push(self, commit: str, branch: str, *, expected: str | None) -> None:
        """Sets the remote branch, provided that it still is at `expected` (None: does not exist).

        Raises:
            Moved: it is not. CorpusError: the remote refuses; the commit stays in the clone.
        """
        status, out, said = self._push(commit, branch, expected)
        if status and (lock := self._left_behind(said)):
            log.warning("removing %s, which a killed process left", lock)
            lock.unlink(missing_ok=True)
            status, out, said = self._push(commit, branch, expected)
        if not status:
            return
        told = out.decode(errors="replace")
        if "stale info" in told or "reference already exists" in said + told or "cannot lock ref" in told:
            raise Moved(branch)
        if not told and not is_network_failure(said) and not _is_local_refusal(said) and self._is_broken(commit):
            raise Damaged(said)
        rejected = [line.split("\t")[-1] for line in told.splitlines() if line.startswith("!")]
        raise refusal(f"pushing {branch} to {self.remote}", "\n".join([*rejected, said]))

    def _push(self, commit: str, branch: str, expected: str | None) -> tuple[int, bytes, str]:
        ref = f"refs/heads/{branch}"
        options = ("--porcelain", "--quiet", "--no-verify", "--no-signed", "--recurse-submodules=no")
        lease = f"--force-with-lease={ref}:{expected or ''}"
        return self._connect("push", *options, *self._own_hooks(), lease, _NAME, f"{commit}:{ref}")

    def _own_hooks(self) -> list[str]:
        """The option that lets a repository on this machine run its own hooks and not the user's everywhere."""
        for folder in (self.remote.path, self.remote.path and self.remote.path / ".git"):
            if folder is not None and (folder / "objects").is_dir():
                own, named, _ = _run(("config", "--local", "core.hooksPath"), {"GIT_DIR": str(folder)})
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
        time.sleep(LOCK_PATIENCE_S)
        return lock if before is not None and _stamp(lock) == before else None

    def _is_broken(self, commit: str) -> bool:
        return self._status("rev-list", "--objects", "--quiet", commit) != 0

    # Reading.

    def file(self, commit: str, path: str) -> bytes | None:
        """A file's content in a commit, None when it has no such file."""
        blob = self.blob_id(commit, path)
        return self.blob(blob) if blob else None

    def blob_id(self, commit: str, path: str) -> str | None:
        """The blob of a file in a commit, None when it has no such file."""
        entry = self._git("ls-tree", "-z", commit, "--", path).decode()
        return entry.split()[2] if entry else None

    def blob(self, blob: str) -> bytes:
        """The content of a blob."""
        return self._git("cat-file", "blob", blob)

    def has_commit(self, commit: str) -> bool:
        """Whether the clone holds this commit."""
        return self._status("cat-file", "-e", f"{commit}^{{commit}}") == 0

    def changes(self, since: str | None, head: str, folder: str) -> list[FileChange]:
        """The files of `folder` that `head` added or changed since a commit (None: all of them), by path."""
        if since is None:
            entries = self._git("ls-tree", "-r", "-z", head, "--", f"{folder}/").decode().split("\0")[:-1]
            pairs = (entry.split("\t", 1) for entry in entries)
            return [FileChange(path, None, facts.split()[2]) for facts, path in pairs]
        options = ("-r", "-z", "--no-renames", "--diff-filter=AM")
        fields = self._git("diff-tree", *options, since, head, "--", f"{folder}/").decode().split("\0")[:-1]
        changes = []
        for facts, path in zip(fields[::2], fields[1::2], strict=True):
            _, _, old, new, status = facts.split()
            changes.append(FileChange(path, None if status == "A" else old, new))
        return changes

    def versions(self, head: str, pattern: str) -> list[FileChange]:
        """Every version that the files of a pattern had in the history of `head`, the newest first, each once.

        A `*` stands for the name of one folder. The history is the full one: where a merge took nothing of a branch,
        the branch's versions are part of it.
        """
        shown = ("--format=", "--raw", "--no-abbrev", "-z", "-m", "--no-renames", "--diff-filter=AM")
        log = self._git("log", "--full-history", *shown, head, "--", f":(glob){pattern}").decode()
        found = re.findall(r":\d{6} \d{6} ([0-9a-f]+) ([0-9a-f]+) ([AM])\0([^\0]+)\0", log)
        changes = [FileChange(path, None if status == "A" else old, new) for old, new, status, path in found]
        return list({(change.path, change.new): change for change in changes}.values())

    def commits_since(self, base: str, tip: str) -> list[str]:
        """The commits that `tip` has and `base` lacks, the newest first."""
        return self._git("rev-list", tip, f"^{base}").decode().split()

    def own_parent(self, commit: str, night: str) -> str | None:
        """The parent of a commit that Gristmill made for this night, None when somebody else made or changed it."""
        head = self._git("cat-file", "commit", commit).decode(errors="replace").partition("\n\n")[0].splitlines()
        parents = [line.removeprefix("parent ") for line in head if line.startswith("parent ")]
        is_ours = head[1 + len(parents) :] == _signature(night)
        return parents[0] if is_ours and len(parents) == 1 else None

    # Writing.

    def store(self, files: Iterable[BlobSource]) -> dict[str, str]:
        """Keeps files as blobs and gives path to blob; they are not in memory at once."""
        paths: list[str] = []
        with self._stream() as stream:
            for path, chunks, n_bytes in files:
                paths.append(path)
                stream.write(b"blob\nmark :%d\ndata %d\n" % (len(paths), n_bytes))
                stream.writelines(chunks)
                stream.write(b"\n")
            stream.writelines(b"get-mark :%d\n" % (number + 1) for number in range(len(paths)))
            blobs = self._import(stream)
        return dict(zip(paths, blobs, strict=True))

    def commit(self, parent: str | None, blobs: Mapping[str, str], message: str, day: str) -> str:
        """The commit that adds or replaces these files; the same arguments give the same id everywhere."""
        text = message.encode()
        lines = [b"commit refs/gristmill/built", b"mark :1", *(line.encode() for line in _signature(day))]
        lines += [b"data %d" % len(text), text]
        lines += [f"from {parent}".encode()] if parent else []
        lines += [f"M 100644 {blob} {path}".encode() for path, blob in sorted(blobs.items())]
        with self._stream() as stream:
            stream.write(b"\n".join([*lines, b"", b"get-mark :1", b""]))
            return self._import(stream)[0]

    @contextmanager
    def _stream(self) -> Iterator[IO[bytes]]:
        with disk_errors(self.path), tempfile.TemporaryFile(dir=self.path.parent) as stream:
            yield stream

    def _import(self, stream: IO[bytes]) -> list[str]:
        """Runs a fast-import stream and gives the ids that it asks for."""
        stream.write(b"done\n")
        stream.seek(0)
        return self._git("fast-import", "--quiet", "--done", "--force", stdin=stream).decode().split()

    # Running git.

    def _git(self, *arguments: str, stdin: IO[bytes] | None = None) -> bytes:
        """Standard output of a local command, without anybody's configuration.

        Raises:
            Damaged: it failed. CorpusError: it failed for want of space or permission.
        """
        status, out, said = _run(arguments, {"GIT_DIR": str(self.path)}, stdin=stdin)
        if status and _is_local_refusal(said):
            raise refusal(f"writing {self.path}", said)
        if status:
            raise Damaged(f"git {arguments[0]}: {said.strip() or status}")
        return out

    def _status(self, *arguments: str) -> int:
        return _run(arguments, {"GIT_DIR": str(self.path)})[0]

    def _connect(self, *arguments: str) -> tuple[int, bytes, str]:
        """A command that talks to the remote, with the user's configuration but none of its traps."""
        config = {f"remote.{_NAME}.url": self.remote.address, **_CONNECTION_CONFIG}
        given = os.environ.get("GIT_CONFIG_COUNT", "0")
        first = int(given) if given.isdigit() else 0
        variables = {"GIT_DIR": str(self.path), "GIT_CONFIG_COUNT": str(first + len(config))}
        for number, (key, value) in enumerate(config.items(), first):
            variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return _run(arguments, variables, is_isolated=False)


def _signature(day: str) -> list[str]:
    """The author and committer lines of our commits: nobody's name, and midnight (UTC) of the date given."""
    at = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return [f"{role} {_IDENTITY} {int(at.timestamp())} +0000" for role in ("author", "committer")]


def _make_repository(path: Path) -> None:
    """Creates the bare repository at `path` unless something is there already.

    Raises:
        CorpusError: something else than a repository is there, or the folder cannot be written.
    """
    if (path / "objects").is_dir() or (path / ".git").exists():
        return
    with disk_errors(path):
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise CorpusError(f"{path} is no git repository; name another place in corpus.remote, or move it away")
    _init(path)


def _init(path: Path) -> None:
    """Makes an empty bare repository beside its place and moves it there: it is complete or absent."""
    new = path.with_name(f".{path.name}.new")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(new, ignore_errors=True)
        options = ("--bare", "--quiet", "--template=", "--initial-branch=main")
        status, _, said = _run(("init", *options, str(new)), {}, folder=path.parent)
        if status:
            raise refusal(f"creating {path}", said)
        new.replace(path)


def _is_local_refusal(said: str) -> bool:
    """Whether git's message speaks of a full disk or missing rights: a clone made anew would fare no better."""
    return bool(
        re.search(
            r"No space left|Disk quota|Permission denied|Read-only file|Operation not permitted|insufficient", said
        )
    )


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        facts = file.stat()
    except FileNotFoundError:
        return None
    return facts.st_ino, facts.st_mtime_ns


def _run(
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
