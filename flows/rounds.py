"""The ledger of rounds: which release waits for its round of fine-tuning, and how often it was tried.

One file a round, `var/rounds/<tag>.json`, replaced whole; the round is written as wanted before its release is cut, and
an attempt as under way before anything is sent, so a process that is killed at any instant is completed by the next. A
round is therefore started at least once, and each start bears the same key, by which the receiver drops a second one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import orjson

from corpus.stage import write_atomically
from flows.settings_file import Project
from schemas.errors import InputError

State = Literal["wanted", "waiting", "started", "done", "dropped"]
"""wanted: not tried yet; waiting: it could not be started, or failed, and is tried again; started: the receiver has it;
done: its command ended well, or there is nothing to start; dropped: a person gave it up."""

RETRY_S = (60, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600)
"""Seconds from a failure to the next try, the last one again and again. From five minutes on they are those of Svix,
whose rules for webhooks (Standard Webhooks) ours are signed by: a receiver that restarts has it soon, one that is away
for a weekend is asked some eight times. A first retry after their 5 s would be the same try again: the schedule looks
every quarter of an hour."""

DAY_S = 86_400
"""No receiver may put a round off for longer by Retry-After."""


@dataclass(frozen=True)
class Round:
    """One round, by the tag of its release.

    `way` is how it is started. `n_tried` counts attempts, `n_failed` those in a row that failed; `is_under_way` while
    an attempt was begun whose end is not known. `edition` counts how often people wanted it anew. `message` says what
    happened last, in words. Instants are UTC. `basis` is the digest of all that export and manifest rest on, and
    `is_signed` whether the manifest bears a signature; None before it is made. `rows` are those of all exports.
    """

    release: str
    state: State
    way: str
    wanted_at: str
    at: str
    message: str
    n_tried: int = 0
    n_failed: int = 0
    is_under_way: bool = False
    edition: int = 1
    next_try_at: str | None = None
    started_at: str | None = None
    commit: str | None = None
    basis: str | None = None
    is_signed: bool | None = None
    rows: int | None = None
    path: str | None = None

    @property
    def key(self) -> str:
        """Equal for all attempts to start the same thing."""
        return self.release if self.edition == 1 else f"{self.release}.{self.edition}"

    @property
    def is_open(self) -> bool:
        """Whether it still has to be started."""
        return self.state in ("wanted", "waiting")

    @property
    def remedy(self) -> str | None:
        """What a person can do about it, None when nothing needs doing."""
        if not self.is_open:
            return None
        again = f"; next try at {self.next_try_at}" if self.next_try_at else ""
        return f"`gristmill trigger {self.release}` tries now, with --drop it is given up{again}"

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object, and the remedy."""
        return {**asdict(self), "remedy": self.remedy}


def instant(now: datetime) -> str:
    """A time as the ledger writes it; texts of this form are in the order of time."""
    return f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def rounds_folder(project: Project) -> Path:
    """Where the ledger is, and what commands say."""
    return project.var / "rounds"


def all_rounds(project: Project) -> list[Round]:
    """All rounds, the one that was wanted first first.

    Raises:
        InputError: a file of the ledger is damaged.
    """
    found = [_read(file) for file in rounds_folder(project).glob("*.json")]
    return sorted(found, key=lambda one: (one.wanted_at, one.release))


def find_round(project: Project, tag: str) -> Round | None:
    """The round of a release. Raises as `all_rounds`."""
    file = _file(project, tag)
    return _read(file) if file.exists() else None


def save(project: Project, one: Round) -> Round:
    """Writes a round whole or not at all, and gives it back."""
    write_atomically(_file(project, one.release), orjson.dumps(one.to_json(), option=orjson.OPT_INDENT_2))
    return one


def wanted(tag: str, way: str, now: datetime) -> Round:
    """A round that nobody tried to start yet."""
    at = instant(now)
    return Round(tag, "wanted", way, at, at, "not started yet")


def begun(one: Round, way: str, now: datetime) -> Round:
    """The round with one more attempt under way."""
    return replace(one, way=way, n_tried=one.n_tried + 1, is_under_way=True, at=instant(now))


def succeeded(one: Round, state: Literal["started", "done"], message: str, now: datetime) -> Round:
    """The round after an attempt that went well; a command that was started is under way until it ends."""
    at = instant(now)
    return replace(
        one,
        state=state,
        message=message,
        at=at,
        started_at=one.started_at or at,
        n_failed=0 if state == "done" else one.n_failed,
        is_under_way=state == "started" and one.way == "command",
        next_try_at=None,
    )


def failed(one: Round, message: str, now: datetime, *, not_before_s: float = 0) -> Round:
    """The round after an attempt that failed; `not_before_s` is how long the receiver asked to be left alone."""
    wait_s = max(RETRY_S[min(one.n_failed, len(RETRY_S) - 1)], min(not_before_s, DAY_S))
    return replace(
        one,
        state="waiting",
        message=message,
        at=instant(now),
        n_failed=one.n_failed + 1,
        is_under_way=False,
        next_try_at=instant(now + timedelta(seconds=wait_s)),
    )


def is_due(one: Round, now: datetime) -> bool:
    """Whether a scheduled run has something to do for it: try it, or look how its command ended."""
    if one.is_open:
        return one.next_try_at is None or one.next_try_at <= instant(now)
    return one.state == "started" and one.is_under_way


def told(rounds: list[Round]) -> Iterator[str]:
    """A line for people for each round."""
    for one in rounds:
        tries = f" ({one.n_failed} {'try' if one.n_failed == 1 else 'tries'} failed)" if one.n_failed else ""
        yield f"round {one.release}: {one.state}{tries}: {one.message}"
        if one.is_signed is False and one.way != "none":
            yield "  its manifest is NOT signed; release.signing_key in the settings names the key that signs it"
        if one.remedy:
            yield f"  {one.remedy}"


def _file(project: Project, tag: str) -> Path:
    return rounds_folder(project) / f"{tag}.json"


def _read(file: Path) -> Round:
    try:
        plain = orjson.loads(file.read_bytes())
        names = {one.name for one in fields(Round)}
        found = Round(**{key: value for key, value in plain.items() if key in names})
    except (orjson.JSONDecodeError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file} is damaged ({error}); remove it and type `gristmill trigger {file.stem}`, which starts it anew"
        ) from error
    if found.state not in get_args(State) or found.release != file.stem:
        raise InputError(f"{file} is no round of this ledger; remove it")
    return found
