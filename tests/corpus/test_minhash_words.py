"""Words as numbers: the same everywhere, and the same words that people would see."""

import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import words as words_module
from corpus.words import word_hashes, words

SAMPLE = "Grüße, don't STOP_me 42 times… Ωμέγα и Мир! 今日はいい天気ですね สวัสดี नमस्ते 😀😀 İstanbul x"


def test_hashes_are_golden():
    """Signatures are kept for years: if this fails, kept ones are void and FORMAT_VERSION must be raised."""
    (hashes,) = word_hashes([SAMPLE])
    found = hashlib.sha256(hashes.astype("<u8").tobytes()).hexdigest()[:16]
    assert (found, words_module.FORMAT_VERSION) == ("2b8a4990193d4e57", 1)


def test_characters_do_not_follow_the_unicode_version_of_python():
    """Python 3.13 knows letters that 3.11 does not; a signature must not change with the interpreter."""
    tables = words_module._tables()
    found = hashlib.sha256(tables.kind.tobytes() + tables.lower.astype("<u4").tobytes()).hexdigest()[:16]
    assert found == "7d826450d728f800"


def test_hashes_are_the_same_in_another_process():
    """Python salts its own hash in each process; ours must not depend on it."""
    program = f"from corpus.words import word_hashes; print(word_hashes([{SAMPLE!r}])[0].tolist())"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=".").stdout
    assert said.strip() == str(word_hashes([SAMPLE])[0].tolist())


def test_scripts_without_spaces_have_one_word_a_character():
    """A Chinese sentence would otherwise be one word, and any two of them would share nothing."""
    assert words("今日は天気") == ["今", "日", "は", "天", "気"]
    assert words("GPT是好的 model") == ["gpt", "是", "好", "的", "model"]
    assert len(words("สวัสดี")) == 6


def test_symbols_and_pictographs_separate():
    """An emoji glued to a word does not make it another word."""
    assert words("hello😀world—it’s") == ["hello", "world", "it", "s"]
    assert words("😀 … !!!") == []


def test_marks_stay_with_their_letters():
    """Devanagari and decomposed accents are words, not letters torn apart."""
    assert words("नमस्ते cafe\u0301") == ["नमस्ते", "cafe\u0301"]


@given(st.lists(st.text(st.characters(codec="ascii"), max_size=60), max_size=8))
def test_ascii_words_are_those_of_a_regular_expression(texts):
    """On English the words are what everybody means by `\\w+`, so other implementations can be compared."""
    for text, hashes in zip(texts, word_hashes(texts), strict=True):
        assert words(text) == re.findall(r"\w+", text.lower())
        assert len(hashes) == len(words(text))


@given(st.lists(st.text(max_size=40), max_size=6))
def test_any_text_has_a_hash_for_each_word(texts):
    """Logs hold everything, lone surrogates included; and grouping texts must not change their hashes."""
    together = word_hashes(texts)
    for text, hashes in zip(texts, together, strict=True):
        assert len(hashes) == len(words(text))
        assert np.array_equal(hashes, word_hashes([text])[0])


def test_equal_words_have_equal_hashes_wherever_they_stand():
    """The polynomial's weights depend on the place; the inverse must take it out again."""
    text = " ".join(["alpha", "Beta", "ALPHA", "beta"] * 5000)
    (hashes,) = word_hashes([text])
    assert len(hashes) == 20_000
    assert len(np.unique(hashes)) == 2


@settings(max_examples=5, deadline=None)
@given(st.sampled_from([" ", "\n", ",", "天"]))
def test_long_texts_are_cut_into_pieces_without_harm(separator):
    """A message of megabytes is hashed in pieces; the cuts must not make other words."""
    unit = f"one{separator}two three{separator}"
    text = unit * (300_000 // len(unit))
    (hashes,) = word_hashes([text])
    assert len(hashes) == len(words(text))
    assert len(np.unique(hashes)) == len(set(words(text)))


def test_lone_surrogates_do_not_raise():
    """A stage file cannot hold them, but a library caller can."""
    assert words("a\ud800b") == ["a", "b"]
    assert len(word_hashes(["a\ud800b"])[0]) == 2


@pytest.mark.parametrize("one", ["listen", "silent", "enlist", "tinsel", "ab", "ba"])
def test_anagrams_differ(one):
    """A sum of characters would confuse them."""
    others = {"listen", "silent", "enlist", "tinsel", "ab", "ba"} - {one}
    (mine,) = word_hashes([one])
    assert all(word_hashes([other])[0][0] != mine[0] for other in others)
