"""The trees of a change, read raw: git's own listings take a damaged one at its word and unfold a small one for ever.

A tree may name a file twice, so that two readers see two contents; it may name `..` or `.git`; and a handful of trees
that contain each other ten times over stand for more paths than any disk holds. So they are looked at before anything
is listed, each once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from corpus.bulk import BulkObjects
from corpus.checks.problem import Problem, problem

DEEPEST = 16
"""Folders within folders; ours are three deep."""

_FOLDER = "40000"
_MODES = ("100644", "100755", "120000", "160000", _FOLDER)

_GIT_NAME = re.compile(rb"(?:\.git|git~\d+)[ .]*(?::.*)?", re.IGNORECASE)
"""What some file system takes for `.git`."""

_IGNORABLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
"""Characters that one file system leaves out of a name."""


@dataclass(frozen=True)
class _Name:
    mode: str
    name: bytes
    id: str


class Trees:
    """The trees below some commits, each read once."""

    def __init__(self, store: BulkObjects) -> None:
        self._store = store
        self._read: dict[str, tuple[_Name, ...]] = {}
        self._places: dict[str, str] = {}
        self._sizes: dict[str, tuple[int, int]] = {}

    def roots(self, commits: Sequence[str]) -> list[str]:
        """The root tree of each commit, with all below it read."""
        found = [root for root in self._store.ids([f"{commit}^{{tree}}" for commit in commits], "tree") if root]
        self._read_all(dict.fromkeys(found, ""))
        return found

    def _read_all(self, waiting: dict[str, str]) -> None:
        while waiting := {tree: place for tree, place in waiting.items() if tree not in self._read}:
            below: dict[str, str] = {}
            for tree, raw in self._store.blobs(list(waiting)):
                self._read[tree] = names = tuple(_names(raw, len(tree) // 2))
                self._places[tree] = place = waiting[tree]
                for one in names:
                    if one.mode == _FOLDER:
                        below.setdefault(one.id, f"{place}{one.name.decode(errors='surrogateescape')}/")
            waiting = below

    def size(self, root: str) -> tuple[int, int]:
        """How many paths a tree stands for, and how deep it is."""
        stack = [root]
        while stack:
            tree = stack[-1]
            folders = [one.id for one in self._read[tree] if one.mode == _FOLDER]
            if missing := [one for one in folders if one not in self._sizes]:
                stack += missing
                continue
            stack.pop()
            n_paths = len(self._read[tree]) - len(folders) + sum(self._sizes[one][0] for one in folders)
            self._sizes[tree] = (n_paths, 1 + max((self._sizes[one][1] for one in folders), default=0))
        return self._sizes[root]

    def problems(self, old: Iterable[str], new: Sequence[str], files_max: int) -> Iterator[Problem]:
        """What is wrong with the roots `new` and was not there in the roots `old`."""
        known = self._below(old)
        most = files_max + max((self.size(root)[0] for root in known & set(self._read) if root in set(old)), default=0)
        for root in dict.fromkeys(new):
            n_paths, depth = self.size(root)
            if n_paths > most or depth > DEEPEST:
                yield problem("", None, "too_many_files", f"a commit has {n_paths:,} files in folders {depth} deep")
        for tree in sorted(self._below(new) - known):
            yield from _tree_problems(self._places[tree], self._read[tree])

    def _below(self, roots: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = list(roots)
        while waiting:
            if (tree := waiting.pop()) not in found:
                found.add(tree)
                waiting += (one.id for one in self._read[tree] if one.mode == _FOLDER)
        return found


def _names(raw: bytes, n_id_bytes: int) -> Iterator[_Name]:
    at = 0
    while at < len(raw):
        space = raw.index(b" ", at)
        end = raw.index(b"\0", space)
        mode = raw[at:space].decode(errors="replace")
        yield _Name(mode, raw[space + 1 : end], raw[end + 1 : end + 1 + n_id_bytes].hex())
        at = end + 1 + n_id_bytes


def _tree_problems(place: str, names: Sequence[_Name]) -> Iterator[Problem]:
    ranks = [one.name + b"/" * (one.mode == _FOLDER) for one in names]
    plain = [one.name for one in names]
    if ranks != sorted(ranks) or len(set(plain)) < len(plain):
        yield problem(place, None, "damaged_tree", "a folder names a file twice, or its names out of order")
    for one in names:
        path = place + one.name.decode(errors="surrogateescape")
        if one.mode not in _MODES:
            yield problem(path, None, "damaged_tree", f"it has the mode {one.mode[:10]!a}, which no file has")
        if one.name in (b"", b".", b"..") or b"/" in one.name or b"\\" in one.name or _is_git(one.name):
            yield problem(path, None, "bad_name", "a file with this name could be written outside its folder")


def _is_git(name: bytes) -> bool:
    if _GIT_NAME.fullmatch(name):
        return True
    return bool(_GIT_NAME.fullmatch(_IGNORABLE.sub("", name.decode(errors="replace")).encode(errors="replace")))
