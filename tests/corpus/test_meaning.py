"""Who says the same in other words: in the night, and in what the corpus accepted before it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.meaning import Accepted, Near, Picked, near_in_night
from corpus.seen import Seen
from schemas.embedding import packed, unpacked
from tests.corpus.meanings import pointing

TONIGHT, BEFORE = "2026-11-05", "2026-11-04"


@given(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=400))
def test_packing_hardly_moves_a_vector(numbers):
    """A byte a number is enough: the cosine with the vector itself stays above 0.999."""
    vector = np.array(numbers, np.float32)
    length = float(np.linalg.norm(vector))
    if length < 1e-3:
        return
    (again,) = unpacked([packed("ab" * 8, vector / length)])
    assert again @ (vector / length) > 0.999


def test_the_nearest_come_first_and_nothing_is_near_itself():
    """Twenty degrees are a cosine of 0.94, thirty one of 0.87; a byte a number moves it in the third place."""
    found = near_in_night({"a": pointing(0), "b": pointing(20), "c": pointing(30), "d": pointing(90)}, 0.8)
    assert [near.id for near in found["b"]] == ["c", "a"]
    assert found["a"] == [Near("b", None, 0.94), Near("c", None, 0.867)]
    assert "d" not in found


def test_vectors_of_two_models_are_never_compared():
    """The same numbers of another model mean something else."""
    other = "f" * 16
    assert near_in_night({"a": pointing(0), "b": pointing(0, model=other)}, 0.8) == {}
    picked = Picked()
    picked.add("a", pointing(0))
    assert picked.nearest(pointing(0, model=other)) is None


def test_without_an_embedding_nothing_is_near():
    """Verdicts of an endpoint have none."""
    picked = Picked()
    picked.add("a", "")
    assert picked.nearest("") is None
    assert near_in_night({"a": "", "b": ""}, 0.5) == {}


def test_many_picks_are_all_compared():
    """The array of vectors grows several times on the way."""
    picked = Picked()
    for degrees in range(700):
        picked.add(f"p{degrees}", pointing(degrees / 4))
    assert picked.nearest(pointing(100.25)).id in {"p400", "p401", "p402"}


def test_only_what_was_accepted_before_the_night_counts(tmp_path):
    """What was only seen is nobody's business; what came later must not change a night that is run again."""
    kept = {"old": pointing(10), "seen": pointing(0), "later": pointing(0), "far": pointing(90)}

    def embeddings(model):
        assert kept["old"].startswith(model)
        yield ["old", "seen"], [kept["old"], kept["seen"]]
        yield ["later", "far"], [kept["later"], kept["far"]]

    with Seen(tmp_path / "seen.sqlite") as seen:
        seen.add_accepted([_line("old", BEFORE), _line("far", BEFORE)])
        seen.record(TONIGHT, [], [])
        seen.add_accepted([_line("later", "2026-11-06")])
        found = Accepted(embeddings, seen, TONIGHT).near({"new": pointing(0), "else": pointing(50)}, 0.9)
    assert found == {"new": [Near("old", BEFORE, 0.985)]}


def _line(name, night):
    messages = [{"role": "user", "content": f"{name}?"}, {"role": "assistant", "content": f"It is {name}."}]
    return {"id": name, "messages": messages, "provenance": {"night": night}}
