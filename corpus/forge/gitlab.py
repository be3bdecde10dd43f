"""Merge requests on GitLab: REST API, version 4, asked with python-gitlab.

python-gitlab 8.6 by itself asks the host that a redirect names with the same token (seen on loopback), sleeps as long
as Retry-After says, and reads replies of any size. It takes a session of requests, and that an adapter for the
transport: here the adapter asks our connection (see corpus/forge/beneath.py), which does all of this within bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from gitlab import Gitlab
from gitlab.exceptions import GitlabError
from gitlab.mixins import ListMixin
from gitlab.v4.objects import ProjectMergeRequest, ProjectMergeRequestManager
from pydantic import AwareDatetime, BaseModel
from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter

from corpus.forge.access import Access
from corpus.forge.beneath import Beneath
from corpus.forge.connection import Connection
from corpus.forge.opening import Found, HttpForge
from corpus.forge.pages import PAGE_ENTRIES, not_its_form, shaped
from corpus.forge.patience import Clock
from corpus.forge.pull_request import PullRequest, State
from corpus.forge.remarks import Account, Remark, Words, in_order
from corpus.forge.web import WebAddress
from corpus.review import Comment

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

_API = "/api/v4"

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


class _Adapter(BaseAdapter):
    """Where requests would open a connection, ours is asked. It is told the address and the body alone."""

    def __init__(self, beneath: Beneath) -> None:
        super().__init__()
        self._beneath = beneath

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """An answer of success, whole: what else there is was raised."""
        body = request.body or b""
        handed = self._beneath.ask(
            str(request.method), str(request.url), body if isinstance(body, bytes) else str(body).encode()
        )
        response = Response()
        response.status_code, response.request, response.url = 200, request, str(request.url)
        response.headers.update(handed.headers)
        response.raw = BytesIO(handed.content)
        return response

    def close(self) -> None:
        """The connection is another's."""


class GitLab(HttpForge):
    """A project on GitLab; groups in groups are written owner/group/name."""

    def __init__(self, url: str, project: str, access: Access, clock: Clock) -> None:
        headers = {"Authorization": f"Bearer {access.token}"}
        super().__init__(Connection(f"{url.rstrip('/')}{_API}", headers, access, clock), project)
        self._requests = f"projects/{quote(project, safe='')}/merge_requests"

    def comments(self, pull_request: PullRequest) -> list[Comment]:
        """See `Forge`."""
        number, path = pull_request.number, f"{self._requests}/{pull_request.number}/notes"
        query = {"sort": "asc", "order_by": "created_at"}
        notes = self._listed(self._request(path, number).notes, query, path, _Note)
        said = (Remark(note.id, note.author, note.created_at, note.body) for note in notes if note.is_said_on(number))
        return in_order("gitlab", said)

    def _of_branch(self, branch: str) -> Iterator[Found]:
        query = {"state": "all", "source_branch": branch}
        for request in self._listed(self._manager(self._requests), query, self._requests, _Request):
            if request.source_branch == branch and request.source_project_id == request.target_project_id:
                yield Found(request.pull_request, request.title, request.description or "")

    def _create(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        content = {"source_branch": branch, "target_branch": base, "title": title, "description": body}
        created = self._read(lambda: self._manager(self._requests).create(content), self._requests)
        return shaped(_Request, created, self._connection, self._requests).pull_request

    def _edit(self, pull_request: PullRequest, title: str, body: str) -> None:
        self._update(pull_request, {"title": title, "description": body})

    def _set_closed(self, pull_request: PullRequest) -> None:
        self._update(pull_request, {"state_event": "close"})

    def _update(self, pull_request: PullRequest, content: dict[str, str]) -> None:
        path = f"{self._requests}/{pull_request.number}"
        self._read(lambda: self._manager(path).update(pull_request.number, content), path)

    def _comment(self, pull_request: PullRequest, text: str) -> None:
        path = f"{self._requests}/{pull_request.number}/notes"
        self._read(lambda: self._request(path, pull_request.number).notes.create({"body": text}), path)

    # ---- python-gitlab over our connection.

    def _manager(self, path: str) -> ProjectMergeRequestManager:
        """The project's merge requests, for one call; `path` is what errors call it."""
        session, adapter = Session(), _Adapter(Beneath(self._connection, path))
        session.trust_env = False  # else it looks for passwords in ~/.netrc
        for scheme in ("https://", "http://"):
            session.mount(scheme, adapter)
        client = Gitlab(self._connection.api.removesuffix(_API), session=session)
        return client.projects.get(self._project, lazy=True).mergerequests

    def _request(self, path: str, number: int) -> ProjectMergeRequest:
        return self._manager(path).get(number, lazy=True)

    def _listed(self, manager: ListMixin[Any], query: Mapping[str, str], path: str, model: type[M]) -> Iterator[M]:
        """The entries of a list, page after page, in the forge's order."""
        found = self._read(lambda: manager.list(iterator=True, per_page=PAGE_ENTRIES, **query), path)
        while entry := self._read(lambda: next(found, None), path):
            yield shaped(model, entry, self._connection, path)

    def _read(self, call: Callable[[], T], path: str) -> T:
        """What a call gives. It has an answer of success, so what python-gitlab finds wrong is the answer's form.

        Raises:
            ForgeRefused: it cannot make an object of it; its own error would repeat the answer.
        """
        try:
            return call()
        except (GitlabError, TypeError, ValueError):
            raise not_its_form(self._connection, path) from None
