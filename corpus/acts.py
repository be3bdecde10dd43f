"""What people did in the commits of a night, read as what they say: a box, a line of a shard, a line of decisions.

Each commit is compared with its parents, and what it changed is its author's. What a merge only brings together is
nobody's, and neither is what Gristmill did itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from corpus.bulk import BulkObjects
from corpus.decisions import decisions_path
from corpus.file_steps import LineChange, Step, line_changes
from corpus.line_states import LineReader, LineState
from corpus.objects import Commit
from corpus.proposal import Proposal, is_ours
from corpus.propose import record_path
from corpus.reading_copy import ballots
from corpus.stances import Act, Stances
from schemas.decision import Decision, parse_decisions, reviewer_name
from schemas.errors import CorpusError, InputError

MAX_BLOB_BYTES = 100 * 2**20
"""Of a file in the history of a night: what GitHub refuses, so no review on a forge makes it."""


class Refused(CorpusError):
    """A night that cannot be settled as it is, with every problem found."""

    def __init__(self, night: str, problems: Sequence[str]) -> None:
        listed = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{night} cannot be settled as it is; mend its branch and settle again:\n{listed}")
        self.problems = tuple(problems)


@dataclass(frozen=True)
class _Version:
    """The night's files in a commit: blobs, and the tree of the reading copy; None where there is no such file."""

    record: str | None
    decisions: str | None
    pages: str | None
    shards: tuple[str | None, ...]


@dataclass(frozen=True)
class _Change:
    """A commit, and what it is compared with: its parents that have the night."""

    commit: Commit
    after: _Version
    before: tuple[_Version, ...]


class Acts:
    """The acts of people on one night.

    `stances` has what they say, `reader` every edit that they made, `makers` the commits that brought each edit, by id.

    Raises:
        Refused: the history has a file that no review makes.
    """

    def __init__(self, store: BulkObjects, proposal: Proposal, commits: Sequence[Commit]) -> None:
        self._store = store
        self._proposal = proposal
        self._place = decisions_path(proposal.night)
        self.stances = Stances(f"night/{proposal.night}")
        self.reader = LineReader(proposal)
        self.makers: dict[str, list[Commit]] = {}
        versions = _versions(store, commits, proposal)
        self._check_sizes(blob for one in versions.values() for blob in (one.record, one.decisions, *one.shards))
        changes = [_change(commit, versions) for commit in commits if not is_ours(commit)]
        self._read(self.stances, [change for change in changes if change.after.record and change.before])
        for change in changes:
            if change.after.record and not change.before:
                self._read_arrival(_Change(change.commit, change.after, (versions[proposal.commit],)))

    def _read(self, stances: Stances, changes: Sequence[_Change]) -> None:
        self._read_decisions(stances, changes)
        for number in range(len(self._proposal.shards)):
            self._read_shard(stances, changes, number)
        self._read_boxes(stances, changes)

    def _read_arrival(self, change: _Change) -> None:
        """A squash brought the night in: what it holds that nobody is known to have said is said by who squashed."""
        brought = Stances(f"night/{self._proposal.night}")
        self._read(brought, [change])
        roots = {edit_id: edit.root for edit_id, edit in self.reader.edits.items()}
        said = {
            (roots.get(one.sample_id, one.sample_id), one.verdict)
            for one in (*self.stances.decisions(), *self.stances.withdrawn())
        }
        for one in brought.decisions():
            if (roots.get(one.sample_id, one.sample_id), one.verdict) not in said:
                self.stances.write(_act(change.commit), one)

    def _check_sizes(self, blobs: Iterable[str | None]) -> None:
        """Refuses what is too large before it is read."""
        large = [size for size in self._store.sizes(sorted({one for one in blobs if one})) if size > MAX_BLOB_BYTES]
        if large:
            problem = f"its history has a file of {max(large):,} bytes; at most {MAX_BLOB_BYTES:,} are read"
            raise Refused(self._proposal.night, [problem])

    # Lines of decisions.

    def _read_decisions(self, stances: Stances, changes: Sequence[_Change]) -> None:
        steps = [
            Step(change.commit, tuple(one.decisions for one in change.before), change.after.decisions)
            for change in changes
            if all(one.decisions != change.after.decisions for one in change.before)
        ]
        for change in line_changes(self._store, list(_in_runs(steps))):
            for decision in self._decisions(change.removed):
                stances.erase(_act(change.commit), decision)
            for decision in self._decisions(change.added):
                stances.write(_act(change.commit), decision)

    def _decisions(self, lines: Iterable[bytes]) -> Iterator[Decision]:
        """The decisions in lines; what is none is passed over here, and named where it stands in the end."""
        for line in sorted(lines):
            try:
                yield from parse_decisions(line, self._place)
            except InputError:
                continue

    # Shards.

    def _read_shard(self, stances: Stances, changes: Sequence[_Change], number: int) -> None:
        steps = [
            Step(change.commit, tuple(one.shards[number] for one in change.before), change.after.shards[number])
            for change in changes
            if all(one.shards[number] != change.after.shards[number] for one in change.before)
        ]
        for change in line_changes(self._store, steps):
            self._read_lines(stances, change)
            for edited_id in {self.reader.read(line).edited_id for line in change.added} - {None}:
                self.makers.setdefault(str(edited_id), []).append(change.commit)

    def _read_lines(self, stances: Stances, change: LineChange) -> None:
        """What somebody said by changing lines of a shard."""
        act = _act(change.commit)
        before, after = self._by_root(change.removed), self._by_root(change.added)
        for root in sorted({*before, *after}):
            old, new = before.get(root), after.get(root)
            if new is None:
                if not (old and old.edited_id is None and stances.has_edited(act, root)):
                    stances.reject(act, "line", root)  # else they removed the original beside their edit of it
            elif new.edited_id:
                if old is None or old.edited_id != new.edited_id:
                    stances.edit(act, root, new.edited_id)
            elif old is None or old.edited_id:
                stances.restore(act, "line", root)

    def _by_root(self, lines: Iterable[bytes]) -> dict[str, LineState]:
        states = (self.reader.read(line) for line in sorted(lines))
        return {state.root: state for state in states if state.root}

    # Ballot boxes.

    def _read_boxes(self, stances: Stances, changes: Sequence[_Change]) -> None:
        moved = [
            change
            for change in changes
            if change.after.pages and all(one.pages not in (None, change.after.pages) for one in change.before)
        ]
        pairs = [(str(one.pages), str(change.after.pages)) for change in moved for one in change.before]
        compared = iter(self._store.differences(pairs))
        pages: list[tuple[Commit, list[str], str]] = []  # commit, the page before (one a parent), the page after
        for change in moved:
            found = [{one.path: one for one in next(compared) if one.old and one.new} for _ in change.before]
            for path in sorted(set(found[0]).intersection(*found)):
                pages.append((change.commit, [str(one[path].old) for one in found], str(found[0][path].new)))
        boxes = self._boxes({blob for _, before, after in pages for blob in (*before, after)})
        for commit, before, after in pages:
            self._vote(stances, _act(commit), [boxes[blob] for blob in before], boxes[after])

    def _boxes(self, blobs: Iterable[str]) -> dict[str, dict[str, bool]]:
        names = sorted(blobs)
        self._check_sizes(names)
        return {blob: ballots(content.decode(errors="replace")) for blob, content in self._store.blobs(names)}

    def _vote(
        self, stances: Stances, act: Act, before: Sequence[Mapping[str, bool]], after: Mapping[str, bool]
    ) -> None:
        for sample_id, is_ticked in sorted(after.items()):
            if sample_id not in self._proposal.lines or any(
                old.get(sample_id) is not (not is_ticked) for old in before
            ):
                continue
            if is_ticked:
                stances.restore(act, "box", sample_id)
            else:
                stances.reject(act, "box", sample_id)


