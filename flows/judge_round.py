"""The judge's round as a Prefect flow: what reviewers decided since the last one makes a challenger for the judge.

One task around `flows.learning.play`. It may be repeated at any time: without new decisions nothing happens, and the
round's record, written last, says who judges; a round that was killed never was. It waits for no night and no merge
waits for it. Final states are named: Promoted, Refused (the challenger was not shown to be better), TooFewDecisions,
NothingNew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.client.schemas import State
from prefect.states import Completed

from flows import learning
from flows.nights import only_one
from flows.prefect_local import end_with_parent, local_prefect, quiet_console
from flows.settings_file import Project, read_project
from judges.registry import JudgeRound
from schemas.errors import GristmillError

_STATES = {"promoted": "Promoted", "refused": "Refused", "too_few": "TooFewDecisions", "nothing_new": "NothingNew"}


@task(name="play the judge's round")
def play(config: str) -> dict[str, Any]:
    """The round as JSON; idempotent."""
    return learning.play(read_project(Path(config))).to_json()


@flow(name="gristmill-judge-round", validate_parameters=False)
def judge_round(config: str) -> State:
    """One round of the judge's learning.

    Args:
        config: path of gristmill.toml.
    """
    end_with_parent()
    with only_one(read_project(Path(config))):
        played = play(config)
    return Completed(name=_STATES[played["state"]], message=played["message"], data=played)


def run_judge_round(project: Project) -> JudgeRound:
    """Runs the flow on the embedded server (or the user's, when PREFECT_API_URL is set).

    Raises:
        GristmillError: whatever stopped the round.
    """
    assert project.file is not None
    with local_prefect(project.var / "prefect"):
        quiet_console()
        state: State = judge_round(str(project.file), return_state=True)
        played = state.result(raise_on_failure=True)
        if not state.is_completed():
            raise GristmillError(f"the round ended as {state.name}: {state.message}")
    return JudgeRound(**played)
