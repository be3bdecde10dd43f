"""Text of strangers as HTML that shows it and does nothing else.

Markdown is rendered, since answers are written in it; raw HTML is shown as text, links and images become their text
with the address beside it, and characters that nobody sees are shown by their number. Nothing made here loads, runs or
leads anywhere.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup, escape

from corpus.markdown import visible
from corpus.redaction.finding import PLACEHOLDER

_NOTES = re.compile(rf"(?P<redacted>{PLACEHOLDER.pattern})|(?P<hidden>\[U\+[0-9A-F]{{4,6}}\])")
"""What we wrote into the text: a redaction's placeholder, and the number of a character that nobody sees."""

_GROWTH = 6
"""Bytes of HTML for a character, at most: escaping makes six of a quotation mark. Markdown that makes more of it (a
table of thousands of empty cells) is shown as plain text, so a page's size is bounded by the text it shows."""

_SLACK = 2_000
"""Bytes that a short text may take beyond `_GROWTH`: a heading and a table of a few words are mostly tags."""


def name(text: str, limit: int = 80) -> Markup:
    """A name from a stranger's file (a source, a model, a path) as one line that cannot turn what is around it."""
    return Markup("<bdi>{}</bdi>").format(Markup(_noted(_cut(visible(text[: limit + 1]), limit))))  # noqa: S704 (escaped)


_SHORT = 20
"""A first paragraph of fewer characters ("Hi there,") says too little for a headline."""


def rendered(text: str) -> Markup:
    """Markdown as safe HTML blocks; line ends are kept as the chat showed them."""
    shown = visible(text)
    html = Markup(_renderer(has_tables=not _is_swelling(shown)).render(shown))  # noqa: S704 (made by our renderer, which escapes all text)
    return html if len(html.encode()) <= _GROWTH * len(text) + _SLACK else plain(text)


def plain(text: str) -> Markup:
    """The text as it is, in one block; at most `_GROWTH` bytes a character."""
    shown = visible(text)
    noted = _noted(shown)
    if len(noted.encode()) > _GROWTH * len(text) + _SLACK:
        noted = str(escape(shown[: len(text)]))
    return Markup("<p class=plain>{}</p>").format(Markup(noted))


def headline(text: str, limit: int) -> Markup:
    """The beginning of a text as one line of HTML, without Markdown's marks: its first paragraph, unless that is short.

    `limit` counts characters before escaping.
    """
    start = visible(text[: 4 * limit])
    paragraphs = re.split(r"\n\s*\n|```", start, maxsplit=1)
    if len(paragraphs[0].strip()) >= _SHORT:
        start = paragraphs[0]
    flat = " ".join(re.sub(r"^[#>\s]+|[`*_]{2,}|`", " ", start).split())
    return Markup(_noted(_cut(flat, limit)))  # noqa: S704 (escaped)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _is_swelling(text: str) -> bool:
    """Whether tables could have more cells than the text has characters, since a short line is filled up with cells."""
    lines = text.split("\n")
    return len(lines) * max(line.count("|") for line in lines) > len(text)


@cache
def _renderer(*, has_tables: bool) -> MarkdownIt:
    # maxNesting of the preset is 20: text that nests deeper is shown flat, so depth cannot exhaust the stack.
    options = {"html": False, "linkify": False, "breaks": True}
    renderer = MarkdownIt("js-default", options, renderer_cls=_Inert)
    return renderer if has_tables else renderer.disable("table")


def _noted(text: str) -> str:
    """Escaped text with what we wrote into it marked."""
    return _NOTES.sub(lambda found: f"<mark class={found.lastgroup}>{found[0][1:-1]}</mark>", str(escape(text)))


class _Inert(RendererHTML):
    """Writes no element that loads or leads anywhere, and no attribute that came from the text."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, object]) -> str:
        return _noted(tokens[idx].content)

    def code_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, object]
    ) -> str:
        return f"<code>{_noted(tokens[idx].content)}</code>"

    def code_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, object]
    ) -> str:
        return f"<pre dir=ltr><code>{_noted(tokens[idx].content)}</code></pre>\n"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, object]) -> str:
        language = tokens[idx].info.strip().split(" ")[0][:20]
        label = f"<span class=code-language>{escape(language)}</span>" if language else ""
        return f"<pre dir=ltr>{label}<code>{_noted(tokens[idx].content)}</code></pre>\n"

    def heading_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, object]
    ) -> str:
        return f"<p class=heading-{tokens[idx].tag[1:]}>"  # not <h1>: the page's outline is ours

    def heading_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, object]
    ) -> str:
        return "</p>\n"

    def link_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, object]
    ) -> str:
        return "<span class=link>"

    def link_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, object]
    ) -> str:
        opening = next(token for token in reversed(tokens[:idx]) if token.type == "link_open")  # links do not nest
        address = (
            "" if opening.markup == "autolink" else f" <span class=address>{_noted(_address(opening, 'href'))}</span>"
        )
        return f"</span>{address}"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, object]) -> str:
        token = tokens[idx]
        text = self.renderInlineAsText(token.children, options, env) if token.children else ""
        address = _noted(_address(token, "src"))
        return f"<span class=image>image: {_noted(text)} <span class=address>{address}</span></span>"


def _address(token: Token, attribute: str) -> str:
    return str(token.attrs.get(attribute, ""))
