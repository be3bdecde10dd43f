"""The Pandera contracts: which values a stored table may hold. A broken one is a bug upstream and fails loudly.

Every failure of a frame is collected before any is raised. Contracts are for collected frames: on lazy ones
Pandera checks only names and types. The Arrow schemas, from which the column types are taken, are in schemas/tables.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pandera.polars as pandera
import polars as pl
import pyarrow as pa

from schemas.conversation import ROLES
from schemas.errors import InputError
from schemas.tables import DISTINCT, JUDGED, PULLED, REJECTED, SCREENED, SELECTED
from schemas.verdict import RATING_MAX, RATING_MIN

MAX_LISTED = 50
"""Failures that an error prints; the others are counted, since a systematic bug fails on every row."""

MAX_SHOWN = 60
"""Characters of a failing value that an error prints: enough to recognise it, too few to leak a conversation."""

ID = r"^[0-9a-f]{32}$"
NIGHT = r"^\d{4}-\d{2}-\d{2}$"
EXPERT = r"^[a-z0-9][a-z0-9-]{0,40}$"

Contract = pandera.DataFrameSchema


def failures(frame: pl.DataFrame, contract: Contract, label: str | None = None) -> list[str]:
    """Every failure as a line naming row, column, check and the start of the value; empty when all is well.

    Args:
        frame: a collected frame.
        contract: what must hold.
        label: column that names a row to people; its number counts where there is none.
    """
    names = frame[label].to_list() if label and label in frame.columns else range(frame.height)
    return [_line(case, names) for case in failure_cases(frame, contract)]


def failure_cases(frame: pl.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Every failure as Pandera tells it: `index` (the row, None for the whole), `column`, `check`, `failure_case`."""
    try:
        contract.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        return list(error.failure_cases.to_dicts())
    return []


def _line(case: Mapping[str, Any], names: Sequence[Any]) -> str:
    row, column = case["index"], case["column"]
    where = "" if row is None else f"{names[row]}: "
    if case["schema_context"] == "DataFrameSchema":
        return f"column {case['failure_case']}: {case['check']}"
    value = str(case["failure_case"])
    shown = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}… ({len(value)} characters)"
    return f"{where}{column}: {case['check']} (found {shown!a})"


def raise_failures(found: Sequence[str], place: str) -> None:
    """Raises what `failures` found, if it found anything.

    Raises:
        InputError: with all failures up to `MAX_LISTED`, and how many there are.
    """
    if not found:
        return
    listed = [f"  {line}" for line in found[:MAX_LISTED]]
    if len(found) > MAX_LISTED:
        listed.append(f"  and {len(found) - MAX_LISTED} more")
    raise InputError(
        f"{place} breaks its contract in {len(found)} {'place' if len(found) == 1 else 'places'}; this is a defect of "
        "the step that wrote it, nothing was proposed:\n" + "\n".join(listed)
    )


def _check(says: str, condition: Callable[[pl.Expr], pl.Expr]) -> pandera.Check:
    return pandera.Check(lambda data: data.lazyframe.select(condition(pl.col(data.key))), name=says, error=says)


_IS_ID = pandera.Check.str_matches(ID, error="is an id of 32 hexadecimal characters")
_NOT_EMPTY = _check("is not empty", lambda column: column.str.strip_chars().str.len_chars() > 0)
_NO_NUL = _check("has no NUL", lambda column: ~column.str.contains("\0", literal=True))
_AT_LEAST_0 = pandera.Check.ge(0)
_IS_RATING = pandera.Check.in_range(RATING_MIN, RATING_MAX)
_IS_JSON_OBJECT = _check("is a JSON object", lambda column: column.str.contains(r"^\{.*\}$"))
_KNOWN_ROLES = _check(
    "has known roles", lambda column: column.list.eval(pl.element().struct.field("role").is_in(ROLES)).list.all()
)

_CHECKS: dict[str, list[pandera.Check]] = {
    "conversation_id": [_IS_ID],
    "content_id": [_IS_ID],
    "extends": [_IS_ID],
    "source": [_NOT_EMPTY],
    "system": [_NOT_EMPTY],
    "consent": [_NOT_EMPTY],
    "licence": [_NOT_EMPTY],
    "subject": [_NOT_EMPTY],
    "n_messages": [_AT_LEAST_0],
    "n_branches": [pandera.Check.ge(1)],
    "n_words": [_AT_LEAST_0],
    "n_duplicates": [_AT_LEAST_0],
    "messages": [_KNOWN_ROLES],
    "tree": [_IS_JSON_OBJECT],
    "redactions": [_IS_JSON_OBJECT],
    "verdict": [_IS_JSON_OBJECT],
    "rating": [_IS_RATING],
    "acceptance": [pandera.Check.in_range(0, 1)],
    "expert": [pandera.Check.str_matches(EXPERT)],
    "status": [pandera.Check.isin(["dropped", "held"])],
    "reason": [_NOT_EMPTY],
}
"""What holds of a column in whatever table it stands."""


