"""The nights that wait to be settled, and whether people are done with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from corpus.acts import author_of
from corpus.clone import Clone
from corpus.objects import Commit
from corpus.proposal import is_ours, parsed_record
from corpus.propose import branch_of, record_path
from corpus.repository import base_commit, on_corpus
from corpus.review import is_done
from schemas.contracts import NIGHT
from schemas.settings import CorpusSettings

State = Literal["merged", "done", "late", "reviewed", "unread"]
"""merged: a person merged it; done: a reviewer said so; late: people went on after it was settled; reviewed: people
worked on it, none said done; unread: nobody did anything."""


@dataclass(frozen=True)
class OpenNight:
    """A night that is not settled as far as its branch has come; `reviewers` are who committed to the branch."""

    night: str
    state: State
    reviewers: tuple[str, ...]

    @property
    def told(self) -> str:
        """What it waits for, in words."""
        people = f"{len(self.reviewers)} reviewer(s) committed to it" if self.reviewers else "nobody decided anything"
        return f"open; {people}, nobody said that the review is done"

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)

    @property
    def is_ready(self) -> bool:
        """Whether a scheduled run settles it."""
        return self.state in ("merged", "done", "late")


def open_nights(corpus: CorpusSettings, *, root: Path, clone: Path) -> tuple[OpenNight, ...]:
    """The open nights by date.

    Raises:
        CorpusError: the corpus cannot be reached, or a record is damaged.
    """
    return on_corpus(corpus, root=root, clone=clone, operation=lambda store: tuple(_open(store, corpus)))


def _open(store: Clone, corpus: CorpusSettings) -> list[OpenNight]:
    heads = store.heads()
    base = base_commit(store, corpus, heads)
    branches = {night: heads[name] for name in heads if (night := name.removeprefix("night/")) != name}
    branches = {night: tip for night, tip in branches.items() if re.fullmatch(NIGHT, night)}
    store.fetch({branch_of(night): tip for night, tip in branches.items()})
    beyond = store.refs_beyond(base, "corpus/night")
    is_settled = _merged(store, base)
    found = [OpenNight(night, "merged", ()) for night, done in is_settled.items() if not done]
    for night, tip in branches.items():
        if f"corpus/{branch_of(night)}" in beyond and is_settled.get(night) is not False:
            found.append(_of(night, store.history(base, tip), night in is_settled))
    return sorted(found, key=lambda one: one.night)


def _of(night: str, commits: Sequence[Commit], is_settled: bool) -> OpenNight:
    people = tuple(sorted({author_of(commit) for commit in commits if not is_ours(commit)}))
    if is_settled:
        return OpenNight(night, "late", people)
    return OpenNight(night, "done" if is_done(commits) else "reviewed" if people else "unread", people)


def _merged(store: Clone, base: str) -> dict[str, bool]:
    """Each night of the base branch, and whether it is settled."""
    entries = [one for one in store.entries(base, "nights") if re.fullmatch(NIGHT, one.path[7:-5])]
    entries = [one for one in entries if one.path == record_path(one.path[7:-5])]
    contents = (content for _, content in store.blobs(one.blob for one in entries))
    return {
        one.path[7:-5]: "settled" in parsed_record(content, one.path[7:-5])
        for one, content in zip(entries, contents, strict=True)
    }
