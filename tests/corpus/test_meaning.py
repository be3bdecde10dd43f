"""Who says the same in other words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.meaning import Block, Near, Picked, nearest, tonight
from schemas.embedding import checked, numbers_of, packed, unit_vectors
from schemas.errors import InputError
from tests.corpus.meanings import pointing


@given(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=400))
def test_packing_hardly_moves_a_vector(numbers):
    """A byte a number is enough: the cosine with the vector itself stays above 0.999."""
    vector = np.array(numbers, np.float32)
    length = float(np.linalg.norm(vector))
    if length < 1e-3:
        return
    text = packed("ab" * 8, vector / length)
    (again,) = unit_vectors([numbers_of(checked(text))])
    assert again @ (vector / length) > 0.999


@pytest.mark.parametrize(
    "text",
    [7, None, "nonsense", "01234567:AAAA", "01234567.3:AAAA", "01234567.4:BAAA", "01234567.3:AAAAA", "01234567.3:BA=="],
)
def test_what_is_no_embedding_is_refused(text):
    """Tables can be damaged; a vector of zeros would be near to everything."""
    with pytest.raises(InputError, match="is no embedding"):
        checked(text)


def test_numbers_that_are_none_are_refused():
    """They would be near to everything, or to nothing."""
    with pytest.raises(ValueError, match="numbers that are none"):
        packed("ab" * 8, np.array([1.0, np.nan], np.float32))
    assert packed("ab" * 8, np.zeros(3, np.float32)) == ""


def test_the_nearest_come_first_and_nothing_is_near_itself():
    """Twenty degrees are a cosine of 0.94, thirty one of 0.87; a byte a number moves it in the third place."""
    night = {"a": pointing(0), "b": pointing(20), "c": pointing(30), "d": pointing(90)}
    found = nearest(night, tonight(night), n=3, cosine_min=0.8)
    assert [near.id for near in found["b"]] == ["c", "a"]
    assert found["a"] == [Near("b", None, 0.94), Near("c", None, 0.867)]
    assert "d" not in found


@given(st.lists(st.integers(0, 89), min_size=1, max_size=60), st.integers(1, 7), st.integers(1, 4))
def test_in_parts_it_is_the_same_as_at_once(degrees, size, n):
    """Blocks bound the memory, and must not decide who is nearest; equal ones go by id."""
    ids = [f"k{place:03}" for place in range(len(degrees))]
    vectors = unit_vectors([numbers_of(pointing(angle)) for angle in degrees])

    def others(step):
        cuts = range(0, len(ids), step)
        return lambda _: (
            Block(ids[i : i + step], [None] * len(ids[i : i + step]), vectors[i : i + step]) for i in cuts
        )

    asked = {"new": pointing(40)}
    assert nearest(asked, others(size), n=n, cosine_min=0.9) == nearest(asked, others(100), n=n, cosine_min=0.9)


def test_vectors_of_two_models_are_never_compared():
    """The same numbers of another model mean something else; another width is another model."""
    night = {"a": pointing(0), "b": pointing(0, model="f" * 16), "c": packed("0123456789", np.ones(4, np.float32))}
    assert nearest(night, tonight(night), n=3, cosine_min=0.1) == {}
    picked = Picked()
    picked.add("a", night["a"])
    assert picked.nearest(night["b"]) is None
    assert picked.nearest(night["c"]) is None


def test_without_an_embedding_nothing_is_near():
    """Verdicts of an endpoint have none."""
    picked = Picked()
    picked.add("a", "")
    assert picked.nearest("") is None
    night = {"a": "", "b": ""}
    assert nearest(night, tonight(night), n=3, cosine_min=0.5) == {}


def test_many_picks_are_all_compared():
    """The array of vectors grows several times on the way."""
    picked = Picked()
    for degrees in range(700):
        picked.add(f"p{degrees}", pointing(degrees / 4))
    assert picked.nearest(pointing(100.25)).id in {"p400", "p401", "p402"}
