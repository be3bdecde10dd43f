"""What a forge tells by itself: believed only when its signature is right, then read as an event of a night.

Signatures, by the forges' documentation: GitHub sends X-Hub-Signature-256 (`sha256=` and the HMAC-SHA256 of the body in
hex), Gitea and Forgejo X-Gitea-Signature (the same without the prefix). GitLab sends its secret as it is in
X-Gitlab-Token, or, when a signing token (`whsec_...`) is set, signs id, time and body as Standard Webhooks 1.0 say.
gidgethub's own check is laxer: it believes SHA-1, too, and ends in a TypeError for a signature that is not ASCII.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.contracts import NIGHT
from schemas.errors import InputError, SettingsError

BODY_BYTES = 25 * 2**20
"""GitHub sends no more than 25 MB."""

TOLERANCE_S = 300
"""Standard Webhooks: a signed time further away than five minutes is a replay, or a clock that is wrong."""

SECRET_CHARACTERS = 16
"""A shorter secret can be guessed; forges propose 20 and more."""

Kind = Literal["github", "gitlab", "gitea"]


@dataclass(frozen=True)
class Event:
    """Something happened to a night's branch of the project.

    `branch` is None for a comment whose request does not name it: the pull request `number` says it then. A push has
    no number.
    """

    kind: Literal["merged", "comment", "push"]
    branch: str | None
    number: int | None


class WebhookRefused(InputError):
    """A request that does not prove that the forge sent it; nothing in it was read."""


def read_event(
    kind: Kind, project: str, headers: Mapping[str, str], body: bytes, secret: str, now: float
) -> Event | None:
    """The event that a request tells, None when it is genuine and about something else.

    Args:
        kind: the forge.
        project: owner/name; events of other projects, forks too, are about something else.
        headers: of the request, names in any case.
        body: the bytes as they came.
        secret: shared with the forge.
        now: seconds since 1970.

    Raises:
        WebhookRefused: the signature is missing or wrong, or the body is too large or no JSON.
        SettingsError: the secret is too short to protect anything.
    """
    if len(secret) < SECRET_CHARACTERS:
        raise SettingsError(f"the webhook's secret has {len(secret)} characters; it needs {SECRET_CHARACTERS} or more")
    if len(body) > BODY_BYTES:
        raise WebhookRefused(f"a webhook of {len(body):,} bytes was refused; no forge sends more than {BODY_BYTES:,}")
    given = {name.lower(): value for name, value in headers.items()}
    if not _is_genuine(kind, given, body, secret, now):
        raise WebhookRefused(
            f"a webhook without {kind}'s right signature was refused; set the same secret there and here"
        )
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WebhookRefused("a webhook whose body is no JSON was refused; choose the content type JSON") from error
    return _EVENTS[kind](given, _Told(told), project)


# ---- Whether the forge sent it.


def _is_genuine(kind: Kind, headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    if kind == "gitlab" and secret.startswith("whsec_"):
        return _is_signed_by_standard(headers, body, secret, now)
    if kind == "gitlab":
        return _is_same(headers.get("x-gitlab-token", ""), secret)
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if kind == "github":
        return _is_same(headers.get("x-hub-signature-256", ""), f"sha256={expected}")
    return _is_same(headers.get("x-gitea-signature", headers.get("x-forgejo-signature", "")), expected)


def _is_signed_by_standard(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    told = headers.get("webhook-timestamp", "")
    if not (told.isascii() and told.isdigit() and len(told) < 12) or abs(now - int(told)) > TOLERANCE_S:
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise SettingsError("the webhook's secret goes on behind whsec_ with something that is no base64") from error
    signed = f"{headers.get('webhook-id', '')}.{told}.".encode(errors="replace") + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(_is_same(one, expected) for one in headers.get("webhook-signature", "").split()[:10])


def _is_same(given: str, expected: str) -> bool:
    """Compared in a time that does not tell how much of it was right."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


# ---- What it says. A field that is missing or of another kind is an event about something else.


class _Told:
    """JSON whose fields may be anything."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def at(self, *keys: str) -> Any:
        """What stands below these keys, None when something else stands on the way."""
        value = self._value
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def text(self, *keys: str) -> str:
        return found if isinstance(found := self.at(*keys), str) else ""

    def number(self, *keys: str) -> int | None:
        return found if isinstance(found := self.at(*keys), int) and not isinstance(found, bool) else None


def _night_branch(name: str) -> str | None:
    """The name when it is a night's branch."""
    name = name.removeprefix("refs/heads/")
    return name if name.startswith("night/") and re.fullmatch(NIGHT, name.removeprefix("night/")) else None


def _is_project(name: str, project: str) -> bool:
    return name.lower() == project.lower()


def _event(kind: Literal["merged", "comment", "push"], branch: str, number: int | None = None) -> Event | None:
    night = _night_branch(branch)
    return Event(kind, night, number) if night else None


def _github_like(headers: Mapping[str, str], told: _Told, project: str) -> Event | None:
    """GitHub's requests, which Gitea and Forgejo imitate."""
    name = headers.get("x-github-event") or headers.get("x-gitea-event") or headers.get("x-forgejo-event") or ""
    if not _is_project(told.text("repository", "full_name"), project):
        return None
    if name == "push":
        return None if told.at("deleted") is True else _event("push", told.text("ref"))
    if name == "issue_comment" and told.text("action") in ("created", "edited", "deleted"):
        is_pull = isinstance(told.at("issue", "pull_request"), dict) or told.at("is_pull") is True
        number = told.number("issue", "number")
        return Event("comment", None, number) if is_pull and number else None
    number, branch = told.number("pull_request", "number"), told.text("pull_request", "head", "ref")
    if not number or not _is_project(told.text("pull_request", "head", "repo", "full_name"), project):
        return None
    if name == "pull_request" and told.text("action") == "closed":
        return _event("merged", branch, number) if told.at("pull_request", "merged") is True else None
    said = name.startswith(("pull_request_review", "pull_request_comment"))
    return _event("comment", branch, number) if said else None


def _gitlab(headers: Mapping[str, str], told: _Told, project: str) -> Event | None:
    if not _is_project(told.text("project", "path_with_namespace"), project):
        return None
    what = told.text("object_kind")
    if what == "push":
        is_deleted = told.text("after").strip("0") == ""
        return None if is_deleted else _event("push", told.text("ref"))
    place = "merge_request" if what == "note" else "object_attributes"
    if told.at(place, "source_project_id") != told.at(place, "target_project_id"):
        return None
    number, branch = told.number(place, "iid"), told.text(place, "source_branch")
    if what == "note" and told.text("object_attributes", "noteable_type") == "MergeRequest":
        return _event("comment", branch, number)
    if what == "merge_request" and told.text("object_attributes", "action") == "merge":
        return _event("merged", branch, number)
    return None


_EVENTS = {"github": _github_like, "gitea": _github_like, "gitlab": _gitlab}
