"""propose: the night's samples as one commit on the branch `night/<date>` of the corpus, with reading copy and record.

The commit depends on its parent and on the samples and the record alone, so doing it again does nothing, and a night
that was killed anywhere ends in the same commit. What people have done to a branch since is never overwritten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
from schemas.contracts import EXPERT, NIGHT
from schemas.errors import InputError
from schemas.sample import FORMAT_VERSION
from schemas.settings import CorpusSettings
from schemas.tables import SAMPLES

from corpus.branch import Clone
from corpus.reading_copy import reading_copy
from corpus.repository import accepted_lines, base_commit, corpus_head, init_corpus, on_corpus, tombstones
from corpus.spool import Spool
from corpus.stage import read_rows, require_columns

__all__ = ["ProposeResult", "accepted_lines", "corpus_head", "init_corpus", "propose", "tombstones"]

State = Literal["proposed", "unchanged", "under_review", "merged", "nothing_to_propose"]


@dataclass(frozen=True)
class ProposeResult:
    """What became of a night.

    `proposed`: the branch was pushed. `unchanged`: it is there as it should be. `under_review`: people have worked on
    it, so it was left alone. `merged`: the base branch has this night. `nothing_to_propose`: no sample was picked.
    `commit` is the branch's (of the base for `merged`), `base` the base branch's; ids are None where there is none.
    `files` are the paths of the commit. `message` is for people; `title` and `body` are for a pull request.
    """

    state: State
    branch: str
    commit: str | None
    base: str | None
    n_samples: int
    files: tuple[str, ...]
    message: str
    title: str
    body: str

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return {**asdict(self), "files": list(self.files)}


class _Key(NamedTuple):
    """What sorts a sample: into its shard by expert and id, into the reading copy by rating and id."""

    expert: str
    id: str
    rating: float


class _Proposal(NamedTuple):
    """What is to be committed: path to blob, and the words about it."""

    files: Mapping[str, str]
    title: str
    body: str


def propose(
    samples: Path,
    *,
    corpus: CorpusSettings,
    root: Path,
    clone: Path,
    night: str,
    record: Mapping[str, Any],
) -> ProposeResult:
    """Commits a SAMPLES file on the night's branch and pushes it; idempotent.

    Args:
        samples: the output of validate.
        corpus: where the corpus is, and its base branch.
        root: the folder that a relative `corpus.remote` starts from.
        clone: our private bare clone; made when it is missing, made anew when it is damaged.
        night: the date.
        record: what the corpus keeps of the night besides the files' digests: `steps` (counts by step and reason),
            settings digest and the like; nothing that differs between two runs of the same night.

    Raises:
        InputError: the samples are not those of validate. CorpusError: git, the remote or its rules refused; the
            same call tries again.
    """
    require_columns(samples, SAMPLES, "propose")
    with Spool[_Key](clone.parent) as spool:
        for row in read_rows(samples):
            spool.add(_Key(row["expert"], row["id"], row["rating"]), row["line"].encode() + b"\n")
        if not spool.entries:
            return _nothing(night)
        return on_corpus(
            corpus,
            root=root,
            clone=clone,
            operation=lambda store: _propose(store, corpus, night, spool, record),
        )


def branch_of(night: str) -> str:
    """The branch that a night is proposed on."""
    return f"night/{night}"


def _nothing(night: str) -> ProposeResult:
    message = f"nothing to propose for {night}: no conversation was picked"
    return ProposeResult("nothing_to_propose", branch_of(night), None, None, 0, (), message, "", "")


def _propose(
    store: Clone, corpus: CorpusSettings, night: str, spool: Spool[_Key], record: Mapping[str, Any]
) -> ProposeResult:
    heads = store.heads()
    base = base_commit(store, corpus, heads)
    proposal = _written(store, night, spool, record)
    branch = branch_of(night)
    tip = heads.get(branch)
    if tip:
        store.fetch({branch: tip})

    def result(state: State, commit: str, message: str) -> ProposeResult:
        files = tuple(sorted(proposal.files))
        return ProposeResult(
            state, branch, commit, base, len(spool.entries), files, message, proposal.title, proposal.body
        )

    merged = store.file(base, _record_path(night))
    if merged is not None:
        is_same = store.file_id(base, _record_path(night)) == proposal.files[_record_path(night)]
        differs = "" if is_same else "; this run would propose something else, which was left alone"
        return result("merged", base, f"the night {night} is merged already{differs}")
    foreign = store.commits_since(base, tip) if tip else []
    parent = store.own_parent(foreign[0], night) if tip and len(foreign) == 1 else None
    if tip and foreign and parent is None:
        return result("under_review", tip, f"people have worked on {branch}, so it was left alone; merge or delete it")
    if tip and parent and _commit(store, parent, proposal, night) == tip:
        return result("unchanged", tip, f"{branch} is proposed already, with the same {len(spool.entries)} samples")
    commit = _commit(store, base, proposal, night)
    store.push(commit, branch, expected=tip)
    was = "proposed anew" if tip else "proposed"
    return result("proposed", commit, f"{len(spool.entries)} samples {was} on {branch} ({commit[:12]})")


def _commit(store: Clone, parent: str, proposal: _Proposal, night: str) -> str:
    return store.commit(parent, proposal.files, f"{proposal.title}\n\n{proposal.body}", night)
