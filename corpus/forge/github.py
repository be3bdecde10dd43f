"""Pull requests on GitHub, github.com or an enterprise server: REST API, version 2022-11-28, asked with gidgethub.

gidgethub does no I/O of its own: it leaves the request to a method that its users write, and here that method asks our
connection (see corpus/forge/beneath.py). PyGithub 2.10 has no such place but a class replaced for the whole process. It
writes whole replies (here: anybody's comments) into its debug log, follows a redirect without the query and to any port
of the host, and brings PyNaCl; githubkit 0.16 brings 56 MB of generated classes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from gidgethub.abc import GitHubAPI
from pydantic import AwareDatetime, BaseModel

from corpus.forge.access import Access
from corpus.forge.beneath import Beneath
from corpus.forge.connection import Connection
from corpus.forge.opening import Found, HttpForge
from corpus.forge.pages import PAGE_ENTRIES, shaped
from corpus.forge.patience import Clock
from corpus.forge.pull_request import PullRequest, State
from corpus.forge.remarks import Account, Remark, Words, in_order, is_on
from corpus.forge.web import WebAddress
from corpus.review import Comment

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


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


class _Client(GitHubAPI):
    """gidgethub over our connection; one for each call."""

    def __init__(self, beneath: Beneath) -> None:
        super().__init__("gristmill", base_url=beneath.connection.api)
        self._beneath = beneath

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Asks at once: nothing in it waits for an event loop. All headers are the connection's, not `headers`."""
        handed = self._beneath.ask(method, url, body)
        return 200, handed.headers, handed.content

    async def sleep(self, seconds: float) -> None:
        """Here gidgethub would wait for a limit; it never sees one."""
        raise AssertionError(f"the connection below waits, and never asks for {seconds} s here")


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
        found = (entry for path in paths for entry in self._listed(path, _Remark, {}))
        return in_order("github", (remark for entry in found for remark in entry.remark(number)))

    def _of_branch(self, branch: str) -> Iterator[Found]:
        query = {"state": "all", "head": f"{self._project.split('/')[0]}:{branch}"}
        for pull in self._listed(self._pulls, _Pull, query):
            home = pull.head.repo.full_name.lower() if pull.head.repo else None
            if pull.head.ref == branch and home == self._home(pull):
                yield Found(pull.pull_request, pull.title, pull.body or "")

    def _home(self, pull: _Pull) -> str:
        """The project's name of today, which is another one after it moved."""
        return pull.base.repo.full_name.lower() if pull.base.repo else self._project.lower()

    def _create(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        content = {"title": title, "body": body, "head": branch, "base": base}
        created = _at_once(self._client(self._pulls).post(f"/{self._pulls}", data=content))
        return shaped(_Pull, created, self._connection, self._pulls).pull_request

    def _edit(self, pull_request: PullRequest, title: str, body: str) -> None:
        self._patch(pull_request, {"title": title, "body": body})

    def _set_closed(self, pull_request: PullRequest) -> None:
        self._patch(pull_request, {"state": "closed"})

    def _patch(self, pull_request: PullRequest, content: Mapping[str, str]) -> None:
        path = f"{self._pulls}/{pull_request.number}"
        _at_once(self._client(path).patch(f"/{path}", data=content))

    def _comment(self, pull_request: PullRequest, text: str) -> None:
        path = f"{self._issues}/{pull_request.number}/comments"
        _at_once(self._client(path).post(f"/{path}", data={"body": text}))

    def _client(self, path: str) -> _Client:
        return _Client(Beneath(self._connection, path))

    def _listed(self, path: str, model: type[M], query: Mapping[str, str]) -> Iterator[M]:
        """The entries of a list, page after page, in the forge's order."""
        facts = {**query, "per_page": str(PAGE_ENTRIES)}
        for entry in _each(self._client(path).getiter(f"/{path}{{?query*}}", {"query": facts})):
            yield shaped(model, entry, self._connection, path)


# ---- gidgethub is written for event loops; here it is called without one.


def _each(entries: AsyncGenerator[T, None]) -> Iterator[T]:
    try:
        while True:
            yield _at_once(entries.__anext__())
    except StopAsyncIteration:
        return
    finally:
        _at_once(entries.aclose())


def _at_once(call: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, with or without an event loop in this thread."""
    try:
        call.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise RuntimeError("a call of gidgethub waits for an event loop")
