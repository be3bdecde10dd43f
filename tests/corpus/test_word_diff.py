"""The diff of an edit: it says what was there and what is there now, word by word, and nothing else."""

import time

from hypothesis import given
from hypothesis import strategies as st

from corpus.word_diff import Span, word_diff

TEXTS = st.text(alphabet="ab .\nüЖ字", max_size=60)


@given(TEXTS, TEXTS)
def test_a_diff_holds_both_texts(before, after):
    """A reviewer who reads the diff has read both."""
    spans = word_diff(before, after)
    assert "".join(span.text for span in spans if span.kind != "added") == before
    assert "".join(span.text for span in spans if span.kind != "removed") == after


@given(TEXTS)
def test_equal_texts_have_no_changes(text):
    """Nothing is marked that was not touched."""
    assert all(span.kind == "same" for span in word_diff(text, text))


def test_a_changed_word_is_marked_alone():
    """The smallest mark is the easiest to check."""
    assert word_diff("It costs 20 euros.", "It costs 30 euros.") == [
        Span("same", "It costs "),
        Span("removed", "20"),
        Span("added", "30"),
        Span("same", " euros."),
    ]


def test_changed_words_in_a_row_stay_together():
    """A phrase that was replaced reads as a phrase."""
    assert word_diff("so it is now", "so they were now") == [
        Span("same", "so "),
        Span("removed", "it is"),
        Span("added", "they were"),
        Span("same", " now"),
    ]


def test_a_hostile_text_costs_a_second_at_most():
    """A hundred thousand words against others: the search gives up, the diff is still true."""
    before, after = "a b " * 50_000, "b c " * 50_000
    began = time.perf_counter()
    spans = word_diff(before, after)
    assert time.perf_counter() - began < 10
    assert "".join(span.text for span in spans if span.kind != "removed") == after
