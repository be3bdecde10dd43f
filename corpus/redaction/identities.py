"""Numbers that a state gives its people: python-stdnum's checksums, and the word that names the number.

Each row of `_NUMBERS` says what the number looks like, which word must stand near it (None: its form and checksum are
enough) and which module of python-stdnum checks it. Where a label names the number, the checksum is not asked for:
a number with a typing error is still somebody's, and issuers reserve invalid ones as specimens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from corpus.redaction.finding import Finding, before, is_free_before, lowered

_NEAR_CHARACTERS = 40
"""How far before the number its name may stand: "my social security number is" has 30 characters."""


@dataclass(frozen=True)
class _Identity:
    needles: tuple[str, ...]  # words in lower case without one of which the text is not searched; empty: always
    form: re.Pattern[str]
    label: re.Pattern[str] | None
    module: str | None = None


def _identity(needles: str, form: str, label: str | None, module: str | None = None) -> _Identity:
    words = tuple(needles.split("|")) if needles else ()
    return _Identity(words, re.compile(rf"{form}(?![\w-])"), re.compile(label) if label else None, module)


_NUMBERS = (
    _identity(
        "ssn|social sec|soc. sec|w-9|w9|tax",
        r"\d{3}[- ]\d{2}[- ]\d{4}",
        r"\bssn\b|social security|soc\. sec|\bw-?9\b|tax ?payer",
    ),
    _identity("ssn|social sec", r"\d{9}", r"\bssn\b|social security"),
    _identity(
        "ni n|nino|ni:|national ins",
        r"[A-Za-z]{2} ?\d\d ?\d\d ?\d\d ?[A-Da-d]",
        r"\bni ?n?o?\b|national insurance|\bnino\b",
    ),
    _identity("", r"\d{3}\.\d{3}\.\d{3}-\d\d", None, "br.cpf"),
    _identity("cpf", r"\d{11}", r"\bcpf\b", "br.cpf"),
    _identity("", r"\d{8}-?[A-HJ-NP-TV-Z]", None, "es.dni"),
    _identity("", r"[XYZ]\d{7}[A-Z]", None, "es.nie"),
    _identity("", r"[12] ?\d\d ?[01]\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d\d", None, "fr.nir"),
    _identity("", r"[A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z]", None, "it.codicefiscale"),
    _identity("", r"\d{17}[\dX]", None, "cn.ric"),
    _identity("", r"756\.\d{4}\.\d{4}\.\d\d", None, "ch.ssn"),
    _identity("", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[0-9A-Z]\d", None, "mx.curp"),
    _identity("", r"\d{6}-[1-8]\d{6}", None, "kr.rrn"),
    _identity("pesel", r"\d{11}", r"\bpesel\b"),
    _identity("bsn|burgerservice|sofinummer", r"\d{9}", r"\bbsn\b|burgerservicenummer|sofinummer"),
    _identity(
        "steuer|identifikationsnummer",
        r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
        r"steuer-?id\w*|identifikationsnummer|steuernummer",
    ),
    _identity("aadha", r"\d{4}[ -]?\d{4}[ -]?\d{4}", r"\baadha+r\b"),
    _identity("pan", r"[A-Z]{5}\d{4}[A-Z]", r"\bpan\b"),
    _identity("personnummer|fødselsnummer|cpr", r"\d{6}(?:\d\d)?[-+]?\d{4}", r"personnummer|fødselsnummer|\bcpr\b"),
    _identity("henkilötunnus|hetu", r"\d{6}[-+A]\d{3}[0-9A-Y]", r"henkilötunnus|hetu", "fi.hetu"),
    _identity(
        "rijksregister|registre national", r"\d\d\.?\d\d\.?\d\d-?\d{3}\.?\d\d", r"rijksregister\w*|registre national"
    ),
    _identity(
        "sin|social insurance|tfn|tax file|nif|contribuinte",
        r"\d{3}[- ]?\d{3}[- ]?\d{3}",
        r"\bsin\b|social insurance|\btfn\b|tax file|\bnif\b|contribuinte",
    ),
    _identity("снилс", r"\d{3}-\d{3}-\d{3} ?\d\d", r"снилс"),
    _identity("инн", r"\d{10}(?:\d\d)?", r"\bинн\b"),
    _identity("kimlik", r"\d{11}", r"kimlik"),
    _identity("id number|sa id|identity number", r"\d{13}", r"\bid number\b|\bsa id\b|identity number", "za.idnr"),
    _identity("dni|cédula|cedula", r"\d{8}[A-Z]?|\d{7,8}|\d\d\.\d{3}\.\d{3}", r"\bdni\b|\bcédula\b|\bcedula\b"),
    _identity("passport", r"[A-Z]{0,2}\d{6,9}", r"passport[\w .]{0,8}(?:no\.?|number|#|nr\.?|:)"),
    _identity(
        "reisepass|passeport|pasaporte|passaporto|paszport",
        r"[A-Z]{1,2}\d{6,9}|\d{9}",
        r"reisepass\w*|passeport|pasaporte|passaporto|paszport\w*",
    ),
    _identity("licen", r"[A-Z]?\d[\dA-Z]*(?:[- ]\d+){0,4}", r"driver['’]?s? licen[sc]e(?: number| no\.?)?(?: is|:)?"),
)


def identities(text: str) -> Iterator[Finding]:
    """National identity, social security, tax, passport and driving licence numbers."""
    lower = lowered(text)
    for row in _NUMBERS:
        if not row.needles or any(needle in lower for needle in row.needles):
            yield from _found(text, row)


def _found(text: str, row: _Identity) -> Iterator[Finding]:
    for match in row.form.finditer(text):
        if not is_free_before(text, match.start()):
            continue
        if row.label and not row.label.search(before(text, match.start(), _NEAR_CHARACTERS)):
            continue
        if row.module and not _checksum(row.module)(match[0]):
            continue
        if sum(character.isdigit() for character in match[0]) >= 5:
            yield Finding(match.start(), match.end(), "NATIONAL_ID", re.sub(r"[^0-9A-Z]", "", match[0].upper()))


class _Checksum:
    def __init__(self, module: str) -> None:
        self._module = import_module(f"stdnum.{module}")

    def __call__(self, written: str) -> bool:
        return bool(self._module.is_valid(written))


@cache
def _checksum(module: str) -> _Checksum:
    return _Checksum(module)
