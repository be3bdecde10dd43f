"""Text of strangers as Markdown: whatever it says, a renderer shows it and does nothing with it."""

import re
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpus.disarm import JOINER, dressed, escaped, inline, visible
from corpus.markdown import quoted
from tests.corpus.hostile_texts import ACTIVE, BLOCKS, HOSTILE, MARKDOWN, SPANS, plain_texts, spans_of

ACTIVE_BITS = (
    "https://e.example/x", "www.e.example", "a@b.example", "@joe", "see @org/team", "#12", "o/r#12", "!7", "~label",
    "%3", "&4", "GH-1", ":smile:", "$x$", "![x](http://e.example/x.png)", "[a](javascript:x)", "<!-- x", "</details>",
    "<img src=http://e.example/x>", "<script>x</script>", "0123456789abcdef0123456789abcdef01234567", "[^1]",
    "a0123456789abcdef", "<https://e.example>", "$`x`$",
)  # fmt: skip

SHOWN = st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="*_`~")

DRAWN = (escaped, dressed, partial(dressed, in_table=True), partial(dressed, in_bold=True))

ANSWER = """Try **this**:

```python
if x:
    print('```')
```

| a | b |
|---|--:|
| `c` | d |

1. one
2. two
   - deep

> said

one
two"""


@settings(max_examples=150, deadline=None)
@given(text=HOSTILE)
@example(text="```\n" * 3 + "~~~")
@example(text="a\n===\nb\n---\n")
@example(text="[a]: http://e.example\n\n[a]")
@example(text="<details>\n\n```mermaid\nx\n```\n</details>")
@example(text="$$\nx\n$$\n```math\nx\n```")
@example(text="a0123456789abcdef0123456789abcdef01234567")
def test_a_message_is_only_text_tables_lists_and_code(text):
    """No link, picture, HTML or heading comes from a conversation, and nothing that a forge would act on."""
    shown = quoted(text, limit=10_000)
    tokens = MARKDOWN.parse(shown)
    assert all(line.startswith(">") for line in shown.splitlines())
    assert {token.type for token in tokens} <= BLOCKS
    assert {span.type for span in spans_of(tokens)} <= SPANS
    assert {token.info for token in tokens if token.type == "fence"}.isdisjoint({"mermaid", "math", "geojson", "stl"})
    assert [span for span in plain_texts(tokens) if ACTIVE.search(span)] == []


@settings(max_examples=150, deadline=None)
@given(text=HOSTILE)
def test_a_line_in_a_cell_stays_in_its_cell(text):
    """The first words of a conversation stand in the index's table."""
    tokens = MARKDOWN.parse(f"| a | b |\n| --- | --- |\n| {inline(text)} | x |")
    assert [token.content for token in tokens if token.type == "inline"][3:] == ["x"]
    assert [span for span in plain_texts(tokens) if ACTIVE.search(span)] == []


@pytest.mark.parametrize("text", ACTIVE_BITS)
@pytest.mark.parametrize("draw", DRAWN)
def test_nothing_in_a_line_is_active(draw, text):
    """Each of them is a link, a notification, a formula or a program on some forge."""
    for line in (text, f"x {text} y", f"({text})", f"**{text}**"):
        tokens = MARKDOWN.parse(draw(line))
        assert {span.type for span in spans_of(tokens)} <= SPANS
        assert [span for span in plain_texts(tokens) if ACTIVE.search(span)] == []


@settings(max_examples=100, deadline=None)
@given(
    text=st.text(
        alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="*_`~"), max_size=60
    )
)
@example(text="0123456789abcdef")
def test_what_is_said_can_be_read_as_it_was_said(text):
    """Disarming must not garble: without the invisible joiners the rendered text is the text."""
    tokens = MARKDOWN.parse(quoted(f"a{text}a", limit=1000))
    (inlined,) = [token for token in tokens if token.type == "inline"]
    assert "".join(child.content for child in inlined.children).replace(JOINER, "") == f"a{text}a"


