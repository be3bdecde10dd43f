"""A reviewer's desk on its server, in a thread of the test."""

import http.client
import json
import threading

from flows.review_server import ReviewServer
from tests.corpus.desk_project import ANN, DeskProject

TOKEN = "a-token-for-tests"


class Served:
    """A desk on its server, in a thread."""

    def __init__(self, project: DeskProject, reviewer=ANN):
        self.project, self.desk = project, project.desk(reviewer)
        self.server = ReviewServer(self.desk, token=TOKEN)
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()

    def ids(self):
        return [sample.id for sample in self.desk.night.samples]

    def ask(self, path, *, method="GET", body=None, **headers):
        """(status, headers, content) of one request as `headers` shape it; underscores stand for dashes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        given = {"Host": f"127.0.0.1:{self.server.port}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection.request(method, path, body, {k: v for k, v in given.items() if v is not None})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def order(self, path, facts, **headers):
        own = {"Origin": f"http://127.0.0.1:{self.server.port}", "Content_Type": "application/json", **headers}
        return self.ask(f"/{TOKEN}/{path}", method="POST", body=json.dumps(facts).encode(), **own)

    def stop(self):
        self.server.stop()
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()
