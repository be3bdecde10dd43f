"""Merge requests on GitLab: REST API, version 4.

The six calls are made directly and not through python-gitlab 8.6: when a server redirects a question to
another host, it asks there with the same PRIVATE-TOKEN (seen on loopback), and it sleeps as long as Retry-After says,
without a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel

from corpus.forge.access import Access
from corpus.forge.connection import Connection
from corpus.forge.opening import Found, HttpForge
from corpus.forge.pages import listed, shaped
from corpus.forge.patience import Clock
from corpus.forge.pull_request import PullRequest, State
from corpus.forge.remarks import Account, Remark, Words, in_order
from corpus.forge.web import WebAddress
from corpus.review import Comment

_STATES: dict[str, State] = {"opened": "open", "locked": "open", "closed": "closed", "merged": "merged"}
"""`locked` is a merge request while it is being merged."""


class _Request(BaseModel):
    iid: int
    web_url: WebAddress
    state: Literal["opened", "closed", "locked", "merged"]
    title: str
    description: str | None = None
    source_branch: str
    target_branch: str
    source_project_id: int | None = None
    target_project_id: int

    @property
    def pull_request(self) -> PullRequest:
        return PullRequest(self.iid, self.web_url, _STATES[self.state], self.source_branch, self.target_branch)


class _Note(BaseModel):
    id: int
    author: Account | None = None
    body: Words = ""
    created_at: AwareDatetime
    system: bool = False
    noteable_iid: int | None = None
    noteable_type: str | None = None

    def is_said_on(self, number: int) -> bool:
        """Whether a person said it on this merge request."""
        return not self.system and self.noteable_iid in (None, number) and self.noteable_type in (None, "MergeRequest")


class GitLab(HttpForge):
    """A project on GitLab; groups in groups are written owner/group/name."""

    def __init__(self, url: str, project: str, access: Access, clock: Clock) -> None:
        headers = {"Authorization": f"Bearer {access.token}"}
        super().__init__(Connection(f"{url.rstrip('/')}/api/v4", headers, access, clock), project)
        self._requests = f"projects/{quote(project, safe='')}/merge_requests"

    def comments(self, pull_request: PullRequest) -> list[Comment]:
        """See `Forge`."""
        number = pull_request.number
        query = {"sort": "asc", "order_by": "created_at"}
        notes = listed(self._connection, f"{self._requests}/{number}/notes", _Note, query)
        said = (Remark(note.id, note.author, note.created_at, note.body) for note in notes if note.is_said_on(number))
        return in_order("gitlab", said)

    def _of_branch(self, branch: str) -> Iterator[Found]:
        query = {"state": "all", "source_branch": branch}
        for request in listed(self._connection, self._requests, _Request, query):
            if request.source_branch == branch and request.source_project_id == request.target_project_id:
                yield Found(request.pull_request, request.title, request.description or "")

    def _create(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        content = {"source_branch": branch, "target_branch": base, "title": title, "description": body}
        reply = self._connection.send("POST", self._requests, content)
        return shaped(_Request, reply.value, self._connection, self._requests).pull_request

    def _edit(self, pull_request: PullRequest, title: str, body: str) -> None:
        content = {"title": title, "description": body}
        self._connection.send("PUT", f"{self._requests}/{pull_request.number}", content)

    def _set_closed(self, pull_request: PullRequest) -> None:
        self._connection.send("PUT", f"{self._requests}/{pull_request.number}", {"state_event": "close"})

    def _comment(self, pull_request: PullRequest, text: str) -> None:
        self._connection.send("POST", f"{self._requests}/{pull_request.number}/notes", {"body": text})
