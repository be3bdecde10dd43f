"""Secrets: keys and tokens with a form of their own, private key blocks, and values assigned to a telling name.

The forms are data (secret_forms.toml). A value without a form of its own counts only beside a name such as `password`
or `api_key`, and only when it looks like a value and not like code (a variable, a call, a placeholder).
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from corpus.redaction.finding import PLACEHOLDER, Finding, before, lowered, positions
from corpus.redaction.word_lists import word_list

_FORMS_FILE = Path(__file__).with_name("secret_forms.toml")


@dataclass(frozen=True)
class _Form:
    name: str
    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    entropy_min: float
    has_digit: bool
    is_anywhere: bool
    gate: re.Pattern[str] | None


@cache
def _forms() -> tuple[_Form, ...]:
    table = tomllib.loads(_FORMS_FILE.read_text(encoding="utf-8"))
    return tuple(
        _Form(
            row["name"],
            tuple(row["needles"]),
            re.compile(row["pattern"]),
            row.get("entropy_min", table["entropy_min"]),
            row.get("needs_digit", False),
            row.get("anywhere", False),
            re.compile(row["gate"]) if "gate" in row else None,
        )
        for row in table["form"]
    )


def secrets(text: str) -> Iterator[Finding]:
    """Everything in the text that would open something."""
    yield from _private_keys(text)
    for form in _forms():
        yield from _of_form(text, form)
    lower = lowered(text)
    if any(word in lower for word in _NAMES):
        yield from _assigned(text)


def _of_form(text: str, form: _Form) -> Iterator[Finding]:
    group = "secret" if "secret" in form.pattern.groupindex else 0
    for match in _matches(text, form):
        found = match[group]
        if form.has_digit and not any(character.isdigit() for character in found):
            continue
        if entropy(found) >= form.entropy_min and not is_stand_in(found):
            yield Finding(match.start(group), match.end(group), "SECRET", found)


def _matches(text: str, form: _Form) -> Iterator[re.Match[str]]:
    if form.is_anywhere:
        lower = lowered(text)
        if any(needle in lower for needle in form.needles) and (form.gate is None or form.gate.search(text)):
            yield from form.pattern.finditer(text)
        return
    for needle in form.needles:
        if needle not in text:
            continue
        end = 0
        for at in positions(text, needle):
            if at >= end and (match := form.pattern.match(text, at)):
                end = match.end()
                yield match


def entropy(text: str) -> float:
    """Shannon entropy of the characters in bits a character, 0 for an empty text."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_LINES = re.compile(r"(?:(?:\s|\\n|\\r){0,8}[A-Za-z0-9+/=]{16,200}){1,1000}")
_KEY_CHARACTERS = 20_000
"""The longest private key block looked for: RSA with 16,384 bits has 12,700 characters."""


def _private_keys(text: str) -> Iterator[Finding]:
    """Whole blocks, and what stands of one whose end is missing."""
    done = 0
    for at in positions(text, "-----BEGIN "):
        begin = _BEGIN.match(text, at)
        if at < done or begin is None:
            continue
        end = _END.search(text, begin.end(), begin.end() + _KEY_CHARACTERS)
        inside = text[begin.end() : end.start()] if end else ""
        if end is None or "-----BEGIN" in inside:
            end = _KEY_LINES.match(text, begin.end(), begin.end() + _KEY_CHARACTERS)
        if end and (len(re.sub(r"[\s.\\nr]", "", inside)) >= 8 or not inside) and not PLACEHOLDER.search(inside):
            done = end.end()
            yield Finding(at, end.end(), "SECRET", text[at : end.end()])


