"""Numbers that stand for a person: cards, accounts, wallets, telephones.

A number without a checksum or a telling form is only taken with a word beside it that says what it is: years, sums and
identifiers of code are numbers, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers
from stdnum import bitcoin, iban, luhn

from corpus.redaction.finding import Finding, before
from corpus.redaction.word_lists import word_list

_EXTENSION = r"(?:\s?(?:x|ext\.? ?)\d{1,5})?"
_NUMBER = re.compile(
    r"(?<![\w.,+/\\=#$€£%-])(?:\+ ?|00 ?)?\(?\d(?:\)?[ \u00a0\u2011./-]{0,2}\(?\d){6,18}"
    rf"{_EXTENSION}(?![\w%]|[.,:]\d|-\d)"
)
"""Digits with separators between: 7 (a local telephone number) to 19 (the longest card) of them."""


def numbers(text: str) -> Iterator[Finding]:
    """Payment cards and telephone numbers."""
    for match in _NUMBER.finditer(text):
        written = match[0]
        digits = re.sub(r"\D", "", re.split(r"\s?(?:x|ext)", written)[0])
        if is_card(written, digits, before(text, match.start(), 60)):
            yield Finding(match.start(), match.end(), "CARD", digits)
        elif is_phone(written, digits, before(text, match.start(), 40)):
            yield Finding(match.start(), match.end(), "PHONE", digits)


# Ranges of issuers by leading digits and lengths, as the networks publish them (ISO/IEC 7812).
_CARD = re.compile(
    r"(?:4\d{12}(?:\d{3})?(?:\d{3})?"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d)\d{12}(?:\d{3})?"  # Discover, UnionPay
    r"|35(?:2[89]|[3-8]\d)\d{12}|(?:2131|1800)\d{11}"  # JCB
    r"|3(?:0[0-5]|[689]\d)\d{11})\Z"  # Diners Club
)
_MAESTRO = re.compile(r"(?:50|5[6-9]|6\d)\d{10,17}\Z")
_CARD_WORDS = re.compile(
    r"\b(?:card|cc|credit|debit|visa|master\s?card|amex|maestro|karte|carte|tarjeta|carta|cartão|kart[ay]|карт\w*)\b|卡|カード"
)
_CARD_GROUPS = re.compile(r"\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{1,7}\Z|\d{4}[ -]\d{6}[ -]\d{4,5}\Z|\d{12,19}\Z")


def is_card(written: str, digits: str, context: str) -> bool:
    """Whether digits are a payment card's: issuer's range, length, grouping and the Luhn checksum.

    One number in ten passes Luhn, so the lengths that few cards have (13, 19, Maestro) need a word beside them.
    """
    if not 12 <= len(digits) <= 19 or not _CARD_GROUPS.match(written.strip()) or not luhn.is_valid(digits):
        return False
    if _CARD.match(digits) and len(digits) in (14, 15, 16):
        return True
    has_word = bool(_CARD_WORDS.search(context))
    return has_word and bool(_CARD.match(digits) or _MAESTRO.match(digits))


# Regions whose users chatbots have most; a number written without its country is tried in each.
_REGIONS = word_list("phone_regions")
_PHONE_WORDS = re.compile(
    r"(?:\b(?:tel|phone|telephone|mobile|cell|cellphone|fax|whatsapp|sms|handy|telefon\w*|mobil\w*|rufnummer|téléphone|"
    r"tél|portable|teléfono|móvil|celular|cellulare|telefone|telemóvel|telefoon\w*|komórk\w*|тел|телефон\w*|phone "
    r"number|dial|desk|office|hours|mobile on|hotline)\b|电话|手机|電話|携帯|फ़ोन|फोन|هاتف|جوال|טלפון|전화)[^\n]{0,16}\Z"
)
_REACH_WORDS = re.compile(
    r"\b(?:call|reach|text|contact|ring|message|messages|(?:my|his|her|our|the|mobile|cell) number|nummer|numéro|"
    r"número|numero|joindre|erreichen|erreichbar|bellen|llam\w+|registered|answering)\b[^\n()]{0,24}\Z"
)
_NOT_PHONE = re.compile(rf"(?:\b(?:{'|'.join(word_list('not_phone'))})[\w #:./]{{0,12}}|\d[:.])\Z")
_NORTH_AMERICAN = re.compile(rf"(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d-)\d{{3}}[-. ]\d{{4}}{_EXTENSION}\Z")
_IN_PARENTHESES = re.compile(r"\(0?\d{2,4}\) ?\d{3,5}(?:[ -]?\d{2,5}){1,2}\Z")
_LEADING_ZERO = re.compile(r"0[1-9]\d{0,4}(?:[ ./-]\d{2,8}){1,5}\Z")
_DATE = re.compile(r"(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2})\b")
_GROUPS = re.compile(r"\d+")


def is_phone(written: str, digits: str, context: str) -> bool:
    """Whether digits are a telephone number: by the form, by the numbering plans (phonenumbers), by the words before.

    A number with its country (`+49 ...`) must be possible there; a national one must be valid in a region we try and
    be written as people write telephone numbers, or stand behind a word such as "tel".
    """
    written = written.strip()
    groups = _GROUPS.findall(written)
    if _NOT_PHONE.search(context) or _DATE.match(written) or len(set(digits)) < 3:
        return False
    if written.count("/") > 1 or all(group[0] == "0" for group in groups) and len(groups) > 2:
        return False  # dates and counts: 09/2012 09/2010, 028 029 030
    if written.startswith("+"):
        return (written[1] != " " or len(groups) > 1) and 8 <= len(digits) <= 15 and _has_country(digits)
    lengths = [len(group) for group in groups]
    if len(digits) > 15 or len(groups) > 6 or max(lengths) < 2 or lengths.count(1) > 1:
        return False
    if _NORTH_AMERICAN.match(written):
        return True
    if _PHONE_WORDS.search(context):
        return True
    if _REACH_WORDS.search(context) and (len(groups) > 1 or digits[0] == "0"):
        return len(digits) >= 7
    if _IN_PARENTHESES.match(written):
        return 9 <= len(digits) <= 12
    return len(digits) >= 9 and bool(_LEADING_ZERO.match(written)) and _is_national(digits)


@lru_cache(maxsize=4096)
def _has_country(digits: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        return False


@lru_cache(maxsize=4096)
def _is_national(digits: str) -> bool:
    for region in _REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(digits, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{1,4}){3,9}(?![a-z0-9])")
_IBAN_LOWER = re.compile(r"(?<![A-Za-z0-9])[a-z]{2}\d\d[a-z0-9]{11,30}(?![A-Za-z0-9])")


def ibans(text: str) -> Iterator[Finding]:
    """International bank account numbers that satisfy the checksum and their country's form."""
    for match in _IBAN.finditer(text):
        end = match.end()
        while end - match.start() >= 15:
            if _is_iban(text[match.start() : end]):
                yield Finding(match.start(), end, "IBAN", re.sub(r"\s", "", text[match.start() : end]))
                break
            end -= 1  # a capital letter of the next word may have been read as part of it
    for match in _IBAN_LOWER.finditer(text) if "iban" in text.lower() else ():
        if _is_iban(match[0].upper()):
            yield Finding(match.start(), match.end(), "IBAN", match[0].upper())


