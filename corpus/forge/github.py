"""Pull requests on GitHub, github.com or an enterprise server: REST API, version 2022-11-28.

The seven calls are made directly and not through PyGithub 2.10: it reads replies of any size, waits for a limit as long
as the server says, writes whole replies (here: anybody's comments) into its debug log, and lets nobody look between it
and the network but by replacing a class for the whole process. It takes 176 ms to import and brings PyNaCl and PyJWT;
githubkit 0.16 brings 56 MB of generated classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

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


class _Repository(BaseModel):
    full_name: str


class _Branch(BaseModel):
    ref: str
    repo: _Repository | None = None


class _Pull(BaseModel):
    number: int
    html_url: WebAddress
    state: Literal["open", "closed"]
    merged_at: AwareDatetime | None = None
    title: str
    body: str | None = None
    head: _Branch
    base: _Branch

    @property
    def pull_request(self) -> PullRequest:
        state: State = "merged" if self.merged_at else self.state
        return PullRequest(self.number, self.html_url, state, self.head.ref, self.base.ref)


class _Remark(BaseModel):
    """A comment of the conversation, a remark on a line, or a review; each names its pull request in its own way."""

    id: int
    user: Account | None = None
    body: Words = ""
    created_at: AwareDatetime | None = None
    submitted_at: AwareDatetime | None = None
    issue_url: str | None = None
    pull_request_url: str | None = None

    def remark(self, number: int) -> Iterator[Remark]:
        """None when it is on another pull request, or a review that was begun and not sent."""
        at = self.created_at or self.submitted_at
        if at and is_on(self.issue_url or self.pull_request_url, number):
            yield Remark(self.id, self.user, at, self.body)


def api_of(url: str) -> str:
    """Where the API of a GitHub lies: github.com and *.ghe.com have a host for it, enterprise servers a folder."""
    parts = urlsplit(url)
    if parts.hostname == "github.com" or (parts.hostname or "").endswith(".ghe.com"):
        return f"https://api.{parts.hostname}"
    return f"{url.rstrip('/')}/api/v3"


class GitHub(HttpForge):
    """A project on GitHub."""

    def __init__(self, url: str, project: str, access: Access, clock: Clock) -> None:
        headers = {"Authorization": f"Bearer {access.token}", "X-GitHub-Api-Version": "2022-11-28"}
        headers["Accept"] = "application/vnd.github+json, application/json;q=0.9"
        super().__init__(Connection(api_of(url), headers, access, clock), project)
        self._pulls = f"repos/{project}/pulls"
        self._issues = f"repos/{project}/issues"

    def comments(self, pull_request: PullRequest) -> list[Comment]:
        """See `Forge`."""
        number = pull_request.number
        pull = f"{self._pulls}/{number}"
        paths = (f"{self._issues}/{number}/comments", f"{pull}/comments", f"{pull}/reviews")
        found = (entry for path in paths for entry in listed(self._connection, path, _Remark, {}))
        return in_order("github", (remark for entry in found for remark in entry.remark(number)))

    def _of_branch(self, branch: str) -> Iterator[Found]:
        query = {"state": "all", "head": f"{self._project.split('/')[0]}:{branch}"}
        for pull in listed(self._connection, self._pulls, _Pull, query):
            home = pull.head.repo.full_name.lower() if pull.head.repo else None
            if pull.head.ref == branch and home == self._home(pull):
                yield Found(pull.pull_request, pull.title, pull.body or "")

    def _home(self, pull: _Pull) -> str:
        """The project's name of today, which is another one after it moved."""
        return pull.base.repo.full_name.lower() if pull.base.repo else self._project.lower()

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