_NAMES = word_list("secret_names")
_NAME = (
    r"(?:passw(?:ord|d|ort)?|passphrase|pwd|secret|token|(?:api|access|private|auth|encryption)[ _-]?key|contraseña|"
    r"mot de passe|kennwort|wachtwoord|senha|hasło|пароль|密码|パスワード|पासवर्ड)"
)
_ASSIGNED = re.compile(
    rf"(?i)(?P<name>{_NAME}[\w.-]{{0,30}})[\"'`\]]{{0,2}}"
    r"(?P<sign>[ \t]{0,20}(?:=>|:=|[:=：])\s{0,20}|[ \t]{1,3}(?:is|ist|es|est|was|to)[ \t]{1,3}|[ \t]{1,3}|は|是)"
    r"(?P<quote>[\"'`]{0,3})(?P<value>[^\s\"'`]{4,300})"
)
# Names that contain a telling word and hold something else: a server, a limit, a key that everybody may have.
_NO_SECRETS = re.compile(
    r"public|(?:server|policy|field|url|uri|file|path|length|count|limit|(?<!secret_)(?<!secret)id|name|type|hash|reset|expir\w*|label|hint|stdin|"
    r"placeholder|endpoint|provider|manager|service|store|class|version|region|usage|budget|size|min|max)s?\Z"
)
_CODE = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$][\w$]*)*\Z")
_PUNCTUATION = ".,;:!?)]}>*|"


def _assigned(text: str) -> Iterator[Finding]:
    for match in _ASSIGNED.finditer(text):
        if "public" in before(text, match.start(), 12):  # publicKeyToken
            continue
        value = match["value"].split(";")[0].split("&")[0] if match["sign"].strip() == "=" else match["value"]
        value = value.rstrip(_PUNCTUATION if not match["quote"] else ",;")
        has_sign = bool(match["sign"].strip(" \t")) and match["sign"].strip().lower() not in (
            "is",
            "was",
            "to",
            "es",
            "est",
            "ist",
        )
        if _looks_secret(value, match["name"].lower(), is_quoted=bool(match["quote"]), has_sign=has_sign):
            start = match.start("value")
            yield Finding(start, start + len(value), "SECRET", value)


def _looks_secret(value: str, name: str, *, is_quoted: bool, has_sign: bool) -> bool:
    """Whether an assigned value is one that somebody chose or a machine drew, and not code or a stand-in for one."""
    if (
        len(value) < 6
        or is_stand_in(value)
        or _NO_SECRETS.search(name)
        or any(sign in value for sign in "(){}[]<>\\")
        or "://" in value
    ):
        return False
    has_digit = any(character.isdigit() for character in value)
    has_letter = any(character.isalpha() for character in value)
    has_sign_inside = any(not character.isalnum() and character not in "_-./:," for character in value)
    if not has_letter or value.startswith(("$", "@", "#", "%", "/", "./", "--", "&", "*", "+", "=", "!", "|")):
        return False
    if "token" in name or not has_sign:  # no sign between name and value: only what nobody would write as a word
        return has_digit and len(value) >= 8 and (has_sign_inside or _is_random(value))
    if is_quoted:
        return has_digit or has_sign_inside
    if _CODE.match(value):  # an identifier, unless it is a run of hexadecimal digits
        return has_digit and (_is_random(value) or "_" not in value and "." not in value)
    return has_digit or (has_sign_inside and value[-1] not in "=+")


def _is_random(value: str) -> bool:
    """Whether a run of characters mixes digits into letters as keys do, not as `utf8` or `step2` do."""
    changes = sum(a.isdigit() != b.isdigit() for a, b in zip(value, value[1:], strict=False))
    return changes >= 3 and entropy(value) >= 2.5


_STAND_INS = re.compile(
    r"(?i)x{4,}|\*{3,}|\.{3}|…|#{4,}|0{8,}|your|my_?(?:password|secret|token|key|api)|<[^>]*>|\$\{|\{\{|%[sd(]|"
    r"placeholder|change.?me|insert|redacted|dummy|0123456789abcdef|1234567890abcdef|abcdef1234567890|_here\b|"
    r"\A(?:user)?(?:password|passwd|pass|secret|token|string|required|none|null|true|false|undefined|example|admin|root|guest|test|user|db_?pass(?:word)?)\d{0,3}!?\Z"
)


def is_stand_in(value: str) -> bool:
    """Whether a value only shows where a secret goes, or is a placeholder already."""
    return bool(_STAND_INS.search(value) or PLACEHOLDER.search(value) or len(set(value)) < 4)
