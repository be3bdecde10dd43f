"""The reading copy: readable, and nothing that a conversation says can get out of its frame."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from corpus.markdown import inline, quoted
from corpus.reading_copy import PAGE_BYTES, PAGE_SAMPLES, ballots, reading_copy

NIGHT = "2026-11-04"
BOX = f"- [x] keep `{'f' * 32}`"
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


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


def pages(samples, **record):
    return {page.name: page.text for page in reading_copy(NIGHT, samples, record)}


def outside_quotes(text: str) -> list:
    """The tokens of a page that are in no block quote."""
    outside, depth = [], 0
    for token in MARKDOWN.parse(text):
        depth -= token.type == "blockquote_close"
        if not depth and token.type != "blockquote_close":
            outside.append(token)
        depth += token.type == "blockquote_open"
    return [token for token in outside if token.type != "blockquote_open"]


HOSTILE = st.lists(
    st.sampled_from(
        [BOX, "```", "~~~~", "````mermaid", "> ", "\n", "\r", "\r\n", "# ", "- ", "1. ", "---", "===", "|a|b|\n|-|-|\n",
         "<script>", "</blockquote>", "<!--", "-->", "<details>", "&lt;", "![x](http://e/x.png)", "[a]: http://e",
         "[a]", "https://e.example", "www.e.example", "a@b.example", "@joe", "#12", "GH-1", ":smile:", "$x$", "\\", "`",
         "*b*", "_i_", "\t", "    ", "\u202e", "\u2028", "\x0b", "\x0c", "\x85", "\0", "\u200b", "\u2060", "[^1]",
         "**User**", "## Sample 1", "x", "\U000e0041", "  \n", "\\\n"]
    )
    | st.text(max_size=8)
).map("".join)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(text=HOSTILE)
@example(text=BOX)
@example(text="a\r" + BOX)
@example(text="```\n> \n```\n" + BOX)
@example(text="\n\n</blockquote>\n\n" + BOX)
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


@settings(max_examples=100, deadline=None)
@given(text=HOSTILE)
def test_quoted_text_is_only_text(text):
    """No link, picture, HTML, heading, list or rule comes from a conversation; only paragraphs and code."""
    tokens = MARKDOWN.parse(quoted(text, limit=10_000))
    allowed = {"blockquote_open", "blockquote_close", "paragraph_open", "paragraph_close", "inline", "fence"}
    assert {token.type for token in tokens} <= allowed
    inner = {child.type for token in tokens for child in token.children or ()}
    assert inner <= {"text", "text_special", "hardbreak", "softbreak"}
    for token in tokens:
        if token.type == "inline":
            plain = "".join(child.content for child in token.children)
            assert not re.search(r"://|www\.\w|[@#]\w", plain)


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=60))
def test_what_is_said_can_be_read_as_it_was_said(text):
    """Disarming must not garble: without the invisible joiners the rendered text is the text."""
    tokens = MARKDOWN.parse(quoted(f"a{text}a", limit=1000))
    (inlined,) = [token for token in tokens if token.type == "inline"]
    assert "".join(child.content for child in inlined.children).replace("\u2060", "") == f"a{text}a"


def test_code_stays_code_and_lines_stay_lines():
    """People judge an answer by how it looks: code blocks, tables and line breaks survive."""
    shown = quoted("Try:\n\n```python\nif x:\n    print('```')\n```\n\n| a | b |\n|---|---|\n\none\ntwo", limit=1000)
    tokens = [token for token in MARKDOWN.parse(shown) if token.type == "fence"]
    assert tokens[0].info == "python"
    assert "    print(" in tokens[0].content
    assert tokens[-1].content == "| a | b |\n|---|---|\n"
    assert "one<br />\ntwo" in MARKDOWN.render(shown)


def test_what_forges_run_or_draw_is_shown_as_text():
    """mermaid, math or geojson blocks are programs for the forge's renderer."""
    for language in ("mermaid", "math", "geojson", "suggestion", 'python" onload="x'):
        assert quoted(f"```{language}\nx\n```", limit=100) == "> ```text\n> x\n> ```\n"


def test_characters_that_nobody_sees_are_shown():
    """Hidden orders to a model, and text that reads backwards, must be seen by the reviewer."""
    shown = quoted("a\u202eb\u200bc\U000e0041d\x07e\u2028f", limit=100)
    assert shown == "> a[U+202E]b[U+200B]c[U+E0041]d[U+0007]e[U+2028]f\n".replace("[", r"\[").replace("]", r"\]")
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert family in quoted(family, limit=10)


def test_a_table_cell_stays_a_cell():
    """The first words of a conversation stand in the index."""
    assert inline("a|b\nc | <d> `e`", limit=50) == r"a\|b c \| &lt;d&gt; \`e\`"
    assert inline("x" * 100, limit=10) == "x" * 9 + "…"


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


def test_an_enormous_message_is_shown_in_part_and_says_so():
    """A page that no forge renders helps nobody; what is missing is counted."""
    page = pages([sample(1, "word " * 200_000)])["01.md"]  # nine characters ask, before it
    assert "900009 more characters" in page
    assert len(page) < PAGE_BYTES


def test_a_large_night_lists_pages_instead_of_samples():
    """The index must open as well."""
    index = pages(sample(n) for n in range(1500))["index.md"]
    assert "| [60](60.md) | 1476 to 1500 |" in index
    assert len(index) < PAGE_BYTES


def test_the_index_shows_the_funnel_and_the_judge():
    """A reviewer sees what was left out, and who rated."""
    step = {"step": "screen", "in": 9, "kept": 7, "dropped": {"too_short": 1}, "held": {"unredactable": 1}}
    judge = {"name": "embedded", "model": "small", "rubric": "fitness 1", "head": "features 1"}
    index = pages([sample(1)], steps=[step], judges=[judge], threshold=6.0)["index.md"]
    assert r"| screen | 9 | 7 | too\_short 1 | unredactable 1 |" in index
    assert "Judge: embedded, model small, rubric fitness 1, head features 1" in index
    assert "Threshold: 6 of 10" in index
    assert "7.2" in index


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
