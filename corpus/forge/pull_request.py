"""A pull request, and what every forge can do with one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol

from corpus.review import Comment

State = Literal["open", "merged", "closed"]

BODY_CHARACTERS = 60_000
"""A longer text is cut: GitHub takes 65,536 characters, the others more."""


@dataclass(frozen=True)
class PullRequest:
    """A pull request (GitLab: merge request) of the corpus's own project.

    `number` is the one people see, `url` is for browsers, `head` the branch proposed, `base` the one it is to be merged
    into. `closed` means closed without a merge.
    """

    number: int
    url: str
    state: State
    head: str
    base: str


class Forge(Protocol):
    """A place where people review pull requests.

    All methods raise ForgeRefused or ForgeUnavailable (both CorpusError), see corpus/forge/errors.py, and may be called
    again after either: what was done is found and not done twice.
    """

    def open_or_update(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        """The pull request of a pushed branch, opened, or its title and body brought up to date; idempotent.

        One that was merged, or that a person closed, is given as it is: it is not opened again, and no second one
        beside it.
        """

    def find(self, branch: str) -> PullRequest | None:
        """The pull request of a branch: the open one, else the one opened last, else None.

        One from a fork does not count, whatever its branch is called.
        """

    def comments(self, pull_request: PullRequest) -> list[Comment]:
        """What people wrote on it, oldest first: conversation, reviews and remarks on lines; see `in_order`.

        What the forge itself notes there is left out.
        """

    def close(self, pull_request: PullRequest, comment: str) -> None:
        """Closes it without a merge, saying why; idempotent. A merged one gets the comment alone."""


def presentable(text: str) -> str:
    """A title or body as a forge takes it: short enough, and no line of it begins as a command of the forge.

    GitLab runs lines such as `/merge` that it finds in descriptions and notes.
    """
    cut = text if len(text) <= BODY_CHARACTERS else text[:BODY_CHARACTERS] + "\n\n(cut: too long for the forge)\n"
    return re.sub(r"(?m)^([ \t]*)/", r"\1\\/", cut)


def is_same_text(one: str, other: str) -> bool:
    """Whether two texts differ at most in what forges change: line ends, and space at the ends."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
