"""A night full of conversations that want to be more than text: the page shows them and stays a page."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import orjson
import pytest

from corpus.gather import N_CHARACTERS, N_TURNS
from corpus.report import build_report, render, write_report
from tests.corpus.html_check import Page
from tests.corpus.night_folder import NIGHT, Talk, make_night

MARKUP = """<script>document.title='taken'</script></style></title></details></body>{{ 7*7 }}{% raw %}
<img src=https://tracker.invalid/x onerror=alert(1)> <iframe srcdoc="<script>1</script>"></iframe>
[click](javascript:alert(1)) ![x](https://tracker.invalid/pixel.png) [data](data:text/html,hi)
<style>@import url(https://tracker.invalid/y.css)</style><link rel=stylesheet href=https://tracker.invalid/z>
<meta http-equiv=refresh content="0;url=https://tracker.invalid/"> <form action=https://tracker.invalid/><input></form>
\u202eright to left\u202c zero\u200bwidth"""
BOMB = "|" + "a|" * 1_000 + "\n|" + "-|" * 1_000 + "\n" + "x\n" * 1_000


def unlike(n: int) -> str:
    """Words that no other number has: else they would be near-duplicates."""
    return " ".join(f"word{n}x{k}" for k in range(40))


def hostile_talks() -> list[Talk]:
    named = {"source": "<b onclick=x>bot</b>", "model": "</script><script>m", "language": "x\" onclick='1"}
    criteria = {"</dl><script>1</script>": 5.0}
    return [
        Talk((MARKUP, MARKUP + " again"), rating=9.9, criteria=criteria, redactions={"<i>": 1}, **named),
        Talk(tuple(f"turn {n} of very many that say next to nothing" for n in range(10_000)), rating=9.8),
        Talk(("y" * 1_000_000, "z " * 500_000), rating=9.7),
        Talk((BOMB, BOMB + "x"), rating=9.6),
        *[Talk((unlike(n) + '"' * 40_000, "<&>'" * 10_000), rating=9 - n / 100) for n in range(30)],
        *[Talk((unlike(n) + '"' * 40_000, "\u202e" * 40_000), rating=5 - n / 100) for n in range(30, 45)],
    ]


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Path:
    folder = make_night(tmp_path_factory.mktemp("hostile") / NIGHT, hostile_talks(), until="select", unreadable=1)
    lines = [{"file": "</ul><script>1</script>", "reason": "\u202e" * 300, "line": "<b>"}, ["not", "an", "object"]]
    content = b"".join(orjson.dumps(line) + b"\n" for line in lines) + b"not json <script>\xff\n" * 20
    (folder / "pulled.quarantine.jsonl").write_bytes(content)
    proposal = {"message": "<script>1</script>", "n_samples": 34, "state": "proposed"}
    (folder / "proposal.json").write_bytes(orjson.dumps(proposal))
    return folder


@pytest.fixture(scope="module")
def html(night) -> str:
    return render(build_report(night))


def test_no_text_of_the_night_escapes_into_the_page(html):
    """Names of sources, models, languages, criteria and files come from strangers, too."""
    page = Page(html)
    assert page.faults == []
    assert "document.title='taken'" in page.words
    assert "{{ 7*7 }}{% raw %}" in page.words
    assert page.counts["title"] > 1  # charts have titles; the page's own is not taken over
    assert "U+202E" in page.words
    assert "\u202e" not in html


def test_page_stays_small_whatever_the_conversations(html):
    """A page of 30 megabytes is not opened a second time."""
    assert len(html.encode()) < 3_000_000


def test_what_is_left_out_is_counted(night, html):
    """An excerpt that looks whole is a lie."""
    facts = build_report(night)
    long = facts.best[1]
    assert (long.n_turns, len(long.head)) == (10_000, N_TURNS)
    assert long.last.content == "turn 9999 of very many that say next to nothing"
    assert f"{10_000 - N_TURNS - 1:,} turns with" in Page(html).words
    assert f"{1_000_000 - N_CHARACTERS:,} more characters of this turn are not shown" in Page(html).words


def test_policy_of_the_page_forbids_scripts_and_loading(html):
    """The second lock, should the first one break: no script, no frame, no address to send to."""
    policy = html.split('Content-Security-Policy" content="')[1].split('"')[0]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    assert html.index("Content-Security-Policy") < html.index("<style>")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
]  # fmt: skip


def browse(page: Path, log: Path) -> tuple[str, str]:
    """What a browser made of the page, and its log of the network."""
    with tempfile.TemporaryDirectory() as profile:
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"--log-net-log={log}", "--dump-dom", page.as_uri()]
        done = subprocess.run(command, capture_output=True, timeout=90, check=True)
    return done.stdout.decode(), log.read_text(errors="replace")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
def test_browser_shows_the_page_and_asks_nobody_for_anything(night, tmp_path):
    """What our reader of HTML believes, a real browser must believe as well."""
    dom, network = browse(write_report(night, tmp_path / "the night's page.html"), tmp_path / "net.json")
    page = Page(dom)
    assert page.faults == []
    assert page.counts["details"] > 20
    assert "The night of 4 November 2026 · Gristmill" in page.words  # no script has changed the title
    assert "tracker.invalid" in dom
    assert "tracker.invalid" not in network


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
def test_network_log_would_show_a_request(tmp_path):
    """The test above rests on the log: a page that does ask must be seen asking."""
    page = tmp_path / "asks.html"
    page.write_text("<!doctype html><img src='http://tracker.invalid/pixel.png'>")
    assert "tracker.invalid" in browse(page, tmp_path / "net.json")[1]
