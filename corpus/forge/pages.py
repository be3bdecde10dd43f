"""Lists that a forge gives in pages, read in order and within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from corpus.forge.connection import Connection, Query, Reply
from corpus.forge.errors import ForgeRefused

M = TypeVar("M", bound=BaseModel)

PAGE_ENTRIES = 50
"""Gitea's greatest page, unless its administrator says otherwise; the others give up to 100."""

_MAX_ENTRIES = 20_000
"""More comments than people write to review a night (GitHub stops at 2,500): a flood, which nobody can have read."""

_MAX_PAGES = 1_000
"""Room for forges whose pages are shorter than asked; a list with more has no end."""

_MAX_EMPTY_PAGES = 100
"""Of those, without an entry: 5,000 in all that the token may not see. python-gitlab goes a call deeper for each."""


class Pages:
    """The bounds of one list, whoever turns its pages. `path` is what errors call it."""

    def __init__(self, connection: Connection, path: str) -> None:
        self.path = path
        self.n_entries = 0
        self._connection = connection
        self._n_pages = 0
        self._n_empty = 0

    def entries(self, reply: Reply) -> list[Any]:
        """The entries of the next page.

        Raises:
            ForgeRefused: it is no list, or the list has no end.
        """
        entries = reply.value if reply.value is not None else []  # Gitea writes null for an empty list
        if not isinstance(entries, list):
            raise ForgeRefused(
                f"{self._connection} answered {self.path} with something that is no list; check forge.kind"
            )
        self.n_entries += len(entries)
        self._n_pages += 1
        self._n_empty += not entries
        if self.n_entries > _MAX_ENTRIES or self._n_pages > _MAX_PAGES or self._n_empty > _MAX_EMPTY_PAGES:
            raise ForgeRefused(
                f"{self._connection} lists more than {_MAX_ENTRIES:,} entries at {self.path}; remove the flood there"
            )
        return entries


def listed(connection: Connection, path: str, model: type[M], query: Query, *, size: str = "per_page") -> Iterator[M]:
    """The entries of a list, page after page, in the forge's order. `size` is what the forge calls a page's length.

    Raises:
        ForgeRefused: the list has no end, or its entries are not what the forge's description says.
    """
    pages = Pages(connection, path)
    for number in count(1):
        reply = connection.get(path, {**query, size: PAGE_ENTRIES, "page": number})
        entries = pages.entries(reply)
        for entry in entries:
            yield shaped(model, entry, connection, path)
        n_all = reply.n_entries or 0
        if not (reply.has_next or pages.n_entries < n_all and (entries or number * PAGE_ENTRIES < n_all)):
            return


def shaped(model: type[M], value: Any, connection: Connection, path: str) -> M:
    """What a forge answered, in the form that its description promises: `value` is JSON, or an object of python-gitlab.

    Raises:
        ForgeRefused: it is something else.
    """
    try:
        return model.model_validate(value, from_attributes=True)
    except ValidationError as error:  # whose words would repeat the answer
        fields = ", ".join(sorted({".".join(map(str, problem["loc"])) or "all of it" for problem in error.errors()}))
        raise not_its_form(connection, path, fields) from None


def not_its_form(connection: Connection, path: str, fields: str = "all of it") -> ForgeRefused:
    """The error for an answer of another program, or of another kind of forge than the settings say."""
    return ForgeRefused(
        f"{connection} answered {path} in a form that is not its API's ({fields}); check forge.url and forge.kind"
    )
