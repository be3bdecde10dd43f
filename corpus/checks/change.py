"""A change: the commits between two points, what each does to which file, and which of them Gristmill made.

The identity on a commit is a claim that anybody can make. A commit is taken for Gristmill's when it brings a night's
record and exactly the files whose digests that record names; and never in a stranger's pull request, where nothing but
the digests would have to be written anew. What is compared with the corpus is compared whoever signed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.bulk import BulkObjects, Difference
from corpus.checks.paths import nights_of, place_of
from corpus.checks.problem import Problem, problem
from corpus.objects import Commit
from corpus.proposal import Proposal, is_ours, proposals, read_proposal
from corpus.propose import record_path
from schemas.errors import CorpusError

COMMITS_MAX = 5_000
"""Of a branch; ten reviewers who save after each of 500 samples make as many."""


@dataclass(frozen=True)
class Step:
    """A commit of the change, with what differs from each of its parents, by path."""

    commit: Commit
    differences: tuple[Mapping[str, Difference], ...]

    def paths(self) -> set[str]:
        """The files in which it is like none of its parents: what it did itself."""
        return set.intersection(*(set(one) for one in self.differences))


@dataclass(frozen=True)
class Change:
    """What lies between a base and a tip.

    `fork` is where their histories part, `differences` what differs between fork and tip. `night` is the one whose
    files may change, None where there is none; `own` is Gristmill's proposal of it, None where the change holds none;
    `is_open` says that the base is that night's own branch.
    """

    base: str
    fork: str
    tip: str
    steps: tuple[Step, ...]
    differences: tuple[Difference, ...]
    night: str | None
    own: Proposal | None
    is_open: bool


def read_steps(store: BulkObjects, commits: Sequence[Commit], trees: Mapping[str, str]) -> tuple[Step, ...]:
    """The commits with what they do; `trees` leads from each commit and parent to its root tree."""
    pairs = [(trees[parent], trees[commit.id]) for commit in commits for parent in commit.parents]
    found = iter(store.differences(pairs) if pairs else [])
    return tuple(
        Step(commit, tuple({one.path: one for one in next(found)} for _ in commit.parents)) for commit in commits
    )


def night_of(differences: Sequence[Difference], named: str | None) -> str | None:
    """The night whose files a change touches: the one named, else the one that most speaks for."""
    found = nights_of(differences)
    return named or (found[0] if found else None)


def own_proposal(
    store: BulkObjects, steps: Sequence[Step], night: str | None, *, is_from_fork: bool
) -> tuple[Proposal | None, list[Problem]]:
    """Gristmill's proposal of the night among the commits, and what is wrong with commits that say to be its."""
    problems: list[Problem] = []
    own: Proposal | None = None
    makers = proposals(store, [step.commit for step in steps], night) if night else []
    for step in steps:
        if night and step.commit.id in makers and own is None and not is_from_fork:
            own = _proposal(store, step, night)
        is_own = own is not None and own.commit == step.commit.id
        if is_ours(step.commit) and not is_own:
            found = "it is signed as Gristmill, which did not make it"
            problems.append(problem(f"commit {step.commit.id[:12]}", None, "forged", found))
    if own is None and night and not is_from_fork:
        problems += _rewritten(store, steps, night)
    return own, problems


def _rewritten(store: BulkObjects, steps: Sequence[Step], night: str) -> Iterator[Problem]:
    """The commits of people that bring a night's record whole: somebody squashed or rebased Gristmill's."""
    for step in steps:
        if not is_ours(step.commit) and record_path(night) in step.paths() and _proposal(store, step, night):
            found = f"it brings the night {night} under another name than Gristmill's"
            yield problem(f"commit {step.commit.id[:12]}", None, "rewritten", found)


def _proposal(store: BulkObjects, step: Step, night: str) -> Proposal | None:
    """The proposal that a commit makes; None when it does anything else, or its files are not those of its record."""
    if len(step.differences) != 1:
        return None
    done = step.differences[0]
    if any(one.old or one.new_mode != "100644" or not _is_of(one.path, night) for one in done.values()):
        return None
    try:
        own = read_proposal(_Guarded(store, set(done)), step.commit.id, night)
    except CorpusError:
        return None
    named = own.record["files"]
    return own if set(done) == {*named, record_path(night)} else None


def _is_of(path: str, night: str) -> bool:
    place = place_of(path)
    return place.night == night and place.kind in ("shard", "page", "record")


class _Guarded(BulkObjects):
    """A store that is asked only for files of some paths: a record may name anything, line feeds included."""

    def __init__(self, store: BulkObjects, paths: set[str]) -> None:
        super().__init__(store.path)
        self._paths = paths

    def ids(self, names: Sequence[str], kind: str = "blob") -> list[str | None]:
        """As `BulkObjects`; a path that is not allowed is answered like one that is not there."""
        known = [name for name in names if name.partition(":")[2] in self._paths]
        found: dict[str, Any] = dict(zip(known, super().ids(known, kind), strict=True))
        return [found.get(name) for name in names]
