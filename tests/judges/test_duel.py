"""Better with a stated confidence: the test keeps its level, sees what is there, and is the same everywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.agreement import agreement
from judges.duel import N_FLIPS, duel, loss, sign_flip_p
from judges.lessons import Lesson

floats = st.lists(st.floats(-4, 4).filter(lambda x: x == 0 or abs(x) > 1e-6), min_size=1, max_size=40)


@given(floats)
def test_a_p_value_lies_between_its_smallest_and_one(differences):
    """It is a share of flips, the observed one among them."""
    assert 1 / (N_FLIPS + 1) <= sign_flip_p(np.array(differences), seed="x") <= 1


@given(floats.filter(any))
def test_what_speaks_for_one_side_speaks_against_the_other(differences):
    """Champion and challenger are not treated differently by the test."""
    both = [sign_flip_p(sign * np.array(differences), seed="x") for sign in (1.0, -1.0)]
    assert sum(both) >= 1 - 0.05


def test_the_test_keeps_its_level():
    """At 95 % confidence about 5 % of duels between equals are won: 400 of them, within three standard errors."""
    random = np.random.default_rng(5)
    won = sum(sign_flip_p(random.standard_t(3, size=25), seed=str(n)) <= 0.05 for n in range(400))
    assert 0.05 - 0.033 <= won / 400 <= 0.05 + 0.033


def test_five_right_decisions_and_no_wrong_one_are_just_enough():
    """The arithmetic behind the least number of decisions: 2^-5 is below 0.05, 2^-4 is not."""
    assert sign_flip_p(np.ones(5), seed="x") == pytest.approx(2**-5, abs=0.006)
    assert sign_flip_p(np.ones(4), seed="x") > 0.05


def test_the_same_duel_has_the_same_p_value_on_every_machine():
    """Written out: the flips are bits of a hash, not of a library's generator."""
    assert sign_flip_p(np.array([1.0, 2.0, -1.5, 0.5, 3.0, -0.25, 1.0]), seed="quern") == P_QUERN


P_QUERN = 0.1043


def lesson(name: str, keep: float, group: str) -> Lesson:
    return Lesson(name, (), keep, group, "2026-11-04")


def test_many_answers_to_one_question_are_one_observation():
    """A hundred regenerations of one reply must not promote a head."""
    many = [lesson(str(n), 1.0, "one") for n in range(100)]
    result = duel(many, {str(n): 0.5 for n in range(100)}, {str(n): 0.9 for n in range(100)})
    assert (result.n, result.n_groups) == (100, 1)
    assert not result.is_won(0.95)


@given(st.floats(0, 1), st.floats(0, 1))
def test_nobody_gains_by_saying_another_probability_than_the_true_one(truth, said):
    """The loss is proper (within its clip), so heads are compared on what they know, not on how they boast."""
    assert loss(truth, truth) <= loss(said, truth) + 1e-9
    assert loss(said, truth) <= 4.61


def test_agreement_is_that_of_the_textbook():
    """Cohen's (1960) figures by hand: 35 of 50 agree, chance 0.5, so kappa 0.4."""
    expected = [True] * 25 + [False] * 25
    decided = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    found = agreement(expected, decided)
    assert (found.n, found.n_agreed) == (50, 35)
    assert found.kappa == pytest.approx(0.4)
    assert found.kappa_interval == pytest.approx((0.4 - 0.254, 0.4 + 0.254), abs=0.001)
    assert agreement([True, True], [True, True]).kappa is None
    assert agreement([], []) is None
