"""Every unit of time that logs use, in one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.timestamps import moment_of, utc


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1793525400, "2026-11-01T09:30:00Z"),
        (1793525400.25, "2026-11-01T09:30:00.250000Z"),
        (1793525400250, "2026-11-01T09:30:00.250000Z"),
        (1793525400250000, "2026-11-01T09:30:00.250000Z"),
        (1793525400250000001, "2026-11-01T09:30:00.250000Z"),
        ("1793525400250000001", "2026-11-01T09:30:00.250000Z"),
        ("1793525400.25", "2026-11-01T09:30:00.250000Z"),
        ("2026-11-01T09:30:00Z", "2026-11-01T09:30:00Z"),
        ("2026-11-01T10:30:00+01:00", "2026-11-01T09:30:00Z"),
        ("2026-11-01T04:00:00-0530", "2026-11-01T09:30:00Z"),
        ("2026-11-01T09:30:00", "2026-11-01T09:30:00Z"),
        ("2026-11-01 09:30:00.250000", "2026-11-01T09:30:00.250000Z"),
        ("2026-11-01 09:30:00.250000123 UTC", "2026-11-01T09:30:00.250000Z"),
        ("2026-11-01T09:30Z", "2026-11-01T09:30:00Z"),
        ("2026-11-01", "2026-11-01T00:00:00Z"),
        ("2026-11-1 @09h 30m 00s 250ms", "2026-11-01T09:30:00.250000Z"),
        ("November 1, 2026 9:30am", "2026-11-01T09:30:00Z"),
        ("November 1, 2026 12:05am", "2026-11-01T00:05:00Z"),
    ],
)
def test_every_unit_and_spelling_is_understood(value, expected):
    """The magnitude tells the unit; naive times are taken as UTC, as the systems that write them mean them."""
    assert utc(value) == expected


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -5, 12, 10**30, 10**400, 1e300, float("nan"), float("inf"), "", "yesterday", "16:33:32 GMT+0200"]
    + ["2026-02-31", "99999-01-01", "2026-11-01T25:00:00Z", "٢٠٢٦-١١-٠١", [], {}, "1" * 1000],
)
def test_what_is_no_time_is_none(value):
    """A broken clock must not cost a conversation."""
    assert utc(value) is None


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=40), st.none(), st.lists(st.integers(), max_size=2)))
def test_no_value_raises_and_every_answer_can_be_read_back(value):
    """The row's timestamp column is made from the text."""
    text = utc(value)
    assert (moment_of(text) is None) == (text is None)
