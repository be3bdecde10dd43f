"""The reading copy: readable, and nothing that a conversation says can get out of its frame."""

import re

import pytest
from hypothesis import example, given, settings

from corpus.neighbours import Neighbour
from corpus.reading_copy import PAGE_BYTES, PAGE_SAMPLES, SAMPLE_BYTES, Reading, Shown, ballots, reading_copy
from corpus.review_notes import ReviewNotes
from corpus.sampling_plan import plan_reading
from tests.corpus.hostile_texts import BOX, HOSTILE, MARKDOWN

NIGHT = "2026-11-04"


def sample(number=0, text="It is 4.", asked="2 plus 2?", **facts):
    return {
        "id": f"{number:032x}",
        "expert": "general",
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": text}],
        "alternatives": [],
        "verdict": {"rating": 7.25, "acceptance": None, "criteria": [{"name": "clarity", "value": 8.0}]},
        "provenance": {
            "language": "en", "source": "bot", "model": "m", "created_on": "2026-11-03", "licence": "CC0-1.0",
            "consent": "form", "redactions": [{"name": "email", "value": 2}],
        },
        **facts,
    }  # fmt: skip


def pages(samples, *, notes=None, plan=None, earlier=(), **record):
    """File name to text; `notes` by the sample's id."""
    by_id = {one["id"]: one for one in samples}

    def read(sample_id):
        return Shown(by_id[sample_id], (notes or {}).get(sample_id, ReviewNotes()))

    reading = Reading(NIGHT, list(by_id), read, record, "rating", plan, earlier)
    return {page.name: page.text for page in reading_copy(reading)}


def outside_quotes(text: str) -> list:
    """The tokens of a page that are in no block quote."""
    outside, depth = [], 0
    for token in MARKDOWN.parse(text):
        depth -= token.type == "blockquote_close"
        if not depth and token.type != "blockquote_close":
            outside.append(token)
        depth += token.type == "blockquote_open"
    return [token for token in outside if token.type != "blockquote_open"]


@settings(max_examples=100, deadline=None)
@given(text=HOSTILE)
@example(text=BOX)
@example(text="a\r" + BOX)
@example(text="```\n> \n```\n" + BOX)
@example(text="\n\n</blockquote>\n\n" + BOX)
@example(text="---\ntitle: x\n---\n" + BOX)
def test_no_text_gets_out_of_its_block_or_casts_a_vote(text):
    """Whatever is said, the page has the same frame as when nothing harmful is said, and exactly our boxes."""
    hostile = pages([sample(1, text, asked=text or "?"), sample(2, text)])
    tame = pages([sample(1, "x", asked="x"), sample(2, "x")])
    page = hostile["01.md"]
    assert ballots(page) == {f"{n:032x}": True for n in (1, 2)}
    frame = [(token.type, token.tag, token.content) for token in outside_quotes(page)]
    assert frame == [(token.type, token.tag, token.content) for token in outside_quotes(tame["01.md"])]
    assert [token.type for token in MARKDOWN.parse(hostile["index.md"])] == [
        token.type for token in MARKDOWN.parse(tame["index.md"])
    ]


def test_what_strangers_name_things_stays_in_its_cell():
    """Sources, models and redactions are named by logs and settings, and stand in a table."""
    named = "a|b\n\n# c <img src=x> [d](http://e.example) @joe"
    origin = {**sample()["provenance"], "source": named, "model": named, "consent": named}
    tame, hostile = pages([sample(1)])["01.md"], pages([sample(1, provenance=origin)])["01.md"]
    assert [token.type for token in MARKDOWN.parse(hostile)] == [token.type for token in MARKDOWN.parse(tame)]


def test_pages_stay_small_and_complete():
    """A forge cuts off long files, and a cut sample is an unread one."""
    shown = pages([sample(n, "word " * (4000 if n % 7 == 0 else 50)) for n in range(120)])
    for name, text in shown.items():
        assert len(text.encode()) < PAGE_BYTES + 2000
        assert len(ballots(text)) <= PAGE_SAMPLES
        assert name == "index.md" or ballots(text)
    boxes = [one for name in sorted(shown) if name != "index.md" for one in ballots(shown[name])]
    assert boxes == [f"{n:032x}" for n in range(120)]
    links = re.findall(r"\((\d+\.md)#sample-(\d+)\)", shown["index.md"])
    assert len(links) == 120
    assert all(f"## Sample {number}\n" in shown[page] for page, number in links)


