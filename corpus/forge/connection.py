"""The one way to ask a forge: JSON over HTTPS, bounded in time, size and patience; the token goes to one host only.

The forges' client libraries stand on it (see corpus/forge/beneath.py). All headers are its own: a client adds none and
never holds the token. Redirects are followed on the same scheme, host and port alone. Certificates are always checked:
a private authority is named to Python in SSL_CERT_FILE. Proxies come from the environment (HTTPS_PROXY).
"""

from __future__ import annotations

import json
import logging
import re
import ssl
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from corpus.forge.access import Access
from corpus.forge.errors import ExistsAlready, ForgeRefused, ForgeUnavailable, NotThere
from corpus.forge.patience import MAX_FAILURES, PASSING, PATIENCE_S, Clock, is_limit, wait_s
from corpus.forge.shortened import shortened

log = logging.getLogger("gristmill.forge")

TEXT_BYTES = 6 * 65_536
"""Longer texts in a reply are cut: GitHub's longest comment has 65,536 characters, six bytes each when escaped."""

REPLY_BYTES = 64 * 2**20
"""A reply that is kept, at most, its texts cut: 170 comments of the greatest length."""

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
"""Seconds between two pieces of a reply, and for the connection: forges themselves give up after 10 to 60."""

_REPLY_S = 120.0
"""Seconds for one reply in all, so that one that drips does not hold the night."""

_MAX_REDIRECTS = 3

Query = Mapping[str, str | int]


@dataclass(frozen=True)
class Reply:
    """The JSON of an answer; whether the forge names a next page, and how many entries a list has in all.

    `content` is the same JSON as it was read, in whole UTF-8: what was cut in two is replaced.
    """

    value: Any
    content: bytes
    has_next: bool
    n_entries: int | None


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def is_json(self) -> bool:
        return "json" in self.headers.get("content-type", "").lower()

    @property
    def has_next(self) -> bool:
        return bool(self.headers.get("x-next-page")) or 'rel="next"' in self.headers.get("link", "")

    @property
    def n_entries(self) -> int | None:
        """Gitea's count of a list, which it gives even where it names no next page."""
        told = self.headers.get("x-total-count", "")
        return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else None

    @property
    def said(self) -> str:
        """The forge's own words for an error, from its JSON: one line, shortened; a web page has none."""
        try:
            told = json.loads(self.content) if self.is_json else None
        except (ValueError, RecursionError):
            return ""
        if not isinstance(told, dict):
            return ""
        parts: list[Any] = [told.get("message") or told.get("error") or "", *_details(told.get("errors"))]
        return _plain("; ".join(str(part) for part in parts if part))


def _details(errors: Any) -> list[str]:
    """GitHub's list of what is wrong with the fields."""
    listed = errors if isinstance(errors, list) else []
    return [str(one.get("message") or one.get("code")) if isinstance(one, dict) else str(one) for one in listed[:5]]


