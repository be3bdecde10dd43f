"""Releases and rounds as a Prefect flow: cut what is due, then take every open round as far as it goes.

Tasks around flows/trigger.py. It may be repeated at any time and be killed at any instant: the ledger of rounds
(flows/rounds.py) says what is wanted before anything is done. A round that cannot start is no failure of the flow: it
waits in the ledger and the flow of the next schedule tries it again. Final states are named: NothingDue, RoundStarted,
RoundWaiting.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prefect import flow, task
from prefect.client.schemas import State
from prefect.states import Completed

from flows import trigger
from flows.nights import only_one
from flows.passing import RETRIED
from flows.prefect_local import end_with_parent
from flows.rounds import Round
from flows.settings_file import read_project


@task(name="want a release", **RETRIED)
def want_release(config: str) -> Round | None:
    """Writes the next round down when its release is due."""
    return trigger.want_release(read_project(Path(config)), datetime.now(UTC))


@task(name="go on with a round")
def go_on(config: str, tag: str) -> Round:
    """Releases, exports and starts; what stops it stands in the ledger."""
    return trigger.go_on(read_project(Path(config)), tag, datetime.now(UTC))


@flow(name="gristmill-release", validate_parameters=False)
def release(config: str) -> State:
    """Cuts the release that is due and starts the rounds that wait.

    Args:
        config: path of gristmill.toml.
    """
    end_with_parent()
    project = read_project(Path(config))
    with only_one(project, trigger.LOCK):
        want_release(config)
        rounds = [go_on(config, one.release) for one in trigger.due_rounds(project, datetime.now(UTC))]
    return _named_state(rounds)


def _named_state(rounds: list[Round]) -> State:
    message = "; ".join(f"{one.release}: {one.message}" for one in rounds) or "no release is due and no round waits"
    if any(one.is_open for one in rounds):
        return Completed(name="RoundWaiting", message=message)
    return Completed(name="RoundStarted" if rounds else "NothingDue", message=message)
