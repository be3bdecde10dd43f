"""The review page: closed to everybody else, and in a real browser usable by keys alone, by touch, and by anybody."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from importlib.resources import files
from pathlib import Path

import pytest

from flows.review_server import POLICY, ReviewServer
from tests.corpus.desk_project import ANN, BOB, NIGHT, DeskProject, git
from tests.corpus.judged_rows import conversation
from tests.flows.browser import CHROMIUM, Browser

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
TOKEN = "a-token-for-tests"

MARKUP = """<script>document.title='taken'</script><img src=https://tracker.invalid/x onerror="document.title='taken'">
</div></article></main><button data-key=k>Keep</button><style>*{display:none}</style><svg onload=alert(1)>
![pixel](https://tracker.invalid/pixel.png) [click](javascript:document.title='taken') <a href="https://tracker.invalid/">x</a>

| a | b |
|:--|--:|
| 1 | 2 |

\u202eright to left\u202c zero\u200bwidth <iframe src=https://tracker.invalid/f></iframe> {{ 7*7 }} ${7*7}"""


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


@pytest.fixture
def empty(tmp_path):
    """A project without a night."""
    project = DeskProject(tmp_path)
    yield project
    project.close()


@pytest.fixture
def project(empty):
    empty.propose()
    return empty


@pytest.fixture
def serve(empty):
    """Serves a desk of the project; ended with the test, whatever happens in it."""
    running = []

    def begin(reviewer=ANN):
        running.append(Served(empty, reviewer))
        return running[-1]

    yield begin
    for served in running:
        served.stop()


@pytest.fixture(scope="module")
def shut(tmp_path_factory):
    """A served night of which every request of a test is to be refused: so one serves for all."""
    project = DeskProject(tmp_path_factory.mktemp("shut"))
    project.propose()
    served = Served(project)
    yield served
    served.stop()
    project.close()


@pytest.fixture
def served(project, serve):  # noqa: ARG001 (the night must be proposed)
    return serve()


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


def said(browser, text):
    """Waits until the page says something."""
    browser.until(f"document.getElementById('said').innerText.includes({json.dumps(text)})")


# The server.


def test_only_this_machine_can_reach_the_page(shut):
    """Conversations that are not published yet must not be read from the next desk."""
    assert shut.server._socket.getsockname()[0] == "127.0.0.1"
    assert shut.server.url == f"http://127.0.0.1:{shut.server.port}/{TOKEN}/"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example", ""])
def test_a_name_that_was_rebound_to_this_machine_is_refused(shut, host):
    """DNS rebinding gives another site our address, but not our name."""
    status, headers, content = shut.ask(f"/{TOKEN}/night", Host=host)
    assert status == 403
    assert b"samples" not in content
    assert headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize(
    "path", ["/", "/night", "/wrong/night", f"//{TOKEN}/night", f"/{TOKEN[:-1]}/night", "/%2e%2e/x"]
)
def test_without_the_token_there_is_nothing(shut, path):
    """Another user of this machine can reach the port, too."""
    status, _, content = shut.ask(path)
    assert status == 404
    assert b"samples" not in content


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_site_can_change_nothing(shut, headers):
    """A page elsewhere can send a request here; it cannot pretend to be the page."""
    one = shut.ids()[0]
    status, _, _ = shut.order("decide", {"id": one, "verdict": "reject"}, **headers)
    assert status == 403
    assert shut.desk.ballot(one) is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "text/plain"),
        (b"not json", "application/json"),
        (b"[]", "application/json"),
        (b"x" * 2**23 + b"y", "application/json"),
    ],
)
def test_a_body_that_is_no_order_is_refused(shut, body, content_type):
    """A form of another site cannot send JSON; a large body cannot fill the memory."""
    origin = f"http://127.0.0.1:{shut.server.port}"
    status, _, content = shut.ask(
        f"/{TOKEN}/decide", method="POST", body=body, Origin=origin, Content_Type=content_type
    )
    assert status == 400
    assert json.loads(content)["message"]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"id": "nothing", "verdict": "keep"},
        {"id": None, "verdict": "burn"},
        {"id": 0, "verdict": "edit", "texts": {"99": "x"}},
        {"id": 0, "verdict": "edit", "texts": {"²": "x"}},
        {"id": 0, "verdict": "edit", "texts": 7},
        {"id": 0, "verdict": "reject", "reason": "\u202e"},
    ],
)
def test_an_order_that_means_nothing_is_refused_with_a_message(shut, facts):
    """Whatever is sent, the answer is a sentence and not a traceback, and nothing is decided."""
    if facts.get("id") in (0, None):
        facts = {**facts, "id": shut.ids()[0]}
    status, _, content = shut.order("decide", facts)
    assert status == 422
    assert json.loads(content)["message"]
    assert shut.desk.progress().n_decided == 0


