"""A forge on a bad day: waits as long as it says, within bounds, and ends in a sentence that says what to do."""

import asyncio
import gc
import socket
import sys
from email.utils import formatdate

import pytest

from corpus.forge import ForgeRefused, ForgeUnavailable
from corpus.forge.connection import REPLY_BYTES
from corpus.forge.patience import PATIENCE_S
from tests.corpus.forge.asking import BRANCH, VARIABLE, StillClock, forge_at
from tests.corpus.forge.forge_server import TOKEN, Answer

HTML = Answer(200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("answer", "waited_s"),
    [
        (Answer(429, {"message": "slow down"}, {"Retry-After": "17"}), 17),
        (
            Answer(
                403, {"message": "API rate limit exceeded"}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "{41}"}
            ),
            42,
        ),
        (Answer(403, {"message": "You have exceeded a secondary rate limit"}), 60),
        (Answer(429, {}, {"RateLimit-Remaining": "0", "RateLimit-Reset": "{30}"}), 31),
        (Answer(429, {}, {"Retry-After": "{date}"}), 25),
        (Answer(429, {}, {"Retry-After": "0"}), 1),
        (Answer(429, {}, {"Retry-After": "soon"}), 60),
        (Answer(502, b"<html>502 Bad Gateway</html>", {"Content-Type": "text/html"}), 1),
        (Answer(503, b"", {"Retry-After": "5"}), 5),
        (Answer(is_dropped=True), 1),
        (Answer(200, b'[{"number": 1,', {"Content-Type": "application/json"}), None),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else str(value),
)
def test_what_passes_is_asked_again_after_the_wait_that_the_forge_names(server, answer, waited_s):
    """Sooner is rude and gets a token blocked; later costs the night."""
    clock = StillClock()
    dates = {"{41}": str(int(clock.time) + 41), "{30}": str(int(clock.time) + 30)}
    dates["{date}"] = formatdate(clock.time + 25, usegmt=True)
    answer = Answer(
        answer.status, answer.value, {k: dates.get(v, v) for k, v in answer.headers.items()}, answer.is_dropped
    )
    server.faults.append(answer)
    if waited_s is None:
        with pytest.raises(ForgeUnavailable, match="broken JSON"):
            forge_at(server, clock).find(BRANCH)
        return
    found = forge_at(server, clock).find(BRANCH)
    assert found is not None
    assert clock.waits == [waited_s]


def test_an_outage_ends_after_a_few_tries_and_says_to_come_back(server):
    """A night does not hang on a forge; the waits double: 1, 2, 4, 8 s."""
    clock = StillClock()
    server.fault_of = lambda _: Answer(502, b"<html>", {"Content-Type": "text/html"})
    with pytest.raises(ForgeUnavailable, match="502.*later"):
        forge_at(server, clock).open_or_update(BRANCH, "main", "t", "b")
    assert clock.waits == [1, 2, 4, 8]


def test_an_hour_until_the_quota_is_full_is_not_waited(github):
    """Beyond the patience there is no use in waiting a part of it."""
    clock = StillClock()
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock.time) + 3600)}
    github.fault_of = lambda _: Answer(403, {"message": "API rate limit exceeded"}, headers)
    with pytest.raises(ForgeUnavailable, match="wait 60 minutes"):
        forge_at(github, clock).find(BRANCH)
    assert clock.waits == []


def test_all_waits_together_stay_within_the_patience(github):
    """A forge that always says 'two minutes' must not hold the night for ten."""
    clock = StillClock()
    github.fault_of = lambda _: Answer(429, {}, {"Retry-After": "120"})
    with pytest.raises(ForgeUnavailable):
        forge_at(github, clock).find(BRANCH)
    assert 0 < sum(clock.waits) <= PATIENCE_S


def test_a_limit_met_while_opening_is_waited_for_and_opens_one(server):
    """A limited request was surely not carried out, so it may be sent again."""
    server.pulls.clear()
    limited = []

    def limit(request):
        if request.method == "POST" and not limited:
            limited.append(request)
            return Answer(429, {"message": "slow down"}, {"Retry-After": "3"})
        return None

    server.fault_of = limit
    clock = StillClock()
    assert forge_at(server, clock).open_or_update(BRANCH, "main", "t", "b").number == 1
    assert (clock.waits, len(server.pulls)) == ([3], 1)


def test_a_revoked_token_names_the_variable_and_what_it_must_allow(server):
    """The person who reads it has to make a new one, and must not find the old one in the log."""
    wrong = TOKEN[::-1]
    with pytest.raises(ForgeRefused) as error:
        forge_at(server, token=wrong).open_or_update(BRANCH, "main", "t", "b")
    text = str(error.value)
    assert VARIABLE in text
    assert {"github": "Pull requests", "gitlab": '"api"', "gitea": "write:repository"}[server.kind] in text
    assert wrong not in text
    assert len(server.requests) == 1, "asking again with the same token gets it locked"


