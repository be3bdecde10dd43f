"""The review page in a real browser: usable by keys alone, by touch, and by anybody."""

import json
import re

import pytest

from tests.corpus.desk_project import ANN, BOB, NIGHT, DeskProject
from tests.corpus.judged_rows import conversation
from tests.flows.browser import CHROMIUM, Browser
from tests.flows.served_desk import Served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]

MARKUP = """<script>document.title='taken'</script><img src=https://tracker.invalid/x onerror="document.title='taken'">
</div></article></main><button data-key=k>Keep</button><style>*{display:none}</style><svg onload=alert(1)>
![pixel](https://tracker.invalid/pixel.png) [click](javascript:document.title='taken') <a href="https://tracker.invalid/">x</a>

| a | b |
|:--|--:|
| 1 | 2 |

\u202eright to left\u202c zero\u200bwidth <iframe src=https://tracker.invalid/f></iframe> {{ 7*7 }} ${7*7}"""


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


def test_ten_thousand_rows_cost_what_twenty_do(empty, serve, browser):
    """The list has only the rows in sight in the document."""
    empty.propose([(conversation(f"Question {n}?", f"Answer {n}."), 5.0 + n % 40 / 10) for n in range(600)])
    served = serve()
    browser.open(served.server.url)
    assert browser.js("document.querySelectorAll('.row').length") < 40
    browser.js("document.getElementById('rows').scrollTop = 1e9")
    browser.until("document.querySelector('.row:last-child').getAttribute('aria-posinset') === '600'")
    assert browser.js("document.querySelectorAll('.row').length") < 40
