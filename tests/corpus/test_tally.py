"""What becomes of a sample follows from the votes alone, by the rule that is written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.tally import Result, tally
from schemas.decision import Decision

A, B, C, OTHER = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)
ROOTS = {A: A, B: A, C: A}
"""B and C are edits of A."""


def vote(reviewer, verdict, second=0, of=A, edited_id=None) -> Decision:
    edited = {"edited_id": edited_id or B} if verdict == "edit" else {}
    return Decision(of, verdict, reviewer, f"2026-11-05T09:00:{second:02}Z", "x", **edited)


@pytest.mark.parametrize(
    ("verdicts", "hold", "majority", "any_reject"),
    [
        (["keep"], "kept", "kept", "kept"),
        (["reject"], "rejected", "rejected", "rejected"),
        (["edit"], "edited", "edited", "edited"),
        (["keep", "reject"], "held", "rejected", "rejected"),
        (["edit", "reject"], "held", "rejected", "rejected"),
        (["keep", "edit", "reject"], "edited", "edited", "rejected"),
        (["keep", "keep", "reject"], "kept", "kept", "rejected"),
        (["keep", "reject", "reject"], "rejected", "rejected", "rejected"),
        (["keep", "edit"], "edited", "edited", "edited"),
    ],
)
def test_the_three_rules(verdicts, hold, majority, any_reject):
    """The table of the rule, as the settings explain it."""
    given_votes = [vote(f"r{number}", verdict) for number, verdict in enumerate(verdicts)]
    for rule, expected in (("hold", hold), ("majority", majority), ("any_reject", any_reject)):
        assert tally(given_votes, ROOTS, rule)[A].outcome == expected


def test_a_reviewer_has_one_vote_the_latest_also_across_edits():
    """Who rejects an edit after keeping the original has said no."""
    assert tally([vote("x", "keep", 1), vote("x", "reject", 2)], ROOTS, "hold") == {A: Result("rejected")}
    assert tally([vote("x", "keep", 1), vote("x", "reject", 2, of=B)], ROOTS, "hold") == {A: Result("rejected")}


def test_of_several_edits_the_latest_stands_and_keeping_an_edit_speaks_for_it():
    """Later editors saw what earlier ones wrote; who keeps what stands, keeps that."""
    edits = [vote("x", "edit", 1), vote("y", "edit", 2, of=B, edited_id=C)]
    assert tally(edits, ROOTS, "hold") == {A: Result("edited", C)}
    assert tally([*edits, vote("z", "keep", 3, of=B)], ROOTS, "hold") == {A: Result("edited", B)}
    assert tally([*edits, vote("z", "reject", 3, of=C)], ROOTS, "hold") == {A: Result("edited", C)}


def test_machines_honeypots_and_strange_samples_have_no_say():
    """People decide, on what was proposed."""
    machine = Decision(A, "reject", "m", "2026-11-05T09:00:00Z", "x", made_by="machine")
    planted = Decision(A, "reject", "p", "2026-11-05T09:00:00Z", "x", is_honeypot=True)
    assert tally([machine, planted, vote("x", "reject", of=OTHER)], ROOTS, "hold") == {}


VERDICTS = st.sampled_from(["keep", "reject", "edit"])
VOTES = st.lists(
    st.builds(vote, st.sampled_from("wxyz"), VERDICTS, st.integers(0, 3), st.sampled_from([A, C])), max_size=12
)


@given(VOTES, st.randoms(), st.sampled_from(["hold", "majority", "any_reject"]))
def test_the_order_and_repetition_of_decisions_do_not_matter(votes, random, rule):
    """They are a set of lines, in whatever order commits brought them."""
    shuffled = [*votes, *votes[:3]]
    random.shuffle(shuffled)
    assert tally(votes, ROOTS, rule) == tally(shuffled, ROOTS, rule)


@given(VOTES)
def test_any_reject_keeps_no_more_than_hold_and_hold_holds_only_draws(votes):
    """The stricter rule is stricter."""
    hold, strict = tally(votes, ROOTS, "hold"), tally(votes, ROOTS, "any_reject")
    for root, result in strict.items():
        assert result.outcome == "rejected" or result == hold[root]
        assert result.outcome != "held"