def test_answers_look_as_their_writer_meant_them():
    """People judge an answer by how it looks: code, tables, lists, quotations and line breaks survive."""
    html = MARKDOWN.render(quoted(ANSWER, limit=1000))
    assert "<pre><code class=\"language-python\">if x:\n    print('```')\n</code></pre>" in html
    for shown in (
        "<strong>this</strong>",
        "<td><code>c</code></td>",
        '<td style="text-align:right">d</td>',
        "<ol>",
        "<li>deep</li>",
        "one<br />\ntwo",
    ):
        assert shown in html
    assert html.count("<blockquote>") == 2


@pytest.mark.parametrize(
    "language", ["mermaid", "math", "geojson", "topojson", "stl", "suggestion", 'python" onload="x', "{=html}"]
)
def test_what_forges_run_or_draw_is_shown_as_text(language):
    """Such blocks are programs for the forge's renderer; the word itself is shown above the code."""
    (fence,) = [token for token in MARKDOWN.parse(quoted(f"```{language}\nx\n```", limit=100)) if token.type == "fence"]
    assert (fence.info, fence.content) == ("text", "x\n")


@pytest.mark.parametrize("length", range(3, 12))
@pytest.mark.parametrize("mark", ["`", "~"])
def test_a_fence_of_any_length_ends_where_its_block_ends(mark, length):
    """Code that shows how Markdown writes code has fences in it."""
    inner = "\n".join(f"{other * n}" for other in "`~" for n in range(3, 12) if other != mark or n < length)
    text = f"{mark * length}\n{inner}\n{mark * length}\n\nafter"
    fence, *after = [token for token in MARKDOWN.parse(quoted(text, limit=1000)) if token.type in ("fence", "inline")]
    assert fence.content == inner + "\n"
    assert [token.content for token in after] == ["after"]


@pytest.mark.parametrize("n", [79, 80, 81, 255, 256, 1000])
def test_no_mark_of_code_is_longer_than_renderers_read(n):
    """A longer one is none to GitHub, and what was to be code would be a link, or HTML."""
    run = "`" * n
    for shown in (
        quoted(f"x `{run}<b>` y", limit=9000),
        quoted(f"```\n{run}\n<b>\n```", limit=9000),
        dressed(f"`{run}`"),
    ):
        marks = re.findall(r"(?<![\\`])`+", shown)
        assert max(map(len, marks), default=0) <= 80


def test_a_fence_that_is_never_closed_holds_the_rest_of_its_message_only():
    """The next turn must not be read as code."""
    assert outside(f"{quoted('```' + chr(10) + 'x', limit=100)}\n**User**\n") == ["**User**"]


def outside(text: str) -> list[str]:
    return [token.content for token in MARKDOWN.parse(text) if token.type == "inline" and token.level == 1]


def test_characters_that_nobody_sees_are_shown():
    """Hidden orders to a model, and text that reads backwards, must be seen by the reviewer."""
    shown = visible("a\u202eb\u200bc\U000e0041d\x07e\u2028f\ue000g\u2066h\u00adi")
    assert shown == "a[U+202E]b[U+200B]c[U+E0041]d[U+0007]e[U+2028]f[U+E000]g[U+2066]h[U+00AD]i"
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert visible(family) == family


def test_a_table_cell_stays_a_cell():
    """The first words of a conversation stand in the index."""
    assert inline("a|b\nc | <d> `e`", limit=50) == r"a\|b c \| &lt;d&gt; \`e\`"
    assert inline("x" * 100, limit=10) == "x" * 9 + "…"


def test_no_commit_is_named():
    """Forges link seven hexadecimal digits and more, also those that are left of a longer number."""
    for digits in ("0123456", "a" + "0" * 12, "f" * 40):
        pieces = escaped(digits).split(JOINER)
        assert "".join(pieces) == digits
        assert max(map(len, pieces)) < 7


def test_a_long_line_is_drawn_in_time_that_grows_with_it():
    """A line of a hundred kilobytes of marks must not keep a night waiting: quadratic time would be minutes here."""
    for piece in ("*a ", "_a ", "`", "` ", "**a", "~~a", "[", "<", "$`", "@", "| ", "> ", "- ", "1. ", "\\"):
        text = piece * (100_000 // len(piece))
        assert re.match(">", quoted(text, limit=100_000))
