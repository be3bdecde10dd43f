"""Rules about text as such: characters, encoding, markup, and Gopher's measures of what a text is made of."""

from __future__ import annotations

import re

from ftfy.badness import BADNESS_RE

from corpus.rules.catalogue import Rule
from corpus.rules.talk import Talk

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


def without_controls(text: str, rule: Rule) -> str:
    """The text without NUL, and without other control characters unless the rule finds it full of them."""
    text = text.replace("\0", "")
    found = len(_CONTROL.findall(text))
    return _CONTROL.sub("", text) if 0 < found <= max(1, rule.number("share_max") * len(text)) else text


def control_characters(talk: Talk, rule: Rule) -> str | None:
    """Evidence of control characters, None without."""
    for at, turn in enumerate(talk.turns):
        found = len(_CONTROL.findall(turn.content))
        if found > max(1, rule.number("share_max") * len(turn.content)):
            return f"{found} in turn {at + 1}"
    return None


def chat_template(talk: Talk, rule: Rule) -> str | None:
    """Evidence of a template's token outside code."""
    for role, text in talk.prose:
        if "<" in text or "[" in text:
            for token in rule.values["tokens"]:
                if token in text:
                    return f"{token} in a turn of the {role}"
    return None


def mojibake(talk: Talk, rule: Rule) -> str | None:
    """Evidence of text decoded wrongly."""
    for role, text in talk.prose:
        if not text.isascii():
            bad = len(BADNESS_RE.findall(text))
            if bad >= rule.number("count_min") and bad > rule.number("share_max") * len(text):
                return f"{bad} bad sequences in {len(text)} characters of the {role}"
    return None


_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]{0,30}(?:\s[^<>]{0,1000})?/?>|&(?:[a-z]{2,8}|#\d{2,5});|<!--|-->")


def markup(talk: Talk, rule: Rule) -> str | None:
    """Evidence that answers are markup rather than text."""
    texts = [text for text in talk.answers if "<" in text or "&" in text]
    n_characters = sum(map(len, talk.answers))
    n_markup = sum(len(match[0]) for text in texts for match in _TAG.finditer(text))
    if n_characters >= rule.number("characters_min") and n_markup > rule.number("share_max") * n_characters:
        return f"{n_markup / n_characters:.2f} of the answers' characters"
    return None


_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]", re.MULTILINE)
_SYMBOLS = re.compile(r"#|…|\.\.\.")


def symbols(talk: Talk, rule: Rule) -> str | None:
    """Evidence of more hash signs and ellipses than words bear."""
    if "#" not in talk.answer_text and ".." not in talk.answer_text and "…" not in talk.answer_text:
        return None
    if len(talk.words) < rule.number("words_min"):
        return None
    ratio = len(_SYMBOLS.findall(_HEADING.sub("", talk.answer_text))) / len(talk.words)
    return f"{ratio:.2f} a word" if ratio > rule.number("ratio_max") else None


def word_length(talk: Talk, rule: Rule) -> str | None:
    """Evidence that words are no words: too short or too long in the mean."""
    if len(talk.words) < rule.number("words_min") or not talk.is_spaced:
        return None
    mean = sum(map(len, talk.words)) / len(talk.words)
    return None if rule.number("mean_min") <= mean <= rule.number("mean_max") else f"{mean:.1f} letters in the mean"


def letters(talk: Talk, rule: Rule) -> str | None:
    """Evidence that most words are numbers or signs."""
    if len(talk.words) < rule.number("words_min"):
        return None
    share = 1 - sum(map(str.isnumeric, talk.words)) / len(talk.words)
    return f"{share:.2f} of the words have a letter" if share < rule.number("share_min") else None
