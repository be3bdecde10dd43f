"""Names, where the text itself says that they are somebody's.

No model of names is used: "my name is X", a letter's greeting and its close, a name beside its own e-mail address or
bank account. A name that merely occurs is not found, and neither is a public person's; benchmarks/redact_quality.py
prints how much that misses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from corpus.redaction.finding import Finding, lowered, positions
from corpus.redaction.word_lists import word_list

_WORD = r"[^\W\d_](?:[\w'’.-]{0,30}[\w])?\.?"
_NAME = re.compile(rf"(?P<name>{_WORD}(?: {{1,2}}{_WORD}){{0,5}})")
_PARTICLES = frozenset(word_list("name_particles"))
_TITLES = frozenset(word_list("titles"))
_NO_NAMES = frozenset(word_list("no_names"))


def is_no_name(word: str) -> bool:
    """Whether a capitalised word is known to be something else than a name."""
    return word.lower() in _NO_NAMES or word.lower() in _TITLES


def _read_name(text: str, start: int, *, words_min: int) -> tuple[int, int] | None:
    """The extent of the name that begins at a place: capitalised words, particles between them, titles left out."""
    match = _NAME.match(text, start, start + 120)
    if match is None:
        return None
    first = last = None
    n_words = 0
    for word in re.finditer(r"\S+", match["name"]):
        bare = word[0].rstrip(".,").lower()
        if bare in _TITLES and first is None:
            continue
        if bare in _PARTICLES and first is not None:
            continue
        if not _is_capitalised(word[0]) or bare in _NO_NAMES:
            break
        first = word.start() if first is None else first
        last, n_words = word.end(), n_words + 1
        if word[0].endswith(".") and len(bare) > 1 or n_words == 4:  # the end of the sentence; initials go on
            break
    if first is None or last is None or n_words < words_min:
        return None
    end = start + last
    while text[end - 1] in ".,'’-" and end > start + first:
        end -= 1
    if text[end - 2 : end] in ("'s", "’s"):
        end -= 2
    return (start + first, end) if end - start - first >= 2 else None


def _is_capitalised(word: str) -> bool:
    first = word[0]
    has_case = first.lower() != first.upper()
    return (
        (first.isupper() and not (word.isupper() and len(word) > 12))
        if has_case
        else "\u0900" <= first <= "\u097f" or "\u0600" <= first <= "\u06ff"
    )


def person(text: str, start: int, end: int) -> Finding:
    """The finding of a name; names are one when they differ in case or spaces only."""
    return Finding(start, end, "PERSON", " ".join(text[start:end].lower().split()))


_ONE_WORD_INTRODUCTIONS = word_list("introductions")
_TWO_WORD_INTRODUCTIONS = word_list("full_name_introductions")
_RELATIONS = re.compile(rf"(?:{'|'.join(word_list('relations'))})(?!\w)")
_AFTER_INTRODUCTION = re.compile(r"(?: is| named| called)?[ \t]{0,2}[:=,]?[ \t]{1,3}(?:my )?[\"'*_]{0,3}(?=[^\W\d_])")
_STOCK_PEOPLE = frozenset(word_list("stock_people"))
_CHINESE = re.compile(r"(?:我叫|我的名字(?:是|叫))(?P<name>[\u4e00-\u9fff]{2,4}?)(?=[，。、,.!！\s]|今年|是|来|在|\Z)")
_JAPANESE = re.compile(r"(?:私の名前は|名前は)(?P<name>[\u3040-\u30ff\u4e00-\u9fff]{2,10}?)(?=です|と(?:申|言|い))")
_LINE = r"(?im)^[\"'>*_ \t]{0,4}"
_GREETED = re.compile(rf"{_LINE}(?:{'|'.join(word_list('greeting_forms'))})[ \t]{{1,2}}(?=[^\W\d_])")
_CLOSED = re.compile(
    rf"{_LINE}(?:{'|'.join(word_list('close_forms'))})[,.!]?[*_ \t]{{0,4}}\r?\n[\r\n \t*_]{{0,6}}(?=[^\W\d_])"
)


def introduced_names(text: str) -> Iterator[Finding]:
    """Names that somebody gives as their own or a relative's, and those of a letter's greeting and close."""
    lower = lowered(text)
    for phrases, words_min in ((_ONE_WORD_INTRODUCTIONS, 1), (_TWO_WORD_INTRODUCTIONS, 2)):
        for phrase in phrases:
            for at in positions(lower, phrase) if phrase in lower else ():
                yield from _introduced(text, at, at + len(phrase), words_min)
    for at in positions(lower, "my "):
        if relation := _RELATIONS.match(lower, at + 3):
            yield from _introduced(text, at, relation.end(), 1)
    for pattern in (_CHINESE, _JAPANESE):
        for match in pattern.finditer(text) if not text.isascii() else ():
            yield Finding(match.start("name"), match.end("name"), "PERSON", match["name"])
    for pattern, needles in ((_GREETED, word_list("greetings")), (_CLOSED, word_list("closes"))):
        for match in pattern.finditer(text) if any(needle in lower for needle in needles) else ():
            line_end = text.find("\n", match.end())
            line = text[match.end() : line_end if line_end >= 0 else len(text)][:80]
            found = _read_name(text, match.end(), words_min=1)
            if found and len(line.split()) <= 5 and not _names_a_group(line):
                yield person(text, *found)


def _names_a_group(line: str) -> bool:
    return any(
        word.strip(".,:!").lower() in ("team", "inc", "ltd", "committee", "department", "support", "service")
        for word in line.split()
    )


def _introduced(text: str, at: int, end: int, words_min: int) -> Iterator[Finding]:
    if at and text[at - 1].isalnum():
        return
    gap = _AFTER_INTRODUCTION.match(text, end)
    if gap is None or (text[at:end].lower() == "from" and ":" not in gap[0]):  # "from New York"
        return
    found = _read_name(text, gap.end(), words_min=words_min)
    if found and not text[slice(*found)].isupper() and text[slice(*found)].lower() not in _STOCK_PEOPLE:
        yield person(text, *found)


_LABEL = (
    r"(?:iban|account|konto\w*|cuenta|bic|dni|nie|cpf|pesel|bsn|ssn|nino?|ni number|rg|ahv|passport|id|tel|tél|phone|"
    r"mobile|cell|fax|handy|móvil|e-?mail|mail|geb|geboren|born|née? le|nacid[oa]|nato|nata|address|adresse|card|amex|"
    r"visa|mastercard|number|no|nr|n°)\.?"
)
_BETWEEN = re.compile(rf"(?i)[\s,;:<(\[|*\"'·–—-]{{0,5}}(?:{_LABEL}[\s:.]{{1,3}}){{0,3}}[\s,;:<(\[|*\"'·–—-]{{0,4}}\Z")


_PERSONAL = frozenset(("EMAIL", "IBAN", "CARD", "NATIONAL_ID", "PHONE", "ADDRESS", "BIRTH_DATE"))
_NAME_LABEL = re.compile(
    r"(?i)\b(?:name|naam|nom|nombre|nome|nazwisko|имя)\b[*_\"']{0,3}[ \t]?:?[*_\"']{0,3}[ \t]{1,3}"
)


def names_beside(text: str, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Names of two to four words beside what identifies their owner: right before it, or labelled in the same text.

    Before an e-mail address they must share letters with it; the other kinds are always somebody's.
    """
    for finding in findings:
        if finding.kind not in _PERSONAL:
            continue
        window = max(0, finding.start - 90)
        gap = _BETWEEN.search(text, window, finding.start)
        if gap is None:
            continue
        found = _last_name(text, window, gap.start())
        if found and (finding.kind != "EMAIL" or _is_of(text[found[0] : found[1]], finding.value)):
            yield person(text, *found)
    if any(finding.kind in _PERSONAL for finding in findings):
        for label in _NAME_LABEL.finditer(text):
            if found := _read_name(text, label.end(), words_min=2):
                yield person(text, *found)


