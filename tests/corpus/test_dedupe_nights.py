"""deduplicate against earlier nights and the corpus."""

import random

import pytest

from corpus.seen import Seen
from corpus.stage import report_path
from schemas.conversation import content_id
from schemas.settings import DedupeSettings
from tests.corpus.deduplicated import Night, chat, prose


@pytest.fixture
def seen(tmp_path):
    with Seen(tmp_path / "seen.sqlite") as opened:
        yield opened


def test_a_second_night_with_the_same_input_drops_everything(tmp_path, seen):
    """What was seen is not judged again, kept or not; each row is an exact duplicate, also of a dropped one."""
    text = prose(1, 300)
    full = chat("Q?", text, "And?", prose(2, 30))
    chats = {"a": full, "b": full[:2], "c": chat("Q?", text + " indeed", "So?", prose(3, 9)), "d": full}
    first = Night(tmp_path, chats, seen=seen, night="2026-11-01")
    assert 0 < len(first.kept) < 4
    second = Night(tmp_path, chats, seen=seen, night="2026-11-02")
    assert second.kept == []
    assert {reason for reason, _ in second.dropped.values()} == {"exact_duplicate"}
    assert second.dropped["a"][1] == f"of {content_id(full)} of night 2026-11-01"


def test_the_same_night_again_gives_the_same_bytes(tmp_path, seen):
    """Typing it again changes nothing, also after later nights."""
    rng = random.Random(1)
    texts = [prose(number, 60) for number in range(12)]
    chats = {str(n): chat(rng.choice(texts), rng.choice(texts)) for n in range(40)}
    first = Night(tmp_path, chats, seen=seen, night="2026-11-01").bytes()
    assert Night(tmp_path, chats, seen=seen, night="2026-11-01").bytes() == first
    Night(tmp_path, {**chats, "new": chat(prose(99, 60), "Well.")}, seen=seen, night="2026-11-02")
    seen.add_accepted([{"id": content_id(turns), "messages": []} for turns in chats.values()])
    assert Night(tmp_path, chats, seen=seen, night="2026-11-01").bytes() == first


def test_a_night_that_is_killed_before_the_record_is_as_if_it_had_not_run(tmp_path, seen, monkeypatch):
    """The index changes in one transaction after the output, and the report comes last."""
    chats = {str(number): chat(prose(number, 30), prose(-number, 30)) for number in range(5)}

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(seen, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            Night(tmp_path, chats, seen=seen, night="2026-11-01")
    assert seen.counts() == {}
    assert not report_path(tmp_path / "distinct.parquet").exists()
    assert len(Night(tmp_path, chats, seen=seen, night="2026-11-01").kept) == 5


def test_a_conversation_that_grew_is_kept_and_names_what_it_extends(tmp_path, seen):
    """Tomorrow's log holds today's conversation, continued."""
    full = chat(*(prose(number, 25) for number in range(8)))
    Night(tmp_path, {"two": full[:2]}, seen=seen, night="2026-11-01")
    Night(tmp_path, {"four": full[:4]}, seen=seen, night="2026-11-02")
    night = Night(tmp_path, {"eight": full}, seen=seen, night="2026-11-03")
    assert night.rows["eight"]["extends"] == content_id(full[:4])


def test_a_conversation_that_hardly_grew_is_a_near_duplicate(tmp_path, seen):
    """A 'thank you' at the end does not make a new sample."""
    short = chat(prose(1, 50), prose(2, 300))
    Night(tmp_path, {"short": short}, seen=seen, night="2026-11-01")
    night = Night(tmp_path, {"long": [*short, *chat("Thank you!", "You are welcome.")]}, seen=seen, night="2026-11-02")
    reason, evidence = night.dropped["long"]
    assert reason == "near_duplicate"
    assert evidence.startswith(f"of {content_id(short)} of night 2026-11-01 jaccard 0.9")


def test_the_beginning_of_an_earlier_conversation_is_dropped(tmp_path, seen):
    """An old export read again after the new one."""
    full = chat(*(prose(number, 25) for number in range(4)))
    Night(tmp_path, {"full": full}, seen=seen, night="2026-11-01")
    night = Night(tmp_path, {"start": full[:2]}, seen=seen, night="2026-11-02")
    assert night.dropped == {"start": ("prefix_duplicate", f"of {content_id(full)} of night 2026-11-01")}


def test_samples_of_the_corpus_count_on_a_fresh_machine(tmp_path, seen):
    """The index is rebuilt from a clone; near-duplicates of accepted samples are found by it."""
    text = prose(1, 300)
    accepted = chat("Q?", text)
    messages = [{"role": turn.role, "content": turn.content} for turn in accepted]
    seen.add_accepted([{"id": content_id(accepted), "messages": messages, "provenance": {"night": "2026-10-01"}}])
    chats = {"same": accepted, "near": chat("Q?", text + " and so on"), "new": chat("Q?", prose(2, 20))}
    night = Night(tmp_path, chats, seen=seen, night="2026-11-01")
    assert night.kept == ["new"]
    assert night.report.facts["against_earlier"] == 2


def test_without_a_night_nothing_is_recorded(tmp_path, seen):
    """The step alone, on files, leaves no trace."""
    chats = {"a": chat(prose(1, 9), prose(2, 9))}
    Night(tmp_path, chats, seen=seen)
    assert seen.counts() == {}


def test_another_threshold_compares_with_earlier_nights_too(tmp_path, seen):
    """The index follows the settings."""
    words = prose(1, 300).split()
    one = chat("Q?", " ".join(words))
    other = chat("Q?", " ".join(words[:200] + prose(2, 100).split()))
    Night(tmp_path, {"one": one}, seen=seen, night="2026-11-01")
    loose = DedupeSettings(jaccard_min=0.4)
    assert Night(tmp_path, {"other": other}, seen=seen, night="2026-11-02").kept == ["other"]
    assert Night(tmp_path, {"other": other}, seen=seen, night="2026-11-02", settings=loose).kept == []
