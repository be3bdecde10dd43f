"""settle: what people decided on a night becomes part of the corpus, by one commit on the base branch.

What the base branch gets follows from the proposal and the decisions alone, never from the branch's own files; so
settling again changes nothing, a night that somebody merged by hand is put in order in the same way, and what people
push while it runs is found by the next one. The commit depends on base, tip, comments and the instant given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from corpus.acts import Refused, author_of
from corpus.branch_rules import branch_problems
from corpus.clone import Clone
from corpus.objects import Author, Commit
from corpus.outcome_files import COUNTS, Outcomes, outcomes, settled_files
from corpus.proposal import OUR_EMAIL, is_ours
from corpus.propose import branch_of, record_path
from corpus.repository import base_commit, on_corpus
from corpus.review import Comment, Review, collect
from corpus.standing import Standing, read_standing
from corpus.tally import Conflict
from schemas.contracts import NIGHT
from schemas.errors import CorpusError, InputError, SettingsError
from schemas.settings import CorpusSettings

__all__ = ["Comment", "Settled", "settle"]

State = Literal["settled", "unchanged", "refused"]


@dataclass(frozen=True)
class Settled:
    """What became of a night.

    `settled`: the base branch got a commit. `unchanged`: it has all of this already. `refused`: the branch holds what
    may not be merged; nothing was done. `commit` is the base branch's, `tip` the night branch's (None: it has none).
    `counts` has `proposed`, `COUNTS` and `honeypots`; `held` the ids that wait for another vote; `reviewers` how many
    samples each decided on. `problems` are why it was refused, `remarks` what was passed over, sentences for people.
    """

    night: str
    state: State
    commit: str
    tip: str | None
    counts: Mapping[str, int] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    reviewers: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)

    @property
    def message(self) -> str:
        """What was done, in a line."""
        if self.state == "refused":
            return f"{self.night}: refused, {len(self.problems)} problem(s)"
        done = "settled" if self.state == "settled" else "settled already"
        return f"{self.night}: {done}; {_counted(self.counts)}"


def settle(
    night: str,
    *,
    corpus: CorpusSettings,
    root: Path,
    clone: Path,
    comments: Sequence[Comment] = (),
    now: str,
    conflict: Conflict = "hold",
) -> Settled:
    """Merges a night as people decided; idempotent.

    Args:
        night: the date.
        corpus: where the corpus is, and its base branch.
        root: the folder that a relative `corpus.remote` starts from.
        clone: our private bare clone.
        comments: of the night's pull request.
        now: the instant that the commit bears, ISO 8601 UTC to the second.
        conflict: what to do where reviewers stand against each other, see `corpus.tally.tally`.

    Raises:
        CorpusError: there is no such night, or git or the remote refused; the same call tries again.
    """
    if not re.fullmatch(NIGHT, night):
        raise InputError(f"{night!r} is not a night; write its date as 2026-11-04")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now):
        raise SettingsError(f"{now!r} is not an instant; write it as 2026-11-04T09:30:00Z")
    task = _Task(night, corpus, tuple(comments), now, conflict)
    return on_corpus(corpus, root=root, clone=clone, operation=task.run)


@dataclass(frozen=True)
class _Task:
    """A night to be settled."""

    night: str
    corpus: CorpusSettings
    comments: tuple[Comment, ...]
    now: str
    conflict: Conflict

    def run(self, store: Clone) -> Settled:
        seen = store.known_heads().get(branch_of(self.night))
        heads = store.heads()
        base = base_commit(store, self.corpus, heads)
        tip = heads.get(branch_of(self.night))
        if tip:
            store.fetch({branch_of(self.night): tip})
        elif store.blob_id(base, record_path(self.night)):
            # Merged by a squash, and deleted: what this machine remembers says who decided what.
            tip = store.refs_beyond(base, "corpus/night").get(f"corpus/{branch_of(self.night)}")
        else:
            raise CorpusError(
                f"the corpus has no night {self.night}, and there is no branch {branch_of(self.night)}; restore the "
                f"branch, or propose the night again with `gristmill run --night {self.night}`"
            )
        try:
            settled = self._settle(store, base, tip)
            return replace(settled, remarks=(*settled.remarks, *_taken_away(store, seen, tip)))
        except Refused as refusal:
            return Settled(self.night, "refused", base, tip, problems=refusal.problems)

    def _settle(self, store: Clone, base: str, tip: str | None) -> Settled:
        review = collect(store, self.night, base=base, tip=tip, comments=self.comments)
        standing = read_standing(store, base, review)
        if tip and (problems := branch_problems(store, review, base=base, tip=tip, settled=standing.decisions)):
            raise Refused(self.night, problems)
        found = outcomes(store, base, review, standing, self.conflict)
        is_merged = tip is None or store.merge_base(base, tip) == tip
        commit = self._commit(store, base, None if is_merged else tip, review, standing, found)
        if commit != base:
            store.push(commit, self.corpus.branch, expected=base)
        return Settled(
            self.night,
            "unchanged" if commit == base else "settled",
            commit,
            tip,
            counts=found.counts,
            held=found.held,
            reviewers=found.reviewers,
            remarks=(*review.remarks, *standing.remarks, *found.remarks),
        )

    def _commit(
        self, store: Clone, base: str, merged: str | None, review: Review, standing: Standing, found: Outcomes
    ) -> str:
        """The commit that has the outcome: a new one, or `base` where it has it already."""
        facts = {"at": self.now, "conflict": self.conflict, "tip": merged}
        files = settled_files(store, review, standing, found, facts)
        changed = {path: blob for path, blob in files.items() if standing.blobs.get(path) != blob}
        gone = [path for path in standing.blobs if path not in files]
        if not merged and not gone and set(changed) <= {record_path(self.night)} and standing.says(found.facts):
            return base
        message = f"settle: {self.night}, {_counted(found.counts)}\n"
        author = Author("Gristmill", OUR_EMAIL, self.now)
        return store.commit(
            base, changed, message, self.now[:10], merged=(merged,) if merged else (), removed=gone, author=author
        )


def _taken_away(store: Clone, seen: str | None, tip: str | None) -> Iterator[str]:
    """What people committed to the branch, as this machine saw it last, and a forced push took away."""
    if seen is None or tip is None or store.merge_base(seen, tip) == seen:
        return
    kept = {_known_by(one) for one in store.history(seen, tip)}
    gone = [one for one in store.history(tip, seen) if not is_ours(one) and _known_by(one) not in kept]
    if gone:
        people = ", ".join(sorted({author_of(one) for one in gone}))
        yield (
            f"somebody forced a push over {gone[-1].id[:12]}, and {len(gone)} commit(s) of {people} are gone from the "
            "branch; what they decided there does not count. If that was not meant, push that commit again and settle"
        )


def _known_by(commit: Commit) -> tuple[Author, str]:
    """What a rebase leaves as it is."""
    return commit.author, commit.message


def _counted(counts: Mapping[str, int]) -> str:
    told = [f"{counts[name]} {name}" for name in COUNTS if counts[name] or name == "kept"]
    return f"{', '.join(told)} of {counts['proposed']}"