def _last_name(text: str, window: int, end: int) -> tuple[int, int] | None:
    words: list[re.Match[str]] = list(re.finditer(rf"{_WORD}", text[window:end]))
    taken: list[tuple[int, int]] = []
    at = end
    for word in reversed(words):
        start, stop = window + word.start(), window + word.end()
        bare = word[0].rstrip(".").lower()
        is_sentence_end = word[0].endswith(".") and len(bare) > 2 and bare != "jr"
        if text[stop:at].strip(" ") or is_sentence_end or bare in _NO_NAMES or bare in _TITLES or len(taken) == 5:
            break
        if not _is_capitalised(word[0]) and bare not in _PARTICLES:
            break
        taken.append((start, stop))
        at = start
    while taken and not _is_capitalised(text[taken[-1][0] : taken[-1][1]]):
        taken.pop()
    return (taken[-1][0], taken[0][1]) if len(taken) > 1 else None


def _is_of(name: str, address: str) -> bool:
    local = re.sub(r"[^a-z]", "", _plain(address.partition("@")[0]))
    words = [re.sub(r"[^a-z]", "", _plain(word)) for word in name.split()]
    return any(len(word) >= 3 and word[:4] in local for word in words)


def _plain(text: str) -> str:
    """Lower case without accents, for comparing a name with an e-mail address."""
    return "".join(
        c for c in unicodedata.normalize("NFKD", text.lower().replace("ł", "l")) if not unicodedata.combining(c)
    )
