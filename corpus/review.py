"""What people said about a night: collected from the commits of its branch and the comments of its pull request.

Where a person merged the night already, the base branch's commits are read in the same way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from corpus.acts import Acts, Refused
from corpus.bulk import BulkObjects
from corpus.line_states import LineReader, LineState
from corpus.objects import Commit
from corpus.proposal import Altered, Proposal, is_ours, night_paths, proposals, read_proposal
from corpus.propose import record_path
from corpus.stances import Act
from schemas.decision import MAX_REASON, Decision, reviewer_name
from schemas.errors import InputError

__all__ = ["DONE", "Comment", "Refused", "Review", "collect", "is_done", "night_commits"]

DONE = "review: done"
"""The first line of a commit with which a reviewer says that the night's review is finished."""

_COMMAND = re.compile(r"^/(reject|keep)[ \t]+`?([0-9a-f]{8,32})`?(?:[ \t]+(.*?))?[ \t\r]*$", re.MULTILINE)


@dataclass(frozen=True)
class Comment:
    """A comment on a pull request: anybody's text.

    `author` is the identity of its author, such as "github:ann"; `at` is ISO 8601 UTC to the second.
    """

    author: str
    at: str
    body: str


@dataclass(frozen=True)
class Review:
    """A night's proposal and all that people said of it.

    `decisions` are of several reviewers and several ways; `withdrawn` were taken back by their author. `foreign` are
    lines that somebody added in another's name. `makers` has the commits that brought each edit, by its id. `reader`
    reads further lines. `remarks` are for people.
    """

    proposal: Proposal
    decisions: frozenset[Decision]
    withdrawn: frozenset[Decision]
    foreign: Mapping[Decision, Act]
    commits: tuple[Commit, ...]
    makers: Mapping[str, Sequence[Commit]]
    reader: LineReader
    remarks: tuple[str, ...]

    @property
    def edits(self) -> Mapping[str, LineState]:
        """Every edit that was ever made of a sample of the night, by its id."""
        return self.reader.edits

    def roots(self) -> dict[str, str]:
        """Proposed sample or edit, to the proposed sample behind it."""
        return {one: one for one in self.proposal.lines} | {one: str(edit.root) for one, edit in self.edits.items()}


def collect(store: BulkObjects, night: str, *, base: str, tip: str | None, comments: Sequence[Comment] = ()) -> Review:
    """Everything that people said about a night up to the commits `base` and `tip` (None: it has no branch).

    Raises:
        Refused: the history has no proposal of ours, or a file that no review makes.
    """
    commits = night_commits(store, night, base, tip)
    found = proposals(store, commits, night)
    if not found:
        raise Refused(night, [_taken_out(store, night, base) or _lost(night)])
    try:
        proposal = read_proposal(store, found[0], night)
    except Altered as error:
        raise Refused(night, [str(error)]) from error
    acts = Acts(store, proposal, commits)
    commented, remarks = _commented(comments, {*proposal.lines, *acts.reader.edits}, f"night/{night}")
    return Review(
        proposal=proposal,
        decisions=frozenset(acts.stances.decisions() | commented),
        withdrawn=frozenset(acts.stances.withdrawn()),
        foreign=acts.stances.foreign,
        commits=tuple(commits),
        makers=acts.makers,
        reader=acts.reader,
        remarks=tuple(remarks),
    )


def night_commits(store: BulkObjects, night: str, base: str, tip: str | None) -> list[Commit]:
    """The commits that touched the night, the base branch's first, parents before children."""
    paths = night_paths(night)
    is_merged = store.ids([f"{base}:{record_path(night)}"])[0] is not None
    merged = store.commits_touching(paths, [base]) if is_merged else []
    return merged + (store.commits_touching(paths, [tip], [base]) if tip else [])


def is_done(commits: Iterable[Commit]) -> bool:
    """Whether a person said in a commit that the review is finished."""
    return any(commit.message.splitlines()[:1] == [DONE] and not is_ours(commit) for commit in commits)


def _taken_out(store: BulkObjects, night: str, base: str) -> str | None:
    """What to do about a night that somebody merged and reverted, None for any other."""
    gone = [] if store.blob_id(base, record_path(night)) else store.commits_touching([record_path(night)], [base])
    if not gone:
        return None
    last = gone[-1].id[:12]
    return f"it was merged, and the commit {last} took it out again; `git revert {last}` on the base branch undoes that"


def _lost(night: str) -> str:
    return (
        f"the commit with which Gristmill proposed {night} is not in the history: it was squashed or rewritten. "
        "Restore the branch as it was (forges offer that on a closed pull request), or delete it and run the night anew"
    )


def _commented(comments: Iterable[Comment], known: Collection[str], branch: str) -> tuple[set[Decision], list[str]]:
    """The decisions in comments, and what could not be understood, in words that do not repeat the comment's."""
    decisions: set[Decision] = set()
    remarks: list[str] = []
    for comment in comments:
        for verdict, prefix, reason in _commands(comment.body):
            matching = [sample_id for sample_id in known if sample_id.startswith(prefix)]
            reviewer = reviewer_name(comment.author)
            if len(matching) != 1:
                n = "no sample" if not matching else f"{len(matching)} samples"
                remarks.append(f"a comment of {reviewer} says /{verdict} {prefix}, which is {n} of the night")
                continue
            try:
                decisions.add(Decision(matching[0], verdict, reviewer, comment.at, branch, reason))  # type: ignore[arg-type]
            except InputError as error:
                remarks.append(f"a comment of {reviewer} was passed over: {error}")
    return decisions, sorted(remarks)


def _commands(body: str) -> Iterator[tuple[str, str, str]]:
    for found in _COMMAND.finditer(body):
        yield found[1], found[2], _plain(found[3] or "")


def _plain(reason: str) -> str:
    """A reason without what a decision may not hold: control and formatting characters, and more than a paragraph."""
    shown = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in reason)
    return " ".join(shown.split())[:MAX_REASON]
