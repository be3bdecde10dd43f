"""Counts add up, or the report is not made."""

import pytest

from schemas.errors import InputError
from schemas.outcome import STANDARD_KEYS, StepReport
from schemas.verdict import JudgeIdentity, Verdict


def test_a_report_whose_counts_do_not_add_up_cannot_be_made():
    """The law in = kept + dropped + held is the law of the road."""
    with pytest.raises(AssertionError, match="10 in, but 9"):
        StepReport("screen", 10, 5, {"refusal": 2}, {"failed_screen": 2})


def test_a_report_survives_json_with_its_facts():
    """Reports are read back by status, the page and a rerun."""
    report = StepReport("pull", 3, 1, {"unreadable": 1}, {"no_consent": 1}, 0.5, ("a",), {"bytes": 9})
    assert StepReport.from_json(report.to_json()) == report


@pytest.mark.parametrize("key", sorted(STANDARD_KEYS))
def test_a_fact_cannot_hide_a_count(key):
    """A step whose facts held `kept` would print counts that do not add up."""
    with pytest.raises(AssertionError, match=f"{key} cannot be a fact"):
        StepReport("pull", 1, 1, facts={key: 7})


def test_the_standard_keys_are_those_of_the_json():
    """The list and the JSON must not part."""
    assert StepReport("pull", 0, 0).to_json().keys() == STANDARD_KEYS


@pytest.mark.parametrize("rating", [0.99, 10.01, float("nan")])
def test_ratings_off_the_scale_are_refused(rating):
    """A judge that failed must say Unrated; it cannot smuggle in a zero or NaN."""
    with pytest.raises(ValueError, match="between"):
        Verdict(rating, JudgeIdentity("j", "m", "", "r", ""))


def test_a_verdict_survives_json():
    """Verdicts are kept and read back by later nights."""
    verdict = Verdict(7.25, JudgeIdentity("j", "m", "d", "r", "rd"), 0.5, {"clear": 8.0}, {"f": 1.0}, 10, 0.1)
    assert Verdict.from_json(verdict.to_json()) == verdict


PLAIN = Verdict(7.25, JudgeIdentity("j", "m", "d", "r", "rd")).to_json()


@pytest.mark.parametrize(
    ("plain", "named"),
    [
        ({**PLAIN, "judge": {**PLAIN["judge"], "rubrik": "x"}}, "unknown field 'rubrik'; did you mean 'rubric'"),
        ({**PLAIN, "judge": {**PLAIN["judge"], "temperature": "x"}}, "unknown field 'temperature'; another version"),
        ({**PLAIN, "judge": {"name": "j"}}, "a judge lacks 'model', 'model_digest', 'rubric', 'rubric_digest'"),
        ({**PLAIN, "judge": {**PLAIN["judge"], "model": 3}}, "'model' = 3; it must be a string"),
        ({**PLAIN, "judge": None}, "a judge is None"),
        ({**PLAIN, "mood": 1}, "unknown field 'mood'"),
        ({"rating": 5.0}, "a verdict lacks 'judge'"),
        ({**PLAIN, "rating": "high"}, "'rating' = 'high'"),
        ({**PLAIN, "rating": None}, "'rating' = None"),
        ({**PLAIN, "rating": 11}, "between 1.0 and 10.0"),
        ({**PLAIN, "criteria": 3}, "'criteria' = 3"),
        ({**PLAIN, "features": {"words": "many"}}, "'features' = {'words': 'many'}"),
        ({**PLAIN, "seconds": {}}, "'seconds' = {}"),
        ([], "not a JSON object"),
    ],
)
def test_a_verdict_of_another_make_is_refused_by_the_name_of_its_field(plain, named):
    """Stores and corpora outlive versions; a reader must learn which field it is, not that some call went wrong."""
    with pytest.raises(InputError) as caught:
        Verdict.from_json(plain)
    assert named in str(caught.value)
