"""A panel: one verdict of several, whoever is named first; where they disagree or are missing, a person is asked."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.members import Member
from judges.panel import PanelJudge
from judges.scripted import ScriptedJudge
from judges.step import CHUNK, JudgeStep
from judges.verdicts import VerdictStore
from schemas.conversation import Turn, content_id
from schemas.errors import SettingsError
from schemas.outcome import Held, Kept
from schemas.verdict import Unrated, Verdict
from tests.judges.saying_judge import DOWN, NO_NUMBER, TOO_LONG, Said, SayingJudge, member, talk

RATINGS = st.lists(st.floats(1, 10), min_size=2, max_size=6)


def panel_of(said: Sequence[Said], names: Sequence[str] = "abcdef", **rule: object) -> PanelJudge:
    members = [member(name, lambda _, one=one: one, 6.0) for name, one in zip(names, said, strict=False)]
    return PanelJudge(members, **rule)  # type: ignore[arg-type]


def verdict_of(panel: PanelJudge) -> Verdict | Unrated:
    (result,) = panel.judge([talk(1)])
    return result


def rows(n: int) -> list[dict[str, object]]:
    made = []
    for number in range(n):
        messages = [{"role": turn.role, "content": turn.content} for turn in talk(number)]
        made.append({"content_id": content_id(talk(number)), "messages": messages})
    return made


@given(RATINGS, st.sampled_from(["mean", "median", "vote"]), st.randoms(use_true_random=False))
def test_the_order_of_members_changes_nothing(ratings: list[float], combine: str, random: object) -> None:
    """A panel is a set of judges: two files that name them in another order share verdicts and identity."""
    names = list("abcdef"[: len(ratings)])
    order = list(range(len(ratings)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one = panel_of(ratings, names, combine=combine)
    other = panel_of([ratings[at] for at in order], [names[at] for at in order], combine=combine)
    assert one.identity == other.identity
    assert verdict_of(one) == verdict_of(other)


@given(RATINGS)
def test_mean_and_median_are_what_they_are_called(ratings: list[float]) -> None:
    """And the disagreement is the standard deviation, told beside each member's rating."""
    for combine, middle in (("mean", statistics.fmean(ratings)), ("median", statistics.median(ratings))):
        verdict = verdict_of(panel_of(ratings, combine=combine, max_disagreement=4.5))
        assert isinstance(verdict, Verdict)
        assert verdict.rating == pytest.approx(middle, abs=0.0051)
        assert verdict.features["disagreement"] == pytest.approx(statistics.pstdev(ratings), abs=1e-4)
        assert [verdict.features[f"rating_{name}"] for name in "abcdef"[: len(ratings)]] == ratings


@given(RATINGS)
def test_a_vote_is_the_share_of_members_that_would_keep(ratings: list[float]) -> None:
    """With the usual threshold of 6.0 a vote passes exactly when more than half of the members keep."""
    verdict = verdict_of(panel_of(ratings, combine="vote"))
    assert isinstance(verdict, Verdict)
    n_keeping = sum(rating >= 6.0 for rating in ratings)
    assert verdict.rating == pytest.approx(1 + 9 * n_keeping / len(ratings), abs=0.0051)
    assert (verdict.rating >= 6.0) == (2 * n_keeping > len(ratings))
    assert verdict.acceptance is None


def test_members_vote_by_their_own_thresholds() -> None:
    """A judge that gives everything an 8 can be told that its keep begins at 9."""
    generous, strict = member("generous", lambda _: 8.0, 9.0), member("strict", lambda _: 5.0, 4.5)
    verdict = verdict_of(PanelJudge([generous, strict], combine="vote"))
    assert isinstance(verdict, Verdict)
    assert verdict.rating == 5.5
    with pytest.raises(SettingsError, match="'c' cannot vote"):
        PanelJudge([strict, Member("c", SayingJudge("c", lambda _: 5.0))], combine="vote")


@given(RATINGS, st.floats(0, 4.5))
def test_judges_that_are_too_far_apart_are_held(ratings: list[float], bound: float) -> None:
    """A mean of 2 and 9 is nobody's word; and what is not held is within the bound."""
    result = verdict_of(panel_of(ratings, max_disagreement=bound))
    assert isinstance(result, Unrated) == (statistics.pstdev(ratings) > bound)
    if isinstance(result, Unrated):
        assert (result.reason, result.is_retryable) == ("judges_disagree", False)


