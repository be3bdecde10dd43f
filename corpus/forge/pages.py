"""Lists that a forge gives in pages, read in order and within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from corpus.forge.connection import Connection, Query
from corpus.forge.errors import ForgeRefused

M = TypeVar("M", bound=BaseModel)

PAGE_ENTRIES = 50
"""Gitea's greatest page, unless its administrator says otherwise; the others give up to 100."""

_MAX_ENTRIES = 20_000
"""More comments than people write to review a night (GitHub stops at 2,500): a flood, which nobody can have read."""

_MAX_PAGES = 1_000
"""Room for forges whose pages are shorter than asked; a list with more has no end."""


def listed(connection: Connection, path: str, model: type[M], query: Query, *, size: str = "per_page") -> Iterator[M]:
    """The entries of a list, page after page, in the forge's order. `size` is what the forge calls a page's length.

    Raises:
        ForgeRefused: the list has no end, or its entries are not what the forge's description says.
    """
    n_seen = 0
    for number in range(1, _MAX_PAGES + 1):
        reply = connection.get(path, {**query, size: PAGE_ENTRIES, "page": number})
        entries = reply.value if reply.value is not None else []  # Gitea writes null for an empty list
        if not isinstance(entries, list):
            raise ForgeRefused(f"{connection} answered {path} with something that is no list; check forge.kind")
        for entry in entries:
            yield shaped(model, entry, connection, path)
        n_seen += len(entries)
        if n_seen > _MAX_ENTRIES:
            break
        n_all = reply.n_entries or 0
        if not (reply.has_next or n_seen < n_all and (entries or number * PAGE_ENTRIES < n_all)):
            return
    raise ForgeRefused(f"{connection} lists more than {_MAX_ENTRIES:,} entries at {path}; remove the flood there")


def shaped(model: type[M], value: Any, connection: Connection, path: str) -> M:
    """What a forge answered, in the form that its description promises.

    Raises:
        ForgeRefused: it is something else.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, problem["loc"])) or "all of it" for problem in error.errors()}))
        raise ForgeRefused(
            f"{connection} answered {path} in a form that is not its API's ({fields}); check forge.url and forge.kind"
        ) from error
