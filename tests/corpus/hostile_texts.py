"""What a stranger may write to get out of a frame, and how a renderer of a forge reads what we made of it."""

import re

from hypothesis import strategies as st
from markdown_it import MarkdownIt

BOX = f"- [x] keep `{'f' * 32}`"
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])

PIECES = (
    BOX, "- [ ] ", "```", "~~~", "~~~~", "````mermaid", "`" * 9, "`" * 120, "\n" + "`" * 300 + "\n", "\n", "> ",
    "\r", "\r\n", "# ",
    "- ", "* ", "1. ", "3) ", "---", "===", "|a|b|\n|-|-|\n", "|", "<script>", "</blockquote>", "<!--", "-->",
    "<details>", "</details>", "&lt;", "&#60;", "![x](http://e.example/x.png)", "[a]: http://e.example", "[a]",
    "[^1]", "[^1]: x", "https://e.example", "www.e.example", "a@b.example", "mailto:a@b.example",
    "<http://e.example>", "<a@b.example>", "@joe", "@org/team", "#12", "o/r#12", "!7", "%3", "~label", "&4", "GH-1",
    ":smile:", "0123456789abcdef0123", "$x$", "$$", "$`x`$", "\\", "`", "*b*", "_i_", "**", "__", "~~", "***", "{+",
    "+}", "\t", "    ", "  \n", "\\\n", "\u202e", "\u2028", "\x0b", "\x0c", "\x85", "\0", "\u200b", "\u2060",
    "\u00a0", "\U000e0041", "\ue000", "\ue001", "**User**", "## Sample 1", "x", "y", " ",
)  # fmt: skip
"""Whatever some renderer takes for more than text, and pieces of it."""

HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=30).map("".join)

_NESTED = (
    "blockquote",
    "paragraph",
    "bullet_list",
    "ordered_list",
    "list_item",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
)
BLOCKS = {f"{name}_{side}" for name in _NESTED for side in ("open", "close")} | {"inline", "fence", "hr"}
"""What a conversation may be drawn as: no heading, no HTML, no indented code, which could hide a fence."""

SPANS = frozenset({"text", "text_special", "hardbreak", "softbreak", "code_inline"}) | {
    f"{name}_{side}" for name in ("strong", "em", "s") for side in ("open", "close")
}
"""What a line may be drawn as: no link, no picture, no HTML."""

ACTIVE = re.compile(
    r"://|\bwww\.\w"  # addresses
    r"|[@#]\w|(?<!\w)[!%~$][\w{\"]"  # mentions, references, mathematics
    r"|\bGH-\d|:[\w+-]+:"  # other references, shortcodes
    r"|\b[0-9a-f]{7,40}\b",  # commits
    re.IGNORECASE,
)
"""What forges find in plain text and make a link, a picture or a notification of."""


def spans_of(tokens):
    """The inline tokens of a parsed text."""
    return [child for token in tokens for child in token.children or ()]


def plain_texts(tokens):
    """The text that stands outside of code, span by span: forges look for references in it."""
    return [span.content for span in spans_of(tokens) if span.type in ("text", "text_special")]
