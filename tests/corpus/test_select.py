"""The picks: best first, within the quotas, whatever the order of the rows."""

import json
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.picks import Picks
from corpus.select import expert_of, select
from corpus.stage import read_report, read_rows, rejects_path
from schemas.errors import InputError, SettingsError
from schemas.settings import ExpertSettings, NightSettings
from tests.corpus.judged_rows import conversation, row, write
from tests.corpus.meanings import about, pointing


def picked(tmp_path, rows, threshold=5.0, experts=(), min_intact=0.0, cosine_min=1.0, earlier=None, **quotas):
    night = NightSettings(**{"quota_per_contributor": None, **quotas})
    source, output = write(tmp_path / "in.parquet", rows), tmp_path / "out.parquet"
    rules = {"threshold": threshold, "min_intact": min_intact, "cosine_min": cosine_min, "earlier": earlier}
    report = select(source, output, **rules, night=night, experts=experts)
    rejects = {reject["native_id"]: reject for reject in read_rows(rejects_path(output))}
    return {one["native_id"]: one["expert"] for one in read_rows(output)}, rejects, report


def test_the_rating_must_reach_the_threshold(tmp_path):
    """The threshold itself is good enough, and the evidence shows both numbers as they were compared."""
    rows = [row(number=n, rating=rating) for n, rating in enumerate([5.0, 4.999999, 9.5])]
    kept, rejects, report = picked(tmp_path, rows)
    assert set(kept) == {"0", "2"}
    assert rejects["1"]["reason"] == "below_threshold"
    assert rejects["1"]["evidence"] == "rating 4.999999, threshold 5.0"
    assert report.facts["lowest_pick"] == 5.0


def test_what_looks_damaged_is_dropped_whatever_its_rating(tmp_path):
    """A fluent answer to another question is rated well by taste alone; a judge that cannot tell is not asked."""
    rows = [row(number=n, rating=9.0) for n in range(3)]
    for one, intact in zip(rows, (0.49, 0.5, None), strict=True):
        verdict = json.loads(one["verdict"])
        verdict["features"] = {} if intact is None else {"intact": intact}
        one["verdict"] = json.dumps(verdict)
    kept, rejects, report = picked(tmp_path, rows, min_intact=0.5)
    assert set(kept) == {"1", "2"}
    assert (rejects["0"]["reason"], report.dropped) == ("not_intact", {"not_intact": 1})
    assert rejects["0"]["evidence"] == "intact with probability 0.49, wanted 0.5"


def test_of_two_that_say_the_same_the_better_is_picked(tmp_path):
    """And what is dropped for its rating stands in nobody's way; 20 degrees are a cosine of 0.94."""
    rows = [
        about(row(number=n, rating=rating), at) for n, (rating, at) in enumerate([(7, 0), (9, 5), (4, 60), (8, 62)])
    ]
    kept, rejects, report = picked(tmp_path, rows, cosine_min=0.97)
    assert set(kept) == {"1", "3"}
    assert report.dropped == {"semantic_duplicate": 1, "below_threshold": 1}
    better = next(one["content_id"] for one in rows if one["native_id"] == "1")
    assert rejects["0"]["evidence"] == f"cosine 0.996 to {better} of tonight"
    assert set(picked(tmp_path, rows, cosine_min=1.0)[0]) == {"0", "1", "3"}


def test_what_an_earlier_night_picked_is_not_picked_again(tmp_path):
    """However well it is rated; but a conversation that has grown says what it said before, and more."""
    rows = [about(row(number=0, rating=9.0), 5), about(row(number=1), 90), about(row(number=2, extends="a" * 32), 0)]
    with Picks(tmp_path / "picks.sqlite") as picks:
        picks.record(1, "2026-11-01", {"a" * 32: pointing(0)})
        kept, rejects, _ = picked(tmp_path, rows, cosine_min=0.97, earlier=picks.before(2))
    assert set(kept) == {"1", "2"}
    assert rejects["0"]["evidence"] == f"cosine 0.996 to {'a' * 32} of night 2026-11-01"


def test_the_best_fill_the_nights_quota(tmp_path):
    """A quota is a choice, not a queue."""
    rows = [row(number=n, rating=float(rating)) for n, rating in enumerate([6, 9, 7, 8])]
    kept, rejects, _ = picked(tmp_path, rows, quota=2)
    assert set(kept) == {"1", "3"}
    assert {reject["reason"] for reject in rejects.values()} == {"over_night_quota"}


def test_ties_go_to_the_smaller_content_id(tmp_path):
    """Equal ratings are common on a coarse scale, and the same ones must win everywhere."""
    rows = [row(number=n) for n in range(10)]
    kept, _, _ = picked(tmp_path, rows, quota=3)
    smallest = sorted(rows, key=lambda one: one["content_id"])[:3]
    assert set(kept) == {one["native_id"] for one in smallest}


