"""Where a reviewer works: who they are, the corpus's place, and which nights are open there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from corpus.clone import Clone
from corpus.proposal import parsed_record
from corpus.propose import branch_of, record_path
from corpus.remote import Unreachable, remote_of
from corpus.repository import base_commit, on_corpus
from schemas.decision import reviewer_name
from schemas.errors import CorpusError, InputError, nearest
from schemas.settings import CorpusSettings

T = TypeVar("T")

_NIGHT_BRANCH = branch_of("")


@dataclass(frozen=True)
class Reviewer:
    """Who decides; the corpus learns the name and address as the author of a commit, as git does of everybody."""

    name: str
    email: str

    @property
    def pseudonym(self) -> str:
        """What stands in the decisions."""
        return reviewer_name(f"mailto:{self.email}")


def reviewer_of(text: str) -> Reviewer:
    """The reviewer in `Name <email>`.

    Raises:
        InputError: the text is not of this form.
    """
    found = re.fullmatch(r"([^<>\x00-\x1f]*[^<>\s\x00-\x1f]) *<([^<>\s]+@[^<>\s]+)>", text.strip())
    if not found:
        raise InputError(f'{text[:80]!r} is no reviewer; write a name and an address: "Ann Reader <ann@example.org>"')
    return Reviewer(found[1], found[2])


@dataclass(frozen=True)
class Place:
    """Where the corpus is: settings, the folder of a relative `corpus.remote`, our private bare clone."""

    corpus: CorpusSettings
    root: Path
    clone: Path

    def work(self, operation: Callable[[Clone], T]) -> T:
        """What `operation` returns, see `corpus.clone.with_clone`.

        Raises:
            CorpusError: there is no corpus, or it cannot be reached.
        """
        remote = remote_of(self.corpus.remote, self.root)
        if remote.path is not None and not remote.path.exists():  # else an empty one would be made there
            raise CorpusError(f"{remote} does not exist; if it is on another disk, connect that, then try again")
        return on_corpus(self.corpus, root=self.root, clone=self.clone, operation=operation)


def open_nights(place: Place) -> list[str]:
    """The nights that wait for votes, the newest first: proposed and not merged, or with samples that are held.

    Raises:
        CorpusError: the corpus cannot be reached or read.
    """

    def look(store: Clone) -> list[str]:
        try:
            heads = store.heads()
            base = base_commit(store, place.corpus, heads)
        except Unreachable:
            heads = store.known_heads()
            if place.corpus.branch not in heads:
                raise
            base = heads[place.corpus.branch]
        nights = [name.removeprefix(_NIGHT_BRANCH) for name in heads if name.startswith(_NIGHT_BRANCH)]
        return sorted((night for night in nights if _waits(store, base, night)), reverse=True)

    return place.work(look)


def _waits(store: Clone, base: str, night: str) -> bool:
    record = store.file(base, record_path(night))
    settled = parsed_record(record, night).get("settled") if record else None
    return record is None or bool(isinstance(settled, dict) and settled.get("held_ids"))


def last_seen(store: Clone, corpus: CorpusSettings, night: str) -> tuple[str, str] | None:
    """As `open_branch`, but as the branches were when this machine last saw them; None where it never did."""
    heads = store.known_heads()
    if corpus.branch not in heads or branch_of(night) not in heads:
        return None
    return heads[corpus.branch], heads[branch_of(night)]


def open_branch(store: Clone, corpus: CorpusSettings, night: str) -> tuple[str, str]:
    """The commits of the base branch and of the night's branch as the remote has them now, brought here.

    A merged night stays open for votes as long as it has its branch: settling again takes them in.

    Raises:
        CorpusError: the night is merged and its branch is gone, or it is not proposed.
    """
    heads = store.heads()
    base = base_commit(store, corpus, heads)
    branch = branch_of(night)
    if branch not in heads and store.blob_id(base, record_path(night)):
        raise CorpusError(
            f"the night {night} is merged already and its branch {branch} is gone; restore that to go on reviewing, or "
            "withdraw a sample with `gristmill retract`"
        )
    if branch not in heads:
        proposed = [name.removeprefix(_NIGHT_BRANCH) for name in heads if name.startswith(_NIGHT_BRANCH)]
        known = f"; there are {', '.join(sorted(proposed))}" if proposed else ""
        raise CorpusError(f"{store.remote} has no branch {branch}{known or '; `gristmill run` proposes a night'}"
                          f"{nearest(night, proposed)}")  # fmt: skip
    store.fetch({branch: heads[branch]})
    return base, heads[branch]
