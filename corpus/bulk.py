"""Thousands of objects of a repository at once: one git process for many names, blobs or comparisons."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from corpus.branch import run_git
from corpus.objects import HISTORY_FORMAT, Commit, Objects, parsed_history
from corpus.remote import refusal

BATCH_BYTES = 64 * 2**20
"""Of blobs in memory at once: a few hundred versions of a file of decisions, and little beside a night's samples."""


_FOR_OBJECTS_ALONE = (
    *("-c", "fetch.negotiationAlgorithm=noop", "-c", f"core.hooksPath={os.devnull}", "-c", "gc.auto=0", "fetch"),
    *("--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"),
)
"""As git itself fetches what a partial clone lacks: nothing is told of what is here, and no ref moves."""


@dataclass(frozen=True)
class Difference:
    """A path that differs between two trees: octal modes and blobs, None where there is no file.

    Mode 100755 is a program, 120000 a link, 160000 a submodule.
    """

    path: str
    old_mode: str | None
    new_mode: str | None
    old: str | None
    new: str | None


class BulkObjects(Objects):
    """A repository that is asked for much at once."""

    def ids(self, names: Sequence[str], kind: str = "blob") -> list[str | None]:
        """The object behind each name ("<commit>:<path>"), None where there is none of this kind (blob, tree)."""
        said = self._answers("cat-file", "--batch-check=%(objectname) %(objecttype)", lines=names)
        found = (line.split(" ") for line in said.decode(errors="replace").splitlines())
        return [facts[0] if len(facts) == 2 and facts[1] == kind else None for facts in found]

    def sizes(self, blobs: Sequence[str]) -> list[int]:
        """The bytes of each of these blobs."""
        found = self._answers("cat-file", "--batch-check=%(objectsize)", lines=blobs)
        return [int(line) for line in found.split()]

    def blobs(self, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Blob and content, in the order asked for.

        Two times `BATCH_BYTES` of them (at least two) are in memory at once: git brings the next while these are used.
        """
        names = list(wanted)
        batches = list(_batches(names, self.sizes(names)))
        with ThreadPoolExecutor(1) as reader:
            waiting: Future[bytes] | None = None
            for number, batch in enumerate(batches):
                answer = waiting.result() if waiting else self._contents(batch)
                following = batches[number + 1 : number + 2]
                waiting = reader.submit(self._contents, following[0]) if following else None
                yield from _split(batch, answer)

    def _contents(self, batch: Sequence[str]) -> bytes:
        return self._answers("cat-file", "--batch=%(objectsize)", lines=batch)

    def differences(self, pairs: Sequence[tuple[str, str]]) -> list[list[Difference]]:
        """What differs between the trees of each pair (ids of trees), by path; links, modes and submodules too."""
        options = ("--stdin", "-r", "-z", "--no-renames", "--no-abbrev")
        said = self._answers("diff-tree", *options, lines=[f"{old} {new}" for old, new in pairs])
        tokens = iter(said.decode(errors="surrogateescape").split("\0"))
        found: list[list[Difference]] = []
        for token in tokens:
            while token and not token.startswith(":"):  # the pair's own line stands before its first difference
                found.append([])
                token = token.partition("\n")[2]
            if token:
                found[-1].append(_difference(token, next(tokens)))
        return found

    def commits_touching(self, paths: Sequence[str], heads: Sequence[str], without: Sequence[str] = ()) -> list[Commit]:
        """The commits that changed a path and that a head has and none of `without`, parents before children.

        A `*` in a path stands for the name of one folder. The history is the full one, with its merges.
        """
        scope = [f":(glob){path}" for path in paths]
        shown = ("--full-history", "--topo-order", "--reverse", HISTORY_FORMAT)
        return parsed_history(self._git("log", "-z", *shown, *heads, *(f"^{one}" for one in without), "--", *scope))

    def new_objects(self, base: str, tip: str) -> list[str]:
        """Every object that `tip` brings and `base` has not, in history, too."""
        return self._git("rev-list", "--objects", "--no-object-names", tip, f"^{base}").decode().split()

    def refs_beyond(self, base: str, folder: str) -> dict[str, str]:
        """Name (below refs/) to commit of the clone's references in a folder that have more than `base` has."""
        shown = "--format=%(objectname) %(refname)"
        listed = self._git("for-each-ref", f"--no-merged={base}", shown, f"refs/{folder}/").decode().splitlines()
        return {name.removeprefix("refs/"): commit for commit, name in (line.split(" ", 1) for line in listed)}

    def complete(self, *commits: str) -> None:
        """Brings all files of these commits that a partial clone lacks at once: git would ask for one at a time.

        Raises:
            CorpusError: what it was cloned from cannot be reached.
        """
        status, out, _ = run_git(("config", "--get-regexp", r"^remote\..*\.promisor$"), {"GIT_DIR": str(self.path)})
        if status or not out:
            return
        remote = out.decode().split()[0].removeprefix("remote.").removesuffix(".promisor")
        trees = [f"{commit}^{{tree}}" for commit in commits]
        listed = self._git("rev-list", "--objects", "--missing=print", *trees).decode(errors="replace").splitlines()
        if missing := [line[1:] for line in listed if line.startswith("?")]:
            with self._stream() as stream:
                stream.writelines(f"{one}\n".encode() for one in missing)
                stream.seek(0)
                arguments = (*_FOR_OBJECTS_ALONE, remote, "--filter=blob:none", "--stdin")
                status, _, said = run_git(arguments, {"GIT_DIR": str(self.path)}, is_isolated=False, stdin=stream)
            if status:
                raise refusal(
                    f"fetching what {self.path} lacks", f"{said}\nthe promisor remote {remote} cannot be read"
                )

    def _answers(self, *arguments: str, lines: Iterable[str]) -> bytes:
        """What a command says to lines on its standard input."""
        with self._stream() as stream:
            stream.writelines(line.encode(errors="surrogateescape") + b"\n" for line in lines)
            stream.seek(0)
            return self._git(*arguments, stdin=stream)


def _split(batch: Sequence[str], answer: bytes) -> Iterator[tuple[str, bytes]]:
    """Blob and content, from what git says of a batch."""
    said, at = memoryview(answer), 0
    for blob in batch:
        head = bytes(said[at : at + 24]).split(b"\n", 1)[0]  # a size has at most 20 digits
        first = at + len(head) + 1
        yield blob, bytes(said[first : first + int(head)])
        at = first + int(head) + 1


def _batches(names: Sequence[str], sizes: Sequence[int]) -> Iterator[list[str]]:
    batch: list[str] = []
    n_bytes = 0
    for name, size in zip(names, sizes, strict=True):
        if batch and n_bytes + size > BATCH_BYTES:
            yield batch
            batch, n_bytes = [], 0
        batch.append(name)
        n_bytes += size
    if batch:
        yield batch


def _difference(facts: str, path: str) -> Difference:
    old_mode, new_mode, old, new, status = facts.removeprefix(":").split()
    is_new, is_gone = status == "A", status == "D"
    return Difference(
        path,
        None if is_new else old_mode,
        None if is_gone else new_mode,
        None if is_new else old,
        None if is_gone else new,
    )
