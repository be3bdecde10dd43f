"""A tombstone is read from a public file: what is not of its form never becomes one."""

import pytest

from schemas.errors import InputError
from schemas.sample import Tombstone

ID, AT = "0123456789abcdef" * 2, "2026-11-04T09:30:00Z"


def test_a_tombstone_survives_its_line():
    """The same bytes every time; what is absent in a line written by hand is null."""
    stone = Tombstone(ID, "asked", AT, "f" * 32, None, "0" * 16, ("1" * 16, "2" * 16), "21x6 1.1.1")
    assert Tombstone.from_json(stone.to_json()) == stone
    assert stone.line().endswith(b"}\n") and stone.line() == Tombstone.from_json(stone.to_json()).line()
    assert Tombstone.from_json({"sample_id": ID, "reason": "asked", "withdrawn_at": AT}) == Tombstone(ID, "asked", AT)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sample_id": "abc"}, "sample_id must be 32"),
        ({"sample_id": None}, "names neither"),
        ({"sample_id": 7}, "sample_id must be"),
        ({"reason": " "}, "reason must be text"),
        ({"reason": "two\nlines"}, "one line"),
        ({"reason": "x" * 301}, "1 to 300"),
        ({"reason": None}, "reason must be text"),
        ({"withdrawn_at": "yesterday"}, "instant"),
        ({"bands": ["short"]}, "each of bands"),
        ({"bands": "text"}, "bands must be a list"),
        ({"bands": ["0" * 16]}, "marks"),
        ({"end": "0"}, "end must be"),
        ({"subjct": ID}, "did you mean 'subject'"),
    ],
)
def test_what_is_not_of_the_form_is_refused(wrong, said):
    """The message says which field, so that a person can mend the line."""
    with pytest.raises(InputError, match=said):
        Tombstone.from_json({"sample_id": ID, "reason": "asked", "withdrawn_at": AT, **wrong})


def test_a_tombstone_may_name_only_a_contributor():
    """Whoever withdraws may come back tomorrow with a new conversation."""
    assert Tombstone(None, "asked", AT, subject=ID).subject == ID
    with pytest.raises(InputError, match="no JSON object"):
        Tombstone.from_json([])
