"""Decisions come from pull requests that anybody may open: what is no decision never becomes one."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.conversation import Turn
from schemas.decision import DecidedSample, Decision, decision_lines, parse_decisions, votes
from schemas.errors import InputError

A, B = "a" * 32, "b" * 32
PLAIN = {
    "sample_id": A,
    "verdict": "keep",
    "reviewer": "ann",
    "decided_at": "2026-11-05T08:30:00Z",
    "proposal": "night/2026-11-04",
}


def decision(**changed) -> Decision:
    return Decision.from_json({**PLAIN, **changed})


texts = st.text(
    st.characters(
        blacklist_categories=["Cc", "Cs"], blacklist_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
)
decisions = st.builds(
    decision,
    sample_id=st.sampled_from([A, B]),
    verdict=st.sampled_from(["keep", "reject"]),
    reviewer=st.sampled_from(["ann", "bo.b", "C-3"]),
    decided_at=st.integers(0, 59).map(lambda second: f"2026-11-05T08:30:{second:02}Z"),
    reason=texts.filter(lambda text: len(text) <= 1000),
    made_by=st.sampled_from(["person", "machine"]),
    is_honeypot=st.booleans(),
)  # fmt: skip


@given(st.lists(decisions))
def test_a_file_of_decisions_is_read_as_it_was_written(given_decisions):
    """The corpus is the only memory of what people said."""
    content = decision_lines(given_decisions)
    assert set(parse_decisions(content, "x")) == set(given_decisions)
    assert decision_lines(parse_decisions(content, "x")) == content
    assert decision_lines(reversed(given_decisions)) == content


@given(st.lists(decisions))
def test_each_reviewer_has_one_vote_a_sample_and_machines_have_none(given_decisions):
    """A reviewer who changes their mind is not two; a check that ran by itself is nobody."""
    for sample_id, counted in votes(given_decisions).items():
        reviewers = [vote.reviewer for vote in counted]
        assert reviewers == sorted(set(reviewers))
        for vote in counted:
            assert vote.made_by == "person" and not vote.is_honeypot and vote.sample_id == sample_id
            own = [one for one in given_decisions if (one.sample_id, one.reviewer) == (sample_id, vote.reviewer)]
            people = [one for one in own if one.made_by == "person" and not one.is_honeypot]
            assert vote.decided_at == max(one.decided_at for one in people)
    assert votes(reversed(given_decisions)) == votes(given_decisions)


@pytest.mark.parametrize(
    "changed",
    [
        {"sample_id": "A" * 32},
        {"sample_id": "../../etc/passwd"},
        {"sample_id": 7},
        {"verdict": "KEEP"},
        {"verdict": None},
        {"verdict": ["keep"]},
        {"reviewer": "ann@example.org"},
        {"reviewer": ""},
        {"reviewer": "a" * 65},
        {"reviewer": "ann\n"},
        {"decided_at": "2026-11-05"},
        {"decided_at": "2026-13-05T08:30:00Z"},
        {"decided_at": "2026-11-05T08:30:00+01:00"},
        {"proposal": ""},
        {"proposal": "night\n2026"},
        {"reason": "x" * 1001},
        {"reason": "bell \x07"},
        {"reason": "turned \u202e around"},
        {"reason": None},
        {"verdict": "edit"},
        {"verdict": "edit", "edited_id": A},
        {"verdict": "edit", "edited_id": 3},
        {"verdict": "keep", "edited_id": B},
        {"made_by": "god"},
        {"is_honeypot": 1},
        {"is_honeypott": True},
    ],
    ids=str,
)
def test_what_is_no_decision_is_refused(changed):
    """A forged or mangled line must stop where it is read, not where it is used."""
    with pytest.raises(InputError, match="not a decision"):
        decision(**changed)


@pytest.mark.parametrize(
    "line", [b"[]", b"null", b"3", b"{", b"\xff\xfe", b'{"sample_id": "x"}', b'"' + b"x" * 20_000 + b'"']
)
def test_a_damaged_line_is_named_by_its_place(line):
    """Whoever mends it must find it."""
    content = decision().line() + b"\r\n\n" + line + b"\n"
    with pytest.raises(InputError, match=r"decisions/2026-11-04.jsonl, line \d"):
        parse_decisions(content, "decisions/2026-11-04.jsonl")


def test_an_unknown_key_suggests_the_known_one():
    """A tool that writes `sample` for `sample_id` is told so."""
    with pytest.raises(InputError, match="did you mean 'sample_id'"):
        Decision.from_json({"sample-id": A})


def test_a_line_is_canonical_json():
    """A diff of decisions shows decisions only."""
    line = decision(reason="täuscht\nsich").line()
    assert line == orjson.dumps(orjson.loads(line), option=orjson.OPT_SORT_KEYS) + b"\n"


def test_several_reviewers_count_alike_and_an_edit_is_no_keep():
    """The rule that the judge learns by; a draw has no majority."""
    given_votes = (decision(), decision(reviewer="bob", verdict="edit", edited_id=B))
    sample = DecidedSample(A, "2026-11-04", (Turn("user", "x"),), given_votes, 7.0)
    assert (sample.keep, sample.is_kept) == (0.5, None)
    kept = DecidedSample(A, "2026-11-04", (Turn("user", "x"),), (*given_votes, decision(reviewer="eve")), 7.0)
    assert kept.is_kept is True
