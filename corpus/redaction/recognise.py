"""All recognisers asked of one text, in the order of their trust."""

from __future__ import annotations

import re

from corpus.redaction.finding import PLACEHOLDER, Finding, Recogniser, settled
from corpus.redaction.identities import identities
from corpus.redaction.machines import emails, home_folders, ip_addresses, mac_addresses
from corpus.redaction.numbers import ibans, numbers, wallets
from corpus.redaction.people import introduced_names, names_beside
from corpus.redaction.places import birth_dates, street_addresses
from corpus.redaction.secrets import secrets

ANYWHERE: tuple[Recogniser, ...] = (secrets, emails, home_folders, introduced_names)
WITH_DIGITS: tuple[Recogniser, ...] = (
    ibans,
    identities,
    wallets,
    numbers,
    ip_addresses,
    mac_addresses,
    birth_dates,
    street_addresses,
)
_HAS_DIGIT = re.compile(r"\d")


def recognise(text: str) -> list[Finding]:
    """What must not be published of a text: findings in order, none overlapping another or a placeholder."""
    recognisers = ANYWHERE + WITH_DIGITS if _HAS_DIGIT.search(text) else ANYWHERE
    found = [finding for recogniser in recognisers for finding in recogniser(text)]
    if not found:
        return []
    found += names_beside(text, found)
    marked = [match.span() for match in PLACEHOLDER.finditer(text)]
    return settled(finding for finding in found if not _touches(finding, marked))


def _touches(finding: Finding, spans: list[tuple[int, int]]) -> bool:
    return any(finding.start < end and start < finding.end for start, end in spans)
