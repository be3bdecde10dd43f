"""Takes the `<details>` blocks that Open WebUI writes into an answer apart: reasoning, tool calls, their results."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from corpus.sources.decode import decode_text
from corpus.sources.parts import call_part, content_text, result_part, text_part, unknown_part
from schemas.conversation import Part

_OPENING = re.compile(r"<details\b([^<>]{0,1000000})>", re.IGNORECASE)
_EDGE = re.compile(r"<details\b|</details\s*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r'([a-z_]+)="([^"]*)"')
_SUMMARY = re.compile(r"<summary>.*?</summary>", re.IGNORECASE | re.DOTALL)
_QUOTE_MARK = re.compile(r"^> ?", re.MULTILINE)
_OURS = {"reasoning", "tool_calls", "code_interpreter"}


def split_details(content: str) -> tuple[Part, ...]:
    """The parts of an answer, in their order; its text without the blocks.

    Blocks of another type, or without one, are the author's own HTML and stay in the text.
    """
    parts: list[Part] = []
    text_from = at = 0
    while match := _OPENING.search(content, at):
        attributes = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(match[1])}
        if attributes.get("type") not in _OURS:
            at = match.end()
            continue
        end, at = _block_end(content, match.end())
        parts += _text(content[text_from : match.start()])
        parts += _block(attributes, content[match.end() : end])
        text_from = at
    return (*parts, *_text(content[text_from:]))


def _block_end(content: str, at: int) -> tuple[int, int]:
    """Where the block's inside ends, and where what follows begins: its own closing tag, or the end of the text."""
    depth = 1
    for edge in _EDGE.finditer(content, at):
        depth += -1 if edge[0].startswith("</") else 1
        if not depth:
            return edge.start(), edge.end()
    return len(content), len(content)


def _text(text: str) -> list[Part]:
    stripped = text.strip("\n")
    return [text_part(stripped)] if stripped.strip() else []


def _block(attributes: dict[str, str], inside: str) -> Iterator[Part]:
    body = html.unescape(_SUMMARY.sub("", inside, count=1)).strip()
    if attributes["type"] == "reasoning":
        yield Part("reasoning", _QUOTE_MARK.sub("", body))
    elif attributes["type"] == "code_interpreter":
        yield unknown_part({"code_interpreter": attributes.get("output", ""), "body": body})
    else:
        yield call_part({key: attributes.get(key, "") for key in ("id", "name", "arguments")})
        result = decode_text(attributes["result"]) if "result" in attributes else body
        yield result_part(content_text(result), attributes.get("id"), attributes.get("name"))
