"""Settling as a Prefect flow: nights that people are done with are merged, then the release flow has its turn.

A task a night, around flows/trigger.py. Nothing is cached: settling looks at the corpus and does what is still to do,
so it may be repeated at any time. What becomes of releases and rounds cannot stop it: they come after. Final states are
named: Settled, NothingToSettle; Held when something waits for a person, Degraded when a night could not be settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.client.schemas import State
from prefect.states import Completed

from flows import trigger
from flows.nights import only_one
from flows.passing import RETRIED
from flows.prefect_local import end_with_parent
from flows.release import release
from flows.settings_file import read_project
from flows.trigger import Merged


@task(name="find ready nights", **RETRIED)
def ready_nights(config: str) -> list[str]:
    """The nights that people are done with."""
    return trigger.ready_nights(read_project(Path(config)))


@task(name="settle", **RETRIED)
def settle_night(config: str, night: str) -> Merged:
    """Merges one night; idempotent."""
    return trigger.settle_night(read_project(Path(config)), night, datetime.now(UTC))


@flow(name="gristmill-settle", validate_parameters=False)
def settle(config: str) -> State:
    """Merges what people are done with, then releases it and starts rounds.

    Args:
        config: path of gristmill.toml.
    """
    end_with_parent()
    with only_one(read_project(Path(config)), trigger.LOCK):
        merged = [_settled(config, night) for night in ready_nights(config)]
    after: State[Any] = release(config, return_state=True)
    return _named_state(merged, f"{after.name}: {after.message}")


def _settled(config: str, night: str) -> Merged:
    """What became of a night; one that fails keeps no other from being settled."""
    state = settle_night(config, night, return_state=True)
    found = state.result(raise_on_failure=False)
    return found if isinstance(found, Merged) else Merged(night, None, str(found))


def _named_state(merged: Sequence[Merged], release_message: str) -> State:
    message = "; ".join([*(one.message for one in merged), release_message])
    if any(one.settled is None for one in merged):
        return Completed(name="Degraded", message=message)
    if any(one.needs_person for one in merged):
        return Completed(name="Held", message=message)
    return Completed(name="Settled" if merged else "NothingToSettle", message=message)
