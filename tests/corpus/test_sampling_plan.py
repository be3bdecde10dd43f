"""Which samples to read: a bad night is found with at least the probability that the plan states."""

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sampling_plan import least_bad, n_to_draw, plan_reading, probability_of_finding
from schemas.errors import SettingsError

NIGHT = "2026-11-04"


def names(n: int) -> list[str]:
    return [f"{number:032x}" for number in range(n)]


def planned(ids, *, night=NIGHT, bad_share=0.05, confidence=0.9, **facts):
    return plan_reading(ids, night=night, bad_share=bad_share, confidence=confidence, **facts)


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(1, 3000),
    bad_share=st.floats(0.001, 0.999).map(lambda share: round(share, 4)),
    confidence=st.floats(0.01, 0.999).map(lambda share: round(share, 4)),
)
def test_the_draw_is_the_smallest_that_is_sure_enough(n, bad_share, confidence):
    """A larger one wastes reviewers' time, a smaller one breaks the promise."""
    n_bad = least_bad(n, bad_share)
    n_drawn = n_to_draw(n, n_bad, confidence)
    assert 1 <= n_drawn <= n
    assert Fraction(n_bad, n) > Fraction(str(bad_share)) >= Fraction(n_bad - 1, n)
    if n_bad <= n:
        assert probability_of_finding(n, n_bad, n_drawn) >= Fraction(str(confidence))
        assert n_drawn == 1 or probability_of_finding(n, n_bad, n_drawn - 1) < Fraction(str(confidence))


def test_the_probability_is_that_of_counting_all_draws():
    """Of 6 with 2 bad, 3 are drawn in 20 ways, and 4 of these miss both."""
    assert probability_of_finding(6, 2, 3) == Fraction(16, 20)


@pytest.mark.parametrize("n", [20, 60, 200, 1000])
@pytest.mark.parametrize(("bad_share", "confidence"), [(0.05, 0.9), (0.1, 0.95), (0.02, 0.5)])
def test_simulated_bad_nights_are_found_as_often_as_is_promised(n, bad_share, confidence):
    """The draw is a hash of the ids, so which ones are bad must not matter.

    Of 1000 nights the share found is allowed three standard deviations below the promise (at most 0.047).
    """
    random, n_found, n_nights = Random(4), 0, 1000
    promised = planned(names(n), bad_share=bad_share, confidence=confidence).probability
    for lot in range(20):
        ids = [f"{lot:016x}{one[16:]}" for one in names(n)]
        plan = planned(ids, bad_share=bad_share, confidence=confidence)
        for _ in range(n_nights // 20):
            n_found += not set(random.sample(ids, plan.n_bad)).isdisjoint(plan.why)
    assert promised >= confidence
    assert n_found / n_nights >= promised - 3 * (promised * (1 - promised) / n_nights) ** 0.5


def test_a_bad_night_is_found_whichever_samples_are_bad():
    """Neighbours in order of id or of rating are as likely to be drawn as any others."""
    drawn = [0] * 100
    for number in range(400):
        ids = [f"{number:016x}{one[16:]}" for one in names(100)]
        why = planned(ids).why
        drawn = [count + (one in why) for count, one in zip(drawn, ids, strict=True)]
    share = planned(names(100)).n / 100
    deviation = (400 * share * (1 - share)) ** 0.5
    assert all(abs(count - 400 * share) < 4.5 * deviation for count in drawn)


def test_the_seed_is_recorded_and_gives_the_same_draw():
    """Whoever doubts the draw repeats it; another night, or one more sample, is another lot."""
    ids = names(300)
    plan = planned(ids)
    assert planned(list(reversed(ids))) == plan
    assert plan.to_json() == {
        "samples": 300, "n": plan.n, "probability": plan.probability, "bad_share": 0.05, "seed": plan.seed,
        "ids": sorted(plan.why),
    }  # fmt: skip
    assert len({plan.seed, planned(ids, night="2026-11-05").seed, planned(names(301)).seed}) == 3
    assert set(planned(ids, night="2026-11-05").why) != set(plan.why)


def test_doubtful_ones_and_new_contributors_are_always_read():
    """They are no part of the draw, so the promise stands beside them; the more particular reason is named."""
    ids = names(200)
    drawn = planned(ids)
    plan = planned(ids, doubtful=ids[:3], new_contributors=ids[2:6])
    assert [plan.why[one] for one in ids[:6]] == ["doubtful"] * 3 + ["new contributor"] * 3
    assert set(plan.why) == {*drawn.why, *ids[:6]}
    assert (plan.n, plan.seed, plan.probability) == (drawn.n, drawn.seed, drawn.probability)


def test_slipped_in_tests_look_like_drawn_ones_and_change_no_lot():
    """What they are must not show in the plan, and they are no part of the night."""
    plan = planned(names(200), tests=["f" * 32])
    assert plan.why["f" * 32] == "drawn"
    assert (plan.n, plan.n_samples, plan.seed) == (planned(names(200)).n, 200, planned(names(200)).seed)


def test_a_small_night_is_read_whole():
    """Of ten samples one bad one is more than a twentieth: only nine or ten of them make it nine in ten."""
    assert planned(names(10)).n == 9
    assert planned(names(1)).n == 1


@pytest.mark.parametrize("facts", [{"bad_share": 0.0}, {"bad_share": 1.0}, {"confidence": 0.0}, {"confidence": 1.0}])
def test_a_share_that_is_none_is_refused(facts):
    """No draw is certain, and none is needed for nothing."""
    with pytest.raises(SettingsError, match="does not lie between 0 and 1"):
        planned(names(10), **facts)
