"""The command that opens the review page: gristmill review."""

from __future__ import annotations

import os
import signal
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from flows.cli import json_option
from flows.console import DONE, DONE_BUT_HELD, print_json, say
from flows.nights import checked_date
from flows.settings_file import Project, require_project
from schemas.errors import InputError

if TYPE_CHECKING:
    from corpus.desk import Desk
    from corpus.desk_place import Reviewer


@click.command()
@click.argument("night", required=False)
@click.option(
    "--as", "identity", metavar='"NAME <EMAIL>"', help="Who decides; git's user.name and user.email if absent."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on this machine; any free one if absent.")
@click.option("--no-browser", is_flag=True, help="Print the page's address and open no browser.")
@json_option
@click.pass_obj
def review(
    config: Path | None, night: str | None, identity: str | None, port: int, no_browser: bool, as_json: bool
) -> int:
    """Read a night's conversations on a local page and decide; the newest night that is proposed when absent.

    A decision is kept on this machine at once. It becomes a commit under your name, on the night's branch, when you
    save, and when you end the page with Ctrl-C or its Finish button. Only this machine can open the page. Where the
    corpus does not answer, the night is opened as this machine last saw it, and saved when it answers again.

    \b
    Example:  gristmill review 2026-11-04 --as "Ann Reader <ann@example.org>"
    """
    project = require_project(config)
    from corpus.desk import Desk
    from corpus.desk_journal import Held
    from corpus.desk_place import Place, open_nights

    place = Place(project.settings.corpus, project.root, project.var / "clone.git")
    reviewer = _reviewer(identity, project.root)
    date = checked_date(night) if night else _newest(open_nights(place))
    try:
        desk = Desk(place, date, reviewer, folder=project.var / "review", clock=_now)
    except Held as held:
        if not held.note.startswith("http://127.0.0.1:"):
            raise
        say(f"this night is open already: {held.note}")
        _show(project, held.note, no_browser)
        if as_json:
            print_json({"night": date, "url": held.note, "is_running": True})
        return DONE
    try:
        return _serve(project, desk, port, no_browser, as_json)
    finally:
        desk.close()


def _serve(project: Project, desk: Desk, port: int, no_browser: bool, as_json: bool) -> int:
    from flows.review_server import ReviewServer

    server = ReviewServer(desk, port=port)
    desk.journal.tell(server.url)
    progress = desk.progress()
    who = f"{desk.reviewer.name} <{desk.reviewer.email}>"
    say(f"night {desk.night.night}: {progress.n_samples} conversations, {progress.n_decided} decided by {who}")
    if progress.n_unsaved:
        say(
            f"{progress.n_unsaved} decisions of an earlier session are not in the corpus yet; they are saved with yours"
        )
    if desk.problem:
        say(f"this is the night as this machine last saw it, and decisions wait here to be saved: {desk.problem}")
    say(f"the page: {server.url}\nCtrl-C ends it and saves")
    if as_json:
        facts = {"night": desk.night.night, "url": server.url, "reviewer": desk.reviewer.pseudonym}
        print_json({**facts, "samples": progress.n_samples, "decided": progress.n_decided, "is_running": False})
    _show(project, server.url, no_browser)
    with _ended_gently():
        server.run()
    say(server.last_words)
    return DONE if server.is_saved else DONE_BUT_HELD


def _reviewer(identity: str | None, root: Path) -> Reviewer:
    """Who decides.

    Raises:
        InputError: neither the flag nor git says who.
    """
    from corpus.branch import run_git
    from corpus.desk_place import Reviewer, reviewer_of

    if identity:
        return reviewer_of(identity)
    said = [run_git(("config", f"user.{key}"), {}, is_isolated=False, folder=root)[1] for key in ("name", "email")]
    name, email = (value.decode(errors="replace").strip() for value in said)
    if not email:
        raise InputError('git does not know who you are; say so with --as "Your Name <you@example.org>"')
    return Reviewer(name or email.partition("@")[0], email)


def _newest(nights: list[str]) -> str:
    if not nights:
        raise InputError("no night waits for review; `gristmill run` proposes one")
    if others := nights[1:]:
        say(f"also open for review: {', '.join(others)}")
    return nights[0]


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _show(project: Project, url: str, no_browser: bool) -> None:
    """Opens the page by a file that only this user can read: other users see a browser's arguments."""
    if no_browser:
        return
    file = project.var / "review" / "open.html"
    file.unlink(missing_ok=True)
    content = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={escape(url)}">'
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(content)
    if not webbrowser.open(file.as_uri()):
        say("no browser could be opened here; open the address above")


@contextmanager
def _ended_gently() -> Iterator[None]:
    """Lets a signal to end be an interruption, so that what is done on the way out is done."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (signal's signature)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
