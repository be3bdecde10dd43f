"""What a forge's client library asks instead of the network: our connection, with the bounds of a list.

The client builds addresses and bodies, turns the pages and reads the JSON. It sees answers of success alone (waits,
redirects, refusals and broken replies ended below it), two headers of our own making, and never the token. Of a next
page it is told that there is one; the address is the question's own with another number, so that no forge can choose
what is asked next. (gidgethub 6.0 takes 26 s to look for the next page in a header of 100,000 characters.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from corpus.forge.connection import Connection
from corpus.forge.pages import Pages


@dataclass(frozen=True)
class Handed:
    """An answer of success, JSON in UTF-8; the names of headers are in lower case, as gidgethub looks for them."""

    content: bytes
    headers: Mapping[str, str]


class Beneath:
    """For one call of a client, which reads one list, or sends something. `path` is what errors call it."""

    def __init__(self, connection: Connection, path: str) -> None:
        self.connection = connection
        self._pages = Pages(connection, path)

    def ask(self, method: str, url: str, body: bytes = b"") -> Handed:
        """One question; each GET is for a page.

        Raises:
            ForgeRefused, ForgeUnavailable: as `Connection.ask` and `Pages.entries`.
        """
        reply = self.connection.ask(method, url, body)
        headers = {"content-type": "application/json"}
        if method != "GET":
            return Handed(reply.content, headers)
        if reply.has_next:
            headers["link"] = f'<{_next_page(url)}>; rel="next"'
        return Handed(reply.content if self._pages.entries(reply) else b"[]", headers)


def _next_page(url: str) -> str:
    asked = urlsplit(url)
    query = dict(parse_qsl(asked.query, keep_blank_values=True))
    return asked._replace(query=urlencode({**query, "page": int(query.get("page", 1)) + 1})).geturl()
