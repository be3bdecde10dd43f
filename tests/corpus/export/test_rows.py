"""Which rows a sample gives, and why it gives none: nothing vanishes, and no preference is made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from corpus.export.preferences import Pair, pairs
from corpus.export.rows import KINDS, LeftOut, Row, of_its_form, rows_of
from corpus.export.talk_rules import ANY_TALK, STRICT, talk_problem
from corpus.release_rows import ReleasedSample
from schemas.errors import CorpusError
from schemas.reasons import REASONS
from tests.corpus.export.made_release import beside, line, odd_lines, released, said

TALK = said("Why?", "Because.", "Really?", "Yes, really.")


def found(kind, plain, rules=STRICT, **asked):
    (sample,) = released(plain)
    return list(rows_of(sample, kind, rules, **asked))


def paired(*alternatives, messages=TALK, **asked):
    return [one for _, one in pairs(messages, alternatives, **asked)]


def test_a_kept_conversation_is_imitated_as_it_stands():
    """A trainer must see what people reviewed, to the letter."""
    (row,) = found("sft", line(TALK))
    assert (row.messages, row.reply, row.prompt) == (TALK, "Yes, really.", TALK[:-1])


@pytest.mark.parametrize("reason", odd_lines())
def test_what_no_toolkit_can_hold_is_left_out_with_its_reason(reason):
    """Loaders drop or mangle such rows in silence."""
    assert found("sft", odd_lines()[reason]) == [LeftOut(odd_lines()[reason]["id"], reason)]


def test_a_plain_folder_holds_conversations_in_any_order_of_roles():
    """It feeds no trainer, so nothing but empty text is in the way."""
    held = {reason for reason, plain in odd_lines().items() if isinstance(found("sft", plain, ANY_TALK)[0], Row)}
    assert held == set(odd_lines()) - {"no_content", "empty_turn", "control_characters"}


def test_conversations_with_tools_keep_to_turns_where_they_are_held():
    """An answered prompt must end with somebody whom the assistant answers."""
    (row,) = found("prompt", odd_lines()["tool_turn"], ANY_TALK)
    assert (row.prompt[-1]["role"], row.has_tools) == ("tool", True)
    twice = line([*said("Sum?", "<tool_call>"), *2 * [{"role": "tool", "content": "4"}], *said("", "Four.")[1:]])
    assert found("prompt", twice, ANY_TALK)[0].reason == "not_alternating"


def test_a_thumb_down_or_an_edit_makes_the_reply_the_rejected_one():
    """People kept the path, and somebody said that this is worse."""
    assert paired(beside(1, "No idea.", vote=-1)) == [Pair("Because.", "No idea.", "vote")]


def test_the_messages_after_the_turn_are_no_part_of_a_pair():
    """A pair is two replies to the same prompt."""
    (row,) = found("preference", line(TALK, beside(1, "No idea.", vote=-1)))
    assert (row.prompt, row.reply, row.rejected) == (TALK[:1], "Because.", "No idea.")


def test_a_regeneration_without_any_signal_is_no_preference():
    """Who asks again may want another answer rather than a better one."""
    assert paired(beside(1, "No idea.")) == ["no_preference"]


def test_that_the_user_went_on_is_used_only_when_asked_for_and_is_marked():
    """Weak evidence must be seen to be weak, and overrules no vote and no rank."""
    assert paired(beside(1, "No idea."), with_weak=True) == [Pair("Because.", "No idea.", "branch")]
    assert paired(beside(1, "A", vote=1), beside(3, "B", rank=0), with_weak=True) == ["no_preference"] * 2


def test_a_thumb_up_beside_the_path_is_worse_than_nothing():
    """That people kept the path does not make a reply bad that its user liked."""
    assert paired(beside(1, "Liked.", vote=1)) == ["no_preference"]


def test_ranks_are_preferences_and_the_missing_first_rank_is_the_paths():
    """A ranking has a best one; where none beside the path is, the user's log ends on it."""
    assert paired(beside(1, "second", rank=1), beside(1, "third", rank=2)) == [
        Pair("Because.", "second", "rank"),
        Pair("Because.", "third", "rank"),
    ]
    assert paired(beside(1, "first", rank=0), beside(1, "second", rank=1)) == [
        "no_preference",
        Pair("first", "second", "rank"),
    ]


def test_ranks_of_one_turn_say_nothing_of_another():
    """A rank compares replies to one prompt."""
    assert paired(beside(1, "a", rank=0), beside(3, "b", rank=1))[0] == "no_preference"
    assert paired(beside(1, "a", rank=0), beside(3, "b", rank=1))[1] == Pair("Yes, really.", "b", "rank")


def test_signals_that_contradict_each_other_are_no_preference():
    """Liked and ranked worse, or disliked and ranked better: nobody knows."""
    assert paired(beside(1, "liked", rank=1, vote=1), beside(1, "disliked", rank=0, vote=-1)) == [
        "contradictory_signals",
        Pair("Because.", "disliked", "vote"),
    ]


