"""Comments as a forge gives them: anybody's text, made harmless and bounded, in the order they were written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator

from corpus.review import Comment

COMMENT_CHARACTERS = 65_536
"""What is read of one comment: as much as GitHub takes. GitLab takes a million, Gitea any number."""

_INVISIBLE = re.compile(r"[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Marks that turn the direction of text or that nobody sees: they make a reason look like another one."""


def cleaned(text: object) -> str:
    """Text that can be shown and stored: no control characters but tab and line end, nothing invisible, bounded."""
    if not isinstance(text, str):
        return ""
    plain = text[:COMMENT_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n")
    plain = _INVISIBLE.sub("", plain.encode(errors="replace").decode())
    return "".join(c for c in plain if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))


def _login(text: object) -> str:
    """An account's name: forges allow letters, digits and `-_.[]`; a removed account has none."""
    return re.sub(r"[^\w.\[\]-]", "", text, flags=re.ASCII)[:100] if isinstance(text, str) else ""


Words = Annotated[str, BeforeValidator(cleaned)]
Login = Annotated[str, BeforeValidator(_login)]


class Account(BaseModel):
    """Who wrote it; GitLab says `username`, the others `login`."""

    login: Login = ""
    username: Login = ""


@dataclass(frozen=True)
class Remark:
    """A comment with what decides its place: `at`, then `number`, which forges count upwards."""

    number: int
    account: Account | None
    at: AwareDatetime
    body: str


def in_order(kind: str, remarks: Iterable[Remark]) -> list[Comment]:
    """Comments as they were written; empty ones, such as an approval without words, are left out."""
    ordered = sorted(remarks, key=lambda remark: (remark.at, remark.number))
    return list(_comments(kind, ordered))


def _comments(kind: str, remarks: Iterable[Remark]) -> Iterator[Comment]:
    for remark in remarks:
        if remark.body.strip():
            account = remark.account or Account()
            at = f"{remark.at.astimezone(UTC).replace(tzinfo=None):%Y-%m-%dT%H:%M:%SZ}"
            yield Comment(f"{kind}:{account.login or account.username or 'ghost'}", at, remark.body)


def is_on(url: str | None, number: int) -> bool:
    """Whether the address of the pull request that a comment names ends in this number; without one it is believed."""
    return not url or url.rstrip("/").rsplit("/", 1)[-1] == str(number)


def moment(text: datetime) -> datetime:
    """A time with its zone; one without is UTC."""
    return text if text.tzinfo else text.replace(tzinfo=UTC)
