"""What belongs together stays together, and a fifth is for testing, for ever."""

from hypothesis import given
from hypothesis import strategies as st

from judges.lessons import group_of, lessons
from schemas.conversation import Turn, content_id
from schemas.decision import DecidedSample, Decision


def sample(question="What is a quern?", answer="A mill.", *, night="2026-11-04", verdict="keep", edits=None, reason=""):
    turns = (Turn("user", question), Turn("assistant", answer))
    name = content_id(list(turns))
    edited = next(iter(edits)) if edits else None
    vote = Decision(name, verdict, "ann", f"{night}T08:00:00Z", "x", reason=reason, edited_id=edited)
    return DecidedSample(name, night, turns, (vote,), 7.0, edits=edits or {})


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=4), st.text(max_size=20))
def test_the_same_first_question_is_the_same_group_whatever_follows(question, later, system):
    """Records of one conversation at different lengths, regenerated answers, other letter cases: one side only."""
    turns = [Turn("system", system), Turn("user", question), *(Turn("assistant", text) for text in later)]
    assert group_of(turns) == group_of([Turn("user", f"  {question}\n")])


def test_about_a_fifth_is_frozen_and_stays_so():
    """Written out: a change of the rule would let heads learn what they are tested on."""
    found = lessons([sample(f"Question {n}?") for n in range(1000)])
    frozen = [lesson.turns[0].content for lesson in found if lesson.is_frozen]
    assert 160 <= len(frozen) <= 240
    assert sorted(frozen, key=lambda text: int(text[9:-1]))[:5] == FIRST_FROZEN


FIRST_FROZEN = ["Question 0?", "Question 11?", "Question 19?", "Question 22?", "Question 25?"]


def test_an_edit_is_a_no_to_the_original_and_a_yes_to_the_new_on_the_same_side():
    """The pair must not be torn apart by the frozen part, even if the question itself was edited."""
    new = (Turn("user", "What is a rotary quern?"), Turn("assistant", "A hand mill of two stones."))
    name = content_id(list(new))
    found = lessons([sample(verdict="edit", edits={name: new}, reason="too short")])
    by_id = {lesson.content_id: lesson for lesson in found}
    edited, original = by_id.pop(name), next(iter(by_id.values()))
    assert (original.keep, original.is_mended, original.reasons) == (0.0, True, ("too short",))
    assert (edited.keep, edited.is_edited, edited.group) == (1.0, True, original.group)


def test_lessons_do_not_depend_on_the_order_of_the_samples():
    """Equal decisions, equal heads."""
    samples = [sample(f"Question {n}?") for n in range(20)]
    assert lessons(samples) == lessons(reversed(samples))
