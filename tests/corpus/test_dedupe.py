"""deduplicate within one night: which rows go, whom they name, and what bad input does."""

import random
import subprocess
import sys

import pytest

from corpus.dedupe import deduplicate
from corpus.seen import Seen
from corpus.stage import StageWriter
from corpus.tombstones import Withdrawn
from schemas.conversation import content_id
from schemas.errors import CorpusError, InputError
from schemas.sample import Tombstone
from schemas.tables import DISTINCT, PULLED
from tests.corpus.deduplicated import SETTINGS, Night, chat, prose, write


@pytest.fixture
def seen(tmp_path):
    with Seen(tmp_path / "seen.sqlite") as opened:
        yield opened


@pytest.mark.parametrize("name", ["rows.parquet", "rows.rejects.parquet"])
def test_the_input_is_never_overwritten(tmp_path, name):
    """Counts are compared with the input when all is written; above all, it is somebody's only copy."""
    source = write(tmp_path / name, {"a": chat("Hello there.", "Hello.")})
    before = source.read_bytes()
    with pytest.raises(InputError, match="would overwrite the input"):
        deduplicate(source, tmp_path / "rows.parquet", SETTINGS)
    assert source.read_bytes() == before


def test_exact_duplicates_keep_the_smallest_id(tmp_path):
    """The survivor must not depend on which log was read first."""
    turns = chat(prose(1, 20), prose(2, 60))
    night = Night(tmp_path, {"c": turns, "a": turns, "b": turns})
    assert night.kept == ["a"]
    assert night.dropped == {"b": ("exact_duplicate", "of a"), "c": ("exact_duplicate", "of a")}
    assert night.rows["a"]["n_duplicates"] == 2
    assert night.rows["a"]["extends"] is None


def test_a_growing_conversation_keeps_the_longest(tmp_path):
    """Logs that write a conversation after each turn would otherwise fill the corpus with its beginnings."""
    full = chat(*(prose(number, 25) for number in range(6)))
    night = Night(tmp_path, {"two": full[:2], "four": full[:4], "six": full})
    assert night.kept == ["six"]
    assert night.dropped == {"two": ("prefix_duplicate", "of six"), "four": ("prefix_duplicate", "of six")}
    assert night.rows["six"]["n_duplicates"] == 2


def test_a_leading_system_prompt_does_not_hide_a_prefix(tmp_path):
    """Some logs carry the prompt in one record and not in the next, or put today's date into it."""
    full = chat(*(prose(number, 25) for number in range(4)))
    short = chat(*(turn.content for turn in full[:2]), system="It is Monday.")
    night = Night(tmp_path, {"short": short, "full": full})
    assert night.dropped == {"short": ("prefix_duplicate", "of full")}


def test_the_same_turns_under_another_system_prompt_are_near_duplicates(tmp_path):
    """They teach the same answers."""
    said = (prose(1, 30), prose(2, 30))
    night = Night(tmp_path, {"a": chat(*said, system="Be brief."), "b": chat(*said, system="Today is Monday.")})
    ((reason, evidence),) = night.dropped.values()
    assert reason == "near_duplicate"
    assert evidence.endswith("jaccard 1.00")


def test_a_long_system_prompt_does_not_make_chats_alike(tmp_path):
    """A bot's prompt of 500 words before short chats would else leave one chat a bot."""
    prompt = prose(0, 500)
    chats = {str(n): chat(prose(2 * n + 1, 10), prose(2 * n + 2, 30), system=prompt) for n in range(5)}
    assert len(Night(tmp_path, chats).kept) == 5


