"""Pull requests on Gitea and Forgejo: REST API, version 1, as the server itself describes it at /swagger.v1.json.

No client on the package index does what is needed here (looked at in November 2026). py-gitea 0.2.10 (2025) knows no
pull request, python-gitea 0.6.0 (2026, alpha) no comment and no review, and pins aiohttp, pydantic and typer to single
versions; giteapy, gitea-client and gitea-api were generated in 2020 and 2021 for the servers of then; pyforgejo 2.0.7
is 4 MB generated from Forgejo's description, by one person. So the calls are made here, over the same connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Literal

from pydantic import AwareDatetime, BaseModel

from corpus.forge.access import Access
from corpus.forge.connection import Connection
from corpus.forge.opening import Found, HttpForge
from corpus.forge.pages import listed, shaped
from corpus.forge.patience import Clock
from corpus.forge.pull_request import PullRequest, State
from corpus.forge.remarks import Account, Remark, Words, in_order, is_on
from corpus.forge.web import WebAddress
from corpus.review import Comment

_CLOSED_LOOKED_AT = 1000
"""There is no search by branch: of those closed, the ones touched last are looked at, almost three years of nights."""


class _Branch(BaseModel):
    ref: str
    repo_id: int | None = None


class _Pull(BaseModel):
    number: int
    html_url: WebAddress
    state: Literal["open", "closed"]
    merged: bool | None = False
    title: str
    body: str | None = None
    head: _Branch
    base: _Branch

    @property
    def pull_request(self) -> PullRequest:
        state: State = "merged" if self.merged else self.state
        return PullRequest(self.number, self.html_url, state, self.head.ref, self.base.ref)


class _Said(BaseModel):
    """A comment of the conversation, a remark on a line, or a review."""

    id: int
    user: Account | None = None
    body: Words = ""
    created_at: AwareDatetime | None = None
    submitted_at: AwareDatetime | None = None
    pull_request_url: str | None = None
    comments_count: int = 0

    def remark(self, number: int) -> Iterator[Remark]:
        """None when it is on another pull request, or a review that was begun and not sent."""
        at = self.created_at or self.submitted_at
        if at and is_on(self.pull_request_url, number):
            yield Remark(self.id, self.user, at, self.body)


class Gitea(HttpForge):
    """A project on Gitea or Forgejo."""

    def __init__(self, url: str, project: str, access: Access, clock: Clock) -> None:
        headers = {"Authorization": f"token {access.token}"}
        super().__init__(Connection(f"{url.rstrip('/')}/api/v1", headers, access, clock), project)
        self._pulls = f"repos/{project}/pulls"
        self._issues = f"repos/{project}/issues"

    def comments(self, pull_request: PullRequest) -> list[Comment]:
        """See `Forge`."""
        number = pull_request.number
        return in_order("gitea", (remark for entry in self._said(number) for remark in entry.remark(number)))

    def _said(self, number: int) -> Iterator[_Said]:
        """The conversation, which comes in one piece, then each review with its remarks on lines."""
        yield from self._whole(f"{self._issues}/{number}/comments")
        reviews = f"{self._pulls}/{number}/reviews"
        for review in listed(self._connection, reviews, _Said, {}, size="limit"):
            yield review
            if review.comments_count:
                yield from self._whole(f"{reviews}/{review.id}/comments")

    def _whole(self, path: str) -> Iterator[_Said]:
        for value in self._connection.get(path).value or []:
            yield shaped(_Said, value, self._connection, path)

    def _of_branch(self, branch: str) -> Iterator[Found]:
        for state in ("open", "closed"):
            query = {"state": state, "sort": "recentupdate"}
            pulls = listed(self._connection, self._pulls, _Pull, query, size="limit")
            ours = [
                Found(pull.pull_request, pull.title, pull.body or "")
                for pull in islice(pulls, _CLOSED_LOOKED_AT if state == "closed" else None)
                if pull.head.ref == branch and pull.head.repo_id == pull.base.repo_id
            ]
            if ours:
                yield from ours
                return

    def _create(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        content = {"title": title, "body": body, "head": branch, "base": base}
        reply = self._connection.send("POST", self._pulls, content)
        return shaped(_Pull, reply.value, self._connection, self._pulls).pull_request

    def _edit(self, pull_request: PullRequest, title: str, body: str) -> None:
        self._connection.send("PATCH", f"{self._pulls}/{pull_request.number}", {"title": title, "body": body})

    def _set_closed(self, pull_request: PullRequest) -> None:
        self._connection.send("PATCH", f"{self._pulls}/{pull_request.number}", {"state": "closed"})

    def _comment(self, pull_request: PullRequest, text: str) -> None:
        self._connection.send("POST", f"{self._issues}/{pull_request.number}/comments", {"body": text})
