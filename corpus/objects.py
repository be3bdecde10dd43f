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
        shown = ("--topo-order", "--reverse", "--format=%H%x00%P%x00%an%x00%ae%x00%at%x00%B%x00%x01")
        listed = self._git("log", "-z", *shown, tip, *([f"^{base}"] if base else []), "--")
        commits = []
        for record in listed.decode(errors="replace").split("\0\x01")[:-1]:
            commit, parents, name, email, at, message = record.lstrip("\0").split("\0", 5)
            author = Author(name, email, f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%SZ}")
            commits.append(Commit(commit, tuple(parents.split()), author, message))
        return commits

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
        is_ours = head[1 + len(parents) :] == signature(night)
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