class Connection:
    """Asks one forge for one project. `api` is the address that all paths are below."""

    def __init__(self, api: str, headers: Mapping[str, str], access: Access, clock: Clock) -> None:
        self.api = _plain_address(api).rstrip("/")
        self._access = access
        self._clock = clock
        own = {"User-Agent": f"gristmill/{_version()}", "Accept": "application/json", "Accept-Encoding": "identity"}
        self._client = httpx.Client(
            headers={**own, **headers}, timeout=_TIMEOUT, follow_redirects=False, verify=_authorities()
        )
        weakref.finalize(self, self._client.close)

    def __str__(self) -> str:
        return urlsplit(self.api).netloc

    def get(self, path: str, query: Query | None = None) -> Reply:
        """What the forge has at `path`. Asked again after failures that pass.

        Raises:
            ForgeRefused, ForgeUnavailable: as `ask`.
        """
        return self.ask("GET", str(httpx.URL(f"{self.api}/{path}", params=query)))

    def send(self, method: str, path: str, content: Mapping[str, Any]) -> Reply:
        """Sends JSON. Asked again only where the forge surely did nothing: after a limit or without a connection.

        Raises:
            ForgeRefused, ForgeUnavailable: as `ask`.
        """
        return self.ask(method, f"{self.api}/{path}", json.dumps(content).encode())

    def ask(self, method: str, url: str, body: bytes = b"") -> Reply:
        """What the forge answers at a whole address of its own; `body` is JSON.

        Raises:
            ExistsAlready: 409, or 422 saying so. NotThere: 404. ForgeRefused: the forge will not, or the address is
                another host's.
            ForgeUnavailable: it does not answer, or it is unknown whether it did as asked.
        """
        url = _plain_address(url)
        if not _is_same_place(urlsplit(self.api), urlsplit(url)):
            raise ForgeRefused(f"{self} was to be asked at {_host(urlsplit(url))}, where the token is not sent")
        answer = self._patiently(method, url, body)
        path = url.removeprefix(f"{self.api}/").partition("?")[0]
        if not answer.is_json:
            raise ForgeRefused(
                f"{self} answered {method} {path} with a web page ({answer.status}), not with data. Check forge.url, "
                "and whether a login page or maintenance stands in front; then run again"
            )
        try:
            text = answer.content.decode(errors="replace")
            return Reply(json.loads(text), text.encode(), answer.has_next, answer.n_entries)
        except (ValueError, RecursionError) as error:
            raise ForgeUnavailable(f"{self} answered {method} {path} with broken JSON; run the same again") from error

    def _patiently(self, method: str, url: str, body: bytes) -> _Answer:
        """An answer of success, after as many tries and waits as are allowed."""
        waited_s, place = 0.0, urlsplit(url).path
        for n_failures in range(1, MAX_FAILURES + 1):
            try:
                answer = self._redirected(method, url, body)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                self._check_repeatable(method, error)
                problem, pause_s = _words(error), wait_s(0, {}, n_failures, self._clock.now(), limited=False)
            else:
                if 200 <= answer.status < 300:
                    return answer
                limited = is_limit(answer.status, answer.headers, answer.said)
                if answer.status not in PASSING and not limited:
                    raise self._refusal(method, place, answer)
                if method != "GET" and not limited:
                    raise ForgeUnavailable(f"{self} answered {method} {place} with {answer.status}; run the same again")
                problem = "it was asked too often" if limited else f"it answered {answer.status}"
                pause_s = wait_s(answer.status, answer.headers, n_failures, self._clock.now(), limited=limited)
            if n_failures == MAX_FAILURES or waited_s + pause_s > PATIENCE_S:
                break
            log.info("%s: %s; asking again in %.0f s", self, problem, pause_s)
            self._clock.wait(pause_s)
            waited_s += pause_s
        later = f" It asks to wait {pause_s / 60:.0f} minutes." if pause_s > PATIENCE_S else ""
        raise ForgeUnavailable(f"{self} cannot be asked now: {problem}.{later} Run the same command again later")

    def _check_repeatable(self, method: str, error: httpx.TransportError | httpx.InvalidURL) -> None:
        """A certificate that fails is no passing matter, and what was sent must not be sent twice."""
        if "CERTIFICATE" in str(error).upper():
            raise ForgeRefused(
                f"the certificate of {self} could not be checked, so the token was not sent. Name the authority that "
                "signed it in SSL_CERT_FILE, then run again"
            ) from error
        if method != "GET" and not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
            raise ForgeUnavailable(f"{self} broke off ({_words(error)}); run the same command again") from error

    def _redirected(self, method: str, url: str, body: bytes) -> _Answer:
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._once(method, url, body)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            url = self._checked_location(method, url, answer)
        raise ForgeRefused(f"{self} redirects in circles; check forge.url and forge.project")

    def _checked_location(self, method: str, url: str, answer: _Answer) -> str:
        """Where a redirect points, if the same question may be asked there.

        Raises:
            ForgeRefused: it is another host, or the question would have to become another one.
        """
        target = str(httpx.URL(urljoin(url, answer.headers.get("location", ""))))
        if not _is_same_place(urlsplit(url), urlsplit(target)):
            raise ForgeRefused(
                f"{self} redirects to {_host(urlsplit(target))}, where the token is not sent. Set forge.url to the "
                "address that the forge has now"
            )
        if method != "GET" and answer.status not in (307, 308):
            raise ForgeRefused(f"{self} says that the project has moved; set forge.project to its name of today")
        return target

    def _once(self, method: str, url: str, body: bytes) -> _Answer:
        deadline, kind = self._clock.now() + _REPLY_S, {"Content-Type": "application/json"} if body else None
        with self._client.stream(method, url, content=body or None, headers=kind) as response:
            content_type = response.headers.get("content-type", "")
            pieces = shortened(response.iter_bytes(), TEXT_BYTES) if "json" in content_type else response.iter_bytes()
            return _Answer(response.status_code, response.headers, self._whole(pieces, deadline))

    def _whole(self, pieces: Iterable[bytes], deadline: float) -> bytes:
        """A reply's content.

        Raises:
            ForgeRefused: it is larger than is kept. httpx.ReadTimeout: it does not end in time.
        """
        content = bytearray()
        for piece in pieces:
            content += piece
            if len(content) > REPLY_BYTES:
                raise ForgeRefused(
                    f"{self} answers with more than {REPLY_BYTES // 2**20} MiB; remove the flood of comments there"
                )
            if self._clock.now() > deadline:
                raise httpx.ReadTimeout("the reply does not end")
        return bytes(content)

    def _refusal(self, method: str, place: str, answer: _Answer) -> ForgeRefused:
        """The error for a status that asking again does not change."""
        said = f": {answer.said}".replace(self._access.token, "...") if answer.said else ""
        variable, remedy = self._access.variable, self._access.remedy
        if answer.status == 401:
            return ForgeRefused(
                f"{self} refuses the token in {variable}{said}: revoked, expired or not its own. {remedy}"
            )
        if answer.status == 403:
            return ForgeRefused(f"{self} does not allow {method} {place} with the token in {variable}{said}. {remedy}")
        if answer.status == 404:
            return NotThere(
                f"{self} has no {place}, or the token in {variable} may not see it. Check forge.project. {remedy}"
            )
        if answer.status == 409 or (answer.status == 422 and "already exists" in answer.said):
            return ExistsAlready(f"{self} has it already{said}; look there, then run again")
        return ForgeRefused(f"{self} answered {method} {place} with {answer.status}{said}; mend that, then run again")


@cache
def _authorities() -> ssl.SSLContext:
    """The certificates that are believed; reading them takes 30 ms, so once a process."""
    return httpx.create_ssl_context()


def _is_same_place(here: SplitResult, there: SplitResult) -> bool:
    """Whether two addresses have the same scheme, host and port: another port is another server."""
    return (here.scheme, here.netloc) == (there.scheme, there.netloc)


def _plain_address(url: str) -> str:
    """As the clients write it, too: the host in lower case, no default port."""
    try:
        return str(httpx.URL(url))
    except httpx.InvalidURL as error:
        raise ForgeRefused(f"forge.url gives {_plain(url)!r}, which is no address ({error}); correct it") from error


def _host(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.hostname}"


def _words(error: Exception) -> str:
    """What a broken connection is to people; httpx leaves some messages empty."""
    return _plain(str(error)) or type(error).__name__


def _plain(text: str) -> str:
    """Somebody else's words on one line, short and printable."""
    return re.sub(r"[^\x20-\x7e]+", " ", text)[:300]


def _version() -> str:
    try:
        return version("gristmill")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