def test_what_somebody_disliked_is_never_chosen():
    """A model must not learn to say it, whatever it was ranked."""
    assert paired(beside(1, "bad", rank=0, vote=-1), beside(1, "worse", rank=1)) == [
        Pair("Because.", "bad", "vote"),
        "no_preference",
    ]


def test_two_replies_that_differ_in_white_space_alone_are_one():
    """Templates trim, and a pair of equal texts has no gradient but noise."""
    (left,) = found("preference", line(TALK, beside(3, " Yes, really.\n", vote=-1)))
    assert (left.reason, left.turn) == ("same_reply", 3)


def test_a_reply_beside_the_users_words_is_damage():
    """It must not become a pair of something else."""
    with pytest.raises(CorpusError, match="beside message 0"):
        paired(beside(0, "x", vote=-1))
    with pytest.raises(CorpusError, match="not of its form"):
        bad = {"id": "0" * 32, "messages": [{"role": "user"}], "alternatives": []}
        sample = ReleasedSample("train", "general", bad)
        with of_its_form(sample):
            list(rows_of(sample, "sft", STRICT))


def test_unpaired_rows_are_the_kept_reply_and_those_with_a_vote():
    """People kept the one, and a vote says which side the other is on; no vote says nothing."""
    plain = line(TALK, beside(1, "Bad.", vote=-1), beside(3, "Good.", vote=1), beside(3, "Mute.", rank=1))
    rows = found("unpaired", plain)
    assert [(one.reply, one.label) for one in rows[:3]] == [("Yes, really.", True), ("Bad.", False), ("Good.", True)]
    assert rows[3] == LeftOut(plain["id"], "no_vote", 3)


def test_the_same_reply_with_both_labels_is_no_example():
    """Kept by people and disliked by somebody, or liked and disliked: a trainer would be pulled both ways."""
    plain = line(TALK, beside(3, "Yes, really. ", vote=-1), beside(1, "Hm.", vote=1), beside(1, "Hm.", vote=-1))
    good, *left = found("unpaired", plain)
    assert (good.reply, good.label) == ("Yes, really.", True)
    assert [(one.reason, one.turn) for one in left] == [("contradictory_signals", turn) for turn in (3, 1, 1)]


@pytest.mark.parametrize("token", ["<|im_end|>", "[INST]", "<end_of_turn>", "<｜Assistant｜>"])
def test_no_reply_forges_a_turn_of_a_chat_template(token):
    """Trainers cut the rendered text into tokens: what spells a mark becomes one, whoever said it, in code too."""
    forged = beside(1, f"```\nNo.{token}\n```", vote=-1)
    assert found("preference", line(TALK, forged))[0].reason == "control_token"
    assert found("unpaired", line(TALK, forged))[1].reason == "control_token"
    assert found("prompt", line(said(f"What is {token}?", "A mark.")))[0].reason == "control_token"
    assert isinstance(found("sft", line(said(f"What is {token}?", "A mark.")), ANY_TALK)[0], Row)


def test_a_prompt_comes_with_the_reply_that_people_kept():
    """It is what a reward function may compare with."""
    (row,) = found("prompt", line(TALK))
    assert (row.prompt, row.reply) == (TALK[:-1], "Yes, really.")
    (row,) = found("prompt", line(TALK[:-1]))
    assert (row.prompt, row.reply) == (TALK[:-1], None)


messages = some.lists(
    some.builds(
        lambda role, content: {"role": role, "content": content},
        some.sampled_from(["system", "user", "assistant", "tool"]),
        some.sampled_from(["a", "b", " ", "x\0"]),
    ),
    max_size=6,
)
marks = some.tuples(some.integers(0, 5), some.sampled_from("abc "), some.sampled_from([None, 0, 1]),
                    some.sampled_from([None, 1, -1]))  # fmt: skip


@given(messages, some.lists(marks, max_size=4), some.sampled_from(KINDS), some.booleans(), some.booleans())
def test_every_row_keeps_the_invariants_and_nothing_vanishes(talk, given_marks, kind, is_any, weak):
    """Whatever a corpus holds: a row that breaks them would be dropped or misread by one loader or another."""
    answered = [turn for turn, one in enumerate(talk) if one["role"] == "assistant"]
    others = [beside(answered[turn % len(answered)], *rest) for turn, *rest in given_marks if answered]
    rules = ANY_TALK if is_any else STRICT
    rows = found(kind, line(talk, *others), rules, with_weak=weak)
    n_in = {"sft": 1, "prompt": 1, "unpaired": 1 + len(others)}.get(kind, max(1, len(others)))
    assert len(rows) == n_in
    for row in rows:
        if isinstance(row, LeftOut):
            assert row.reason in REASONS
            continue
        assert all(one["content"].strip() and "\0" not in one["content"] for one in [*row.messages, *row.worse])
        if not is_any:
            assert talk_problem(row.messages, STRICT) is None
            assert row.messages[-1]["role"] == ("user" if row.reply is None else "assistant")
        if kind in ("preference", "reward"):
            assert row.reply != row.rejected and row.signal
        assert (kind == "unpaired") == (row.label is not None)
