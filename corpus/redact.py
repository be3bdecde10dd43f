"""redact: personal data and secrets become typed placeholders, the same value the same one throughout a conversation.

The whole tree is read: every part of every message, siblings and hidden ones too, tool calls and their results, the
title, what people wrote as feedback, and what the log says of models (a path may hold a user's name) and of consent
(`Jane Roe, by mail`): both are published with a sample. `[EMAIL_1]` stands for one address wherever it occurs; numbers
that the log itself uses are skipped. What a passage is, the recognisers of corpus/redaction say.

Why these recognisers: on 1,500 labelled sentences (presidio-research) and the same machine, one core,
                      e-mail     card       IBAN       IP         phone      US SSN     MB/s of real chats
    ours              1.00/1.00  0.93/1.00  1.00/1.00  1.00/1.00  0.76/1.00  1.00/1.00  2.3, all classes
    presidio 2.2      1.00/1.00  0.77/1.00  0.95/1.00  1.00/1.00  0.59/0.73  1.00/1.00  0.36, these six
(recall/precision; presidio's pattern recognisers without a language model, which still bring spaCy along, 550 MB, and
ask the network for a list of domains). Of names 0.05 are found, at a precision of 0.89, and of addresses 0.24: what is
somebody's is taken from the context alone. detect-secrets 1.5 finds more of the secret scanners' test cases, but flags
all but a few of the negative ones, too, when it reads free text, at 0.08 MB/s.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from corpus.redaction.finding import PLACEHOLDER, Finding, Kind, settled
from corpus.redaction.people import is_no_name
from corpus.redaction.recognise import recognise
from schemas.conversation import Conversation, Feedback, Message, Part

MOST_ROUNDS = 5
"""A replacement can uncover a passage that its neighbour hid, so a conversation is read until nothing is found. Two
rounds are the rule; hostile text that needs more than five is not published."""

_SHORTEST_KNOWN = 5
"""Characters a value must have to be replaced where only its likeness, and no recogniser, finds it."""

_SHORTEST_NAME = 3


class TooManyValues(Exception):
    """More different values were found than the caller allows."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        super().__init__(", ".join(f"{kind} {n}" for kind, n in sorted(counts.items())))


class NotRedactable(Exception):
    """After `MOST_ROUNDS` rounds there is still something to replace."""


@dataclass(frozen=True)
class Redacted:
    """A conversation without the passages found; `counts` are passages replaced by kind, over the whole tree."""

    conversation: Conversation
    counts: Counter[str]
    n_values: int


def redact(conversation: Conversation, *, values_max: int | None = None) -> Redacted:
    """The conversation with placeholders; redacting that again changes nothing.

    Args:
        conversation: any tree; it need not have a valid path.
        values_max: different values at most.

    Raises:
        TooManyValues: there are more. NotRedactable: it cannot be brought to an end.
    """
    names = _Placeholders(_texts(conversation))
    counts: Counter[str] = Counter()
    clean: set[str] = set()
    for _ in range(MOST_ROUNDS):
        known = _known(_texts(conversation), clean)
        if not known:
            return Redacted(conversation, counts, names.n_values)
        for finding in known.values():
            names.of(finding)
        if values_max is not None and names.n_values > values_max:
            raise TooManyValues(names.by_kind())
        conversation = _mapped(conversation, _Replacer(known, names, counts))
    raise NotRedactable


