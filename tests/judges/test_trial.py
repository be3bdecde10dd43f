"""The figures of a trial against worked examples, brute force and their laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges import trial
from judges.trial import Share

NUMBERS = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)
PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def test_wilson_gives_the_published_interval() -> None:
    """Newcombe (1998), table I, the score method without continuity correction: 81 of 263."""
    assert trial.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert trial.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_lies_within_0_and_1_and_around_its_share(counts: tuple[int, int]) -> None:
    """An interval that leaves the scale, or its own share, is wrong whatever else it is."""
    low, high = trial.wilson(*counts)
    assert 0 <= low <= counts[0] / counts[1] + 1e-12
    assert counts[0] / counts[1] - 1e-12 <= high <= 1


def test_an_undecided_pair_counts_one_half() -> None:
    """A judge that says nothing is as good as a coin, neither right nor wrong."""
    assert Share.of([1.0, -2.0, 0.0, 0.0]).accuracy == 0.5
    assert Share.of([]).to_json() == {"n": 0, "accuracy": None, "ci95": None}


def test_kappa_gives_the_textbook_value() -> None:
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed 0.7, by chance 0.5, kappa 0.4."""
    people = ["y"] * 25 + ["n"] * 25
    judge = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert trial.cohens_kappa(people, judge) == pytest.approx(0.4)
    assert trial.cohens_kappa(["a", "a"], ["a", "a"]) is None
    assert trial.cohens_kappa([], []) is None


@given(NUMBERS, NUMBERS)
def test_auc_is_the_share_of_good_and_bad_in_the_right_order(good: list[float], bad: list[float]) -> None:
    """By its definition, counted pair by pair."""
    wins = sum(1.0 if g > b else 0.5 if g == b else 0.0 for g in good for b in bad)
    assert trial.auc(good, bad) == pytest.approx(wins / len(good) / len(bad))


@given(NUMBERS)
def test_auc_of_margins_turns_round_with_the_judge(margins: list[float]) -> None:
    """A judge that says the opposite has the opposite AUC; all right or all wrong is 1 or 0."""
    assert trial.auc_of_margins(margins) == pytest.approx(1 - trial.auc_of_margins([-m for m in margins]))
    assert trial.auc_of_margins([abs(m) + 1 for m in margins]) == 1.0


@given(st.floats(0, 1), st.floats(0, 1))
def test_pair_probabilities_of_both_orders_sum_to_one(one: float, other: float) -> None:
    """Else the judge would prefer both."""
    p = trial.pair_probability([one, other], [other, one])
    assert p.sum() == pytest.approx(1)
    assert np.isfinite(p).all()
    assert (p[0] > 0.5) == (one > other) or abs(one - other) < 1e-5


def test_a_pair_probability_by_hand() -> None:
    """Odds 4 against odds 1: four times in five."""
    assert trial.pair_probability([0.8], [0.5])[0] == pytest.approx(0.8)


@given(PROBABILITIES)
def test_bins_hold_each_pair_in_both_orders(probabilities: list[float]) -> None:
    """Nothing falls out at the edges, and the error is a mean of gaps."""
    bins = trial.calibration_bins(probabilities)
    assert sum(one.n for one in bins) == 2 * len(probabilities)
    assert all(one.low - 1e-9 <= one.mean_probability <= one.high + 1e-9 for one in bins)
    error = trial.expected_calibration_error(bins)
    assert error is not None and 0 <= error <= 1


def test_a_calibrated_judge_errs_by_chance_alone_and_a_boastful_one_by_its_boast() -> None:
    """The error that 2,000 drawn outcomes show is what the formula says of chance; 0.99 said, 0.7 true: 0.29."""
    random = np.random.default_rng(3)
    said = random.uniform(0.5, 1, 2000)
    came_true = random.random(2000) < said
    bins = trial.calibration_bins(np.where(came_true, said, 1 - said))
    error, by_chance = trial.expected_calibration_error(bins), trial.calibration_error_by_chance(bins)
    assert error is not None and by_chance is not None
    assert error == pytest.approx(by_chance, abs=0.015)
    boastful = trial.calibration_bins([0.99] * 70 + [0.01] * 30)
    assert trial.expected_calibration_error(boastful) == pytest.approx(0.29)


def test_nothing_has_no_calibration_error() -> None:
    """A judge without acceptance has none, which is not an error of 0."""
    assert trial.expected_calibration_error([]) is None
    assert trial.calibration_error_by_chance([]) is None


def test_lengths_match_within_a_tenth_of_the_longer() -> None:
    """91 of 100 is alike, 90 of 100 is not."""
    assert trial.is_length_matched(100, 91)
    assert not trial.is_length_matched(90, 100)


def test_thirds_have_names_that_do_not_overlap() -> None:
    """Equal lengths stand in the same third, whatever that does to the sizes."""
    names = trial.thirds([5, 10, 20, 30, 40, 50])
    assert names == [
        "up to 10 words", "up to 10 words", "11 to 30 words", "11 to 30 words",
        "31 words and more", "31 words and more",
    ]  # fmt: skip
    assert set(trial.thirds([7, 7, 7])) == {"up to 7 words"}
    assert trial.thirds([]) == []


def test_the_log_odds_of_certainty_are_finite() -> None:
    """An acceptance of 0 or 1 must not turn every other figure into NaN."""
    assert all(math.isfinite(x) for x in trial.logit([0.0, 1.0]))
