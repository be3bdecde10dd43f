"""propose: the night's samples as one commit on the branch `night/<date>` of the corpus, with reading copy and record.

The commit depends on its parent and on the samples, the record and the settings of review alone, so doing it again
does nothing, and a night that was killed anywhere ends in the same commit. What people have done to a branch since is
never overwritten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa

from corpus.clone import Clone
from corpus.night_files import NightFiles, NightSamples, night_files, record_path
from corpus.repository import accepted_lines, base_commit, corpus_head, init_corpus, on_corpus, tombstones
from corpus.spool import Spool
from corpus.stage import read_rows, require_columns
from schemas.contracts import NIGHT
from schemas.errors import InputError
from schemas.settings import CorpusSettings, ReviewSettings
from schemas.tables import SAMPLES

__all__ = [
    "ProposeResult",
    "accepted_lines",
    "branch_of",
    "corpus_head",
    "init_corpus",
    "propose",
    "record_path",
    "tombstones",
]

_NEEDED = pa.schema([field for field in SAMPLES if not field.nullable])

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


def propose(
    samples: Path,
    *,
    corpus: CorpusSettings,
    root: Path,
    clone: Path,
    night: str,
    record: Mapping[str, Any],
    review: ReviewSettings | None = None,
) -> ProposeResult:
    """Commits a SAMPLES file on the night's branch and pushes it; idempotent.

    Args:
        samples: the output of validate.
        corpus: where the corpus is, and its base branch.
        root: the folder that a relative `corpus.remote` starts from.
        clone: our private bare clone; made when it is missing, made anew when it is damaged.
        night: the date.
        record: what the corpus keeps of the night besides the files' digests: `steps` (counts by step and reason),
            settings digest and the like; nothing that differs between two runs of the same night. To it come the
            `judges`, the `sampling_plan`, and how many `honeypots` of which commit were slipped in.
        review: how people are asked; None: as by default.

    Raises:
        InputError: the samples are not those of validate. CorpusError: git, the remote or its rules refused; the
            same call tries again.
    """
    require_columns(samples, _NEEDED, "propose")
    if not re.fullmatch(NIGHT, night):
        raise InputError(f"{night!r} is not a night; write its date as 2026-11-04")
    with Spool[Any](clone.parent) as spool:
        found = NightSamples(spool)
        for row in read_rows(samples):
            found.add(row)
        if not len(found):
            return _nothing(night)
        return on_corpus(
            corpus,
            root=root,
            clone=clone,
            operation=lambda store: _propose(store, corpus, night, found, record, review or ReviewSettings()),
        )


def branch_of(night: str) -> str:
    """The branch that a night is proposed on."""
    return f"night/{night}"


def _nothing(night: str) -> ProposeResult:
    message = f"nothing to propose for {night}: no conversation was picked"
    return ProposeResult("nothing_to_propose", branch_of(night), None, None, 0, (), message, "", "")


def _propose(
    store: Clone,
    corpus: CorpusSettings,
    night: str,
    samples: NightSamples,
    record: Mapping[str, Any],
    review: ReviewSettings,
) -> ProposeResult:
    heads = store.heads()
    base = base_commit(store, corpus, heads)
    tip = heads.get(branch_of(night))
    if tip:
        store.fetch({branch_of(night): tip})

    def files_beside(commit: str) -> NightFiles:
        return night_files(store, commit, night, samples, record, review)

    state, commit, proposal, message = _settled(store, base, tip, night, files_beside)
    return ProposeResult(
        state=state,
        branch=branch_of(night),
        commit=commit,
        base=base,
        n_samples=len(samples),
        files=tuple(sorted(proposal.files)),
        message=message,
        title=proposal.title,
        body=proposal.body,
    )


def _settled(
    store: Clone, base: str, tip: str | None, night: str, files_beside: Callable[[str], NightFiles]
) -> tuple[State, str, NightFiles, str]:
    """Does what is still to do: (state, commit, files, message). `tip` is where the night's branch is, if anywhere.

    A proposal that is there already stands beside the commit that it names, not beside the newest one.
    """
    branch = branch_of(night)
    if merged := store.file(base, record_path(night)):
        proposal = files_beside(_made_beside(store, merged) or base)
        differs = (
            "" if _is_of(store, merged, proposal, night) else "; this run would propose otherwise, so nothing was done"
        )
        return "merged", base, proposal, f"the night {night} is merged already{differs}"
    if tip:
        added = store.commits_since(base, tip)
        parent = store.own_parent(added[0], night) if len(added) == 1 else None
        if added and not parent:
            made_beside = _made_beside(store, store.file(tip, record_path(night)))
            said = f"people have worked on {branch}: it was left alone; merge it or delete it"
            return "under_review", tip, files_beside(made_beside or base), said
        if parent and _commit(store, parent, proposal := files_beside(parent), night) == tip:
            return "unchanged", tip, proposal, f"{branch} is proposed already: {proposal.title} ({tip[:12]})"
    proposal = files_beside(base)
    commit = _commit(store, base, proposal, night)
    store.push(commit, branch, expected=tip)
    said = f"{branch} is proposed{' anew' if tip else ''}: {proposal.title} ({commit[:12]})"
    return "proposed", commit, proposal, said


def _commit(store: Clone, parent: str, proposal: NightFiles, night: str) -> str:
    return store.commit(parent, proposal.files, f"{proposal.title}\n\n{proposal.body}", night)


def _made_beside(store: Clone, record: bytes | None) -> str | None:
    """The commit that a record says the night was made beside, if the clone has it."""
    made_beside = _object(_object(record).get("honeypots")).get("base")
    if not isinstance(made_beside, str) or not re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", made_beside):
        return None
    return made_beside if store.has_commit(made_beside) else None


def _is_of(store: Clone, merged: bytes, proposal: NightFiles, night: str) -> bool:
    """Whether a merged record, without what settling added to it, is that of the proposal."""
    ours = _object(store.blob(proposal.files[record_path(night)]))
    return {key: value for key, value in _object(merged).items() if key != "settled"} == ours


def _object(plain: Any) -> Mapping[str, Any]:
    """A mapping, parsed if need be; an empty one for what is none: anybody may write on a branch."""
    if isinstance(plain, bytes):
        try:
            plain = orjson.loads(plain)
        except orjson.JSONDecodeError:
            return {}
    return plain if isinstance(plain, Mapping) else {}
