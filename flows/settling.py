"""Settling nights: which ones, with the comments of their pull requests; the work is in corpus/settle.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from corpus.open_nights import OpenNight, open_nights
from corpus.propose import branch_of
from corpus.review import Comment
from corpus.settle import Settled, settle
from flows.pull_requests import forge_of
from flows.settings_file import Project
from flows.stores import clone


def place_of(project: Project) -> dict[str, Any]:
    """Where the project's corpus is: what functions of corpus/ ask for."""
    return {"corpus": project.settings.corpus, "root": project.root, "clone": clone(project)}


def waiting_nights(project: Project) -> tuple[OpenNight, ...]:
    """The nights that are not settled, by date."""
    return open_nights(**place_of(project))


def settle_nights(project: Project, nights: Sequence[str], now: datetime) -> Iterator[Settled]:
    """Settles nights one after the other; `now` is the instant that their commits bear."""
    instant = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for night in nights:
        comments = comments_on(project, night)
        yield settle(
            night, **place_of(project), comments=comments, now=instant, conflict=project.settings.review.conflict
        )


def comments_on(project: Project, night: str) -> list[Comment]:
    """What people wrote on the night's pull request; nothing without a forge or a pull request."""
    forge = forge_of(project)
    found = forge.find(branch_of(night)) if forge else None
    return forge.comments(found) if forge and found else []
