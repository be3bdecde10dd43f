"""The alarm rings when something moved, and does not when nothing did."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.drift import MIN_DECIDED, NightAgreement, RatedNight, find_drift, find_fall, fisher_p, stability_index

NONE = np.array([])
BOUNDS = {"nights": 7, "psi_max": 0.25, "fall_max": 0.1}


def rated(values, *, night="2026-11-20", judge="a") -> RatedNight:
    return RatedNight(night, judge, np.asarray(values, float), NONE)


def nights(*counts: tuple[int, int]) -> list[NightAgreement]:
    """(agreed, decided) a night."""
    return [
        NightAgreement(f"2026-11-{number:02}", n, agreed, 0.0, 1.0, None, None, None)
        for number, (agreed, n) in enumerate(counts, 1)
    ]


def test_a_moved_distribution_rings_and_an_unmoved_one_does_not():
    """One standard deviation is a change of population; other conversations of the same kind are none."""
    random = np.random.default_rng(0)
    before = [rated(random.normal(6, 1, 80)) for _ in range(5)]
    assert find_drift(rated(random.normal(6, 1, 80)), before, [], **BOUNDS).alarms == ()
    (alarm,) = find_drift(rated(random.normal(7, 1, 80)), before, [], **BOUNDS).alarms
    assert "ratings" in alarm and "stability index" in alarm


def test_nights_without_drift_hardly_ever_ring():
    """The bound grows where few conversations make the index large by chance: at most 5 of 1,000 small nights."""
    random = np.random.default_rng(1)
    rung = 0
    for _ in range(1000):
        before = [rated(random.beta(5, 2, 60))]
        rung += bool(find_drift(rated(random.beta(5, 2, 50)), before, [], **BOUNDS).alarms)
    assert rung <= 5


def test_another_judge_or_too_few_conversations_are_not_compared():
    """A new head rates otherwise by right; ten conversations say nothing."""
    moved, before = rated(np.arange(60) / 10), [rated(np.arange(60) / 30)]
    assert find_drift(moved, before, [], **BOUNDS).alarms
    others = [rated(one.ratings, judge="b") for one in before]
    for tonight, past in ((moved, others), (rated(moved.ratings[:49]), before), (moved, [])):
        found = find_drift(tonight, past, [], **BOUNDS)
        assert found.alarms == () and found.shifts[0].index is None


def test_ratings_that_are_all_alike_are_no_error():
    """A scripted judge gives one rating to all."""
    same = find_drift(rated([7.0] * 60), [rated([7.0] * 60)], [], **BOUNDS)
    assert same.shifts[0].index == 0.0 and not same.alarms
    assert find_drift(rated([3.0] * 60), [rated([7.0] * 60)], [], **BOUNDS).alarms


@given(st.lists(st.floats(1, 10), min_size=50, max_size=80), st.lists(st.floats(1, 10), min_size=50, max_size=80))
def test_the_index_is_finite_and_never_negative(reference, values):
    """Whatever a judge says, a bin without conversations must not make it infinite."""
    index, n_bins = stability_index(np.array(reference), np.array(values))
    assert math.isfinite(index) and index >= 0 and 1 <= n_bins <= 10
    assert stability_index(np.array(reference), np.array(reference))[0] == pytest.approx(0)


def test_fishers_test_is_the_textbooks():
    """The lady tasting tea: of 4 and 4 cups, as few as 1 right by chance is 17 in 70; and the whole sums to one."""
    assert fisher_p(1, 4, 3, 4) == pytest.approx(17 / 70)
    assert fisher_p(4, 4, 0, 4) == pytest.approx(1.0)
    assert fisher_p(0, 4, 4, 4) == pytest.approx(1 / 70)
    assert fisher_p(0, 6, 6, 6) == pytest.approx(1 / 924)


def test_a_sudden_fall_is_found_in_one_night_and_a_small_one_in_several():
    """Teams review ten or a hundred a night; both get the alarm, and the night since when."""
    sudden = find_fall(nights((24, 30), (25, 30), (8, 30)), nights=7, fall_max=0.1)
    assert sudden.is_alarm and sudden.nights == ("2026-11-03",)
    slow = nights(*[(9, 11)] * 6, (4, 11), (5, 11), (3, 11))
    assert not find_fall(slow[:7], nights=7, fall_max=0.1).is_alarm
    found = find_fall(slow, nights=7, fall_max=0.1)
    assert found.is_alarm and found.nights[0] == "2026-11-07"


def test_no_fall_no_alarm():
    """Rising, level, noisy, or a fall too small to matter though it is certain."""
    assert not find_fall(nights((15, 30), (20, 30), (26, 30)), nights=7, fall_max=0.1).is_alarm
    assert not find_fall(nights((24, 30), (20, 30), (25, 30), (21, 30)), nights=7, fall_max=0.1).is_alarm
    certain = find_fall(nights((9500, 10000), (9200, 10000)), nights=7, fall_max=0.1)
    assert certain.p_value < 1e-6 and not certain.is_alarm
    assert find_fall(nights((MIN_DECIDED - 1, MIN_DECIDED - 1), (0, 100)), nights=7, fall_max=0.1) is None
    assert find_fall([], nights=7, fall_max=0.1) is None


def test_steady_reviewers_ring_at_most_once_in_a_thousand_nights():
    """The promise of the bound, tried: 2,000 nights of 20 decisions at 80 %, no more than 4 alarms."""
    random = np.random.default_rng(2)
    counts = [(int(agreed), 20) for agreed in random.binomial(20, 0.8, size=2000)]
    rung = [find_fall(nights(*counts[max(0, at - 14) : at]), nights=7, fall_max=0.1) for at in range(3, 2000)]
    assert sum(one is not None and one.is_alarm for one in rung) <= 4
