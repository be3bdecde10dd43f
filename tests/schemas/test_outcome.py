"""Counts add up, or the report is not made."""

import pytest

from schemas.outcome import StepReport
from schemas.verdict import JudgeIdentity, Verdict


def test_a_report_whose_counts_do_not_add_up_cannot_be_made():
    """The law in = kept + dropped + held is the law of the road."""
    with pytest.raises(AssertionError, match="10 in, but 9"):
        StepReport("screen", 10, 5, {"refusal": 2}, {"failed_screen": 2})


def test_a_report_survives_json_with_its_facts():
    """Reports are read back by status, the page and a rerun."""
    report = StepReport("pull", 3, 1, {"unreadable": 1}, {"no_consent": 1}, 0.5, ("a",), {"bytes": 9})
    assert StepReport.from_json(report.to_json()) == report


@pytest.mark.parametrize("rating", [0.99, 10.01, float("nan")])
def test_ratings_off_the_scale_are_refused(rating):
    """A judge that failed must say Unrated; it cannot smuggle in a zero or NaN."""
    with pytest.raises(ValueError, match="between"):
        Verdict(rating, JudgeIdentity("j", "m", "", "r", ""))


def test_a_verdict_survives_json():
    """Verdicts are kept and read back by later nights."""
    verdict = Verdict(7.25, JudgeIdentity("j", "m", "d", "r", "rd"), 0.5, {"clear": 8.0}, {"f": 1.0}, 10, 0.1)
    assert Verdict.from_json(verdict.to_json()) == verdict
