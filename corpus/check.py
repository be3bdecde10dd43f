"""check: what is wrong with a change of the corpus, before anybody merges it; the same on a laptop, in CI, in settle.

Everything in a change is hostile: its trees, names, bytes, identities and messages. Nothing is checked out: git is
asked for objects, and only after the trees and sizes were found to be sane. A problem never quotes a conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from corpus.branch_rules import branch_problems
from corpus.bulk import BulkObjects, Difference
from corpus.checks.change import COMMITS_MAX, Change, Step, night_of, own_proposal, read_steps
from corpus.checks.contents import Contents
from corpus.checks.paths import alike_problems, file_problems, place_of
from corpus.checks.problem import MENDED, REMEDIES, Problem, limited, problem
from corpus.checks.sign_off import sign_off_problems
from corpus.checks.trees import Trees
from corpus.corpus_rules import corpus_rules
from corpus.objects import Commit
from corpus.proposal import Proposal
from corpus.propose import record_path
from corpus.reading_copy_boxes import unticked
from corpus.review import Refused, collect

__all__ = ["MENDED", "REMEDIES", "Problem", "Rules", "check_change"]

FILES_MAX = 5_000
"""Of a change: a night of 100,000 samples has 4,000 pages of its reading copy, and rarely a hundred experts."""

FILE_BYTES_MAX = 100 * 10**6
"""GitHub refuses larger files; 10,000 samples of real chats are 66 MB."""

CONTRIBUTION_BYTES_MAX = 10 * 10**6
"""Of a file: 1,500 conversations, more than anybody reads at once."""

CHANGE_BYTES_MAX = 10**9
"""Of all versions of all files that a change brings."""


@dataclass(frozen=True)
class Rules:
    """Who changes what.

    `night` is the night whose branch the change is meant for (a review by pull request); None for a change of the base
    branch. `is_from_fork`: it comes from somebody who cannot push to the repository, so nothing in it is Gristmill's.
    `is_maintainer` lets every file of the corpus change; what is in it is checked all the same. `trusted` are commits
    that the caller knows to be made here: personal data and near-duplicates were looked for when they were.
    `licences` and `jaccard_min` are those of corpus.toml where they are None.
    """

    night: str | None = None
    is_from_fork: bool = False
    is_maintainer: bool = False
    trusted: Collection[str] = ()
    licences: tuple[str, ...] | None = None
    jaccard_min: float | None = None


def check_change(
    store: BulkObjects,
    base: str,
    tip: str,
    *,
    rules: Rules | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> list[Problem]:
    """What keeps the change from `base` to `tip` from being merged, sorted by place; empty when all is well.

    Args:
        store: holds both commits with their whole history.
        base: the commit that it is meant to be merged into.
        tip: the last commit of the change.
        rules: who changes what.
        on_bytes: called with the size of each file of the corpus that was compared, for a progress bar.

    Raises:
        CorpusError: the base itself is no corpus that can be read.
    """
    return list(limited(_problems(store, base, tip, rules or Rules(), on_bytes)))


def _problems(
    store: BulkObjects, base: str, tip: str, rules: Rules, on_bytes: Callable[[int], None] | None
) -> Iterator[Problem]:
    fork = store.merge_base(base, tip)
    if fork is None:
        yield problem("", None, "unrelated_history", "its history shares nothing with the branch that it is meant for")
        return
    if fork == tip:
        return
    commits = store.history(base, tip)
    if stopped := list(_history_problems(commits)):
        yield from stopped
        return
    trees = Trees(store)
    every = [fork, *dict.fromkeys(one for commit in commits for one in (*commit.parents, commit.id))]
    roots = dict(zip(every, trees.roots(every), strict=True))
    if stopped := list(trees.problems([roots[fork]], [roots[commit.id] for commit in commits], FILES_MAX)):
        yield from stopped
        return
    steps = read_steps(store, commits, roots)
    differences = store.differences([(roots[fork], roots[tip])])[0] if roots[fork] != roots[tip] else []
    if stopped := list(_size_problems(store, steps, differences)):
        yield from stopped
        return
    night = night_of(differences, rules.night)
    own, told = own_proposal(store, steps, night, is_from_fork=rules.is_from_fork)
    is_open = rules.night is not None and store.blob_id(fork, record_path(rules.night)) is not None
    change = Change(base, fork, tip, steps, tuple(differences), night, own, is_open)
    told += _place_problems(store, change, rules)
    licences, jaccard_min = corpus_rules(store, base)
    contents = Contents(
        store,
        change,
        licences=licences if rules.licences is None else rules.licences,
        jaccard_min=jaccard_min if rules.jaccard_min is None else rules.jaccard_min,
        is_maintainer=rules.is_maintainer,
        trusted=frozenset(rules.trusted),
    )
    told += contents.problems(on_bytes)
    told += sign_off_problems(steps, own.commit if own else None, contents.brings_text)
    yield from told
    if own and not rules.is_maintainer and all(one.is_mended for one in told):
        yield from _settle_problems(store, change, own.night)


def _settle_problems(store: BulkObjects, change: Change, night: str) -> Iterator[Problem]:
    """What settle refuses beside all that was looked for: what passes here is merged there."""
    try:
        review = collect(store, night, base=change.base, tip=change.tip)
        found = branch_problems(store, review, base=change.base, tip=change.tip, settled=())
    except Refused as refusal:
        found = list(refusal.problems)
    yield from (problem("", None, "settle_refuses", one) for one in found)


def _history_problems(commits: Sequence[Commit]) -> Iterator[Problem]:
    if len(commits) > COMMITS_MAX:
        yield problem("", None, "too_many_files", f"it has {len(commits):,} commits, and {COMMITS_MAX:,} are allowed")
    for commit in commits:
        if not commit.parents:
            found = "a history of its own was merged into it"
            yield problem(f"commit {commit.id[:12]}", None, "unrelated_history", found)


def _size_problems(store: BulkObjects, steps: Sequence[Step], differences: Sequence[Difference]) -> Iterator[Problem]:
    """In the whole history that a merge would bring: what is there once can hardly be got rid of."""
    if len(differences) > FILES_MAX:
        found = f"it changes {len(differences):,} files, and {FILES_MAX:,} are allowed"
        yield problem("", None, "too_many_files", found)
    changes = [step.differences[0][path] for step in steps for path in sorted(step.paths())]
    paths = {one.new: one.path for one in changes if one.new and one.new_mode != "160000"}
    total = 0
    for path, size in zip(paths.values(), store.sizes(list(paths)) if paths else [], strict=True):
        total += size
        most = CONTRIBUTION_BYTES_MAX if place_of(path).kind == "contribution" else FILE_BYTES_MAX
        if size > most:
            yield problem(path, None, "too_large", f"the file has {size:,} bytes, and {most:,} are allowed")
    if total > CHANGE_BYTES_MAX:
        yield problem("", None, "too_large", f"it brings {total:,} bytes, and {CHANGE_BYTES_MAX:,} are allowed")


def _place_problems(store: BulkObjects, change: Change, rules: Rules) -> Iterator[Problem]:
    """What may not be changed at all, and what may be changed in one way only."""
    yield from file_problems(change.differences)
    added = [one.path for one in change.differences if one.old is None]
    if added:
        yield from alike_problems(added, (one.path for one in store.entries(change.tip)))
    if rules.is_maintainer:
        return
    night, own = change.night, change.own
    if night and not change.is_open and store.blob_id(change.base, record_path(night)):
        yield problem(record_path(night), None, "night_merged", f"the night {night} is merged already")
    for one in change.differences:
        yield from _one_place(one, change, rules)
    if own:
        yield from _kept_problems(store, change, own)


def _one_place(one: Difference, change: Change, rules: Rules) -> Iterator[Problem]:
    place = place_of(one.path)
    if place.kind == "other":
        yield problem(one.path, None, "not_allowed", "neither a night nor a contribution changes this file")
    elif place.kind == "contribution":
        if change.night:
            yield problem(one.path, None, "not_allowed", "a night's pull request holds the night alone")
        elif one.old is not None:
            yield problem(one.path, None, "not_allowed", "a contribution that was merged is changed by nobody")
    elif place.night != change.night:
        code = "several_nights" if one.old is None else "other_night"
        yield problem(one.path, None, code, f"the change is of the night {change.night}, this file of {place.night}")
    elif change.own is None and not change.is_open:
        if one.old is not None:
            yield problem(one.path, None, "other_night", f"the night {place.night} is merged already")
        else:
            who = "it comes from outside" if rules.is_from_fork else "no commit of Gristmill's proposes it"
            yield problem(one.path, None, "forged", f"the file is of the night {place.night}, and {who}")


def _kept_problems(store: BulkObjects, change: Change, own: Proposal) -> Iterator[Problem]:
    """What of Gristmill's proposal people changed that is not theirs to change."""
    paths = [record_path(own.night), *own.pages]
    proposed = store.ids([f"{own.commit}:{path}" for path in paths])
    now = store.ids([f"{change.tip}:{path}" for path in paths])
    if now[0] != proposed[0]:
        yield problem(paths[0], None, "record_changed", "the night's record was changed")
    for path, before, after in zip(paths[1:], proposed[1:], now[1:], strict=True):
        if after != before and (after is None or not _only_boxes(own.pages[path], store.blob(after))):
            yield problem(path, None, "reading_copy_changed", "more than its boxes was changed")
    for one in change.differences:
        if place_of(one.path).kind == "page" and one.path not in own.pages:
            yield problem(one.path, None, "reading_copy_changed", "it is no page of what was proposed")


def _only_boxes(before: bytes, after: bytes) -> bool:
    try:
        return unticked(before.decode()) == unticked(after.decode())
    except UnicodeDecodeError:
        return False