def test_every_answer_carries_the_policy(shut):
    """No inline script, no frame, nothing from elsewhere: the second lock, should the first one break."""
    for path in ("", "review.js", "night", "no-such-thing", f"samples/{shut.ids()[0]}"):
        _, headers, _ = shut.ask(f"/{TOKEN}/{path}")
        assert headers["Content-Security-Policy"] == POLICY
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
        assert headers["Cache-Control"] == "no-store"
        assert headers["Server"] is None
    assert "unsafe" not in POLICY


def test_the_page_names_no_other_place_and_has_no_inline_code():
    """What is shipped must work without a network."""
    for name in ("review.html", "review.css", "review.js", "review_parts.js", "review_list.js", "review_edit.js"):
        text = files("corpus.page").joinpath(name).read_text()
        assert not re.search(r"https?://|@import|url\(", text)
        assert not re.search(r"<[^>]+\son\w+=|<style|style=", text)


def test_what_is_decided_is_saved_when_the_server_ends(project, serve):
    """Ctrl-C is how people end it."""
    served = serve()
    served.order("decide", {"id": served.ids()[0], "verdict": "keep"})
    assert project.decisions() == []
    served.stop()
    assert [line["verdict"] for line in project.decisions()] == ["keep"]
    assert "1 decision saved" in served.server.last_words


# Contrast, computed from the properties that the page uses.


