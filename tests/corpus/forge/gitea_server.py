"""Gitea, and so Forgejo, on loopback."""

from tests.corpus.forge.forge_server import Answer, ForgeServer, Pull, Refused, Request, Said, fields


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