class _Placeholders:
    """Which placeholder stands for which value: numbered by first appearance, skipping numbers in the text."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._used = {match[0] for text in texts if "[" in text for match in PLACEHOLDER.finditer(text)}
        self._given: dict[tuple[Kind, str], str] = {}
        self._last: Counter[Kind] = Counter()

    @property
    def n_values(self) -> int:
        return len(self._given)

    def by_kind(self) -> Counter[str]:
        return Counter(kind for kind, _ in self._given)

    def of(self, finding: Finding) -> str:
        key = (finding.kind, finding.value)
        while key not in self._given:
            self._last[finding.kind] += 1
            name = f"[{finding.kind}_{self._last[finding.kind]}]"
            if name not in self._used:
                self._given[key] = name
        return self._given[key]


def _known(texts: Iterable[str], clean: set[str]) -> dict[str, Finding]:
    """What was found, by the passage as it is written, in order of appearance; clean texts are remembered as such."""
    known: dict[str, Finding] = {}
    all_texts = list(dict.fromkeys(texts))
    for text in all_texts:
        if text in clean:
            continue
        findings = recognise(text)
        if not findings:
            clean.add(text)
        for finding in findings:
            known.setdefault(text[finding.start : finding.end], finding)
    return _with_name_words(known, all_texts)


def _with_name_words(known: dict[str, Finding], texts: list[str]) -> dict[str, Finding]:
    """The words of full names added, so that "Jane Roe" and "Jane" get one placeholder.

    A word that the conversation also writes in lower case is left alone: "Will" and "will" are two things.
    """
    words: dict[str, Finding] = {}
    for written, finding in known.items():
        if finding.kind == "PERSON" and len(parts := written.split()) > 1:
            for part in parts:
                word = part.strip(".,'’-")
                if len(word) >= _SHORTEST_NAME and word[0].isupper() and not is_no_name(word):
                    words.setdefault(word, finding)
    for word, finding in words.items():
        lower = re.compile(rf"(?<!\w){re.escape(word.lower())}(?!\w)")
        if word in known or not any(lower.search(text) for text in texts):
            known[word] = finding
    return known


class _Replacer:
    """Replaces in one text what recognisers find in it and what was found elsewhere in the conversation."""

    def __init__(self, known: Mapping[str, Finding], names: _Placeholders, counts: Counter[str]) -> None:
        self._known = known
        self._names = names
        self._counts = counts
        self._alike = _alike(known)
        self._done: dict[str, tuple[str, Counter[str]]] = {}

    def __call__(self, text: str) -> str:
        if text not in self._done:
            self._done[text] = self._replaced(text)
        changed, counts = self._done[text]
        self._counts.update(counts)
        return changed

    def _replaced(self, text: str) -> tuple[str, Counter[str]]:
        marked = [match.span() for match in PLACEHOLDER.finditer(text)] if "[" in text else []
        alike = [f for f in self._found_elsewhere(text) if not any(f.start < b and a < f.end for a, b in marked)]
        pieces: list[str] = []
        counts: Counter[str] = Counter()
        at = 0
        for finding in settled([*recognise(text), *alike]):
            same = self._known.get(text[finding.start : finding.end], finding)
            pieces += text[at : finding.start], self._names.of(same)
            counts[finding.kind] += 1
            at = finding.end
        return "".join([*pieces, text[at:]]), counts

    def _found_elsewhere(self, text: str) -> Iterator[Finding]:
        for pattern, findings in self._alike:
            for match in pattern.finditer(text):
                found = findings[match.lastindex - 1] if match.lastindex else findings[0]
                yield replace(found, start=match.start(), end=match.end())


_MOST_GROUPS = 90
"""Values looked for in one pass over a text: one regular expression with that many groups."""


def _alike(known: Mapping[str, Finding]) -> list[tuple[re.Pattern[str], list[Finding]]]:
    forms: dict[str, Finding] = {}
    for written, finding in known.items():
        is_name_word = finding.kind == "PERSON" and len(written) >= _SHORTEST_NAME
        if len(written) >= _SHORTEST_KNOWN or is_name_word:
            forms.setdefault(_form(written, finding), finding)
    ranked = sorted(forms.items(), key=lambda pair: (-len(pair[0]), pair[0]))
    blocks = [ranked[at : at + _MOST_GROUPS] for at in range(0, len(ranked), _MOST_GROUPS)]
    return [
        (re.compile(rf"(?<!\w)(?:{'|'.join(f'({form})' for form, _ in block)})(?!\w)"), [found for _, found in block])
        for block in blocks
    ]


def _form(written: str, finding: Finding) -> str:
    """What a value looks like elsewhere: numbers with other separators, words with other spaces."""
    if finding.kind in ("CARD", "IBAN", "PHONE", "NATIONAL_ID") and len(finding.value) >= 7:
        return r"[ \u00a0().\/-]{0,2}".join(map(re.escape, finding.value))
    return r"\s{1,3}".join(map(re.escape, written.split()))


def _texts(conversation: Conversation) -> Iterator[str]:
    """Every text of the tree in its order; JSON comes as it is written and leaf by leaf."""
    if conversation.title:
        yield conversation.title
    for message in conversation.messages:
        for part in message.parts:
            yield part.text
            if part.data is not None:
                yield from _json_texts(part.data)
    for item in conversation.feedback:
        yield from (value for value in (item.value, item.name) if isinstance(value, str))
    yield from (message.model for message in conversation.messages if message.model)
    if conversation.consent:
        yield conversation.consent


def _json_texts(value: Any) -> Iterator[str]:
    """The value as one text, in which keys give context to their values, and its leaves."""
    if isinstance(value, (dict, list)):
        yield orjson.dumps(value).decode()
    yield from _leaves(value)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        if (inside := _as_json(value)) is not None:
            yield from _leaves(inside)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (key, *_leaves(item))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _FIRST_TELLING_NUMBER:
        yield str(value)


_FIRST_TELLING_NUMBER = 10**6
"""JSON numbers below have too few digits for a card, a telephone or an identity number."""


def _as_json(text: str) -> Any:
    """The object or list that a text is in JSON, None where it is something else: arguments of tool calls."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _mapped(conversation: Conversation, change: Callable[[str], str]) -> Conversation:
    return replace(
        conversation,
        title=change(conversation.title) if conversation.title else conversation.title,
        messages=tuple(_mapped_message(message, change) for message in conversation.messages),
        feedback=tuple(_mapped_feedback(item, change) for item in conversation.feedback),
        consent=change(conversation.consent) if conversation.consent else conversation.consent,
    )


def _mapped_message(message: Message, change: Callable[[str], str]) -> Message:
    parts = tuple(
        Part(part.kind, change(part.text), None if part.data is None else _mapped_json(part.data, change))
        for part in message.parts
    )
    model = change(message.model) if message.model else message.model
    is_same = parts == message.parts and model == message.model
    return message if is_same else replace(message, parts=parts, model=model)


def _mapped_feedback(item: Feedback, change: Callable[[str], str]) -> Feedback:
    value = change(item.value) if isinstance(item.value, str) else item.value
    return replace(item, value=value, name=change(item.name) if item.name else item.name)


def _mapped_json(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        inside = _as_json(value)
        if inside is None:
            return change(value)
        mapped = _mapped_json(inside, change)
        return value if mapped == inside else orjson.dumps(mapped).decode()
    if isinstance(value, Mapping):
        return {change(key): _mapped_json(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped_json(item, change) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _FIRST_TELLING_NUMBER:
        changed = change(str(value))
        return value if changed == str(value) else changed
    return value
