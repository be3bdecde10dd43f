"""Addresses of machines and accounts: e-mail, IP, MAC, user names in paths of home folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from corpus.redaction.finding import Finding, before, positions
from corpus.redaction.word_lists import word_list

# RFC 5321: 64 characters before the @, 255 after it.
# Of the signs that RFC 5321 allows those in use: between the others an address may stand. Markdown writes \_ for _.
_LOCAL = re.compile(r"(?:[\w.+%'’-]|\\_){1,64}\Z")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w@-])")
_LEADING = "%'’.+-"
_EXAMPLE_DOMAINS = ("example.com", "example.org", "example.net")  # RFC 2606
_STOCK_NAMES = frozenset(word_list("stock_local_parts"))
_FILE_ENDINGS = frozenset(("png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "py"))  # icon@2x.png


def emails(text: str) -> Iterator[Finding]:
    """E-mail addresses, except what documentation writes for nobody in particular (`user@example.com`)."""
    for at in positions(text, "@"):
        local = _LOCAL.search(text, max(0, at - 64), at)
        domain = _DOMAIN.match(text, at + 1, at + 257)
        if local is None or domain is None:
            continue
        name = local[0].lstrip(_LEADING)
        host = domain[0].lower()
        if not name or name[-1] == "." or host.rpartition(".")[2] in _FILE_ENDINGS:
            continue
        if before(text, at - len(name), 3).endswith("://") or (
            host in _EXAMPLE_DOMAINS and name.lower() in _STOCK_NAMES
        ):
            continue
        if text[at - len(name) - 1 : at - len(name)] == ":" and "://" in text[max(0, at - 200) : at]:
            continue  # user:password@host of a URL, which the secrets' recogniser reads
        yield Finding(at - len(name), domain.end(), "EMAIL", f"{name}@{host}".replace("\\_", "_").lower())


_IPV4 = re.compile(r"(?<![\w.-])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]{0,5}:)[0-9A-Fa-f:]{6,39}(?![\w:])")
_VERSION = re.compile(
    r"(?:\b(?:v|ver|release|build|firmware|oid|section|clause|§)\.? ?|"
    r"version(?: is)?[\"' :=]{0,5}|\([=<>~]{1,2} ?|[a-z]/)\Z"
)
# Not the address of anybody: this machine, this network, private networks (RFC 1918, 6598, 4193), groups, the reserved
# end. Addresses for documentation are replaced like real ones: nothing tells a reader that nobody has them.
_NOBODYS = tuple(ip_network(network) for network in word_list("nobodys_networks"))
_PUBLIC_RESOLVERS = frozenset(
    ("1.2.3.4", "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "208.67.222.222", "208.67.220.220")
)


def ip_addresses(text: str) -> Iterator[Finding]:
    """Public IPv4 and IPv6 addresses; networks (`203.0.113.0/24`) and version numbers stay."""
    for match in _IPV4.finditer(text) if text.count(".") >= 3 else ():
        address = _address(match[0])
        is_network = match[0].endswith(".0") and text[match.end() : match.end() + 1] == "/"
        if address and not is_network and not _VERSION.search(before(text, match.start(), 12)):
            yield Finding(match.start(), match.end(), "IP", str(address))
    for match in _IPV6.finditer(text) if "::" in text or text.count(":") >= 7 else ():
        written = match[0].rstrip(":") if not match[0].endswith("::") else match[0]
        # `::` alone and words such as `dead::beef` are code; an address in use has a digit and at least three groups.
        if (
            sum(map(bool, written.split(":"))) >= 3
            and any(c.isdigit() for c in written)
            and (found := _address(written))
        ):
            yield Finding(match.start(), match.start() + len(written), "IP", str(found))


def _address(written: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(written)
    except ValueError:
        return None
    if str(address) in _PUBLIC_RESOLVERS or any(address in network for network in _NOBODYS):
        return None
    return address


_MAC = re.compile(
    r"(?<![\w:.-])(?:[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})(?![\w:-])"
)


def mac_addresses(text: str) -> Iterator[Finding]:
    """Hardware addresses, except those of all machines (broadcast) and of none."""
    if text.count(":") < 5 and text.count("-") < 5 and text.count(".") < 2:
        return
    for match in _MAC.finditer(text):
        digits = re.sub(r"[^0-9a-f]", "", match[0].lower())
        if len(set(digits)) > 1 and (match[1] or any(c.isalpha() for c in digits)):
            yield Finding(match.start(), match.end(), "MAC", digits)


_HOME = re.compile(
    r"(?:(?<![\w.])/(?:home|Users)/|[A-Za-z]:(?:\\{1,2}|/)(?:Users|Documents and Settings)(?:\\{1,2}|/))"
    r"([A-Za-z][\w.-]{0,30}\w)(?=[\\/]+\w|[\\/]?(?:[\s'\"`):;,.$>]|\Z))"
)
_NO_NAMES = frozenset(word_list("machine_users"))


def home_folders(text: str) -> Iterator[Finding]:
    r"""The user's name in `/home/NAME`, `/Users/NAME` and `C:\Users\NAME`, unless it is one that many machines have."""
    if "/home/" not in text and "Users" not in text and "Documents and Settings" not in text:
        return
    for match in _HOME.finditer(text):
        name = match[1].lower()
        if name not in _NO_NAMES and "username" not in name and not name.startswith("your"):
            yield Finding(match.start(1), match.end(1), "USERNAME", name)
