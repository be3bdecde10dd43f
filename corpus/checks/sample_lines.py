"""The added lines of a shard, held against the shape and the contracts of a sample, and against their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from corpus.checks.paths import Place
from corpus.checks.problem import Problem, problem
from corpus.checks.text_file import ParsedLine
from corpus.validate import FACTS, TEXTS, sample_facts, sample_texts
from schemas.contracts import Contract, failure_cases, sample_contract, text_contract
from schemas.sample_shape import contribution_shape_problems, sample_shape_problems
from schemas.verdict import RATING_MIN

CONTRIBUTED_LINE_BYTES_MAX = 2**20
"""Of a contribution: 20,000 words, the longest conversation that the screen lets pass, are 120 kB of English."""

_ROWS = 1_000
"""Lines whose texts stand in frames at once."""

_MOST_SHAPE_PROBLEMS = 5
"""Of one line that are listed: a line of another format differs everywhere."""

_CODES = {
    "spoken_id": "id",
    "rewritten": "not_canonical",
    "line": "not_canonical",
    "roles": "turns",
    "role": "turns",
    "rating": "verdict",
    "content": "text",
    "rank": "alternatives",
    "vote": "alternatives",
}
"""Column of a contract to code, where they have other names."""


def sound_samples(lines: Sequence[ParsedLine], found: list[Problem]) -> list[ParsedLine]:
    """The lines that have a sample's shape; what is wrong with the others is added to `found`."""
    sound = []
    for line in lines:
        wrong = list(sample_shape_problems(line.plain))
        found += [problem(line.path, line.number, "shape", one) for one in wrong[:_MOST_SHAPE_PROBLEMS]]
        if not wrong:
            sound.append(line)
    return sound


def sample_problems(lines: Sequence[ParsedLine], place: Place, licences: Sequence[str]) -> Iterator[Problem]:
    """What breaks the contracts in lines of a sample's shape, and which stand in another's place."""
    contract = sample_contract(threshold=RATING_MIN, licences=tuple(licences))
    for start in range(0, len(lines), _ROWS):
        some = lines[start : start + _ROWS]
        facts = [sample_facts(line.plain["id"], line.content, line.plain) for line in some]
        # What is not canonical was told already, with its place in the line.
        yield from _broken(some, pl.DataFrame(facts, schema=FACTS), contract, leaving_out=("rewritten", "line"))
        yield from _text_problems(some)
    for line in lines:
        if line.plain["expert"] != place.expert:
            yield problem(line.path, line.number, "expert", "the sample names another expert than its folder")
        if line.plain["provenance"]["night"] != place.night:
            yield problem(line.path, line.number, "night", "the sample names another night than its file")


def contribution_problems(lines: Sequence[ParsedLine], licences: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with contributed conversations; no verdict is asked for, since a night rates them later."""
    sound = []
    for line in lines:
        wrong = list(contribution_shape_problems(line.plain))
        yield from (problem(line.path, line.number, "shape", one) for one in wrong[:_MOST_SHAPE_PROBLEMS])
        if not wrong:
            sound.append(line)
    wanted = ["roles", "consent", "licence"]
    contract = sample_contract(threshold=RATING_MIN, licences=tuple(licences)).select_columns(wanted)
    facts = [
        {
            "roles": "".join(message["role"][:1] for message in line.plain["messages"]),
            **{name: line.plain[name] for name in wanted[1:]},
        }
        for line in sound
    ]
    yield from _broken(sound, pl.DataFrame(facts, schema=dict.fromkeys(wanted, pl.String)), contract)
    yield from _text_problems(sound)


def _text_problems(lines: Sequence[ParsedLine]) -> Iterator[Problem]:
    rows, owners = [], []
    for line in lines:
        for row in sample_texts({"id": "", "alternatives": [], **line.plain}):
            rows.append({name: row.get(name) for name in TEXTS})
            owners.append(line)
    yield from _broken(owners, pl.DataFrame(rows, schema=TEXTS), text_contract())


def _broken(
    owners: Sequence[ParsedLine], frame: pl.DataFrame, contract: Contract, *, leaving_out: Sequence[str] = ()
) -> Iterator[Problem]:
    """The failures of a frame as problems of the lines behind its rows; values, which are anybody's, are not shown."""
    for case in failure_cases(frame, contract):
        column = str(case["column"])
        if case["index"] is None or column in leaving_out:
            continue
        line, code = owners[case["index"]], _CODES.get(column, column)
        said = f"{column} is not as it must be" if column == "licence" else f"{column}: {_said(str(case['check']))}"
        yield problem(line.path, line.number, code, said)


def _said(check: str) -> str:
    """A check in words; Pandera's own are calls."""
    return {"not_nullable": "is missing"}.get(check, check)
