"""A cascade: the dear judge is asked only where the cheap one is unsure, is never paid twice, and is never guessed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.cascade import CascadeJudge
from judges.choose import embedded_settings, learner_settings, make_judge
from judges.members import Member
from judges.panel import PanelJudge
from judges.step import CHUNK, JudgeStep
from judges.verdicts import VerdictStore
from schemas.conversation import content_id
from schemas.errors import SettingsError
from schemas.outcome import Held, Kept
from schemas.settings import JudgeSettings, NamedJudgeSettings, Settings, parse_settings
from schemas.verdict import Unrated, Verdict
from tests.judges import servers
from tests.judges.saying_judge import DOWN, NO_NUMBER, TOO_LONG, Said, SayingJudge, member, talk
from tests.judges.test_panel import rows

SAID = st.one_of(
    st.floats(1, 10),
    st.tuples(st.floats(1, 10), st.floats(0, 1), st.floats(0, 0.5)),
    st.sampled_from([DOWN, TOO_LONG, NO_NUMBER]),
)


def cascade_of(*members: Member | SayingJudge, margin: float = 1.0, max_uncertainty: float = 0.2) -> CascadeJudge:
    made = [one if isinstance(one, Member) else Member(one.identity.name, one) for one in members]
    return CascadeJudge(made, threshold=6.0, margin=margin, max_uncertainty=max_uncertainty)


def one_of(said: Said, then: Said) -> tuple[Verdict | Unrated, int]:
    """The verdict on one conversation, and how often the second judge was asked."""
    second = SayingJudge("second", lambda _: then)
    (result,) = cascade_of(member("first", lambda _: said), second).judge([talk(1)])
    return result, len(second.asked)


@pytest.mark.parametrize("said", [7.0, 5.0, (7.5, 0.72, 0.2), (1.0, 0.0, 0.0)])
def test_a_sure_first_judge_has_the_word(said: Said) -> None:
    """At the margin's edge it is sure; an uncertainty at the bound is none above it."""
    result, n_asked = one_of(said, 10.0)
    assert isinstance(result, Verdict)
    assert (result.rating, n_asked) == (said[0] if isinstance(said, tuple) else said, 0)
    assert result.judge.name == "cascade"


@pytest.mark.parametrize("said", [6.9, 5.1, (9.0, 0.89, 0.21), TOO_LONG, NO_NUMBER])
def test_an_unsure_first_judge_hands_over(said: Said) -> None:
    """Near the threshold, uncertain by itself, or unable to rate; the second one's word stands, unsure or not."""
    result, n_asked = one_of(said, 6.1)
    assert isinstance(result, Verdict)
    assert (result.rating, n_asked) == (6.1, 1)
    assert result.features["rating_second"] == 6.1
    assert result.n_tokens == (10 if isinstance(said, Unrated) else 20)
    assert ("rating_first" in result.features) == (not isinstance(said, Unrated))


@pytest.mark.parametrize("down", [DOWN, TOO_LONG, NO_NUMBER])
def test_without_the_second_judge_the_first_ones_doubt_is_no_verdict(down: Unrated) -> None:
    """Its rating was not good enough while the other was up, so it is not now; the conversation is held."""
    result, n_asked = one_of(6.5, down)
    assert result == Unrated(down.reason, f"second: {down.evidence}", down.is_retryable)
    assert n_asked == 1


def test_what_it_is_about_is_told_by_the_judge_that_knows() -> None:
    """An endpoint has no sentence model; the embedding of the judge that was asked first must not get lost."""
    first = SayingJudge("first", lambda _: 6.1, embedding="00112233.3:AQID")
    (result,) = cascade_of(first, SayingJudge("second", lambda _: 9.0)).judge([talk(1)])
    assert isinstance(result, Verdict)
    assert (result.rating, result.embedding) == (9.0, "00112233.3:AQID")
    panel = PanelJudge([member("mute", lambda _: 6.0), Member("first", first)], combine="mean", max_disagreement=9.0)
    (result,) = panel.judge([talk(1)])
    assert isinstance(result, Verdict)
    assert result.embedding == "00112233.3:AQID"


def test_the_second_judge_is_not_paid_for_the_firsts_outage() -> None:
    """A first judge that is down for a night would send everything to the dear one."""
    result, n_asked = one_of(DOWN, 9.0)
    assert result == Unrated("unrated_no_reply", "first: nobody there", is_retryable=True)
    assert n_asked == 0


