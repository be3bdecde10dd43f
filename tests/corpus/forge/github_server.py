"""GitHub on loopback."""

from tests.corpus.forge.forge_server import Answer, ForgeServer, Pull, Refused, Request, Said, fields


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