def _is_iban(written: str) -> bool:
    """Whether the checksum (ISO 7064, 97-10) and the country's form hold; the sum is asked first, it is quicker."""
    compact = written.replace(" ", "")
    digits = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return int(digits) % 97 == 1 and iban.is_valid(compact, check_country=False)


_BITCOIN = re.compile(r"(?<![A-Za-z0-9])(?:bc1[ac-hj-np-z02-9]{25,62}|[13][1-9A-HJ-NP-Za-km-z]{25,34})(?![A-Za-z0-9])")
_ETHEREUM = re.compile(r"(?<![A-Za-z0-9])0x[0-9a-fA-F]{40}(?![A-Za-z0-9])")


def wallets(text: str) -> Iterator[Finding]:
    """Bitcoin addresses with a valid checksum, and Ethereum addresses.

    Ethereum's checksum (EIP-55) is optional, so that addresses in one case have none: asking for it would let them
    pass. 0x and 40 digits are hardly ever anything else.
    """
    for match in _BITCOIN.finditer(text):
        if bitcoin.is_valid(match[0]):
            yield Finding(match.start(), match.end(), "WALLET", match[0])
    for match in _ETHEREUM.finditer(text) if "0x" in text else ():
        if len(set(match[0][2:].lower())) > 4:  # not the zero address and its like
            yield Finding(match.start(), match.end(), "WALLET", match[0].lower())