def test_the_default_bound_is_two_judges_four_points_apart() -> None:
    """The number in the settings' documentation."""
    assert isinstance(verdict_of(panel_of([4.0, 8.0])), Verdict)
    held = verdict_of(panel_of([3.9, 8.0]))
    assert isinstance(held, Unrated)
    assert held.evidence == "standard deviation 2.05 above 2: a 3.9, b 8"
    assert isinstance(verdict_of(panel_of([8.0, 8.0, 3.8])), Verdict)
    assert isinstance(verdict_of(panel_of([8.0, 8.0, 3.7])), Unrated)


def test_acceptance_and_uncertainty_are_combined_where_all_members_give_them() -> None:
    """Apart by 0.4 they are less sure together than each alone: the variances within and between add up."""
    verdict = verdict_of(panel_of([(4.6, 0.4, 0.1), (8.2, 0.8, 0.1)]))
    assert isinstance(verdict, Verdict)
    assert verdict.acceptance == pytest.approx(0.6)
    assert verdict.uncertainty == pytest.approx(math.sqrt(0.1**2 + 0.2**2), abs=1e-4)
    partly = verdict_of(panel_of([(4.6, 0.4, 0.1), 8.0]))
    assert isinstance(partly, Verdict)
    assert (partly.acceptance, partly.uncertainty) == (None, None)


@pytest.mark.parametrize("silent", [TOO_LONG, NO_NUMBER])
def test_one_that_cannot_rate_abstains_and_a_majority_decides(silent: Unrated) -> None:
    """One judge with a short memory must not hold what two others can read; one of two is no majority."""
    verdict = verdict_of(panel_of([silent, 7.0, 8.0]))
    assert isinstance(verdict, Verdict)
    assert verdict.rating == 7.5
    assert "rating_a" not in verdict.features
    for too_few in ([silent, 7.0], [silent, silent, 7.0], [silent, silent, 7.0, 7.0]):
        result = verdict_of(panel_of(too_few))
        assert isinstance(result, Unrated)
        assert result.reason == silent.reason
        assert "gave no rating" in result.evidence


def test_one_that_is_down_is_waited_for() -> None:
    """The verdicts of a panel are those of all its members, not of who was up that night."""
    assert verdict_of(panel_of([DOWN, 7.0, 8.0])) == Unrated("unrated_no_reply", "a: nobody there", is_retryable=True)


def test_the_identity_names_members_and_rule() -> None:
    """Verdicts are stored under it: another member, bound or rule is another judge."""
    one = panel_of([5.0, 6.0])
    others = [
        panel_of([5.0, 6.0], names="ax"),
        panel_of([5.0, 6.0, 7.0]),
        panel_of([5.0, 6.0], combine="median"),
        panel_of([5.0, 6.0], max_disagreement=1.0),
        panel_of([5.0, 6.0], combine="vote"),
        PanelJudge([member("a", lambda _: 5.0, 7.0), member("b", lambda _: 5.0, 7.0)], combine="vote"),
    ]
    assert len({judge.identity.digest() for judge in (one, *others)}) == 7
    assert (one.identity.name, one.identity.model) == ("panel", "mean of a (m), b (m)")
    heads = [SayingJudge(name, lambda _: 5.0) for name in "yxz"]
    for judge, digest in zip(heads, ("for y", "for x", ""), strict=True):
        judge.identity = replace(judge.identity, head_digest=digest)
    headed = PanelJudge([Member(judge.identity.name, judge) for judge in heads])
    assert headed.identity.head_digest == "for x+for y"  # a night that is run again takes these heads again
    with pytest.raises(SettingsError, match="'a' and 'b' of a panel are the same judge"):
        PanelJudge([Member("a", SayingJudge("x", lambda _: 5.0)), Member("b", SayingJudge("x", lambda _: 5.0))])


