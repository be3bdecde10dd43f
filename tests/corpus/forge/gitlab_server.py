"""GitLab on loopback."""

from urllib.parse import unquote

from tests.corpus.forge.forge_server import Answer, ForgeServer, Pull, Refused, Request, Said, fields


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
