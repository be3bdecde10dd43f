"""The kept fingerprints: nights see what came before them, and only that."""

import random
import sqlite3

import numpy as np
import pytest

from corpus.fingerprint import Fingerprint, fingerprints
from corpus.minhash import band_keys, banding_for, jaccard, signatures
from corpus.seen import Seen
from schemas.conversation import Turn, content_id
from schemas.errors import CorpusError


def chat(seed: int, n_turns: int = 2) -> list[Turn]:
    """Turns of 30 words that nobody else says."""
    rng = random.Random(seed)
    roles = ["user", "assistant"] * n_turns
    return [Turn(role, " ".join(f"w{rng.randrange(10**6)}" for _ in range(30))) for role in roles[:n_turns]]


def mark(turns: list[Turn]) -> Fingerprint:
    return next(fingerprints([(content_id(turns), turns)]))


def sample(turns: list[Turn], night: str | None = "2026-11-01") -> dict:
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    return {"id": content_id(turns), "messages": messages, "provenance": {"night": night}}


def bands(one: Fingerprint, jaccard_min: float = 0.8) -> list[int]:
    return band_keys(signatures([one.shingles]), banding_for(jaccard_min)).view(np.int64)[0].tolist()


def dump(seen: Seen) -> list[str]:
    """Everything in the index, entry numbers apart."""
    with sqlite3.connect(seen.path) as base:
        entries = base.execute(
            "SELECT content_id, night, status, shingles, links, (SELECT count(*) FROM keys WHERE keys.entry = e.entry)"
            " FROM entries e JOIN nights USING (sequence) LEFT JOIN contents USING (entry) ORDER BY content_id, night"
        ).fetchall()
        orphans = base.execute("SELECT count(*) FROM keys WHERE entry NOT IN (SELECT entry FROM contents)").fetchone()
    base.close()
    return [*map(repr, entries), repr(orphans)]


@pytest.fixture
def seen(tmp_path):
    with Seen(tmp_path / "var" / "seen.sqlite") as opened:
        yield opened


def test_a_night_sees_the_nights_before_it_and_not_itself(seen):
    """A night that is run again must find what it found the first time."""
    first, second = mark(chat(1)), mark(chat(2))
    assert seen.sequence("2026-11-01") == 1
    seen.record("2026-11-01", [first], [])
    seen.record("2026-11-02", [second], [])
    ids = [first.content_id, second.content_id]
    assert set(seen.by_content_id(ids, seen.sequence("2026-11-01"))) == set()
    assert set(seen.by_content_id(ids, seen.sequence("2026-11-02"))) == {first.content_id}
    assert set(seen.by_content_id(ids, seen.sequence("2026-11-03"))) == set(ids)
    assert set(seen.by_content_id(ids, seen.sequence(None))) == set(ids)


def test_an_earlier_date_that_runs_later_sees_what_ran_before_it(seen):
    """Nights filled in afterwards must not propose again what is there already."""
    seen.record("2026-11-05", [mark(chat(1))], [])
    assert seen.sequence("2026-11-01") == 2


def test_recording_again_replaces(seen):
    """Cutting a night short and repeating it with other logs must leave the index as if only the last had run."""
    marks = [mark(chat(number)) for number in range(6)]
    seen.record("2026-11-01", marks[:4], [marks[4].content_id])
    once = dump(seen)
    seen.record("2026-11-01", marks[:4], [marks[4].content_id])
    assert dump(seen) == once
    seen.record("2026-11-01", marks[2:5], [marks[0].content_id])
    assert seen.counts() == {"duplicate": 1, "seen": 3}
    changed = dump(seen)
    seen.record("2026-11-01", marks[:1], [])
    seen.record("2026-11-01", marks[2:5], [marks[0].content_id])
    assert dump(seen) == changed


def test_a_record_that_is_cut_short_leaves_nothing(seen):
    """After kill -9 in the middle the transaction is not there, and the night before it is."""
    seen.record("2026-11-01", [mark(chat(1))], [])
    before = dump(seen)

    def broken():
        yield mark(chat(2))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seen.record("2026-11-02", broken(), [])
    assert dump(seen) == before
    assert seen.sequence("2026-11-02") == 2


def test_entries_are_found_by_band_link_and_end(seen):
    """Each kind of duplicate has its way in."""
    turns = chat(1, 4)
    one = mark(turns)
    seen.record("2026-11-01", [one], [])
    (found,) = seen.by_key(bands(one)[:1], 9)[bands(one)[0]]
    assert (found.content_id, found.night, found.status) == (one.content_id, "2026-11-01", "seen")
    assert jaccard(seen.shingles(found.entry), one.shingles) == 1.0
    shorter = mark(turns[:2])
    assert seen.by_key([shorter.end], 9)[shorter.end] == [found]
    assert seen.by_end([one.end], 9)[one.end] == [found]
    assert seen.by_end([shorter.end], 9) == {}


