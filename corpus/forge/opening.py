"""What all forges have in common: finding before making, so that a second run changes nothing."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from corpus.forge.connection import Connection
from corpus.forge.errors import ExistsAlready, ForgeRefused, ForgeUnavailable
from corpus.forge.pull_request import PullRequest, is_same_text, presentable
from corpus.review import Comment

log = logging.getLogger("gristmill.forge")

_TRIES = 3
"""An answer that got lost on the way is looked for; more in a row is an outage."""


@dataclass(frozen=True)
class Found:
    """A pull request with its words."""

    pull_request: PullRequest
    title: str
    body: str


class HttpForge(ABC):
    """A forge behind an HTTP API; see `corpus.forge.pull_request.Forge`. What differs is below the line."""

    def __init__(self, connection: Connection, project: str) -> None:
        self._connection = connection
        self._project = project

    def open_or_update(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        """See `Forge`."""
        title, body = presentable(title), presentable(body)
        for remaining in reversed(range(_TRIES)):
            if found := self._found(branch):
                return self._updated(found, base, title, body)
            try:
                return self._create(branch, base, title, body)
            except ExistsAlready:
                log.info("%s: somebody opened a pull request of %s meanwhile", self._connection, branch)
            except ForgeUnavailable:
                if not remaining:
                    raise
                log.info("%s: it is unknown whether %s was opened; looking", self._connection, branch)
        raise ForgeRefused(
            f"{self._connection} says that {branch} has a pull request and shows none; look there for one from another "
            "project that is in the way, then run again"
        )

    def find(self, branch: str) -> PullRequest | None:
        """See `Forge`."""
        found = self._found(branch)
        return found.pull_request if found else None

    def close(self, pull_request: PullRequest, comment: str) -> None:
        """See `Forge`."""
        comment = presentable(comment)
        current = self.find(pull_request.head)
        if current and current.number == pull_request.number and current.state == "open":
            self._set_closed(pull_request)
        if not any(is_same_text(one.body, comment) for one in self.comments(pull_request)):
            self._comment(pull_request, comment)

    def _found(self, branch: str) -> Found | None:
        """The open one of those that are of our own branch, else the one opened last."""
        ours = list(self._of_branch(branch))
        return max(ours, key=lambda one: (one.pull_request.state == "open", one.pull_request.number), default=None)

    def _updated(self, found: Found, base: str, title: str, body: str) -> PullRequest:
        pull_request = found.pull_request
        if pull_request.state != "open":
            return pull_request
        if pull_request.base != base:
            raise ForgeRefused(
                f"{pull_request.url} is to be merged into {pull_request.base}, not into {base}: it or "
                "corpus.branch was changed. Mend one of them, then run again"
            )
        if not (is_same_text(found.title, title) and is_same_text(found.body, body)):
            self._edit(pull_request, title, body)
        return pull_request

    # ---- What each forge does in its own way.

    @abstractmethod
    def comments(self, pull_request: PullRequest) -> list[Comment]:
        """See `Forge`."""

    @abstractmethod
    def _of_branch(self, branch: str) -> Iterator[Found]:
        """The pull requests of a branch of the project itself, in any state."""

    @abstractmethod
    def _create(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Opens one. Raises: ExistsAlready."""

    @abstractmethod
    def _edit(self, pull_request: PullRequest, title: str, body: str) -> None:
        """Replaces title and body."""

    @abstractmethod
    def _set_closed(self, pull_request: PullRequest) -> None:
        """Closes it without a merge."""

    @abstractmethod
    def _comment(self, pull_request: PullRequest, text: str) -> None:
        """Adds to the conversation."""
