"""What a bare repository holds, read and written by plumbing: files, versions, history, commits.

There is no work tree, so none can be dirty. A commit depends on its parents and its content alone: identity and date
are given.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from corpus.branch import is_local_refusal, run_git, signature
from corpus.remote import refusal
from corpus.stage import disk_errors

BlobSource = tuple[str, Iterable[bytes], int]
"""A file to keep: path, content in chunks, size in bytes."""


class Damaged(Exception):
    """A local git command failed, so the clone cannot be trusted; never leaves this module."""


@dataclass(frozen=True)
class FileChange:
    """A file that differs between two commits; ids of blobs, `old` None for a new file."""

    path: str
    old: str | None
    new: str


@dataclass(frozen=True)
class Entry:
    """A file of a commit: its path, octal mode (100644, 100755, 120000 a link, 160000 a submodule), blob and bytes."""

    path: str
    mode: str
    blob: str
    n_bytes: int


@dataclass(frozen=True)
class Author:
    """Who made a commit, and when: ISO 8601 UTC to the second."""

    name: str
    email: str
    at: str


@dataclass(frozen=True)
class Commit:
    """A commit of a history. What people wrote in it is anybody's text."""

    id: str
    parents: tuple[str, ...]
    author: Author
    message: str


_YEAR_10000 = 253_402_300_800
"""Seconds since the epoch at which the calendar ends."""

_QUICK = ("-c", "pack.compression=1", "-c", "pack.depth=0")
"""zlib's level 1 packs chats at 84 MB/s to 0.61 of their size, level 6 at 40 MB/s to 0.58; and no search for likeness
between blobs that follow each other."""

HISTORY_FORMAT = "--format=%H%x00%P%x00%an%x00%ae%x00%at%x00%B%x00%x01"
"""How `git log -z` must write commits for `parsed_history`."""


def parsed_history(listed: bytes) -> list[Commit]:
    """The commits in the answer of `git log`, in its order."""
    commits = []
    for record in listed.decode(errors="replace").split("\0\x01")[:-1]:
        commit, parents, name, email, at, message = record.lstrip("\0").split("\0", 5)
        commits.append(Commit(commit, tuple(parents.split()), Author(name, email, _instant(at)), message))
    return commits


def _instant(seconds: str) -> str:
    """A commit's time as ISO 8601 UTC; the epoch for what is no time, since anybody may write one."""
    is_time = re.fullmatch(r"\d{1,12}", seconds) and int(seconds) < _YEAR_10000
    return f"{datetime.fromtimestamp(int(seconds) if is_time else 0, UTC):%Y-%m-%dT%H:%M:%SZ}"


