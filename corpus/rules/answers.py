"""Rules about what the assistant says: refusals, stock phrases, error messages, adverts, answers that stop."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from corpus.rules.catalogue import Rule
from corpus.rules.talk import Talk, code_blocks
from corpus.words import words

_START_CHARACTERS = 300
"""How far into an answer a phrase that decides about it may reach."""


@cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _pattern(rule: Rule, key: str) -> re.Pattern[str]:
    return _any_of(tuple(rule.values[key]))


@cache
def _sentences(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE)


def _n_words(text: str) -> int:
    """Words, two characters as one where a script has no spaces (as its dictionaries' words have in the mean)."""
    counted = words(text)
    alone = sum(len(word) == 1 and not word.isascii() for word in counted)
    return len(counted) - alone // 2


def error_text(talk: Talk, rule: Rule) -> str | None:
    """Evidence that an answer is the service's error message."""
    for at, answer in enumerate(talk.answers):
        start = answer[:_START_CHARACTERS].lstrip("*_> \n\"'`")
        if _pattern(rule, "starts").match(start) and _n_words(answer[:2000]) <= rule.number("words_max"):
            return f"answer {at + 1}"
    return None


def refusal(talk: Talk, rule: Rule) -> str | None:
    """Evidence that the last answer, or every one, refuses."""
    whole = [turn.content for turn in talk.turns if turn.role == "assistant"]
    refused = [_refuses(answer, rule) for answer in whole]
    if refused and refused[-1]:
        return f"{sum(refused)} of {len(refused)} answers, among them the last"
    return None


def _refuses(answer: str, rule: Rule) -> bool:
    start = " ".join(answer[:_START_CHARACTERS].split()).lstrip("*_>\"'“ ")
    if not _pattern(rule, "starts").match(start):
        return False
    n_words = _n_words(answer[:4000])
    return n_words <= rule.number("words_max") and not _pattern(rule, "helps").search(answer)


def boilerplate(talk: Talk, rule: Rule) -> str | None:
    """Evidence that all answers are stock phrases, or one is filler."""
    for at, answer in enumerate(talk.answers):
        if _pattern(rule, "filler").search(answer[:2000]):
            return f"filler in answer {at + 1}"
    whole = [turn.content for turn in talk.turns if turn.role == "assistant"]
    if whole and all(_is_stock(answer, rule) for answer in whole):
        return f"all of {len(whole)} answers"
    return None


def _is_stock(answer: str, rule: Rule) -> bool:
    if len(answer) > 400 or _n_words(answer) > rule.number("short_words_max"):
        return False
    left = _sentences(tuple(rule.values["stock"])).sub(" ", answer)
    return left != answer and _n_words(left) <= rule.number("words_left_max")


def advert(talk: Talk, rule: Rule) -> str | None:
    """Evidence that a turn sells something."""
    shouts = _any_of((rule.values["shouts"],))
    for at, (role, text) in enumerate(talk.prose):
        if len(text) <= 20_000 and shouts.search(text):
            found = {match[0].lower() for match in _pattern(rule, "phrases").finditer(text)}
            if len(found) >= rule.number("phrases_min"):
                return f"{len(found)} phrases in turn {at + 1}, of the {role}"
    return None


_NO_PROSE = re.compile(r"\s*(?:[-*+•–>|#]|\d{1,3}[.)]|[a-zA-Z][.)]\s|\$\$|\\|<|!\[|https?://|\w{1,20}:\s*$)")
_ENDS_OPEN = re.compile(r"[^\W_],?\Z|[(\[{,]\Z")
_LINK = re.compile(r"(?:https?://|www\.)\S*\Z")


_FIRST_UNSTOPPED = "\u0e00"
"""Thai, the first of the scripts that may end a sentence without a sign; Latin, Cyrillic and Arabic come before."""


def truncated(talk: Talk, rule: Rule) -> str | None:
    """Evidence that the last answer stops before its end."""
    answer = talk.last_answer.rstrip()
    blocks, is_open = code_blocks(answer)
    if is_open:
        return "an open code block"
    if blocks and blocks[-1][1] >= len(answer) or answer.endswith(("`", "</tool_call>")):
        return None
    line = answer[answer.rfind("\n") + 1 :]
    if _NO_PROSE.match(line) or not _ENDS_OPEN.search(line) or _LINK.search(line):
        return None
    return _ends_early(line, _words_of(rule), rule, is_verse=_is_verse(answer))


def _ends_early(line: str, needy: frozenset[str], rule: Rule, *, is_verse: bool) -> str | None:
    said = line.split()
    if len(said) >= rule.number("needy_words_min") and not is_verse:
        last = said[-1].lower().strip("*_\"'")
        if last.endswith(",") or last in needy:
            return f"ends on a comma or a needy word after {len(said)} words"
    if len(said) >= rule.number("line_words_min") and said[-1][-1].isalpha() and said[-1][-1] < _FIRST_UNSTOPPED:
        return f"no stop in the last line of {len(said)} words"
    return None


@cache
def _needy(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _words_of(rule: Rule) -> frozenset[str]:
    return _needy(rule.values["needy"])


def _is_verse(answer: str) -> bool:
    """Whether most of the last lines end without a stop: verse and lists do so by nature."""
    lines: Sequence[str] = [line for line in answer.splitlines()[-8:] if line.strip()]
    return len(lines) >= 4 and sum(bool(_ENDS_OPEN.search(line.rstrip())) for line in lines) > len(lines) / 2