def test_accepted_samples_rebuild_the_index_and_are_added_once(seen, tmp_path):
    """On a fresh machine the index comes from a clone of the corpus, in whatever order its shards are read."""
    samples = [sample(chat(number), f"2026-11-0{1 + number % 3}") for number in range(9)]
    assert seen.add_accepted(samples) == 9
    assert seen.add_accepted(samples) == 0
    assert seen.counts() == {"accepted": 9}
    assert [seen.sequence(f"2026-11-0{day}") for day in (1, 2, 3, 4)] == [1, 2, 3, 4]
    with Seen(tmp_path / "other.sqlite") as other:
        other.add_accepted(reversed(samples))
        assert dump(other) == dump(seen)


def test_what_was_seen_becomes_accepted_and_stays(seen):
    """A rerun of the night must not take accepted samples out."""
    one, two = chat(1), chat(2)
    seen.record("2026-11-01", [mark(one)], [content_id(two)])
    assert seen.add_accepted([sample(one), sample(two)]) == 2
    assert seen.counts() == {"accepted": 2}
    seen.record("2026-11-01", [mark(chat(3))], [])
    assert seen.counts() == {"accepted": 2, "seen": 1}
    seen.record("2026-11-01", [mark(one)], [])
    assert seen.counts() == {"accepted": 2}


def test_accepted_comes_before_seen(seen):
    """The survivor that a duplicate names is the one in the corpus."""
    one = chat(1)
    seen.record("2026-11-01", [mark(one)], [])
    seen.add_accepted([sample(one, "2026-11-02")])
    assert seen.by_content_id([content_id(one)], 9)[content_id(one)].status == "accepted"


def test_another_threshold_cuts_the_bands_anew(seen):
    """Shingles are kept, not bands alone, so a changed setting does not lose the past."""
    one = mark(chat(1, 4))
    seen.record("2026-11-01", [one], [])
    before = dump(seen)
    seen.use(banding_for(0.5))
    assert all(key in seen.by_key(bands(one, 0.5), 9) for key in bands(one, 0.5))
    assert not seen.by_key(bands(one, 0.8), 9)
    assert one.end in seen.by_key([one.end], 9)
    seen.use(banding_for(0.8))
    assert dump(seen) == before


def test_the_banding_is_remembered(tmp_path):
    """Opening the file again must not look for bands that it does not hold."""
    path = tmp_path / "seen.sqlite"
    with Seen(path) as seen:
        seen.use(banding_for(0.5))
        seen.record("2026-11-01", [mark(chat(1))], [])
    with Seen(path) as seen:
        assert seen.banding == banding_for(0.5)


def test_forgetting_removes_every_trace(seen):
    """Retraction works: what is withdrawn leaves the index."""
    one, two = chat(1), chat(2)
    seen.record("2026-11-01", [mark(one), mark(two)], [])
    assert seen.forget([content_id(one), "unknown"]) == 1
    assert seen.counts() == {"seen": 1}
    assert not seen.by_key(bands(mark(one)), 9)
    assert dump(seen)[-1] == "(0,)"


def test_a_night_that_is_given_up_is_as_if_it_had_not_run(seen):
    """Its logs are read by a later night; run again after that, it must see what the later night kept."""
    one, two = mark(chat(1)), mark(chat(2))
    seen.record("2026-11-01", [one], [])
    seen.forget_night("2026-11-01")
    seen.record("2026-11-02", [one, two], [])
    assert seen.sequence("2026-11-01") > seen.sequence("2026-11-02")
    assert len(seen.by_content_id([one.content_id, two.content_id], seen.sequence("2026-11-01"))) == 2
    seen.add_accepted([sample(chat(2), "2026-11-02")])
    seen.forget_night("2026-11-02")
    assert (seen.sequence("2026-11-02"), seen.counts()) == (1, {"accepted": 1})


def test_the_index_knows_how_far_it_has_read_the_corpus(seen):
    """A mark kept elsewhere would outlive an index that was lost, and nothing would be read again."""
    assert seen.corpus_head() is None
    seen.add_accepted([sample(chat(1))], head="abc")
    assert seen.corpus_head() == "abc"
    with pytest.raises(CorpusError):
        seen.add_accepted([{"id": "x"}], head="def")
    assert seen.corpus_head() == "abc"


def test_a_conversation_without_words_can_be_kept(seen):
    """Pictographs alone have turns but no shingles."""
    seen.record("2026-11-01", [mark([Turn("user", "😀"), Turn("assistant", "😀😀")])], [])
    assert seen.counts() == {"seen": 1}


def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path):
    """No traceback of SQLite reaches the user."""
    path = tmp_path / "seen.sqlite"
    path.write_bytes(b"this is no database, but it is long enough to be one" * 40)
    with pytest.raises(CorpusError, match=r"seen\.sqlite.*move it away"), Seen(path):
        pass


def test_another_format_is_refused(tmp_path):
    """Numbers with another meaning must not be compared with ours."""
    path = tmp_path / "seen.sqlite"
    with Seen(path):
        pass
    with sqlite3.connect(path) as base:
        base.execute("UPDATE facts SET value = '0' WHERE name = 'format'")
    base.close()
    with pytest.raises(CorpusError, match="has format 0"), Seen(path):
        pass


def test_a_line_that_is_no_sample_is_named(seen):
    """The corpus is edited by people; a broken line is theirs to repair."""
    with pytest.raises(CorpusError, match="id 'x'"):
        seen.add_accepted([{"id": "x"}])
    assert seen.counts() == {}
