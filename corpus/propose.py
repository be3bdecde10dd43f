"""propose: the night's samples as one commit on the branch `night/<date>` of the corpus, with reading copy and record.

The commit depends on its parent and on the samples and the record alone, so doing it again does nothing, and a night
that was killed anywhere ends in the same commit. What people have done to a branch since is never overwritten.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from corpus.clone import Clone
from corpus.objects import BlobSource
from corpus.reading_copy import reading_copy
from corpus.repository import accepted_lines, base_commit, corpus_head, init_corpus, on_corpus, tombstones
from corpus.spool import Spool
from corpus.stage import read_rows, require_columns
from schemas.canonical import canonical_bytes
from schemas.contracts import EXPERT, NIGHT
from schemas.errors import InputError
from schemas.sample import FORMAT_VERSION
from schemas.settings import CorpusSettings
from schemas.tables import SAMPLES

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
    if not re.fullmatch(NIGHT, night):
        raise InputError(f"{night!r} is not a night; write its date as 2026-11-04")
    with Spool[_Key](clone.parent) as spool:
        for row in read_rows(samples):
            if not re.fullmatch(EXPERT, row["expert"]):  # it becomes a folder
                raise InputError(f"{samples} names an expert {row['expert']!r}; make the file again with validate")
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
    state, commit, message = _settled(store, base, heads.get(branch_of(night)), night, proposal)
    return ProposeResult(
        state=state,
        branch=branch_of(night),
        commit=commit,
        base=base,
        n_samples=len(spool.entries),
        files=tuple(sorted(proposal.files)),
        message=message,
        title=proposal.title,
        body=proposal.body,
    )


def _settled(store: Clone, base: str, tip: str | None, night: str, proposal: _Proposal) -> tuple[State, str, str]:
    """Does what is still to do: (state, commit, message). `tip` is where the night's branch is, None without one."""
    branch, record = branch_of(night), record_path(night)
    merged = store.blob_id(base, record)
    if merged:
        differs = "" if merged == proposal.files[record] else "; this run would propose otherwise, so nothing was done"
        return "merged", base, f"the night {night} is merged already{differs}"
    if tip:
        store.fetch({branch: tip})
        added = store.commits_since(base, tip)
        parent = store.own_parent(added[0], night) if len(added) == 1 else None
        if added and not parent:
            return "under_review", tip, f"people have worked on {branch}: it was left alone; merge it or delete it"
        if parent and _commit(store, parent, proposal, night) == tip:
            return "unchanged", tip, f"{branch} is proposed already: {proposal.title} ({tip[:12]})"
    commit = _commit(store, base, proposal, night)
    store.push(commit, branch, expected=tip)
    return "proposed", commit, f"{branch} is proposed{' anew' if tip else ''}: {proposal.title} ({commit[:12]})"


def _commit(store: Clone, parent: str, proposal: _Proposal, night: str) -> str:
    return store.commit(parent, proposal.files, f"{proposal.title}\n\n{proposal.body}", night)


def record_path(night: str) -> str:
    """Where the corpus keeps a night's record; its presence in the base branch says that the night is merged."""
    return f"nights/{night}.json"


class _Digests:
    """Passes files on to git and notes what the record says of each."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, Any]] = {}

    def noted(self, path: str, chunks: Iterable[bytes], n_bytes: int, **facts: int) -> BlobSource:
        return path, self._hashed(path, chunks, facts), n_bytes

    def _hashed(self, path: str, chunks: Iterable[bytes], facts: Mapping[str, int]) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            yield chunk
        self.files[path] = {"sha256": digest.hexdigest(), **facts}


def _written(store: Clone, night: str, spool: Spool[_Key], record: Mapping[str, Any]) -> _Proposal:
    """Writes the files of the night into the clone, one chunk at a time."""
    digests = _Digests()
    known = {"threshold": None, **record, "format": FORMAT_VERSION, "night": night, "judges": _judges(spool)}
    blobs = store.store(_shards(night, spool, digests))
    blobs |= store.store(_pages(night, spool, known, digests))
    record_file = orjson.dumps({**known, "files": digests.files}, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    blobs |= store.store([(record_path(night), [record_file, b"\n"], len(record_file) + 1)])
    return _Proposal(blobs, f"night: {night}, {len(spool.entries)} conversations", _body(spool, known))


def _shards(night: str, spool: Spool[_Key], digests: _Digests) -> Iterator[BlobSource]:
    for expert, group in groupby(sorted(spool.entries), key=lambda entry: entry.key.expert):
        entries = list(group)
        path = f"data/{expert}/{night[:7]}/{night}.jsonl"
        n_bytes = sum(entry.n_bytes for entry in entries)
        yield digests.noted(path, map(spool.read, entries), n_bytes, samples=len(entries))


def _pages(night: str, spool: Spool[_Key], record: Mapping[str, Any], digests: _Digests) -> Iterator[BlobSource]:
    doubtful_first = sorted(spool.entries, key=lambda entry: (entry.key.rating, entry.key.id))
    samples = (orjson.loads(spool.read(entry)) for entry in doubtful_first)
    for page in reading_copy(night, samples, record):
        text = page.text.encode()
        yield digests.noted(f"review/{night}/{page.name}", [text], len(text))


def _judges(spool: Spool[_Key]) -> list[dict[str, Any]]:
    """The judges of the night's samples, each once; almost always one."""
    found = {canonical_bytes(orjson.loads(spool.read(entry))["verdict"]["judge"]) for entry in spool.entries}
    return [orjson.loads(judge) for judge in sorted(found)]


def _body(spool: Spool[_Key], record: Mapping[str, Any]) -> str:
    """The counts in words, for the commit and the pull request; no word of a conversation."""
    ratings = [entry.key.rating for entry in spool.entries]
    judges = ", ".join(f"{judge['name']} ({judge['model']})" for judge in record["judges"])
    lines = [f"Rated {min(ratings):.1f} to {max(ratings):.1f} of 10 by {judges}.", ""]
    experts = Counter(entry.key.expert for entry in spool.entries)
    lines += [f"{expert}: {n}" for expert, n in sorted(experts.items())]
    lines += ["", *(_counted(step) for step in record.get("steps", []))]
    lines += ["", f"Read it in review/{record['night']}/index.md."]
    return "\n".join(lines) + "\n"


def _counted(step: Mapping[str, Any]) -> str:
    reasons = [f"{reason} {n}" for kind in ("dropped", "held") for reason, n in sorted(step[kind].items())]
    return f"{step['step']}: {step['in']} in, {step['kept']} kept" + "".join(f", {reason}" for reason in reasons)