@given(st.lists(SAID, min_size=1, max_size=12), st.floats(0, 5), st.floats(0, 0.5))
def test_counts_add_up_and_only_the_unsure_are_asked(said: list[Said], margin: float, bound: float) -> None:
    """Each judge is asked exactly what left the one before unsure, in the order of the input."""
    first, second = SayingJudge("first", lambda n: said[n]), SayingJudge("second", lambda n: said[-1 - n])
    third = SayingJudge("third", lambda n: 5.0)
    cascade = cascade_of(first, second, third, margin=margin, max_uncertainty=bound)
    results = list(cascade.judge([talk(n) for n in range(len(said))]))
    assert len(results) == len(said)
    answers = [next(iter(SayingJudge("x", lambda n: said[n]).judge([talk(n)]))) for n in range(len(said))]
    assert second.asked == [n for n, answer in enumerate(answers) if cascade.is_unsure(answer)]
    assert set(third.asked) <= set(second.asked)
    for work, judge in zip(cascade.work(), (first, second, third), strict=True):
        assert work.n_asked == len(judge.asked) == work.n_judged + work.n_from_store + work.n_unrated
        assert work.share == round(len(judge.asked) / len(said), 4)
    for n, result in enumerate(results):
        last = next(judge for judge in (third, second, first) if n in judge.asked)
        if isinstance(result, Verdict):
            assert result.rating == result.features[f"rating_{last.identity.name}"]


@given(st.lists(st.one_of(st.floats(1, 5), st.floats(7, 10)), min_size=1, max_size=9))
def test_a_judge_that_is_always_sure_never_costs_anything(ratings: list[float]) -> None:
    """The second one is not even called: an endpoint may be off as long as nobody needs it."""
    second = SayingJudge("second", lambda _: 5.0)
    results = list(
        cascade_of(member("first", lambda n: ratings[n]), second).judge([talk(n) for n in range(len(ratings))])
    )
    assert [result.rating for result in results if isinstance(result, Verdict)] == ratings
    assert second.calls == []