def test_a_contributor_is_capped_and_unknown_ones_are_not(tmp_path):
    """One eager user must not become the corpus; people who are unknown cannot be told apart."""
    rows = [row(number=n, subject="eager" if n < 4 else None) for n in range(8)]
    kept, rejects, _ = picked(tmp_path, rows, quota_per_contributor=1)
    assert len(kept) == 5
    assert Counter(reject["reason"] for reject in rejects.values()) == {"over_contributor_quota": 3}


def test_a_refused_pick_uses_up_no_quota(tmp_path):
    """What one contributor may not fill is there for others."""
    rows = [row(number=n, rating=9.0, subject="eager") for n in range(3)]
    rows += [row(number=n, rating=6.0, subject=str(n)) for n in range(3, 6)]
    kept, _, _ = picked(tmp_path, rows, quota=3, quota_per_contributor=1)
    assert len(kept) == 3


def test_experts_match_in_order_and_the_rest_is_general(tmp_path):
    """The first expert that matches gets the sample, and each has its quota."""
    experts = [
        ExpertSettings(name="german", languages=("de",)),
        ExpertSettings(name="code", pattern=r"\bdef \w+"),
        ExpertSettings(name="desk", sources=("support",)),
    ]
    rows = [
        row(conversation("Was ist def f?", "Ein Wort."), language="de"),
        *[row(conversation("Explain def f please", f"It is {n}.", native_id=f"c{n}")) for n in range(3)],
        row(number=7, source="support"),
        row(number=8),
    ]
    kept, rejects, report = picked(tmp_path, rows, experts=experts, quota_per_expert=2)
    assert report.facts["experts"] == {"code": 2, "desk": 1, "general": 1, "german": 1}
    assert kept["n"] == "german"
    assert [reject["reason"] for reject in rejects.values()] == ["over_expert_quota"]


def test_a_pattern_cannot_be_stalled_by_hostile_text():
    """Conversation text is hostile: (a+)+$ on many a's would keep a backtracking engine busy for ages."""
    expert = ExpertSettings(name="x", pattern=r"^(a+)+$")
    hostile = {"language": None, "source": "s", "messages": [{"role": "user", "content": "a" * 100_000 + "!"}]}
    assert expert_of(hostile, [expert]) == "general"


def test_a_pattern_that_cannot_be_used_names_the_expert():
    """A settings mistake is told as one."""
    with pytest.raises(SettingsError, match="expert 'x'"):
        expert_of({"language": None, "source": "s", "messages": []}, [ExpertSettings(name="x", pattern="(")])


def test_the_histogram_counts_every_rated_conversation(tmp_path):
    """The page draws it with the threshold, so the dropped ones belong in it; 10 lies in the last bin."""
    rows = [row(number=n, rating=rating) for n, rating in enumerate([1.0, 1.49, 5.5, 10.0])]
    _, _, report = picked(tmp_path, rows)
    histogram = dict(map(tuple, report.facts["histogram"]))
    assert len(histogram) == 18
    assert {low: n for low, n in histogram.items() if n} == {1.0: 2, 5.5: 1, 9.5: 1}


def test_an_empty_night_selects_nothing(tmp_path):
    """A night without new logs is an ordinary night."""
    kept, _, report = picked(tmp_path, [])
    assert (kept, report.n_in, report.facts["lowest_pick"]) == ({}, 0, None)
    assert read_report(tmp_path / "out.parquet").kept == 0


def test_a_file_of_an_earlier_step_is_refused(tmp_path):
    """The columns that are missing are named before anything is read."""
    from schemas.tables import DISTINCT

    source = write(tmp_path / "in.parquet", [row()], DISTINCT)
    with pytest.raises(InputError, match="rating"):
        select(source, tmp_path / "out.parquet", threshold=1, night=NightSettings(), experts=())


PEOPLE = st.lists(st.tuples(st.sampled_from([4.0, 5.0, 6.0, 7.0]), st.sampled_from([None, 0, 1, 2])), max_size=12)


@settings(max_examples=25, deadline=None)
@given(people=PEOPLE, seed=st.integers(0, 9), quota=st.integers(0, 6), each=st.integers(0, 3))
def test_neither_row_order_nor_pseudonyms_change_the_picks(tmp_path_factory, people, seed, quota, each):
    """The pseudonyms' key differs between machines, and the commit may not."""
    tmp_path = tmp_path_factory.mktemp("picks")
    rows = [
        row(number=n, rating=rating, subject=None if who is None else f"s{who}")
        for n, (rating, who) in enumerate(people)
    ]
    renamed = [{**one, "subject": one["subject"] and f"{9 - int(one['subject'][1])}x"} for one in rows]
    random.Random(seed).shuffle(renamed)
    first = picked(tmp_path, rows, quota=quota, quota_per_contributor=each)
    second = picked(tmp_path, renamed, quota=quota, quota_per_contributor=each)
    assert first[0] == second[0]
    assert {key: reject["reason"] for key, reject in first[1].items()} == {
        key: reject["reason"] for key, reject in second[1].items()
    }
    assert len(first[0]) <= quota
    assert first[2].facts == second[2].facts