def _versions(store: BulkObjects, commits: Sequence[Commit], proposal: Proposal) -> dict[str, _Version]:
    """The versions in all commits and their parents."""
    night = proposal.night
    named = sorted({one for commit in commits for one in (commit.id, *commit.parents)})
    paths = [record_path(night), decisions_path(night), *proposal.shards]
    blobs = iter(store.ids([f"{commit}:{path}" for commit in named for path in paths]))
    trees = store.ids([f"{commit}:review/{night}" for commit in named], "tree")
    versions = {}
    for commit, pages in zip(named, trees, strict=True):
        record, decisions, *shards = (next(blobs) for _ in paths)
        versions[commit] = _Version(record, decisions, pages, tuple(shards))
    return versions


def _change(commit: Commit, versions: Mapping[str, _Version]) -> _Change:
    parents = (versions[parent] for parent in commit.parents)
    return _Change(commit, versions[commit.id], tuple(one for one in parents if one.record))


def _act(commit: Commit) -> Act:
    return Act(author_of(commit), commit.author.at, commit.id)


def author_of(commit: Commit) -> str:
    """The pseudonym of who made a commit."""
    return reviewer_name(f"mailto:{commit.author.email}")


def _in_runs(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps, those of one author that follow each other directly as one: a long review is saved very often."""
    first = 0
    for number, (step, after) in enumerate(pairwise([*steps, None]), 1):
        assert step is not None
        if (
            after is None
            or after.commit.parents != (step.commit.id,)
            or _act(after.commit).reviewer != author_of(step.commit)
        ):
            yield Step(step.commit, steps[first].before, step.after)
            first = number