def _contract(name: str, schema: pa.Schema, unique: Sequence[str] = ()) -> Contract:
    empty = pl.from_arrow(schema.empty_table())
    assert isinstance(empty, pl.DataFrame)
    columns = {
        field.name: pandera.Column(
            empty.schema[field.name],
            checks=_CHECKS.get(field.name, []),
            nullable=field.nullable,
            unique=field.name in unique,
        )
        for field in schema
    }
    return Contract(columns, name=name)


@cache
def stage_contracts() -> Mapping[str, Contract]:
    """The contract of each stage table by its state: pulled, screened, distinct, judged, selected, rejected.

    Made at the first call: Pandera takes half a second to load, which `gristmill --help` need not wait for. Uniqueness
    holds within the frame that is checked.
    """
    once = ("conversation_id",)
    distinct = ("conversation_id", "content_id")
    return {
        "pulled": _contract("pulled", PULLED, once),
        "screened": _contract("screened", SCREENED, once),
        "distinct": _contract("distinct", DISTINCT, distinct),
        "judged": _contract("judged", JUDGED, distinct),
        "selected": _contract("selected", SELECTED, distinct),
        "rejected": _contract("rejected", REJECTED),
    }


@cache
def sample_contract(*, threshold: float, licences: tuple[str, ...]) -> Contract:
    """What holds of samples: one row each with `place` (who it is, for people) and what is read back from its line.

    `spoken_id` is the content id of the line's messages, `roles` their initials in order, `line` its bytes as text,
    `rewritten` the canonical bytes of what the line parses to. No licences: any is allowed.
    """
    licence = [_NOT_EMPTY, *([pandera.Check.isin(licences)] if licences else [])]
    return Contract(
        {
            "id": pandera.Column(pl.String, [_IS_ID, _check("is in the line", lambda c: c == pl.col("line_id"))]),
            "spoken_id": pandera.Column(pl.String, _check("is the id", lambda column: column == pl.col("id"))),
            "rewritten": pandera.Column(pl.String, _check("is the line", lambda column: column == pl.col("line"))),
            "line": pandera.Column(pl.String, _check("is one line", lambda c: ~c.str.contains("\n", literal=True))),
            "roles": pandera.Column(pl.String, _ORDER_OF_ROLES),
            "expert": pandera.Column(pl.String, pandera.Check.str_matches(EXPERT)),
            "rating": pandera.Column(pl.Float64, [_IS_RATING, pandera.Check.ge(threshold)]),
            "consent": pandera.Column(pl.String, [_NOT_EMPTY, _NO_NUL]),
            "licence": pandera.Column(pl.String, licence),
            "night": pandera.Column(pl.String, pandera.Check.str_matches(NIGHT)),
        },
        name="samples",
    )


_ORDER_OF_ROLES = [
    pandera.Check.str_matches(r"^s?u[uat]*a$", error="is: system at most once and first, a user, ..., the assistant"),
    _check("has no two users or assistants in a row", lambda column: ~column.str.contains("uu|aa")),
]


@cache
def text_contract() -> Contract:
    """What holds of every text of a sample: its turns and their alternatives, one row each with `place`.

    Lone surrogates need no check: a frame's text is UTF-8, which cannot carry them. `chosen` is the content of the turn
    an alternative stands beside, null for a turn.
    """
    differs = _check(
        "differs from the turn it stands beside", lambda c: pl.col("chosen").is_null() | (c != pl.col("chosen"))
    )
    return Contract(
        {
            "role": pandera.Column(pl.String, pandera.Check.isin(ROLES)),
            "content": pandera.Column(pl.String, [_NOT_EMPTY, _NO_NUL, differs]),
            "rank": pandera.Column(pl.Int64, _AT_LEAST_0, nullable=True),
            "vote": pandera.Column(pl.Int64, pandera.Check.isin([-1, 1]), nullable=True),
        },
        name="texts",
    )


@cache
def identity_contract() -> Contract:
    """What holds of the night's ids as a whole."""
    return Contract({"id": pandera.Column(pl.String, unique=True)}, name="ids")