def palettes() -> dict[str, dict[str, str]]:
    css = files("corpus.page").joinpath("review.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    read = [dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in (light, dark)]
    assert read[0].keys() == read[1].keys()
    return {"light": read[0], "dark": read[1]}


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: the ratio of relative luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


GROUNDS = ("ground", "raised", "sunk")
TEXTS = [
    *[(ink, ground) for ink in ("ink", "quiet", "accent") for ground in GROUNDS],
    *[(ink, "ground") for ink in ("keep", "reject", "edit")],
    *[(ink, "raised") for ink in ("keep", "reject", "edit")],
    *[("ink", f"{verdict}-ground") for verdict in ("keep", "reject", "edit")],
    *[("accent", f"{verdict}-ground") for verdict in ("keep", "reject", "edit")],
    ("reject", "reject-ground"), ("on-fill", "keep"), ("mark-ink", "mark"),
]  # fmt: skip
EDGES = [("edge", "ground"), ("focus", "ground"), ("focus", "raised"), ("bar", "sunk"), ("bar", "ground")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("one", "other", "least"), [*[(*t, 4.5) for t in TEXTS], *[(*e, 3.0) for e in EDGES]])
def test_colours_can_be_told_apart(scheme, one, other, least):
    """WCAG AA: 4.5 to 1 for text, 3 to 1 for edges of controls, focus and bars."""
    colours = palettes()[scheme]
    assert contrast(colours[one], colours[other]) >= least


# The page in a browser.


@pytest.mark.browser
@needs_chromium
def test_a_night_is_reviewed_by_keys_alone(project, serve, browser):
    """Keep, reject with a reason, skip, move, undo, save: no pointer is touched."""
    served = serve()
    ids = served.ids()
    browser.open(served.server.url)
    assert browser.text("#left") == "0 decided, 6 left"
    assert browser.text(".head h2") == "1 of 6"
    browser.key("k")
    said(browser, "Kept. 5 left.")
    browser.key("r")
    browser.until("document.getElementById('reject').open")
    browser.key("1")
    said(browser, "Rejected. 4 left.")
    browser.key("r")
    browser.until("document.getElementById('reject').open")
    browser.key("x")  # any letter begins a reason of one's own
    browser.until("document.activeElement.id === 'reason'")
    browser.write(" is how it ends")
    browser.key("Enter")
    said(browser, "Rejected. 3 left.")
    browser.key("s")
    browser.until("document.querySelector('.head h2').innerText === '5 of 6'")
    browser.key("h", "h")
    browser.until("document.querySelector('.head h2').innerText.startsWith('3')")
    browser.key("u")
    said(browser, "undecided again")
    assert [served.desk.ballot(one) and served.desk.ballot(one).verdict for one in ids[:4]] == [
        "keep",
        "reject",
        None,
        None,
    ]
    assert served.desk.ballot(ids[1]).reason == "is wrong"
    browser.key("w")
    said(browser, "2 decisions saved")
    assert len(project.decisions()) == 2
    browser.key("u")
    said(browser, "undecided again")
    browser.key("w")
    said(browser, "1 decision saved")
    assert len(project.decisions()) == 1
    browser.click("#finish")
    browser.until("document.body.innerText.includes('Done. Thank you.')")
    assert browser.console == []


@pytest.mark.browser
@needs_chromium
def test_an_edit_shows_what_changes_before_it_is_kept(served, browser):
    """Escape leads back at each stage; the diff is of words; what is kept is what was typed."""
    one = served.ids()[0]
    browser.open(served.server.url)
    browser.key("e")
    browser.until("document.activeElement.tagName === 'TEXTAREA'")
    browser.key("Enter", control=True)
    browser.until("document.getElementById('alert').innerText.includes('Nothing is changed')")
    browser.js("document.activeElement.value = document.activeElement.value.replace('surely', 'certainly')")
    browser.key("Enter", control=True)
    browser.until("document.querySelector('.diff ins')")
    assert (browser.text(".diff del"), browser.text(".diff ins")) == ("surely", "certainly")
    assert served.desk.ballot(one) is None
    browser.key("Escape")
    browser.until("document.activeElement.tagName === 'TEXTAREA'")
    browser.key("Enter", control=True)
    browser.until("document.querySelector('.diff ins')")
    browser.key("Enter", control=True)
    said(browser, "Edited. 5 left.")
    assert served.desk.ballot(one).messages[1]["content"].endswith("certainly.")
    browser.key("h")
    browser.until("document.querySelector('.verdict.edit')")
    assert "certainly" in browser.text("#conversation > .turn.assistant .text")


@pytest.mark.browser
@needs_chromium
def test_what_others_decided_appears_after_ones_own_decision(project, serve, browser):
    """The page must not know before: what is not sent cannot be peeked at."""
    bob = project.desk(BOB)
    one = bob.night.samples[0].id
    bob.decide(one, "reject", reason="a reason of Bob's")
    bob.save()
    served = serve()
    browser.open(served.server.url)
    assert "Bob" not in browser.js(f"fetch('samples/{one}').then(r => r.text())")
    browser.key("k")
    said(browser, "Kept")
    browser.key("h")
    browser.until("document.querySelector('.verdict .others')")
    assert "rejected it: a reason of Bob's" in browser.text(".verdict .others")


@pytest.mark.browser
@needs_chromium
def test_list_filter_and_search_lead_to_samples(served, browser):
    """Six samples or ten thousand: one finds the one that one wants."""
    browser.open(served.server.url)
    browser.key("/")
    browser.until("document.activeElement.id === 'search'")
    browser.write("10")
    browser.until("document.querySelectorAll('.row').length === 1")
    browser.key("Enter")
    browser.until("document.querySelector('#conversation').innerText.includes('What is 5 plus 5?')")
    browser.key("Escape")
    browser.until("document.activeElement.tagName !== 'BODY'")
    browser.js("document.getElementById('search').value = ''")
    browser.js("document.getElementById('search').dispatchEvent(new Event('input'))")
    browser.until("document.querySelectorAll('.row').length === 6")
    browser.js(
        "const f = document.getElementById('filter'); f.value = 'doubtful'; f.dispatchEvent(new Event('change'))"
    )
    n_doubtful = sum(sample.is_doubtful for sample in served.desk.night.samples)
    browser.until(f"document.querySelectorAll('.row').length === {n_doubtful}")
    browser.key("c")
    browser.until("document.getElementById('about').innerText.includes('alike')")


@pytest.mark.browser
@needs_chromium
def test_a_corpus_out_of_reach_is_said_and_tried_again(served, browser):
    """The reviewer must know where the decisions are, and what to do."""
    browser.open(served.server.url)
    browser.key("k")
    said(browser, "Kept")
    away = served.project.remote.rename(served.project.root / "away.git")
    browser.key("w")
    browser.until("document.getElementById('alert').innerText.includes('kept on this machine')")
    away.rename(served.project.remote)
    browser.click("#alert button")
    said(browser, "1 decision saved")
    assert browser.text("#alert") == ""


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("is_phone", [False, True])
def test_hostile_conversations_stay_text_in_their_frame(empty, serve, browser, is_phone):
    """No script, no request, no second button, no page wider than its window, however long the word or the talk."""
    long_talk = conversation(*(f"turn {n} of very many" for n in range(10_000)))
    talks = [conversation(MARKUP, MARKUP), conversation("y" * 100_000, "Z\u0310\u0311\u0312" * 3000), long_talk]
    empty.propose([(talk, 5.0 + n) for n, talk in enumerate(talks)])
    served = serve()
    browser.requests.clear()
    browser.console.clear()
    browser.open(served.server.url, width=390 if is_phone else 1280, height=844, is_phone=is_phone)
    for number in (1, 2, 3):
        browser.until(f"document.querySelector('.head h2').innerText === '{number} of 3'")
        assert browser.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert browser.js("document.title") == f"Review {NIGHT} · Gristmill"
        assert browser.js("document.querySelectorAll('[data-key=k]').length") == 1
        assert (
            browser.js(
                "document.querySelectorAll('.text :is(a, img, script, style, iframe, button, svg, [style])').length"
            )
            == 0
        )
        assert browser.js("document.querySelectorAll('.turn').length") < 60
        sides = "[...document.querySelectorAll('.turn')].map(e => e.getBoundingClientRect())"
        assert browser.js(f"{sides}.every(r => r.left >= -1 && r.right <= innerWidth + 1)")
        browser.key("j")
    assert browser.text(".turn:last-child .text") == "turn 9999 of very many"
    browser.click(".between button")
    browser.until("document.querySelectorAll('.turn').length > 70")
    assert {re.sub(r"^(https?://[^/]+).*", r"\1", url) for url in browser.requests if url.startswith("http")} == {
        f"http://127.0.0.1:{served.server.port}"
    }
    assert browser.console == []
    browser.key("h", "h")
    browser.until("document.querySelector('.head h2').innerText === '1 of 3'")
    assert "[U+202E]" in "[" + browser.text("mark.hidden") + "]"


@pytest.mark.browser
@needs_chromium
def test_the_page_works_by_touch_on_a_phone(served, browser):
    """Every order has a button of a finger's size in sight, and the list opens over the page."""
    browser.open(served.server.url, width=390, height=844, is_phone=True)
    shown = "[...document.querySelectorAll('#deciding button')].map(e => e.getBoundingClientRect())"
    assert browser.js(f"{shown}.every(r => r.height >= 36 && r.left >= 0 && r.right <= 390 && r.bottom <= 844)")
    browser.click('[data-key="k"]')
    said(browser, "Kept. 5 left.")
    browser.click('[data-key="r"]')
    browser.until("document.getElementById('reject').open")
    browser.click("#reasons button:nth-child(2)")
    said(browser, "Rejected. 4 left.")
    browser.click("#open-list")
    browser.until("document.activeElement.id === 'search'")
    browser.click("#rows li:nth-child(5) button")
    browser.until("document.querySelector('.head h2').innerText === '5 of 6'")
    assert browser.js("getComputedStyle(document.getElementById('list')).display") == "none"
    browser.click('[data-key="u"]')
    said(browser, "undecided again")


@pytest.mark.browser
@needs_chromium
def test_names_roles_and_focus_are_there_for_who_cannot_see(served, browser):
    """Landmarks, names of controls, announcements, a focus that moves with the sample, and no two equal ids."""
    browser.open(served.server.url)
    named = "e => (e.innerText || e.getAttribute('aria-label') || e.labels?.[0]?.innerText || '').trim()"
    controls = "[...document.querySelectorAll('button, input, select, textarea')]"
    assert browser.js(f"{controls}.filter(e => !({named})(e)).map(e => e.outerHTML)") == []
    ids = "[...document.querySelectorAll('[id]')].map(e => e.id)"
    assert browser.js(f"{ids}.length === new Set({ids}).size")
    assert browser.js(
        "['header', 'nav', 'main', 'aside', 'footer'].every(t => document.querySelectorAll(t).length === 1)"
    )
    assert browser.js("document.documentElement.lang") == "en"
    assert browser.js("['said', 'found'].every(id => document.getElementById(id).getAttribute('role') === 'status')")
    browser.key("j")
    browser.until("document.activeElement.id === 'conversation'")
    browser.key("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert browser.js(f"document.activeElement.id !== 'conversation' && {outline}") == "solid"


@pytest.mark.browser
@needs_chromium
def test_ten_thousand_rows_cost_what_twenty_do(empty, serve, browser):
    """The list has only the rows in sight in the document."""
    empty.propose([(conversation(f"Question {n}?", f"Answer {n}."), 5.0 + n % 40 / 10) for n in range(600)])
    served = serve()
    browser.open(served.server.url)
    assert browser.js("document.querySelectorAll('.row').length") < 40
    browser.js("document.getElementById('rows').scrollTop = 1e9")
    browser.until("document.querySelector('.row:last-child').getAttribute('aria-posinset') === '600'")
    assert browser.js("document.querySelectorAll('.row').length") < 40


# The command.


def test_the_command_prints_the_address_and_saves_when_it_is_ended(project):
    """A person ends it with Ctrl-C, a service manager with SIGTERM; both must save."""
    (project.root / "gristmill.toml").write_text('[corpus]\nremote = "corpus.git"\n')
    program = [Path(sys.executable).parent / "gristmill", "review", NIGHT, "--no-browser", "--json"]
    started = subprocess.Popen(
        [*program, "--as", "Ann Reader <ann@example.org>"], cwd=project.root, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    facts = json.loads("".join(iter(lambda: started.stdout.readline(), "}\n")) + "}")
    assert (facts["night"], facts["samples"], facts["decided"]) == (NIGHT, 6, 0)
    again = subprocess.run(
        [*program, "--as", "Ann Reader <ann@example.org>"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(again.stdout)["url"] == facts["url"], again.stderr
    port, token = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/([\w-]{32})/", facts["url"]).groups()
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    connection.request("GET", f"/{token}/night")
    first = json.loads(connection.getresponse().read())["samples"][0]["id"]
    headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}"}
    connection.request("POST", f"/{token}/decide", json.dumps({"id": first, "verdict": "keep"}), headers)
    assert connection.getresponse().status == 200
    connection.close()
    started.send_signal(signal.SIGTERM)
    _, told = started.communicate(timeout=30)
    assert started.returncode == 0, told
    assert "1 decision saved to the corpus" in told
    assert [line["sample_id"] for line in project.decisions()] == [first]
    assert git(project.remote, "log", "-1", "--format=%ae", f"night/{NIGHT}") == "ann@example.org"


def test_the_command_says_what_is_missing(project, tmp_path):
    """Without a name nothing can be committed; without a night there is nothing to read."""
    (project.root / "gristmill.toml").write_text('[corpus]\nremote = "corpus.git"\n')
    program = [Path(sys.executable).parent / "gristmill", "review", "--no-browser", "--json"]
    environment = {"PATH": shutil.os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(program, cwd=project.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--as" in json.loads(done.stdout)["message"]
