"""Posts a round's manifest to a receiver: signed, without following redirects, and believed only by a plain answer.

The request is one of Standard Webhooks 1.0: `webhook-id` is the round's key, the same in every attempt, so that the
receiver can drop a second one; `webhook-timestamp` the seconds since 1970; `webhook-signature` is `v1,` and the base64
of the HMAC-SHA256 over `id.timestamp.body`. The body is the manifest as it is, so its digest is the manifest's; its SSH
signature, if there is one, comes along as base64 in `gristmill-manifest-signature`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import httpx

from corpus.forge.webhook import SECRET_CHARACTERS
from schemas.errors import GristmillError, SettingsError

TIMEOUT = httpx.Timeout(15.0, connect=10.0)
"""Seconds between two signs of life. Standard Webhooks advise 15 to 30: a receiver takes the order and works later."""

_READ_BYTES = 64 * 2**10
"""Of the answer, which is only looked at for its kind; the rest is not waited for."""


class RoundRefused(GristmillError):
    """A round could not be started; `wait_s` is how long the receiver asked to be left alone."""

    def __init__(self, message: str, wait_s: float = 0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Order:
    """What is posted: the round's key, the manifest's bytes, and their SSH signature."""

    key: str
    content: bytes
    signature: bytes | None


def post_round(url: str, secret: str, order: Order, now: float) -> str:
    """Posts the order and gives what the receiver answered, in words.

    Args:
        url: where to.
        secret: shared with the receiver.
        order: what.
        now: seconds since 1970.

    Raises:
        RoundRefused: nobody is there, or the answer is not a receiver's yes.
        SettingsError: the secret cannot be used.
    """
    place = url.split("?")[0]  # a query may hold a key
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client,
            client.stream("POST", url, content=order.content, headers=headers_of(order, secret, now)) as answer,
        ):
            text = _beginning(answer)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = str(error) or type(error).__name__
        raise RoundRefused(f"{place} cannot be reached ({why}); start the receiver there") from error
    _refuse(answer, text, place)
    return f"{place} took it ({answer.status_code})"


def headers_of(order: Order, secret: str, now: float) -> dict[str, str]:
    """The headers of a request at an instant.

    Raises:
        SettingsError: the secret is too short, or what follows whsec_ is no base64.
    """
    stamp = str(int(now))
    signed = f"{order.key}.{stamp}.".encode() + order.content
    mac = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()
    own = {"gristmill-manifest-signature": base64.b64encode(order.signature).decode()} if order.signature else {}
    return {
        "content-type": "application/json",
        "user-agent": f"gristmill/{version('gristmill')}",
        "webhook-id": order.key,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{mac}",
        **own,
    }


def _key(secret: str) -> bytes:
    if len(secret) < SECRET_CHARACTERS:
        raise SettingsError(
            f"the secret of the round's webhook has {len(secret)} characters; it needs {SECRET_CHARACTERS} or more"
        )
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise SettingsError("the secret of the round's webhook goes on behind whsec_ with what is no base64") from error


def _beginning(answer: httpx.Response) -> bytes:
    text = b""
    for piece in answer.iter_bytes():
        text += piece
        if len(text) >= _READ_BYTES:
            break
    return text


def _refuse(answer: httpx.Response, text: bytes, place: str) -> None:
    """Raises: RoundRefused: unless the answer is a 2xx of a program; nothing of its text is repeated."""
    said: Mapping[str, str] = answer.headers
    if answer.is_redirect:
        raise RoundRefused(
            f"{place} answers {answer.status_code}, a redirect, which is not followed; put the final address into "
            "release.webhook_url"
        )
    if not answer.is_success:
        hint = "; check its secret" if answer.status_code in (401, 403) else ""
        raise RoundRefused(f"{place} answers {answer.status_code}{hint}", _wait_s(said.get("retry-after", "")))
    if "html" in said.get("content-type", "").lower() or text.lstrip()[:1] == b"<":
        raise RoundRefused(
            f"{place} answers {answer.status_code} with a web page, as a login or a proxy does; a receiver of rounds "
            "answers with JSON, or with nothing"
        )


def _wait_s(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0