def test_the_unsure_are_asked_in_batches_and_the_stream_stays_a_stream() -> None:
    """One call a window: an endpoint works on several at once, and a night may hold more than memory does."""
    first, second = SayingJudge("first", lambda n: 6.0 if n % 4 else 9.0), SayingJudge("second", lambda n: 1.0 + n % 5)
    results = cascade_of(first, second).judge([talk(n) for n in range(3 * CHUNK)])
    taken = [next(results) for _ in range(CHUNK)]
    assert first.calls == [CHUNK]
    assert second.calls == [CHUNK * 3 // 4]
    rest = [*taken, *results]
    assert [one.rating for one in rest if isinstance(one, Verdict)] == [
        1.0 + n % 5 if n % 4 else 9.0 for n in range(3 * CHUNK)
    ]


def test_a_panel_that_disagrees_hands_over() -> None:
    """Two cheap judges that are far apart are unsure together, whatever their mean."""
    jury = PanelJudge([member("a", lambda _: 2.0), member("b", lambda n: 9.0 if n else 2.0)])
    dear = SayingJudge("dear", lambda _: 8.0)
    cascade = cascade_of(Member("jury", jury), dear)
    results = list(cascade.judge([talk(0), talk(1)]))
    assert [one.rating for one in results if isinstance(one, Verdict)] == [2.0, 8.0]
    assert dear.asked == [1]
    assert [(one.name, one.n_asked, one.share) for one in cascade.work()] == [
        ("jury/a", 2, 1.0), ("jury/b", 2, 1.0), ("dear", 1, 0.5),
    ]  # fmt: skip
    assert isinstance(results[0], Verdict)
    assert {"rating_a", "rating_b", "rating_jury", "disagreement"} <= set(results[0].features)


def test_the_identity_names_members_in_order_and_all_bounds() -> None:
    """Another order, bound or member is another judge, and judges anew."""
    a, b = (lambda: member("a", lambda _: 5.0)), (lambda: member("b", lambda _: 5.0))
    judges = [
        cascade_of(a(), b()),
        cascade_of(b(), a()),
        cascade_of(a(), b(), margin=2.0),
        cascade_of(a(), b(), max_uncertainty=0.1),
        CascadeJudge([a(), b()], threshold=5.0, margin=1.0, max_uncertainty=0.2),
    ]
    assert len({judge.identity.digest() for judge in judges}) == 5
    assert judges[0].identity.model == "a (m), then b (m)"


def settings_of(url: str, script: str = "first.jsonl", **cascade: Any) -> Settings:
    return parse_settings(
        {
            "judge": {"kind": "cascade", "members": ["small", "large"], **cascade},
            "judges": [
                {"name": "small", "kind": "scripted", "script": script},
                {"name": "large", "kind": "endpoint", "endpoint_url": url, "endpoint_model": "m",
                 "endpoint_concurrency": 1, "endpoint_timeout_s": 5.0, "endpoint_price_per_million_tokens": 3.0},
            ],
        }
    )  # fmt: skip


def write_script(folder: Path, n: int, sure: int) -> None:
    """Of n conversations every `sure`-th is rated 9, the others are near the threshold."""
    lines = [{"content_id": content_id(talk(k)), "rating": 6.2 if k % sure else 9.0} for k in range(n)]
    (folder / "first.jsonl").write_bytes(b"\n".join(orjson.dumps(line) for line in lines))


def numbers_asked(server: Any) -> Counter[int]:
    found = (re.search(r"question (\d+)", request["messages"][1]["content"]) for request in server.requests)
    return Counter(int(one.group(1)) for one in found if one)


def step_of(settings: Settings, folder: Path) -> JudgeStep:
    judge = make_judge(settings.judge, root=folder, cache=folder, named=settings.judges)
    return JudgeStep(judge, VerdictStore(folder / "v.duckdb"))


def test_an_endpoint_is_asked_and_paid_only_where_it_is_needed(tmp_path: Path) -> None:
    """From the settings to the bill, against a real server."""
    write_script(tmp_path, 20, sure=4)
    with servers.serving(lambda *_: servers.completion("3")) as server:
        step = step_of(settings_of(server.url), tmp_path)
        outcomes = [outcome for _, outcome in step.rows(rows(20))]
    assert [outcome.value["rating"] for outcome in outcomes if isinstance(outcome, Kept)] == [
        3.0 if n % 4 else 9.0 for n in range(20)
    ]
    assert numbers_asked(server) == Counter({n: 1 for n in range(20) if n % 4})
    facts = step.facts()
    assert [(one["name"], one["n_asked"], one["share"], one["tokens"], one["cost"]) for one in facts["members"]] == [
        ("small", 20, 1.0, 0, 0.0),
        ("large", 15, 0.75, 1500, 0.0045),
    ]
    assert (facts["n_judged"], facts["tokens"], facts["cost"]) == (20, 1500, 0.0045)


def test_while_the_endpoint_is_down_the_unsure_wait(tmp_path: Path) -> None:
    """The sure ones go through the night; the next one asks for the rest, and for nothing else."""
    write_script(tmp_path, 4, sure=2)
    is_up = False

    def answer(*_: Any) -> Any:
        return servers.completion("8") if is_up else servers.refusal(503, **{"Retry-After": "0.01"})

    with servers.serving(answer) as server:
        settings = settings_of(server.url)
        first = [outcome for _, outcome in step_of(settings, tmp_path).rows(rows(4))]
        assert [type(outcome) for outcome in first] == [Kept, Held, Kept, Held]
        assert first[1] == Held("unrated_for_now", "unrated_no_reply: large: InternalServerError 503")
        is_up, server.requests[:] = True, []
        second = [outcome for _, outcome in step_of(settings, tmp_path).rows(rows(4))]
    assert [outcome.value["rating"] for outcome in second if isinstance(outcome, Kept)] == [9.0, 8.0, 9.0, 8.0]
    assert numbers_asked(server) == Counter({1: 1, 3: 1})


def test_another_bound_does_not_ask_the_endpoint_again(tmp_path: Path) -> None:
    """The cascade is another judge then, but its members have answered before."""
    write_script(tmp_path, 6, sure=3)
    with servers.serving(lambda *_: servers.completion("3")) as server:
        list(step_of(settings_of(server.url), tmp_path).rows(rows(6)))
        step = step_of(settings_of(server.url, margin=0.5), tmp_path)
        list(step.rows(rows(6)))
    assert set(numbers_asked(server).values()) == {1}
    assert [(one["n_judged"], one["n_from_store"], one["cost"]) for one in step.facts()["members"]] == [
        (0, 6, 0.0), (0, 4, 0.0),
    ]  # fmt: skip


def test_after_a_kill_the_endpoint_is_asked_for_what_was_not_stored(tmp_path: Path) -> None:
    """Kill -9 in the middle of a window: what was answered and could be stored is not paid for again."""
    write_script(tmp_path, 40, sure=100)
    program = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from tests.judges.test_cascade import rows, settings_of, step_of
list(step_of(settings_of({url!r}), Path({folder!r})).rows(rows(40)))
"""
    with servers.serving(lambda *_: servers.slow(0.1)) as server:
        text = program.format(path=[str(Path(__file__).parents[2]), *sys.path], url=server.url, folder=str(tmp_path))
        child = subprocess.Popen([sys.executable, "-c", text])
        deadline = time.monotonic() + 60
        while len(server.requests) < 16 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        time.sleep(0.2)  # the server ends the request that it was answering
        n_before = len(server.requests)
        outcomes = [outcome for _, outcome in step_of(settings_of(server.url), tmp_path).rows(rows(40))]
        counts = numbers_asked(server)
    assert 16 <= n_before < 30
    assert all(isinstance(outcome, Kept) and outcome.value["rating"] in (7.0, 9.0) for outcome in outcomes)
    assert set(counts) == set(range(1, 40))
    asked_twice = [n for n, times in counts.items() if times > 1]
    assert len(asked_twice) <= 6, "of at least 15 answers, a tenth of a second each"
    assert max(counts.values()) <= 2


PANEL = {"kind": "panel", "members": ["a", "b"]}
A, B = ({"name": name, "kind": "scripted", "script": f"{name}.jsonl"} for name in "ab")


@pytest.mark.parametrize(
    ("judge", "judges", "found"),
    [
        ({**PANEL, "members": ["a", "bb"]}, [A, B], "'bb', which is not among [[judges]]; did you mean"),
        ({**PANEL, "members": ["a"]}, [A], "names 1 judge(s); a panel has at least two"),
        (PANEL | {"members": ["a", "a"]}, [A], "names 'a' twice"),
        (PANEL, [A, {"name": "b", **PANEL}], "judges.b asks itself"),
        ({**PANEL, "members": ["b", "c"]}, [{"name": "b", "kind": "panel", "members": ["c", "a"]}, A,
         {"name": "c", "kind": "panel", "members": ["a", "b"]}], "judges.c asks itself"),
        (PANEL | {"combine": "vote"}, [A, {**B, "threshold": 5.0}], "needs judges.a.threshold"),
        (PANEL | {"margin": 1.0}, [A, B], 'judge.margin is for kind cascade, not for kind "panel"'),
        ({"members": ["a", "b"]}, [A, B], 'judge.members is for kind panel or cascade, not for kind "embedded"'),
        ({"kind": "cascade", "members": ["a", "b"], "combine": "mean"}, [A, B], "judge.combine is for kind panel"),
        (PANEL, [A, {**B, "kind": "endpoint", "endpoint_url": "http://x"}], "needs endpoint_model"),
        (PANEL, [A, {"name": "b", "kind": "scripted"}], "needs script"),
        (PANEL, [A, A, B], "two [[judges]] are named 'a'"),
        (PANEL, [A, {"name": "b", "kind": "cascade", "members": ["a", "c"]}, {**B, "name": "c"}], "needs a threshold"),
        (PANEL | {"max_disagreement": 5}, [A, B], "judge.max_disagreement"),
        (PANEL | {"max_disagrement": 2}, [A, B], "did you mean 'max_disagreement'"),
        (PANEL, [A, {**B, "treshold": 5}], "did you mean 'threshold'"),
        (PANEL, [A, {**B, "name": "B b"}], "judges.1.name"),
    ],
)  # fmt: skip
def test_judges_that_cannot_work_together_are_refused(judge: Any, judges: Any, found: str) -> None:
    """When the file is read, with the key and what to do, not in the middle of the night."""
    with pytest.raises(SettingsError) as error:
        parse_settings({"judge": judge, "judges": judges})
    assert found in str(error.value)


def test_judges_may_stand_beside_the_one_that_is_used() -> None:
    """So that `kind` can be changed back and forth."""
    settings = parse_settings({"judges": [A, {**B, "name": "b", "threshold": 5.0}]})
    assert settings.judge.kind == "embedded"
    with pytest.raises(SettingsError, match="not among"):
        make_judge(JudgeSettings(**PANEL), root=Path(), cache=Path())  # type: ignore[arg-type]


def test_the_embedded_judge_of_a_cascade_is_prepared_and_learns() -> None:
    """Reviewers' decisions must not be lost on it because another judge is asked as well."""
    small, own = NamedJudgeSettings(name="small"), NamedJudgeSettings(name="own", model="x.gguf")
    large = NamedJudgeSettings(name="large", kind="endpoint", endpoint_url="http://x", endpoint_model="m")
    jury = NamedJudgeSettings(name="jury", kind="panel", members=("own", "small"))
    top = JudgeSettings(kind="cascade", members=("jury", "large", "small"))
    assert embedded_settings(top, [small, own, large, jury]) == [own, small]
    assert learner_settings(top, [small, own, large, jury]) == small
    assert learner_settings(JudgeSettings()) == JudgeSettings()
    assert learner_settings(large) is None
