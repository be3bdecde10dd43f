"""Starts a round the way that the settings name: a command, a webhook or a Prefect deployment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from corpus.round_manifest import MANIFEST_FILE, SIGNATURE_FILE
from flows.round_command import Command, Ended, end_of, start_command
from flows.round_webhook import Order, RoundRefused, post_round
from flows.rounds import Round, rounds_folder
from flows.settings_file import Project
from schemas.errors import SettingsError

Outcome = tuple[Literal["started", "done"], str]


@dataclass(frozen=True)
class Prepared:
    """What a round gets: the folder of all exports, which holds the manifest, and that of the first one."""

    exports: Path
    export: Path
    is_signed: bool | None

    @property
    def manifest(self) -> Path:
        """The round's manifest."""
        return self.exports / MANIFEST_FILE

    @property
    def signature(self) -> Path | None:
        """The manifest's SSH signature, None when it is not signed."""
        return self.exports / SIGNATURE_FILE if self.is_signed else None


def start(project: Project, one: Round, prepared: Prepared, now: datetime) -> Outcome:
    """Starts a round and says how far it came, in words.

    Raises:
        RoundRefused: it cannot be started now. SettingsError: not with these settings.
    """
    return _WAYS[project.settings.release.next_round](project, one, prepared, now)


def end_of_command(project: Project, one: Round) -> Ended | None:
    """How the command of a round's last attempt ended, None while it runs."""
    return end_of(_place(project, one), one.n_tried)


def _place(project: Project, one: Round) -> Path:
    return rounds_folder(project) / one.release


def _command(project: Project, one: Round, prepared: Prepared, now: datetime) -> Outcome:  # noqa: ARG001 (as the others)
    settings = project.settings.release
    places = {
        "{export}": str(prepared.export),
        "{exports}": str(prepared.exports),
        "{tag}": one.release,
        "{manifest}": str(prepared.manifest),
    }
    arguments = [_filled(argument, places) for argument in settings.command]
    environment = _environment(project, one, prepared)
    command = Command(arguments, project.root, environment, settings.command_timeout_s)
    ended = start_command(command, _place(project, one), one.n_tried)
    if ended is None:
        return "started", f"{arguments[0]} is running; what it says is in {_place(project, one) / 'output.log'}"
    if not ended.is_well:
        raise RoundRefused(f"{ended.message}; release.command is {' '.join(settings.command)!r:.200}")
    return "done", ended.message


def _filled(argument: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        argument = argument.replace(place, value)
    return argument


def _environment(project: Project, one: Round, prepared: Prepared) -> dict[str, str]:
    """This process's environment without our secrets, which no trainer needs, and what the round is about."""
    own = project.settings
    secret = {own.corpus.token_env, own.forge.token_env, own.forge.webhook_secret_env, own.release.webhook_secret_env}
    kept = {name: value for name, value in os.environ.items() if name not in secret}
    return {
        **kept,
        "GRISTMILL_ROUND": one.key,
        "GRISTMILL_ROUND_TAG": one.release,
        "GRISTMILL_ROUND_EXPORT": str(prepared.export),
        "GRISTMILL_ROUND_EXPORTS": str(prepared.exports),
        "GRISTMILL_ROUND_MANIFEST": str(prepared.manifest),
        "GRISTMILL_ROUND_SIGNATURE": str(prepared.signature or ""),
    }


def _webhook(project: Project, one: Round, prepared: Prepared, now: datetime) -> Outcome:
    settings = project.settings.release
    secret = os.environ.get(settings.webhook_secret_env)
    if not secret:
        raise SettingsError(f"{settings.webhook_secret_env} is not set; the round's webhook is signed with it")
    assert settings.webhook_url
    signature = prepared.signature.read_bytes() if prepared.signature else None
    order = Order(one.key, prepared.manifest.read_bytes(), signature)
    return "started", post_round(settings.webhook_url, secret, order, now.timestamp())


def _deployment(project: Project, one: Round, prepared: Prepared, now: datetime) -> Outcome:  # noqa: ARG001 (as the others)
    from flows.round_deployment import run_round

    name = project.settings.release.deployment
    assert name
    given = {"tag": one.release, "export": str(prepared.export), "manifest": str(prepared.manifest)}
    return "started", run_round(name, given, one.key)


_WAYS: dict[str, Callable[[Project, Round, Prepared, datetime], Outcome]] = {
    "command": _command,
    "webhook": _webhook,
    "deployment": _deployment,
}
