"""Of several judges the night's page says how much each had to do, what it cost, and how far they are apart."""

from dataclasses import replace

import pytest

from corpus.night_facts import Disagreement, MemberShare
from corpus.report import build_report, render
from schemas.outcome import Held
from tests.corpus.html_check import Page
from tests.corpus.night_folder import JUDGE, NIGHT, Talk, make_night

CASCADE, PANEL = (replace(JUDGE, name=name, model="small, large") for name in ("cascade", "panel"))


def talk(n: int, **fields) -> Talk:
    return Talk((f"What is {n}?", f"It is the number {n}, no less and no more than that."), **fields)


def work(name: str, n_judged: int, tokens: int, cost: float) -> dict:
    return {"name": name, "n_asked": n_judged, "n_judged": n_judged, "tokens": tokens, "cost": cost}


def test_the_share_and_cost_of_each_judge_of_a_cascade(tmp_path):
    """The share is of all ratings of the night, whatever part of them a run that was killed had made before."""
    sure, unsure = {"rating_small": 8.0}, {"rating_small": 6.0, "rating_large": 8.0}
    talks = [talk(n, judge=CASCADE, rating=8.0, features=unsure if n < 3 else sure) for n in range(12)]
    judge_facts = {"members": [work("small", 5, 0, 0.0), work("large", 2, 1_500, 0.0045)]}
    facts = build_report(make_night(tmp_path / NIGHT, talks, judge_facts=judge_facts))
    assert facts.members == (MemberShare("small", 12, 5, 0, 0.0), MemberShare("large", 3, 2, 1_500, 0.0045))
    assert facts.disagreement is None
    html = render(facts)
    Page(html)
    row = html[html.index('<th scope="row"><bdi>large</bdi>') :].split("</tr>")[0]
    assert [text in row for text in (">3<", "25 %", ">2<", ">1,500<", "0.0045")] == [True] * 5


def test_the_disagreement_of_a_panel_and_what_is_held_for_it(tmp_path):
    """So that a person sees whether the judges mean the same thing at all."""
    talks = [
        talk(n, judge=PANEL, rating=7.0, features={"disagreement": n / 10, "rating_a": 7.0, "rating_b": 7.0})
        for n in range(11)
    ]
    talks.append(talk(11, fate=("judge", Held("judges_disagree", "standard deviation 3.50 above 2: a 2, b 9"))))
    facts = build_report(make_night(tmp_path / NIGHT, talks))
    assert facts.disagreement == Disagreement(pytest.approx(0.5), pytest.approx(0.9), 1)
    assert [(one.name, one.n_rated) for one in facts.members] == [("a", 11), ("b", 11)]
    html = render(facts)
    Page(html)
    assert "disagree by a standard deviation of 0.50 points in the median and of more than 0.90 on a tenth" in html
    assert "1 more was held for it" in html
    assert "judge.max_disagreement" in html


def test_a_single_judge_has_no_members(tmp_path):
    """A feature of the embedded judge that happens to begin with rating_ is no judge."""
    facts = build_report(make_night(tmp_path / NIGHT, [talk(n, features={"rating_spread": 1.0}) for n in range(3)]))
    assert (facts.members, facts.disagreement) == ((), None)
    assert "judged now" not in render(facts)
