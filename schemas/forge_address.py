"""What may be written as the address and the kind of a forge; a password in an address is never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from schemas.errors import nearest

KINDS = ("none", "github", "gitlab", "gitea")
_KNOWN_AS = {"forgejo": "gitea", "codeberg": "gitea", "gogs": "gitea", "ghe": "github", "bare": "none"}
"""Forges by names that people know them by, and the kind that speaks with them."""

_PASSWORD = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@\s]*:(?!\d+/)\S*@", re.IGNORECASE)


def has_password(address: str) -> bool:
    """Whether a URL has the form `scheme://user:password@host`."""
    return _PASSWORD.match(address) is not None


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine, so that what is sent to it passes no network."""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def no_such_kind(found: str) -> str:
    """The sentence for a kind of forge that there is not, with the one that was probably meant."""
    known = _KNOWN_AS.get(found.lower())
    hint = f"; did you mean {known!r}?" if known else nearest(found, KINDS)
    return f"no such kind of forge (found {found!r:.80}); there are {', '.join(KINDS)}{hint}"


def url_problems(url: str) -> Iterator[str]:
    """What is wrong with the address of a forge, a sentence each; nothing when it can be used."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield "forge.url is no address; write it as https://git.example.org"
        return
    if parts.username is not None or parts.password is not None:
        yield "forge.url has a user or password in it; take it out and name a variable in forge.token_env"
    elif not host or parts.scheme not in ("https", "http") or parts.query or parts.fragment or re.search(r"\s", url):
        yield f"forge.url is {url!r:.80}; write the address of the forge, for example https://git.example.org"
    elif parts.scheme == "http" and not is_loopback(host):
        yield f"forge.url is {url!r:.80}: over http anybody on the way reads the token; write https"
