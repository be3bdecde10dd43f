"""Conversation text is hostile: shown as HTML it must show everything and do nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.readable import headline, plain, rendered
from tests.corpus.html_check import Page

NASTY = [
    "<script>alert(1)</script>", "</style>", "</details></body></html>", '<img src=x onerror="alert(1)">',
    '<iframe srcdoc="<script>1</script>">', "<!--", "-->", "<![CDATA[", "{{ 7*7 }}", "{% include 'x' %}",
    "[a](javascript:alert(1))", "[a](https://example.org \"t\")", "![i](https://example.org/p.png)",
    "![i](data:image/png;base64,AAAA)", "<https://example.org>", "<svg onload=alert(1)>", "&lt;b&gt;", "&#x3C;script>",
    "\0", "\u202e", "\u2066", "\u200b", "\ufeff", "```", "~~~", "`", "| a | b |\n|---|---|\n", "> ", "- ", "1. ", "# ",
    "    ", "\t", "\n", "\n\n", "**", "__", "~~", "[x]: javascript:1\n", "[x]", "[EMAIL_1]", "'", '"', "\\", "a" * 40,
]  # fmt: skip
texts = st.lists(st.sampled_from(NASTY) | st.text(max_size=8), max_size=25).map("".join)


def shown(html):
    return Page(str(html))


@given(texts)
def test_no_text_becomes_anything_but_inert_well_nested_elements(text):
    """One live element or one stray end tag and a stranger writes on the operator's page."""
    for show in (rendered, plain, lambda text: headline(text, 100)):
        assert shown(show(text)).faults == []


@given(texts)
def test_html_is_bounded_by_the_text_it_shows(text):
    """The page's size limit rests on this bound."""
    for show in (rendered, plain):
        assert len(show(text).encode()) <= 6 * len(text) + 2_000


@pytest.mark.parametrize(
    "bomb",
    [
        "|" + "a|" * 1_000 + "\n|" + "-|" * 1_000 + "\n" + "x\n" * 1_000,
        ">" * 3_000 + "deep",
        "- " * 2_000 + "deep",
        "[" * 3_000 + "](x)" * 500,
        "*a **b " * 800,
        "\u202e" * 6_000,
        "`" * 6_000,
        "[A_1]" * 1_200,
    ],
    ids=["table", "quotes", "lists", "brackets", "stars", "bidi", "ticks", "placeholders"],
)
def test_markdown_made_to_swell_stays_small(bomb):
    """A table of a thousand columns fills in the cells that a line leaves out: thousands of lines make millions."""
    html = rendered(bomb)
    assert len(html.encode()) <= 6 * len(bomb) + 2_000
    assert shown(html).faults == []


def test_links_and_images_are_their_text_with_the_address_beside_it():
    """A reader wants to know where a link leads; a click or a remote image would tell a stranger who reads."""
    html = rendered(
        "see [the page](https://example.org/a?b=1) ![a chart](https://example.org/c.png) <https://auto.test>"
    )
    assert "href" not in html
    assert "src=" not in html
    assert shown(html).words == (
        "see the page https://example.org/a?b=1 image: a chart https://example.org/c.png https://auto.test"
    )


def test_code_keeps_its_lines_and_names_its_language():
    """Code that lost its line ends cannot be judged."""
    html = rendered("```python\nif a < b:\n    print('&')\n```")
    assert "<span class=code-language>python</span>" in html
    assert "if a &lt; b:\n    print(&#39;&amp;&#39;)\n" in html


def test_line_ends_of_a_chat_are_kept():
    """People write poems and lists with single line ends."""
    assert "one<br>\ntwo" in rendered("one\ntwo")


def test_headings_of_a_conversation_are_not_headings_of_the_page():
    """A screen reader's outline is ours."""
    assert "<h1" not in rendered("# Big")


def test_placeholders_and_hidden_characters_are_marked():
    """What was replaced and what hides should meet the eye."""
    html = rendered("write to [EMAIL_1]\u202e now, `[PHONE_2]` and not [this]")
    assert "<mark class=redacted>EMAIL_1</mark>" in html
    assert "<mark class=hidden>U+202E</mark>" in html
    assert "<code><mark class=redacted>PHONE_2</mark></code>" in html
    assert "[this]" in html


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("## Why *this*?\n\nBecause of that and more", "Why *this*?\n"),
        ("Why does this list keep growing?\n\n```python\nx = []\n```", "Why does this list keep growing?"),
        ("Hi,\n\nhow are you?", "Hi, how are you?"),
        ("word " * 100, ("word " * 20).strip() + "…"),
    ],
)
def test_headline_is_the_first_thing_said(text, title):
    """A list of conversations is read by their first words."""
    if title.endswith("\n"):
        assert headline(text, 100).startswith("Why *this*? Because")  # too short to stand alone
    else:
        assert headline(text, 100) == title


def test_a_table_that_people_write_is_a_table():
    """The guard against swelling must not cost anybody a comparison of two printers."""
    html = rendered(
        "Here:\n\n| mill | stones |\n|:-----|-------:|\n| water | 2 |\n| wind | 4 |\n\n" + "Prose.\n\n" * 20
    )
    assert str(html).count("<td") == 4