def test_an_answer_that_was_cut_off_is_a_prefix(tmp_path):
    """A record written while the answer was streaming ends in the middle of a word."""
    question, answer = prose(1, 20), prose(2, 200)
    night = Night(tmp_path, {"cut": chat(question, answer[: len(answer) // 3]), "whole": chat(question, answer)})
    assert night.dropped == {"cut": ("prefix_duplicate", "of whole")}


def test_another_answer_that_begins_alike_is_kept(tmp_path):
    """A model's stock opening is no proof of a cut."""
    question, opening = prose(1, 20), "Certainly! Here is an example of how this could be done: "
    one, other = opening + prose(2, 30), opening + prose(3, 200)
    assert len(Night(tmp_path, {"one": chat(question, one), "other": chat(question, other)}).kept) == 2


def test_a_near_duplicate_names_survivor_and_similarity(tmp_path):
    """People want to see why; and the longer one stays."""
    text = prose(1, 300)
    changed = " ".join([*text.split()[:280], *prose(2, 25).split()])
    night = Night(tmp_path, {"a": chat("Tell me more.", text), "b": chat("Tell me more.", changed)})
    # 302 and 307 words have 299 and 303 shingles, of which 279 are shared: 279 / 323.
    assert night.dropped == {"a": ("near_duplicate", "of b jaccard 0.86")}
    assert night.report.facts["n_verified"] == 1


def test_similarity_below_the_threshold_is_no_duplicate(tmp_path):
    """Candidates are verified; half-equal texts meet in some band one time in four."""
    text = prose(1, 300).split()
    chats = {str(n): chat("Go on.", " ".join(text[:200] + prose(n + 2, 100).split())) for n in range(20)}
    night = Night(tmp_path, chats)
    assert len(night.kept) == 20
    assert night.report.facts["n_candidates"] > 0


def test_a_large_family_does_not_hide_a_near_duplicate(tmp_path):
    """Only the likeliest candidates of a row are compared, lest one long prompt with many answers cost the night."""
    prompt = prose(1, 600)
    family = {f"{n:03}": chat(prompt, prose(n + 2, 110)) for n in range(300)}
    twin = chat(prompt, "Indeed " + prose(150 + 2, 110))
    night = Night(tmp_path, {**family, "twin": twin})
    assert night.report.facts["n_candidates"] > 128 * 100
    assert night.dropped == {"150": ("near_duplicate", "of twin jaccard 0.99")}


def test_a_chain_of_resemblance_does_not_swallow_its_ends(tmp_path):
    """A ~ B and B ~ C do not make A and C the same; a row goes only for a survivor that it really repeats."""
    words = prose(1, 300).split()
    replaced = prose(2, 300).split()
    a, b, c = (" ".join(replaced[: 24 * step] + words[24 * step :]) for step in range(3))
    longest = {"a": chat("Q?", a), "b": chat("Q?", b + " more"), "c": chat("Q?", c)}
    night = Night(tmp_path, longest)
    assert night.kept == ["b"]
    assert {evidence[:4] for _, evidence in night.dropped.values()} == {"of b"}
    ends_first = {"a": chat("Q?", a + " more"), "b": chat("Q?", b), "c": chat("Q?", c + " more")}
    assert sorted(Night(tmp_path, ends_first).kept) == ["a", "c"]


def test_characters_are_the_words_of_scripts_without_spaces(tmp_path):
    """A Chinese chat with one changed character is a near-duplicate; two different ones are not."""
    rng = random.Random(4)
    answer = "".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(200))
    other = "".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(200))
    chats = {
        "a": chat("请讲一个故事", answer),
        "b": chat("请讲一个故事", answer[:150] + "天" + answer[151:]),
        "c": chat("请讲一个故事", other),
    }
    night = Night(tmp_path, chats)
    assert "c" in night.kept
    assert [reason for reason, _ in night.dropped.values()] == ["near_duplicate"]


def test_conversations_without_words_are_duplicates_only_when_equal(tmp_path):
    """Nothing shared is not everything shared."""
    chats = {"a": chat("😀", "😀"), "b": chat("😀", "😂"), "c": chat("…", "!"), "d": chat("😀", "😀")}
    assert Night(tmp_path, chats).kept == ["a", "b", "c"]


def test_withdrawn_conversations_do_not_return(tmp_path):
    """Nor do those that repeat them, though they are longer by a word."""
    text = prose(1, 300)
    gone = chat("Q?", text)
    chats = {
        "gone": gone,
        "near": chat("Q?", text + " indeed"),
        "beginning": gone[:1],
        "other": chat("Q?", prose(2, 30)),
    }
    stone = Tombstone(content_id(gone), "asked to", "2026-11-04T00:00:00Z")
    night = Night(tmp_path, chats, withdrawn=Withdrawn.of([stone]))
    assert night.kept == ["other"]
    assert {name: reason for name, (reason, _) in night.dropped.items()} == {
        "gone": "withdrawn",
        "near": "near_duplicate",
        "beginning": "prefix_duplicate",
    }


def test_planted_near_duplicates_are_found(tmp_path):
    """Recall: of 200 pairs at Jaccard 0.83 to 1, at most one may slip through the bands (0.2 % at 0.8)."""
    chats = {}
    for pair in range(200):
        said = prose(pair, 120).split()
        changed = prose(10**6 + pair, 120).split()
        n_changed = pair % 11
        chats[f"{pair}-a"] = chat("How?", " ".join(said))
        chats[f"{pair}-b"] = chat("How?", " ".join(said[: 120 - n_changed] + changed[:n_changed]))
    night = Night(tmp_path, chats)
    assert 200 <= len(night.kept) <= 201
    for name, (_, evidence) in night.dropped.items():
        assert evidence.split()[1].split("-")[0] == name.split("-")[0]


def test_the_report_shows_the_largest_clusters(tmp_path):
    """The night's page draws them."""
    text = prose(1, 300)
    full = chat("Q?", text, "And?", prose(2, 300))
    chats = {"full": full, "again": full, "start": full[:2], "x": chat(prose(8, 9), "y"), "x2": chat(prose(8, 9), "y")}
    facts = Night(tmp_path, chats).report.facts
    assert facts["clusters"] == [
        {
            "survivor": "again",
            "night": None,
            "size": 3,
            "members": [
                {"id": "full", "kind": "exact", "jaccard": None},
                {"id": "start", "kind": "prefix", "jaccard": None},
            ],
        },
        {"survivor": "x", "night": None, "size": 2, "members": [{"id": "x2", "kind": "exact", "jaccard": None}]},
    ]
    assert facts["duplicates"] == {"exact": 2, "prefix": 1, "near": 0, "withdrawn": 0}
    assert facts["against_earlier"] == 0


def test_an_empty_night_is_a_night(tmp_path, seen):
    """No new logs is no error."""
    night = Night(tmp_path, {}, seen=seen, night="2026-11-01")
    assert (night.kept, night.dropped) == ([], {})


def test_a_table_of_another_step_is_refused(tmp_path):
    """The message names the columns and what to run first."""
    path = tmp_path / "pulled.parquet"
    with StageWriter(path, PULLED):
        pass
    with pytest.raises(InputError, match="lacks the columns content_id"):
        deduplicate(path, tmp_path / "out.parquet", SETTINGS)


def test_an_output_folder_that_is_a_file_is_a_clear_error(tmp_path):
    """No traceback of the operating system reaches the user."""
    source = write(tmp_path / "screened.parquet", {"a": chat("a", "b")})
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="cannot write"):
        deduplicate(source, tmp_path / "file" / "out.parquet", SETTINGS)


def test_ten_thousand_turns_are_one_conversation(tmp_path, seen):
    """Long chats cost memory and time in proportion."""
    turns = chat(*(f"turn {number} says {prose(number, 5)}" for number in range(10_000)))
    night = Night(tmp_path, {"long": turns, "shorter": turns[:9_000]}, seen=seen, night="2026-11-01")
    assert night.kept == ["long"]


def test_the_output_has_the_columns_of_the_contract(tmp_path):
    """The next step reads them."""
    row = Night(tmp_path, {"a": chat("a", "b")}).rows["a"]
    assert list(row) == DISTINCT.names


def test_memory_does_not_grow_with_a_message(tmp_path):
    """A message of 30 MB (the largest record that pull lets through) stays far below the promised 1 GiB."""
    text = prose(1, 2_500_000)
    assert len(text) > 25 * 2**20
    source = write(tmp_path / "screened.parquet", {"a": chat("Q?", text), "b": chat("Q?", prose(2, 30))})
    program = (
        "import sys; from pathlib import Path; from corpus.dedupe import deduplicate;"
        "from benchmarks.dedupe import peak_mb;"
        "from schemas.settings import DedupeSettings;"
        "deduplicate(Path(sys.argv[1]), Path(sys.argv[2]), DedupeSettings());"
        "print(peak_mb())"
    )
    arguments = [sys.executable, "-c", program, str(source), str(tmp_path / "out.parquet")]
    said = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    assert float(said) < 1024
