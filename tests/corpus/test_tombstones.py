"""What was withdrawn does not return, in whatever clothes; and a tombstone does not tell what it was."""

import random

import orjson
import pytest

from corpus.fingerprint import fingerprints
from corpus.tombstones import MARKS, Withdrawn, is_withdrawn, mark_of, marks_of, why_withdrawn
from schemas.conversation import Turn
from schemas.errors import InputError
from schemas.sample import Tombstone

AT = "2026-11-04T09:30:00Z"
ID, OTHER = "a" * 32, "b" * 32


def prose(seed: int, n_words: int) -> str:
    rng = random.Random(seed)
    return " ".join(f"word{rng.randrange(10**7)}" for _ in range(n_words))


def messages(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


def sample(*texts: str, sample_id: str = OTHER, **provenance) -> dict:
    facts = {"conversation_id": None, "subject": None, **provenance}
    return {"id": sample_id, "messages": messages(*texts), "provenance": facts}


def stone(*texts: str, **more) -> Tombstone:
    return Tombstone(ID, "asked", AT, **{**marks_of(mark_of(messages(*texts))), **more})


def test_each_name_keeps_it_out():
    """An id when the text is the same, the conversation when redaction changed it, the contributor for ever."""
    withdrawn = Withdrawn.of([
        Tombstone(ID, "asked", AT, conversation_id="c" * 32), Tombstone(None, "asked", AT, subject="d" * 32)
    ])  # fmt: skip
    assert why_withdrawn(sample("?", "!", sample_id=ID), withdrawn) == "its content id has a tombstone"
    assert "conversation" in why_withdrawn(sample("?", "!", conversation_id="c" * 32), withdrawn)
    assert "contributor" in why_withdrawn(sample("?", "!", subject="d" * 32), withdrawn)
    assert not is_withdrawn(sample("?", "!"), withdrawn)


def test_a_longer_record_of_it_is_kept_out():
    """The chat went on after it was withdrawn; another system prompt hides nothing."""
    withdrawn = Withdrawn.of([stone("Where do I live?", "In Thistledown Lane.")])
    longer = sample("Where do I live?", "In Thistledown Lane.", prose(1, 80), prose(2, 80))
    assert "contains the withdrawn" in why_withdrawn(longer, withdrawn)
    longer["messages"].insert(0, {"role": "system", "content": "Be brief."})
    assert is_withdrawn(longer, withdrawn)
    assert not is_withdrawn(sample("Where do I live?", "I cannot know that."), withdrawn)


@pytest.mark.parametrize(("share", "at_least", "at_most"), [(0.95, 0.99, 1.0), (0.8, 0.93, 1.0), (0.4, 0.0, 0.03)])
def test_near_duplicates_are_kept_out_as_often_as_the_table_says(share, at_least, at_most):
    """0.985 at similarity 0.8 and 0.003 at 0.4; of 200 pairs, with three standard deviations of room."""
    n_out = 0
    for seed in range(200):
        words = prose(seed, 200).split()
        withdrawn = Withdrawn.of([stone(" ".join(words))])
        n_new = round(200 * (1 - share) / (1 + share))  # at the end: 5-grams in common over all
        changed = sample(" ".join(words[: 200 - n_new] + prose(10**6 + seed, n_new).split()))
        n_out += is_withdrawn(changed, withdrawn)
    assert at_least <= n_out / 200 <= at_most


def test_a_tombstone_does_not_confirm_a_guessed_passage():
    """Who knows a quarter of a text meets a band of it in 1 case of 200; kept shingles would tell in every case."""
    n_met = 0
    for seed in range(200):
        words = prose(seed, 200).split()
        bands = set(stone(" ".join(words)).bands)
        n_met += bool(bands & set(stone(" ".join(words[:50])).bands))
    assert n_met <= 5


def test_marks_of_other_rules_are_not_compared():
    """A band made by other rules means nothing here; the ids still count."""
    old = stone(prose(1, 50), marks=MARKS + " old")
    assert not is_withdrawn(sample(prose(1, 50)), Withdrawn.of([old]))
    assert is_withdrawn(sample(prose(1, 50), sample_id=ID), Withdrawn.of([old]))


def test_a_tombstone_holds_no_word_and_no_five_word_digest():
    """Neither text nor shingles: a shingle is a digest of five words, which can be guessed."""
    texts = ("Zora Quillfeather lives at 7 Thistledown Lane", prose(3, 60))
    line = stone(*texts).line().decode().lower()
    assert not any(word in line for word in ("zora", "thistle", "word"))
    (mark,) = fingerprints([("", [Turn("user", texts[0]), Turn("assistant", texts[1])])])
    kept = {int(band, 16) for band in orjson.loads(line)["bands"]}
    assert not kept & set(mark.shingles.tolist())


def test_what_is_no_sample_is_said_to_be_none():
    """It comes from a stranger's pull request."""
    with pytest.raises(InputError, match="not a sample"):
        is_withdrawn({"id": OTHER, "messages": 3, "provenance": {}}, Withdrawn.of([stone("a b c d e")]))
