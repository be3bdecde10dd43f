"""A fresh copy of everything that a corpus's remote has, for rewriting its history; and the way back in one push."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from corpus.bulk import BulkObjects
from corpus.clone import REMOTE_NAME, Clone
from corpus.remote import refusal

OWN_REFS = ("refs/heads/", "refs/tags/", "refs/notes/")
"""What a user of a forge can push. The others (refs/pull/, refs/merge-requests/, ...) are the forge's own."""


class Move(NamedTuple):
    """Where a ref of the remote is, and where it shall be; empty: nowhere."""

    old: str
    new: str


class Found(NamedTuple):
    """An object of a repository: its type is blob, tree, commit or tag."""

    id: str
    type: str
    n_bytes: int


class AllObjects(BulkObjects):
    """A repository with all its objects, those that nothing refers to included."""

    def everything(self) -> list[Found]:
        """All objects, by id."""
        shown = "--batch-check=%(objectname) %(objecttype) %(objectsize)"
        listed = self._git("cat-file", "--batch-all-objects", shown).decode().splitlines()
        return [Found(name, kind, int(size)) for name, kind, size in (line.split() for line in listed)]

    def contents(self, types: tuple[str, ...] = ("blob", "tree", "commit", "tag")) -> Iterator[tuple[Found, bytes]]:
        """Each object of these types with its content; some 64 MiB are in memory at once."""
        wanted = {one.id: one for one in self.everything() if one.type in types}
        for name, content in self.blobs(wanted):
            yield wanted[name], content

    def paths(self) -> dict[str, set[str]]:
        """Blob to the paths that it ever had in the history of any ref."""
        shown = ("--format=", "--raw", "--no-abbrev", "-z", "-m", "--root", "--no-renames", "--diff-filter=AMT")
        log = self._git("log", "--all", "--full-history", *shown).decode(errors="surrogateescape")
        found: dict[str, set[str]] = {}
        for blob, path in re.findall(r":\d{6} \d{6} [0-9a-f]+ ([0-9a-f]+) [AMT]\0([^\0]+)\0", log):
            found.setdefault(blob, set()).add(path)
        return found

    def refs(self) -> dict[str, str]:
        """Ref to object."""
        listed = self._git("for-each-ref", "--format=%(refname) %(objectname)").decode().splitlines()
        return dict(line.split(" ") for line in listed)

    def set_ref(self, ref: str, found: str) -> None:
        """Lets a ref of this repository name an object."""
        self._git("update-ref", "--no-deref", ref, found)

    def forget_unreachable(self) -> None:
        """Removes every object that no ref leads to, at once."""
        self._git("reflog", "expire", "--expire=now", "--all")
        self._git("gc", "--quiet", "--prune=now")

    def bundle(self, file: Path) -> None:
        """Writes everything into one file that git can clone from."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._git("bundle", "create", "--quiet", str(file.absolute()), "--all")


class Mirror(AllObjects, Clone):
    """A bare copy whose refs have the names that they have at the remote."""

    def remote_refs(self) -> dict[str, str]:
        """Ref to object, as the remote has them now; HEAD and peeled tags left out."""
        status, out, said = self._connect("ls-remote", "--refs", REMOTE_NAME)
        if status:
            raise refusal(f"reading {self.remote}", said)
        pairs = (line.split("\t") for line in out.decode(errors="surrogateescape").splitlines())
        return {ref: found for found, ref in pairs if ref.startswith("refs/")}

    def fetch_all(self) -> None:
        """Brings all refs that can be pushed back."""
        refspecs = [f"+{prefix}*:{prefix}*" for prefix in OWN_REFS]
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--prune")
        status, _, said = self._connect("fetch", *options, REMOTE_NAME, *refspecs)
        if status:
            raise refusal(f"fetching all of {self.remote}", said)

    def push_moves(self, moves: Mapping[str, Move]) -> None:
        """Moves the remote's refs, all or none, provided that each still is where it was.

        Raises:
            CorpusError: the remote refuses, or one of them has moved meanwhile.
        """
        leases = [f"--force-with-lease={ref}:{move.old}" for ref, move in sorted(moves.items())]
        refspecs = [f"{move.new}:{ref}" for ref, move in sorted(moves.items())]
        options = ("--porcelain", "--quiet", "--no-verify", "--no-signed", "--atomic", "--recurse-submodules=no")
        status, out, said = self._connect("push", *options, *self._own_hooks(), *leases, REMOTE_NAME, *refspecs)
        if status:
            rejected = [line.split("\t")[-1] for line in out.decode(errors="replace").splitlines() if line[:1] == "!"]
            raise refusal(f"pushing the rewritten history to {self.remote}", "\n".join([*rejected, said]))