def test_a_member_is_not_asked_again_when_the_panel_changes(tmp_path: Path) -> None:
    """Its verdicts are kept under its own name, so a new panel costs what its new member costs."""
    store, table = VerdictStore(tmp_path / "v.duckdb"), rows(9)
    old, middle, new = (SayingJudge(name, lambda n: 5.0 + n / 9, price_per_token=0.5) for name in ("old", "mid", "new"))
    list(JudgeStep(PanelJudge([Member("old", old), Member("mid", middle)]), store).rows(table))
    step = JudgeStep(PanelJudge([Member("old", old), Member("new", new)]), store)
    assert all(isinstance(outcome, Kept) for _, outcome in step.rows(table))
    assert (len(old.asked), len(middle.asked), len(new.asked)) == (9, 9, 9)
    facts = step.facts()
    told = {
        one["name"]: (one["n_asked"], one["n_judged"], one["n_from_store"], one["cost"]) for one in facts["members"]
    }
    assert told == {"old": (9, 0, 9, 0.0), "new": (9, 9, 0, 45.0)}
    assert (facts["tokens"], facts["cost"]) == (90, 45.0)


def test_a_held_disagreement_costs_nothing_again(tmp_path: Path) -> None:
    """What is held has no verdict of the panel, but its members have spoken."""
    store, table = VerdictStore(tmp_path / "v.duckdb"), rows(1)
    judges = [SayingJudge("a", lambda _: 2.0), SayingJudge("b", lambda _: 9.0)]
    for _ in range(2):
        step = JudgeStep(PanelJudge([Member(judge.identity.name, judge) for judge in judges]), store)
        ((_, outcome),) = step.rows(table)
        assert outcome == Held("judges_disagree", "standard deviation 3.50 above 2: a 2, b 9")
    assert [len(judge.asked) for judge in judges] == [1, 1]
    assert step.facts()["n_unrated"] == 1


@given(st.lists(st.sampled_from([DOWN, TOO_LONG, NO_NUMBER, 3.0, 8.0]), min_size=2, max_size=5))
def test_counts_of_members_add_up(said: list[Said]) -> None:
    """Asked = judged + from the store + unrated, for each of them."""
    panel = panel_of(said)
    assert len(list(panel.judge([talk(n) for n in range(3)]))) == 3
    for work in panel.work():
        assert work.n_asked == 3 == work.n_judged + work.n_from_store + work.n_unrated
        assert work.share == 1.0
        assert work.tokens == 10 * work.n_judged


def test_a_panel_reads_a_stream_in_windows() -> None:
    """A night may hold more conversations than memory does."""
    judges = [SayingJudge(name, lambda n: 1.0 + n % 9) for name in "ab"]
    results = PanelJudge([Member(judge.identity.name, judge) for judge in judges]).judge([talk(n) for n in range(200)])
    assert [next(results).rating for _ in range(CHUNK + 1)] == [1.0 + n % 9 for n in range(CHUNK + 1)]
    assert judges[0].calls == [CHUNK, CHUNK]
    assert [one.rating for one in results] == [1.0 + n % 9 for n in range(CHUNK + 1, 200)]


class BreakingJudge(SayingJudge):
    """Works for a while, then cannot work at all."""

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        for place, result in enumerate(super().judge(conversations)):
            if place == 5:
                raise RuntimeError("no memory")
            yield result


def test_what_members_said_before_a_failure_is_kept(tmp_path: Path) -> None:
    """The night that is run again asks neither of them for it a second time."""
    store, table = VerdictStore(tmp_path / "v.duckdb"), rows(9)
    sound, broken = SayingJudge("a", lambda _: 5.0), BreakingJudge("b", lambda _: 5.0)
    with pytest.raises(RuntimeError):
        list(JudgeStep(PanelJudge([Member("a", sound), Member("b", broken)]), store).rows(table))
    mended = SayingJudge("b", lambda _: 5.0)
    list(JudgeStep(PanelJudge([Member("a", sound), Member("b", mended)]), store).rows(table))
    assert sorted(sound.asked) == list(range(9))
    assert sorted(broken.asked[:5] + mended.asked) == list(range(9))


def test_scripted_judges_make_a_panel(tmp_path: Path) -> None:
    """Two files of ratings, as for a dry run."""
    members = []
    for name, rating in (("first", 6), ("second", 9)):
        script = tmp_path / f"{name}.jsonl"
        script.write_text(f'{{"content_id": "{content_id(talk(1))}", "rating": {rating}}}\n')
        members.append(Member(name, ScriptedJudge(script)))
    results = list(PanelJudge(members).judge([talk(1), talk(2)]))
    assert isinstance(results[0], Verdict)
    assert results[0].rating == 7.5
    assert isinstance(results[1], Unrated)