def test_a_token_that_may_not_write_is_told_apart_from_a_limit(server):
    """403 means both; only one of them passes."""
    server.fault_of = lambda request: Answer(403, {"message": f"no {TOKEN}"}) if request.method != "GET" else None
    server.pulls.clear()
    clock = StillClock()
    with pytest.raises(ForgeRefused, match=VARIABLE) as error:
        forge_at(server, clock).open_or_update(BRANCH, "main", "t", "b")
    assert clock.waits == []
    assert TOKEN not in str(error.value), "a forge that repeats the token must not bring it into a log"


def test_a_project_that_is_not_there_names_the_setting(server):
    """Private projects look the same as missing ones, by design of the forges."""
    with pytest.raises(ForgeRefused, match=r"forge\.project"):
        forge_at(server, project="ann/nothing").find(BRANCH)


def test_a_web_page_instead_of_an_answer_is_refused(server):
    """A login page or a wrong address answers 200, too."""
    server.faults.append(HTML)
    with pytest.raises(ForgeRefused, match=r"web page.*forge\.url"):
        forge_at(server).find(BRANCH)


@pytest.mark.parametrize(
    "value",
    [
        {"message": "hello"},
        [1],
        ["x"],
        [{}],
        [{"number": "one"}],
        "text",
        7,
        [{"number": 1, "html_url": "javascript:alert(1)"}],
        {"items": [{"number": 1}]},
        [{"iid": [1]}],
        [{"iid": "\ud800"}],
    ],
    ids=str,
)
def test_answers_of_another_shape_are_refused(server, value):
    """Another program at that address, or another kind of forge than the settings say."""
    server.faults.append(Answer(200, value))
    with pytest.raises(ForgeRefused, match="check forge"):
        forge_at(server).find(BRANCH)


def test_deeply_nested_json_does_not_crash(github):
    """Ten thousand brackets must not end the process."""
    github.faults.append(Answer(200, b"[" * 100_000))
    with pytest.raises((ForgeRefused, ForgeUnavailable)):
        forge_at(github).find(BRANCH)


def test_json_that_only_the_client_finds_too_deep_does_not_crash_either(server):
    """A client reads the reply again from some calls further down, where fewer brackets end the process."""
    forge, limit = forge_at(server), sys.getrecursionlimit()
    gc.collect()  # else what tests before left is cleared away where no call is left for it
    for depth in range(limit - 200, limit, 5):
        server.faults.append(Answer(200, b'[{"a": ' + b"[" * depth + b"]" * depth + b"}]"))
        with pytest.raises((ForgeRefused, ForgeUnavailable)):
            forge.find(BRANCH)


def test_a_reply_without_end_is_refused(github):
    """Memory is bounded whatever is sent."""
    github.fault_of = lambda _: Answer(200, b"[" + b"1," * (REPLY_BYTES // 2 + 1) + b"1]")
    with pytest.raises(ForgeRefused, match="64 MiB"):
        forge_at(github).find(BRANCH)


def test_a_reply_that_drips_is_given_up(github):
    """A byte now and then keeps a connection alive for ever."""
    ticking = StillClock()

    def fault(_):
        ticking.time += 200.0
        return Answer(200, b"x")

    github.fault_of = fault
    with pytest.raises(ForgeUnavailable, match="does not end"):
        forge_at(github, ticking).find(BRANCH)


def test_nobody_at_the_address_is_an_outage(server):
    """The laptop is offline; the branch may wait."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server.url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ForgeUnavailable):
            forge_at(server).find(BRANCH)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "-", "X-RateLimit-Reset": "1e400"},
        {"Content-Type": "application/json; charset=rot13"},
        {"Link": "<" * 60_000},
        {"Retry-After": "9" * 30, "RateLimit-Reset": "never", "X-Page": "one", "Location": "http://127.0.0.1:1/"},
        {"Set-Cookie": "a=b", "Content-Encoding": "identity", "X-Per-Page": "NaN", "X-Total": "-1"},
    ],
    ids=lambda value: next(iter(value)),
)
def test_odd_headers_of_a_good_answer_change_nothing(server, headers):
    """Clients read numbers, character sets and links from headers, and believe them; one takes minutes over a link."""
    asked = server.route

    def odd(request):
        answer = asked(request)
        return Answer(answer.status, answer.value, {**answer.headers, **headers})

    server.route = odd
    clock = StillClock()
    found = forge_at(server, clock).find(BRANCH)
    assert found is not None and clock.waits == []


def test_empty_pages_without_end_are_refused(server):
    """A client turns empty pages for ever, or until it has no stack left."""
    headers = {"Link": f'<{server.url}?page=9>; rel="next"', "X-Next-Page": "9"}
    server.fault_of = lambda _: Answer(200, [], headers)
    with pytest.raises(ForgeRefused, match="lists more"):
        forge_at(server).find(BRANCH)
    assert len(server.requests) < 1000


def test_a_forge_can_be_asked_where_an_event_loop_runs(server):
    """The night is a flow; a client written for event loops must neither need one nor mind one."""

    async def inside() -> object:
        return forge_at(server).find(BRANCH)

    assert asyncio.run(inside()) == forge_at(server).find(BRANCH) is not None
