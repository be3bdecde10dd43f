"""The laws of deduplicate, which every input must obey."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.seen import Seen
from schemas.settings import DedupeSettings
from tests.corpus.deduplicated import _NIGHTS, Night

LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def seen(tmp_path):
    with Seen(tmp_path / "seen.sqlite") as opened:
        yield opened


@LAWS
@given(_NIGHTS, st.randoms(use_true_random=False), st.sampled_from([0.3, 0.8, 1.0]))
def test_laws_of_a_night(conversations, rng, jaccard_min):
    """Nothing vanishes, order does not matter, and the distinct are distinct."""
    options = {"settings": DedupeSettings(jaccard_min=jaccard_min)}
    with TemporaryDirectory() as folder:
        night = Night(Path(folder), conversations, **options)
        assert sorted([*night.kept, *night.dropped]) == sorted(conversations)
        assert night.kept == [name for name in conversations if name in night.rows]  # in the order of the input
        assert sum(row["n_duplicates"] for row in night.rows.values()) == len(night.dropped)
        for _, evidence in night.dropped.values():
            assert evidence.split()[1] in night.rows  # a survivor, not another dropped row
        shuffled = list(conversations.items())
        rng.shuffle(shuffled)
        other = Night(Path(folder), dict(shuffled), **options)
        assert (set(other.kept), other.dropped) == (set(night.kept), night.dropped)
        again = Night(Path(folder), {name: conversations[name] for name in night.kept}, **options)
        assert again.dropped == {}


@LAWS
@given(_NIGHTS, _NIGHTS)
def test_laws_of_nights(first, second):
    """A night again gives the same; the same input later gives nothing; earlier nights are what decides."""
    with TemporaryDirectory() as name, Seen(Path(name) / "seen.sqlite") as seen:
        folder = Path(name)
        one = Night(folder, first, seen=seen, night="1").bytes()
        two = Night(folder, second, seen=seen, night="2")
        assert Night(folder, first, seen=seen, night="1").bytes() == one
        assert Night(folder, second, seen=seen, night="2").bytes() == two.bytes()
        third = Night(folder, {**first, **{f"x{key}": turns for key, turns in second.items()}}, seen=seen, night="3")
        assert third.kept == []
        assert {reason for reason, _ in third.dropped.values()} <= {"exact_duplicate"}
