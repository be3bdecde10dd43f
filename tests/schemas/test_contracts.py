"""The contracts of the stored tables: they name every failure, and only real ones."""

from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pytest

from schemas.contracts import MAX_LISTED, failures, raise_failures, stage_contracts
from schemas.errors import InputError
from schemas.tables import DISTINCT, JUDGED, PULLED, REJECTED, SCREENED, SELECTED

SCHEMAS = {
    "pulled": PULLED,
    "screened": SCREENED,
    "distinct": DISTINCT,
    "judged": JUDGED,
    "selected": SELECTED,
    "rejected": REJECTED,
}
GOOD = {
    "conversation_id": "a" * 32, "source": "bot", "system": "test", "native_id": "1", "model": None, "language": "en",
    "created_at": datetime(2026, 11, 3, tzinfo=UTC), "consent": None, "licence": None, "subject": None,
    "n_messages": 2, "n_branches": 1, "messages": [{"role": "user", "content": "hi"}], "tree": "{}",
    "content_id": "b" * 32, "n_words": 1, "redactions": "{}", "n_duplicates": 0, "extends": None, "rating": 7.0,
    "acceptance": None, "verdict": '{"rating":7.0}', "expert": "general", "status": "held", "reason": "no_consent",
    "evidence": "",
}  # fmt: skip


def frame(state: str, *changes) -> pl.DataFrame:
    schema = SCHEMAS[state]
    rows = [{name: {**GOOD, **change}.get(name) for name in schema.names} for change in changes]
    table = pl.from_arrow(pa.Table.from_pylist(rows, schema=schema))
    assert isinstance(table, pl.DataFrame)
    return table


def check(table: pl.DataFrame, state: str, place: str) -> None:
    raise_failures(failures(table, stage_contracts()[state], label="conversation_id"), place)


@pytest.mark.parametrize("state", SCHEMAS)
def test_a_good_table_passes_and_so_does_an_empty_one(state):
    """A contract that complains without cause would be switched off."""
    check(frame(state, {}), state, state)
    check(frame(state), state, state)


BAD = [
    ("pulled", "conversation_id", "short"),
    ("pulled", "n_branches", 0),
    ("pulled", "consent", "  "),
    ("pulled", "messages", [{"role": "narrator", "content": "hi"}]),
    ("pulled", "tree", "[]"),
    ("screened", "content_id", "B" * 32),
    ("distinct", "n_duplicates", -1),
    ("distinct", "extends", ""),
    ("judged", "rating", 10.5),
    ("judged", "rating", 0.0),
    ("judged", "rating", float("nan")),
    ("judged", "acceptance", 1.5),
    ("selected", "expert", "../etc"),
    ("rejected", "status", "kept"),
    ("rejected", "reason", ""),
]


@pytest.mark.parametrize(("state", "column", "value"), BAD)
def test_a_wrong_value_is_found_with_its_row_and_column(state, column, value):
    """The message leads to the defect."""
    bad = {column: value, **({} if column == "conversation_id" else {"conversation_id": "c" * 32})}
    other = {"content_id": "d" * 32}
    with pytest.raises(InputError) as caught:
        check(frame(state, other, bad), state, "night/table.parquet")
    assert str(caught.value).startswith("night/table.parquet breaks its contract")
    assert f"{bad['conversation_id']}: {column}: " in str(caught.value)


def test_ids_are_unique():
    """The same conversation twice would be counted, judged and published twice."""
    found = failures(frame("pulled", {}, {}), stage_contracts()["pulled"], "conversation_id")
    assert len(found) == 2
    assert all("uniqueness" in line for line in found)


def test_missing_and_mistyped_columns_are_named():
    """A table of another version must not be read as if it fitted."""
    good = frame("judged", {})
    missing = failures(good.drop("rating"), stage_contracts()["judged"])
    assert missing == ["column rating: column_in_dataframe"]
    assert any(
        "rating: dtype" in line for line in failures(good.cast({"rating": pl.String}), stage_contracts()["judged"])
    )


def test_every_failure_is_counted_and_fifty_are_listed():
    """All at once, so that one run is enough to see what is wrong; not more than fits on a screen."""
    rows = [
        {"conversation_id": f"{n:032x}", "content_id": f"{n:032x}", "rating": 11.0, "n_words": -1} for n in range(80)
    ]
    with pytest.raises(InputError) as caught:
        check(frame("judged", *rows), "judged", "x")
    assert "in 160 places" in str(caught.value)
    assert f"and {160 - MAX_LISTED} more" in str(caught.value)


def test_terminal_codes_in_a_value_are_not_printed():
    """A value is hostile text; an error is printed on a terminal."""
    (line,) = failures(frame("selected", {"expert": "\x1b[31mred\u202e"}), stage_contracts()["selected"])
    assert "\x1b" not in line
    assert "\u202e" not in line
