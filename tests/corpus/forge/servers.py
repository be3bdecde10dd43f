"""Forges on loopback that behave like the real ones as far as we use them, and refuse what those refuse.

Each keeps pull requests and what people say on them. `faults` are answers given before the next ones of its own: to one
request each. Nothing is lenient: a path, a parameter or a field that the forge does not know is refused.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

TOKEN = "".join(("gristmill", "-test-", "token-", "0123456789abcdef"))


@dataclass
class Answer:
    """What the server says; a value becomes JSON, bytes stay as they are."""

    status: int = 200
    value: object = None
    headers: dict[str, str] = field(default_factory=dict)
    is_dropped: bool = False

    @property
    def content(self) -> bytes:
        return self.value if isinstance(self.value, bytes) else json.dumps(self.value).encode()


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: object


@dataclass
class Said:
    """`where` is conversation, review, line or system."""

    id: int
    author: str | None
    text: str
    at: str
    where: str = "conversation"


@dataclass
class Pull:
    """A pull request as the server keeps it."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    state: str = "open"
    is_fork: bool = False
    said: list[Said] = field(default_factory=list)


class Refused(Exception):
    """Carries the answer of a refusal."""

    def __init__(self, status: int, value: object = None) -> None:
        self.answer = Answer(status, value if value is not None else {"message": f"refused with {status}"})


class ForgeServer:
    """What the three have in common. `branches` are those that were pushed."""

    kind = ""
    scheme = "Bearer"

    def __init__(self, project: str = "ann/corpus") -> None:
        self.project = project
        self.pulls: list[Pull] = []
        self.requests: list[Request] = []
        self.faults: list[Answer] = []
        self.fault_of: Callable[[Request], Answer | None] = lambda _: None
        self.branches = {"main", "night/2026-11-04"}
        self.moved_from: str | None = None
        self.fork = "eve/corpus"
        self.url = ""
        self._next_id = 100

    # ---- What people do on the forge.

    def open(self, branch: str, *, is_fork: bool = False, state: str = "open") -> Pull:
        pull = Pull(len(self.pulls) + 1, branch, "main", "a person's title", "a person's words", state, is_fork)
        self.pulls.append(pull)
        return pull

    def say(self, number: int, author: str | None, text: str, at: str, where: str = "conversation") -> Said:
        self._next_id += 1
        said = Said(self._next_id, author, text, at, where)
        self.pull(number).said.append(said)
        return said

    def pull(self, number: int) -> Pull:
        found = [pull for pull in self.pulls if pull.number == number]
        if not found:
            raise Refused(404)
        return found[0]

    # ---- HTTP.

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if self.faults:
            return self.faults.pop(0)
        if fault := self.fault_of(request):
            return fault
        if request.headers.get("authorization") != f"{self.scheme} {TOKEN}":
            return Answer(401, {"message": "Bad credentials"})
        if not request.headers.get("user-agent", "").startswith("gristmill/"):
            return Answer(403, {"message": "a User-Agent is needed"})
        try:
            return self.route(request)
        except Refused as refused:
            return refused.answer

    def route(self, request: Request) -> Answer:
        raise NotImplementedError

    def page(self, request: Request, entries: list[object], size_key: str, known: set[str]) -> Answer:
        """One page with the header Link, as all three write it."""
        if unknown := set(request.query) - known - {size_key, "page"}:
            raise Refused(400, {"message": f"unknown parameters {sorted(unknown)}"})
        size, number = min(int(request.query.get(size_key, 20)), 50), int(request.query.get("page", 1))
        shown = entries[(number - 1) * size : number * size]
        headers = {}
        if number * size < len(entries):
            headers["Link"] = f'<{self.url}{request.path}?page={number + 1}>; rel="next"'
        return Answer(200, shown, headers)


