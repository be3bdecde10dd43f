"""An alarm that nobody sees is none: the night's page says what moved and how reviewers decided."""

from pathlib import Path

import orjson
import pytest

from corpus.report import build_report, render
from judges.drift import Drift, Fall, NightAgreement, Shift
from schemas.errors import InputError
from tests.corpus.html_check import Page
from tests.corpus.night_folder import NIGHT, Talk, make_night

FOUND = Drift(
    NIGHT,
    (Shift("ratings", 0.41, 0.25, 60, 300), Shift("acceptances", None, None, 0, 0)),
    (
        NightAgreement("2026-11-02", 40, 38, 0.835, 0.986, 0.6, 0.3, 0.9),
        NightAgreement("2026-11-03", 20, 4, 0.081, 0.416, None, None, None),
    ),
    Fall(("2026-11-03",), 20, 4, 40, 38, 1e-9, True),
    ("reviewers of 2026-11-03 decided otherwise <b>",),
)


@pytest.fixture
def night(tmp_path) -> Path:
    return make_night(tmp_path / NIGHT, [Talk((f"What is {n}?", f"It is the number {n}, no less.")) for n in range(3)])


def test_alarms_agreement_and_shifts_stand_on_the_page(night):
    """The values are those of the judge's own drift record, escaped like everything else."""
    (night / "drift.json").write_bytes(orjson.dumps(FOUND.to_json()))
    facts = build_report(night)
    assert facts.alarms == FOUND.alarms
    assert [(one.night, one.n, one.n_agreed, one.kappa) for one in facts.reviewed] == [
        ("2026-11-02", 40, 38, 0.6),
        ("2026-11-03", 20, 4, None),
    ]
    assert [(one.what, one.index) for one in facts.shifts] == [("ratings", 0.41)]
    html = render(facts)
    Page(html)
    assert "<strong>Alarm:</strong> <bdi>reviewers of 2026-11-03 decided otherwise &lt;b&gt;</bdi>." in html
    assert "Waiting for you" in html and "The judge and its reviewers" in html
    assert "stability index of 0.41" in html and "8 to 42 %" in html


def test_a_night_without_reviews_says_nothing_of_them(night):
    """The first nights have no reviewers yet."""
    html = render(build_report(night))
    assert "The judge and its reviewers" not in html and "Alarm" not in html


def test_a_damaged_record_is_named(night):
    """Not a traceback, and not a page without its alarms."""
    (night / "drift.json").write_text("{")
    with pytest.raises(InputError, match=r"drift.json is damaged"):
        build_report(night)