class Objects:
    """The repository at `path`. Ids are full commit or blob ids."""

    def __init__(self, path: Path) -> None:
        self.path = path

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

    def entries(self, commit: str, folder: str = "") -> list[Entry]:
        """All files of a commit, or those below a folder, by path; links and submodules too."""
        scope = ("--", f"{folder}/") if folder else ()
        listed = self._git("ls-tree", "-r", "-z", "--long", "--full-tree", commit, *scope)
        entries = []
        for entry in listed.decode(errors="surrogateescape").split("\0")[:-1]:
            facts, path = entry.split("\t", 1)
            mode, _, blob, size = facts.split()
            entries.append(Entry(path, mode, blob, 0 if size == "-" else int(size)))
        return entries

    def removed(self, since: str, head: str, folder: str) -> list[str]:
        """The paths of files below a folder that `head` no longer has."""
        options = ("-r", "-z", "--no-renames", "--diff-filter=D", "--name-only")
        listed = self._git("diff-tree", *options, since, head, "--", f"{folder}/")
        return listed.decode(errors="surrogateescape").split("\0")[:-1]

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit that both have, None when their histories share nothing."""
        if self._status("merge-base", one, other):
            return None
        return self._git("merge-base", one, other).decode().split()[0]

    def history(self, base: str | None, tip: str) -> list[Commit]:
        """The commits that `tip` has and `base` lacks (None: all), parents before children."""
        shown = ("--topo-order", "--reverse", HISTORY_FORMAT)
        return parsed_history(self._git("log", "-z", *shown, tip, *([f"^{base}"] if base else []), "--"))

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

    def containing(self, commit: str, texts: Iterable[str], *folders: str) -> list[str]:
        """The files of a commit that hold one of these texts (none of several lines), by path; of `folders`, or all."""
        with self._stream() as patterns:
            patterns.writelines(f"{text}\n".encode() for text in sorted(set(texts)))
            if not patterns.tell():
                return []
            patterns.seek(0)
            options = ("--fixed-strings", "--files-with-matches", "--full-name", "--text", "-z", "-f", "-")
            arguments = ("grep", *options, commit, "--", *folders)
            status, out, said = run_git(arguments, {"GIT_DIR": str(self.path)}, stdin=patterns)
        if status > 1 or said.strip():
            raise Damaged(f"git grep: {said.strip() or status}")
        paths = out.decode(errors="surrogateescape").split("\0")[:-1]
        return sorted(path.removeprefix(f"{commit}:") for path in paths)

    def commits_of(self, head: str, *paths: str) -> list[str]:
        """The commits of the main line of `head` that changed one of these files or folders, the oldest first."""
        listed = self._git("log", "--first-parent", "--reverse", "--format=%H", head, "--", *paths)
        return listed.decode().split()

    def commits_with(self, head: str, text: str, folder: str) -> list[str]:
        """The commits that brought or took away a text below a folder, the oldest first; costs the whole history."""
        listed = self._git("log", "--full-history", "-m", "--reverse", "--format=%H", f"-S{text}", head, "--", folder)
        return list(dict.fromkeys(listed.decode().split()))

    def commits_since(self, base: str, tip: str) -> list[str]:
        """The commits that `tip` has and `base` lacks, the newest first."""
        return self._git("rev-list", tip, f"^{base}").decode().split()

    def own_parent(self, commit: str, night: str) -> str | None:
        """The parent of a commit that Gristmill made for this night, None when somebody else made or changed it."""
        head = self._git("cat-file", "commit", commit).decode(errors="replace").partition("\n\n")[0].splitlines()
        parents = [line.removeprefix("parent ") for line in head if line.startswith("parent ")]
        is_ours = head[1 + len(parents) :] == signature(night)
        return parents[0] if is_ours and len(parents) == 1 else None

    # Writing.

    def store(self, files: Iterable[BlobSource], *, is_quick: bool = False) -> dict[str, str]:
        """Keeps files as blobs and gives path to blob; they are not in memory at once.

        `is_quick` packs them less tightly, for gigabytes that git packs anew when it cleans up.
        """
        paths: list[str] = []
        with self._stream() as stream:
            for path, chunks, n_bytes in files:
                paths.append(path)
                stream.write(b"blob\nmark :%d\ndata %d\n" % (len(paths), n_bytes))
                stream.writelines(chunks)
                stream.write(b"\n")
            stream.writelines(b"get-mark :%d\n" % (number + 1) for number in range(len(paths)))
            blobs = self._import(stream, *(_QUICK if is_quick else ()))
        return dict(zip(paths, blobs, strict=True))

    def commit(
        self,
        parent: str | None,
        blobs: Mapping[str, str],
        message: str,
        day: str,
        *,
        merged: Sequence[str] = (),
        removed: Iterable[str] = (),
        author: Author | None = None,
    ) -> str:
        """The commit that adds or replaces these files; the same arguments give the same id everywhere.

        Args:
            parent: whose files it begins with; None for the first commit.
            blobs: path to blob.
            message: never holds a word of a conversation.
            day: midnight (UTC) of this date is when it was made.
            merged: further parents; their files come in through `blobs` alone.
            removed: paths that it no longer has.
            author: who made it and when, instead of Gristmill and `day`.
        """
        text = message.encode()
        signed = [f"{role} {_person(author)}" for role in ("author", "committer")] if author else signature(day)
        lines = [b"commit refs/gristmill/built", b"mark :1", *(line.encode() for line in signed)]
        lines += [b"data %d" % len(text), text]
        lines += [f"from {parent}".encode()] if parent else []
        lines += [f"merge {other}".encode() for other in merged]
        lines += [f"D {_quoted(path)}".encode(errors="surrogateescape") for path in sorted(removed)]
        lines += [f"M 100644 {blob} {_quoted(path)}".encode() for path, blob in sorted(blobs.items())]
        with self._stream() as stream:
            stream.write(b"\n".join([*lines, b"", b"get-mark :1", b""]))
            return self._import(stream)[0]

    def annotated(self, content: bytes) -> str:
        """Keeps an annotated tag, given as git writes it, and gives its id."""
        with self._stream() as stream:
            stream.write(content)
            stream.seek(0)
            return self._git("mktag", stdin=stream).decode().strip()

    def annotation(self, found: str) -> bytes:
        """The content of an annotated tag, by its id."""
        return self._git("cat-file", "tag", found)

    @contextmanager
    def _stream(self) -> Iterator[IO[bytes]]:
        with disk_errors(self.path), tempfile.TemporaryFile(dir=self.path.parent) as stream:
            yield stream

    def _import(self, stream: IO[bytes], *configured: str) -> list[str]:
        """Runs a fast-import stream and gives the ids that it asks for."""
        stream.write(b"done\n")
        stream.seek(0)
        return self._git(*configured, "fast-import", "--quiet", "--done", "--force", stdin=stream).decode().split()

    # Running git.

    def _git(self, *arguments: str, stdin: IO[bytes] | None = None) -> bytes:
        """Standard output of a local command, without anybody's configuration.

        Raises:
            Damaged: it failed. CorpusError: it failed for want of space or permission.
        """
        status, out, said = run_git(arguments, {"GIT_DIR": str(self.path)}, stdin=stdin)
        if status and is_local_refusal(said):
            raise refusal(f"writing {self.path}", said)
        if status:
            raise Damaged(f"git {arguments[0]}: {said.strip() or status}")
        return out

    def _status(self, *arguments: str) -> int:
        return run_git(arguments, {"GIT_DIR": str(self.path)})[0]


def _person(author: Author) -> str:
    """An author as git writes it; what would break the line is left out."""
    name, email = (re.sub(r"[<>\x00-\x1f]", "", text).strip() or "unknown" for text in (author.name, author.email))
    return f"{name} <{email}> {int(datetime.fromisoformat(author.at).timestamp())} +0000"


def _quoted(path: str) -> str:
    """A path as fast-import reads it; only paths from outside ever need the quotes."""
    if not re.search(r'[\n"]', path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
