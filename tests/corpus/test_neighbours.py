"""The samples most like another: what a reviewer looks at beside it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.fingerprint import fingerprints
from corpus.meaning import Block
from corpus.neighbours import OWNERS_MAX, SHOWN, SIMILARITY_MIN, in_meaning, neighbours
from schemas.conversation import Turn
from schemas.embedding import numbers_of, unit_vectors
from tests.corpus.meanings import pointing

NIGHT = "2026-11-04"


def marks(**texts):
    """Fingerprints of chats that say these words."""
    return list(fingerprints([(name, [Turn("user", "hm"), Turn("assistant", text)]) for name, text in texts.items()]))


def words(start, n):
    return " ".join(f"word{number}" for number in range(start, start + n))


def named(found):
    return {one: [near.id for near in some] for one, some in found.items()}


def test_the_likest_comes_first_and_strangers_are_not_named():
    """A reviewer looks at the first one; a chat that shares nothing would only waste their time."""
    found = neighbours(NIGHT, marks(a=words(0, 60), b=words(0, 58), c=words(30, 60), d=words(500, 60)), None)
    assert named(found)["a"] == ["b", "c"]
    assert "d" not in found
    similar = [near.similarity for near in found["a"]]
    assert similar[0] > similar[1] >= SIMILARITY_MIN
    assert {near.night for near in found["a"]} == {NIGHT}


def test_at_most_three_are_named():
    """More are not compared, they are browsed."""
    texts = {f"s{n}": words(n, 60) for n in range(8)}
    assert {len(some) for some in neighbours(NIGHT, marks(**texts), None).values()} == {SHOWN}


def test_a_phrase_of_the_bot_makes_nobody_neighbours():
    """Such a phrase stands in many answers, and says of no two that they are alike."""
    phrase = "as a language model I cannot say what will happen there"
    many = {f"s{n}": f"{phrase} {words(1000 * n, 8)}" for n in range(OWNERS_MAX + 1)}
    assert neighbours(NIGHT, marks(**many), None) == {}
    few = dict(list(many.items())[:2])
    assert set(neighbours(NIGHT, marks(**few), None)) == set(few)


@settings(max_examples=60, deadline=None)
@given(
    starts=st.lists(st.integers(0, 60), min_size=2, max_size=8, unique=True),
    order=st.randoms(use_true_random=False),
)
def test_likeness_is_mutual_and_the_order_of_the_night_does_not_matter(starts, order):
    """The same night gives the same reading copy on every machine."""
    texts = {f"s{start:02}": words(start, 40) for start in starts}
    shuffled = list(texts.items())
    order.shuffle(shuffled)
    found = neighbours(NIGHT, marks(**texts), None)
    assert neighbours(NIGHT, marks(**dict(shuffled)), None) == found
    pairs = {(one, near.id): near.similarity for one, some in found.items() for near in some}
    assert all(pairs.get((other, one), similar) == similar for (one, other), similar in pairs.items())
    assert all(one != other for one, other in pairs)


def test_a_short_or_empty_chat_is_alone():
    """There is nothing to compare."""
    assert neighbours(NIGHT, marks(a="yes", b="no"), None) == {}
    assert neighbours(NIGHT, [], None) == {}


def test_by_meaning_those_are_named_that_phrases_did_not_name():
    """Three of each kind, of the night and of those before it, the nearest first."""
    night = {name: pointing(at) for name, at in zip("abcde", (0, 1, 2, 3, 60), strict=True)}
    earlier = {"old": pointing(4), "older": pointing(30)}
    before = [Block(list(earlier), ["2026-10-01"] * 2, unit_vectors([numbers_of(one) for one in earlier.values()]))]
    found = in_meaning(NIGHT, night, lambda _: before, {"a": {"b"}})
    assert [(one.id, one.night, one.by) for one in found["a"]] == [
        ("c", NIGHT, "meaning"), ("d", NIGHT, "meaning"), ("old", "2026-10-01", "meaning"),
    ]  # fmt: skip
    assert [one.id for one in found["e"]] == ["older"]
    assert len(found["c"]) == SHOWN