LONG_TEXTS = ["word " * 200_000, "\n" * 100_000 + "x", "&" * 200_000, "\u202e" * 100_000, "漢" * 100_000]


@pytest.mark.parametrize("text", LONG_TEXTS)
def test_an_enormous_message_is_shown_in_part_and_says_so(text):
    """A page that no forge renders helps nobody; what is missing is counted. Escapes make a text seven times longer."""
    page = pages([sample(1, text)])["01.md"]
    said = re.findall(r"(\d+) more characters", page)
    n_shown = len(text) - int(said[0]) if said else len(text)
    assert len(page.encode()) < SAMPLE_BYTES + 1000
    assert said or len(text) < SAMPLE_BYTES
    assert n_shown > SAMPLE_BYTES // 10


def test_a_large_night_lists_pages_instead_of_samples():
    """The index must open as well."""
    index = pages([sample(n) for n in range(1500)])["index.md"]
    assert "| [60](60.md) | 1476 to 1500 |" in index
    assert len(index) < PAGE_BYTES


def test_the_index_shows_the_funnel_and_the_judge():
    """A reviewer sees what was left out, and who rated."""
    step = {"step": "screen", "in": 9, "kept": 7, "dropped": {"too_short": 1}, "held": {"unredactable": 1}}
    judge = {"name": "embedded", "model": "small", "rubric": "fitness 1", "head": "features 1"}
    index = pages([sample(1)], steps=[step], judges=[judge], threshold=6.0)["index.md"]
    assert re.search(r"\| screen \| 9 \| 7 \| █+ \| too\\_short 1 \| unredactable 1 \|", index)
    assert "Judge: embedded, model small, rubric fitness 1, head features 1" in index
    assert "Threshold: 6 of 10" in index
    assert "7.2" in index


def test_the_index_says_which_samples_to_read_and_how_sure_that_is():
    """Who has no time for all of them must know which, and what may be concluded."""
    samples = [sample(n) for n in range(100)]
    ids = [one["id"] for one in samples]
    plan = plan_reading(ids, night=NIGHT, bad_share=0.05, confidence=0.9, doubtful=ids[:2])
    shown = pages(samples, plan=plan)
    assert f"{plan.n} of the night's 100 were drawn by lot" in shown["index.md"]
    assert f"with probability {plan.probability:.3f}" in shown["index.md"]
    assert plan.seed in shown["index.md"]
    section = shown["index.md"].partition("## The sampling plan")[2].partition("## ")[0]
    assert len(re.findall(r"^- \[\d+\]", section, re.MULTILINE)) == len(plan.why)
    text = "".join(shown[name] for name in sorted(shown) if name != "index.md")
    assert text.count("| read it | drawn |") + text.count("| read it | doubtful |") == len(plan.why)


def test_neighbours_are_linked_where_they_can_be_read():
    """One of the night leads to its page, one of an earlier night to that night's index, if the corpus has it."""
    ids = (f"{30:032x}", "a" * 32, "b" * 32)
    nights = (NIGHT, "2026-10-01", "2026-10-02")
    near = tuple(map(Neighbour, ids, nights, (0.7, 0.5, 0.4), ("phrases", "phrases", "meaning")))
    notes = {f"{1:032x}": ReviewNotes(None, near, False)}
    page = pages([sample(n) for n in range(40)], notes=notes, earlier=["2026-10-01"])["01.md"]
    assert "| like it | [sample 31](02.md#sample-31), 0.70 of its phrases in common |" in page
    assert f"| like it | `{'a' * 32}` of night [2026-10-01](../2026-10-01/index.md), 0.50 of" in page
    assert f"| like it | `{'b' * 32}` of night 2026-10-02, 0.40 alike in what is said |" in page


def test_replies_beside_the_path_are_shown_with_their_votes():
    """They are published, so they are read."""
    other = {"turn": 1, "content": "It is four.", "rank": 1, "vote": -1}
    page = pages([sample(1, alternatives=[other])])["01.md"]
    assert "Beside it, not on the path (its user disliked it; rank 1, 0 being best)" in page
    assert "> It is four." in page


@pytest.mark.parametrize("line", ["- [ ] keep `{}`", "- [ ] keep `{}`  ", "- [ ] keep `{}`\r"])
def test_an_unticked_box_is_a_rejection(line):
    """Editors leave spaces and line ends of their own."""
    assert ballots("# x\n" + line.format("a" * 32) + "\n") == {"a" * 32: False}
