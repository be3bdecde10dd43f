"""Agreement as its inventor computes it, and who saw through the planted samples; from the repository alone."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.reviewers import Alpha, Reviewer, SettledNight, agreement, agreement_of, alpha
from tests.corpus.propose_project import NIGHT
from tests.corpus.reviewed_night import Night, name_of

MISSING = "."


def units(*rows: str) -> list[list[str]]:
    """One row a reviewer, one column a unit, as in the literature; a dot is a missing rating."""
    return [[value for value in column if value != MISSING] for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(
    ("rows", "expected", "n_ratings"),
    [
        # K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), examples A, B and C.
        (("0100000010", "1110010000"), 0.095, 20),
        (("aabbdcccedda", "babbbccceddd"), 0.692, 24),
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743, 40),
    ],
)
def test_the_published_examples(rows, expected, n_ratings):
    """Binary, nominal, and four reviewers with missing ratings."""
    found = alpha(units(*rows))
    assert found.value == pytest.approx(expected, abs=0.0005) and found.n_ratings == n_ratings


def by_definition(given_units) -> float | None:
    """One less observed over expected disagreement, by going through all pairs of ratings."""
    paired = [unit for unit in given_units if len(unit) > 1]
    values = [value for unit in paired for value in unit]
    if not (expected := sum(a != b for a, b in permutations(values, 2))):
        return None
    observed = sum(sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in paired)
    return 1 - (observed / len(values)) / (expected / (len(values) * (len(values) - 1)))


UNITS = st.lists(st.lists(st.sampled_from("kre"), max_size=5), max_size=12)


@given(UNITS)
def test_it_is_one_less_observed_over_expected_disagreement(given_units):
    """The short formula is the definition."""
    expected, found = by_definition(given_units), alpha(given_units).value
    assert (found is None) == (expected is None)
    assert found is None or found == pytest.approx(expected)


@given(UNITS, st.randoms())
def test_neither_order_nor_names_of_values_nor_single_ratings_matter(given_units, random):
    """Nominal values have no order, and one rating says nothing of agreement."""
    renamed = [[{"k": 1, "r": 2, "e": 3}[value] for value in unit] for unit in given_units]
    for unit in renamed:
        random.shuffle(unit)
    random.shuffle(renamed)
    assert alpha([*renamed, [1], [2], []]) == alpha(given_units)


@given(st.lists(st.sampled_from("kr"), min_size=2, max_size=8))
def test_perfect_agreement_is_one_and_one_value_alone_is_unknown(values):
    """Two reviewers who always say the same agree; if it is always "keep", nothing is known."""
    expected = 1.0 if len(set(values)) > 1 else None
    assert alpha([[value] * 3 for value in values]) == Alpha(expected, len(values), 3 * len(values))


def test_each_reviewer_is_counted():
    """Votes, agreement with others, honeypots; an edit of a good one is no reject, of a bad one no hit."""
    night = SettledNight(
        NIGHT,
        verdicts={"s1": {"x": "keep", "y": "keep", "z": "reject"}, "s2": {"x": "edit"}},
        on_honeypots={"good": {"x": "edit", "y": "reject"}, "bad": {"x": "keep", "y": "reject"}},
        expected={"good": "keep", "bad": "reject"},
    )
    found = agreement_of([night])
    assert found.reviewers == (
        Reviewer("x", n_votes=2, n_honeypots=2, n_hits=1, n_pairs=2, n_agreed=1),
        Reviewer("y", n_votes=1, n_honeypots=2, n_hits=1, n_pairs=2, n_agreed=1),
        Reviewer("z", n_votes=1, n_honeypots=0, n_hits=0, n_pairs=2, n_agreed=0),
    )
    assert Counter(found.by_night) == Counter({NIGHT: found.alpha})


def test_it_is_read_from_the_repository_and_counts_an_edit_with_its_sample(tmp_path):
    """Who rejects what another made of a sample stands against them on the same sample."""
    night = Night(tmp_path)
    place = {"corpus": night.project.corpus, **night.project.place}
    assert agreement(**place).reviewers == () and agreement(**place).alpha == Alpha(None, 0, 0)
    ann, bob = night.person("ann"), night.person("bob")
    ann.untick(night.ids[0]).decide(night.ids[1], "keep").edit(night.ids[2], "Better.").done()
    bob.pull().decide(night.ids[0]).decide(night.ids[1], "keep")
    edited = next(one for one in bob.lines().values() if one["messages"][-1]["content"] == "Better.")
    bob.edit(edited["id"], "Best.").decide(night.ids[3]).done()
    night.settle()
    found = agreement(**place)
    assert [one.reviewer for one in found.reviewers] == sorted([name_of("ann"), name_of("bob")])
    assert found.alpha.n_units == 3 and found.alpha.value == 1.0
    assert all((one.n_pairs, one.n_agreed) == (3, 3) for one in found.reviewers)
    assert found.to_json()["by_night"][NIGHT]["n_ratings"] == 6