def fields(request: Request, needed: set[str], known: set[str] = frozenset()) -> dict[str, object]:
    """The JSON object sent, with all that is needed and nothing unknown."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(415)
    given = request.content
    if not isinstance(given, dict) or needed - set(given) or set(given) - needed - known:
        raise Refused(422, {"message": "Validation Failed", "errors": [{"code": "missing_field", "field": "?"}]})
    if not all(isinstance(value, (str, bool)) for value in given.values()):
        raise Refused(422, {"message": "fields are texts"})
    return given


@contextmanager
def serving(forge: ForgeServer) -> Iterator[ForgeServer]:
    """Runs the server on a free port of loopback; `forge.url` says which."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 2**16  # head and body in one packet, else the other side's acknowledgement is waited for

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            content = json.loads(raw) if raw else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            answer = forge.answer(Request(self.command, parts.path, query, headers, content))
            if answer.is_dropped:
                self.close_connection = True
                self.connection.shutdown(2)
                return
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json; charset=utf-8", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(answer.content)
                self.wfile.flush()

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 (the names that http.server calls)

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that leaves is no news."""

    server = Quiet(("127.0.0.1", 0), Handler)
    forge.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class GitHubServer(ForgeServer):
    """api/v3, as an enterprise server has it."""

    kind = "github"

    def route(self, request: Request) -> Answer:
        if request.headers.get("x-github-api-version") != "2022-11-28":
            raise Refused(400, {"message": "not a supported version"})
        if not request.headers.get("accept", "").startswith("application/vnd.github+json"):
            raise Refused(415)
        prefix = f"/api/v3/repos/{self.project}/"
        if self.moved_from and request.path.startswith(f"/api/v3/repos/{self.moved_from}/"):
            place = request.path.replace(self.moved_from, self.project, 1)
            query = "&".join(f"{key}={value}" for key, value in request.query.items())
            headers = {"Location": f"{self.url}{place}?{query}"}
            return Answer(301 if request.method == "GET" else 307, {"message": "Moved Permanently"}, headers)
        if not request.path.startswith(prefix):
            raise Refused(404, {"message": "Not Found"})
        match (request.method, *request.path.removeprefix(prefix).split("/")):
            case ("GET", "pulls"):
                return self._list(request)
            case ("POST", "pulls"):
                return self._create(request)
            case ("PATCH", "pulls", number):
                return self._edit(request, self.pull(int(number)))
            case ("GET", "issues", number, "comments"):
                return self._said(request, int(number), "conversation", "issue_url", "issues")
            case ("GET", "pulls", number, "comments"):
                return self._said(request, int(number), "line", "pull_request_url", "pulls")
            case ("GET", "pulls", number, "reviews"):
                return self._said(request, int(number), "review", "pull_request_url", "pulls", "submitted_at")
            case ("POST", "issues", number, "comments"):
                text = str(fields(request, {"body"})["body"])
                said = self.say(int(number), "gristmill", text, "2026-11-05T00:00:00Z")
                return Answer(201, self._shown(said, int(number), "issue_url", "issues", "created_at"))
        raise Refused(404, {"message": "Not Found"})

    def _list(self, request: Request) -> Answer:
        wanted = [self._pull(pull) for pull in reversed(self.pulls)]
        state, head = request.query.get("state", "open"), request.query.get("head")
        wanted = [one for one in wanted if state in ("all", one["state"])]
        if head:
            wanted = [one for one in wanted if one["head"]["label"] == head]
        return self.page(request, wanted, "per_page", {"state", "head", "base", "sort", "direction"})

    def _create(self, request: Request) -> Answer:
        given = fields(request, {"title", "head", "base"}, {"body", "draft", "maintainer_can_modify"})
        branch, base = str(given["head"]), str(given["base"])
        if branch not in self.branches or base not in self.branches or len(str(given["title"])) > 256:
            invalid = {"resource": "PullRequest", "field": "head", "code": "invalid"}
            raise Refused(422, {"message": "Validation Failed", "errors": [invalid]})
        if any(pull.branch == branch and pull.state == "open" and not pull.is_fork for pull in self.pulls):
            there = {"message": f"A pull request already exists for ann:{branch}.", "code": "custom"}
            raise Refused(422, {"message": "Validation Failed", "errors": [there]})
        pull = Pull(len(self.pulls) + 1, branch, base, str(given["title"]), str(given.get("body", "")))
        self.pulls.append(pull)
        return Answer(201, self._pull(pull))

    def _edit(self, request: Request, pull: Pull) -> Answer:
        given = fields(request, set(), {"title", "body", "state", "base"})
        pull.title, pull.body = str(given.get("title", pull.title)), str(given.get("body", pull.body))
        pull.state = str(given.get("state", pull.state))
        return Answer(200, self._pull(pull))

    def _pull(self, pull: Pull) -> dict[str, object]:
        name = self.fork if pull.is_fork else self.project
        owner = name.split("/")[0]
        return {
            "number": pull.number,
            "html_url": f"{self.url}/{self.project}/pull/{pull.number}",
            "state": "closed" if pull.state == "merged" else pull.state,
            "merged_at": "2026-11-05T10:00:00Z" if pull.state == "merged" else None,
            "title": pull.title,
            "body": pull.body.replace("\n", "\r\n") or None,  # as it is after an edit in a browser
            "head": {"ref": pull.branch, "label": f"{owner}:{pull.branch}", "repo": {"full_name": name}},
            "base": {"ref": pull.base, "label": f"ann:{pull.base}", "repo": {"full_name": self.project}},
        }

    def _said(self, request: Request, number: int, where: str, url: str, folder: str, at: str = "created_at") -> Answer:
        entries = [self._shown(one, number, url, folder, at) for one in self.pull(number).said if one.where == where]
        return self.page(request, entries, "per_page", {"since"})

    def _shown(self, said: Said, number: int, url: str, folder: str, at: str) -> dict[str, object]:
        user = {"login": said.author, "type": "User"} if said.author else None
        place = f"{self.url}/api/v3/repos/{self.project}/{folder}/{number}"
        return {"id": said.id, "user": user, "body": said.text, at: said.at, url: place}


class GitLabServer(ForgeServer):
    """api/v4; pages name the next one in X-Next-Page."""

    kind = "gitlab"

    def route(self, request: Request) -> Answer:
        prefix = "/api/v4/projects/"
        parts = request.path.removeprefix(prefix).split("/")
        if not request.path.startswith(prefix) or unquote(parts[0]) != self.project or parts[1] != "merge_requests":
            raise Refused(404, {"message": "404 Project Not Found"})
        match (request.method, *parts[2:]):
            case ("GET",):
                return self._list(request)
            case ("POST",):
                return self._create(request)
            case ("PUT", iid):
                return self._edit(request, self.pull(int(iid)))
            case ("GET", iid, "notes"):
                pull = self.pull(int(iid))
                notes = sorted(pull.said, key=lambda one: (one.at, one.id), reverse=request.query.get("sort") != "asc")
                shown = [self._note(one, pull.number) for one in notes]
                return self.page(request, shown, "per_page", {"sort", "order_by", "activity_filter"})
            case ("POST", iid, "notes"):
                said = self.say(int(iid), "gristmill", str(fields(request, {"body"})["body"]), "2026-11-05T00:00:00Z")
                return Answer(201, self._note(said, int(iid)))
        raise Refused(404, {"error": "404 Not Found"})

    def page(self, request: Request, entries: list[object], size_key: str, known: set[str]) -> Answer:
        answer = super().page(request, entries, size_key, known)
        has_next = answer.headers.pop("Link", None)
        answer.headers["X-Next-Page"] = str(int(request.query.get("page", 1)) + 1) if has_next else ""
        return answer

    def _list(self, request: Request) -> Answer:
        branch = request.query.get("source_branch")
        shown = [self._request(pull) for pull in reversed(self.pulls) if branch in (None, pull.branch)]
        if request.query.get("state", "all") != "all":
            shown = [one for one in shown if one["state"] == request.query["state"]]
        return self.page(request, shown, "per_page", {"state", "source_branch", "target_branch", "order_by", "sort"})

    def _create(self, request: Request) -> Answer:
        known = {"description", "remove_source_branch", "squash", "labels"}
        given = fields(request, {"source_branch", "target_branch", "title"}, known)
        branch, base = str(given["source_branch"]), str(given["target_branch"])
        if branch not in self.branches or base not in self.branches:
            raise Refused(400, {"message": {"source_branch": ["does not exist"]}})
        open_ones = [pull for pull in self.pulls if pull.branch == branch and pull.state == "open" and not pull.is_fork]
        if open_ones:
            words = f"Another open merge request already exists for this source branch: !{open_ones[0].number}"
            raise Refused(409, {"message": [words]})
        pull = Pull(len(self.pulls) + 1, branch, base, str(given["title"]), str(given.get("description", "")))
        self.pulls.append(pull)
        return Answer(201, self._request(pull))

    def _edit(self, request: Request, pull: Pull) -> Answer:
        given = fields(request, set(), {"title", "description", "state_event", "target_branch"})
        if given.get("state_event", "close") not in ("close", "reopen"):
            raise Refused(400, {"error": "state_event does not have a valid value"})
        pull.title, pull.body = str(given.get("title", pull.title)), str(given.get("description", pull.body))
        pull.state = {"close": "closed", "reopen": "open"}.get(str(given.get("state_event")), pull.state)
        return Answer(200, self._request(pull))

    def _request(self, pull: Pull) -> dict[str, object]:
        return {
            "id": 9000 + pull.number,
            "iid": pull.number,
            "web_url": f"{self.url}/{self.project}/-/merge_requests/{pull.number}",
            "state": "opened" if pull.state == "open" else pull.state,
            "title": pull.title,
            "description": pull.body,
            "source_branch": pull.branch,
            "target_branch": pull.base,
            "source_project_id": 8 if pull.is_fork else 7,
            "target_project_id": 7,
        }

    def _note(self, said: Said, iid: int) -> dict[str, object]:
        return {
            "id": said.id,
            "body": said.text,
            "author": {"username": said.author, "name": "?"} if said.author else None,
            "created_at": said.at.replace("Z", ".000Z"),
            "system": said.where == "system",
            "noteable_type": "MergeRequest",
            "noteable_iid": iid,
        }


class GiteaServer(ForgeServer):
    """api/v1; conversations in one piece, empty lists as null, reviews counted in X-Total-Count."""

    kind = "gitea"
    scheme = "token"

    def route(self, request: Request) -> Answer:
        prefix = f"/api/v1/repos/{self.project}/"
        if not request.path.startswith(prefix):
            raise Refused(404, {"message": "The target couldn't be found.", "errors": [], "url": "/api/swagger"})
        match (request.method, *request.path.removeprefix(prefix).split("/")):
            case ("GET", "pulls"):
                return self._list(request)
            case ("POST", "pulls"):
                return self._create(request)
            case ("PATCH", "pulls", number):
                return self._edit(request, self.pull(int(number)))
            case ("GET", "issues", number, "comments"):
                said = [one for one in self.pull(int(number)).said if one.where == "conversation"]
                return Answer(200, [self._comment(one, int(number)) for one in said] or None)  # not in pages
            case ("GET", "pulls", number, "reviews"):
                return self._reviews(request, self.pull(int(number)))
            case ("GET", "pulls", number, "reviews", review, "comments"):
                lines = [one for one in self.pull(int(number)).said if one.where == "line"]
                return Answer(200, [self._comment(one, int(number)) for one in lines if one.id == int(review) + 1000])
            case ("POST", "issues", number, "comments"):
                text = str(fields(request, {"body"})["body"])
                said = self.say(int(number), "gristmill", text, "2026-11-05T00:00:00Z")
                return Answer(201, self._comment(said, int(number)))
        raise Refused(404, {"message": "The target couldn't be found."})

    def _list(self, request: Request) -> Answer:
        if request.query.get("sort", "oldest") not in ("oldest", "recentupdate", "recentclose", "leastupdate"):
            raise Refused(422)
        state = request.query.get("state", "open")
        shown = [self._pull(pull) for pull in reversed(self.pulls)]
        shown = [one for one in shown if state in ("all", one["state"])]
        return self.page(request, shown, "limit", {"state", "sort", "base_branch"})

    def _create(self, request: Request) -> Answer:
        given = fields(request, {"title", "head", "base"}, {"body", "labels", "assignees"})
        branch, base = str(given["head"]), str(given["base"])
        if branch not in self.branches or base not in self.branches:
            raise Refused(404, {"message": "The target couldn't be found."})
        if any(pull.branch == branch and pull.state == "open" and not pull.is_fork for pull in self.pulls):
            raise Refused(409, {"message": "pull request already exists for these targets"})
        pull = Pull(len(self.pulls) + 1, branch, base, str(given["title"]), str(given.get("body", "")))
        self.pulls.append(pull)
        return Answer(201, self._pull(pull))

    def _edit(self, request: Request, pull: Pull) -> Answer:
        given = fields(request, set(), {"title", "body", "state", "base"})
        pull.title, pull.body = str(given.get("title", pull.title)), str(given.get("body", pull.body))
        pull.state = str(given.get("state", pull.state))
        return Answer(201, self._pull(pull))

    def _reviews(self, request: Request, pull: Pull) -> Answer:
        """Reviews with words, and one without for each remark on a line; the count in X-Total-Count, no Link."""
        reviews = [self._review(one, pull.number, 0) for one in pull.said if one.where == "review"]
        for line in (one for one in pull.said if one.where == "line"):
            review = self._review(Said(line.id - 1000, line.author, "", line.at), pull.number, 1)
            reviews.append(review)
        answer = self.page(request, reviews, "limit", set())
        answer.headers = {"X-Total-Count": str(len(reviews))}
        return answer

    def _pull(self, pull: Pull) -> dict[str, object]:
        return {
            "number": pull.number,
            "html_url": f"{self.url}/{self.project}/pulls/{pull.number}",
            "state": "closed" if pull.state == "merged" else pull.state,
            "merged": pull.state == "merged",
            "title": pull.title,
            "body": pull.body,
            "head": {"ref": pull.branch, "label": pull.branch, "repo_id": 8 if pull.is_fork else 7},
            "base": {"ref": pull.base, "label": pull.base, "repo_id": 7},
        }

    def _comment(self, said: Said, number: int) -> dict[str, object]:
        user = {"id": 5, "login": said.author} if said.author else None
        page = f"{self.url}/{self.project}/pulls/{number}"
        return {"id": said.id, "user": user, "body": said.text, "created_at": said.at, "pull_request_url": page}

    def _review(self, said: Said, number: int, n_comments: int) -> dict[str, object]:
        page = f"{self.url}/{self.project}/pulls/{number}"
        facts = {"id": said.id, "user": {"login": said.author}, "body": said.text, "submitted_at": said.at}
        return {**facts, "comments_count": n_comments, "pull_request_url": page, "state": "COMMENT"}


SERVERS = {"github": GitHubServer, "gitlab": GitLabServer, "gitea": GiteaServer}
