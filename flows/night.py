"""The night as a Prefect flow: thin tasks around the functions of flows/road.py, in the order of the road.

Every step is cached by content: its key is the digest of the code, the settings it rests on and the bytes of its input.
A night that is killed and started again goes on behind the last complete step; one that is complete changes nothing.
Proposing is not cached: it looks at the corpus and does what is still to do. Final states are named: Proposed,
UnderReview, Merged, NothingToPropose; Degraded when a source could not be read, PullRequestPending when the forge did
not answer, Drifted when an alarm rang.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import Flow, Task, flow, serve, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas import State
from prefect.concurrency.sync import concurrency
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron
from prefect.settings import get_current_settings
from prefect.states import Completed
from prefect.types.entrypoint import EntrypointType

from corpus.stages import STEPS
from flows import learning, road
from flows.judge_round import judge_round
from flows.nights import Night, begin_night, checked_date, end_night, find_night, only_one, reopened, tonight
from flows.passing import RETRIED
from flows.prefect_local import end_with_parent, local_prefect, quiet_console
from flows.propose import propose as propose_samples
from flows.pull_requests import forge_of
from flows.serving import SETTLE, WebhookDoor, knocked_at, served_beside
from flows.settings_file import Project, read_project
from flows.settle import settle
from flows.step_keys import step_key
from judges.choose import learner_settings
from schemas.errors import GristmillError

STORE = "gristmill-store"
"""The concurrency limit on the project's local stores (SQLite, DuckDB): each has one writer."""


_REUSED: dict[str, Any] = {
    "cache_key_fn": lambda _, given: given["key"],
    "persist_result": True,
    "result_serializer": "json",
}


def _step_task(step: str) -> Task[[str, str, str], dict[str, Any]]:
    """The task of one step: runs it on the night's files and gives its counts."""

    @task(name=step, **RETRIED, **_REUSED)
    def run(config: str, date: str, key: str) -> dict[str, Any]:
        project = read_project(Path(config))
        with concurrency(STORE):
            return road.run_step(step, project, find_night(project, date)).to_json()

    return run


TASKS = {step: _step_task(step) for step in STEPS}


@task(name="meet the corpus", **RETRIED)
def meet_corpus(config: str) -> str:
    """Learns what the corpus holds and what was withdrawn; gives the commit of its base branch."""
    project = read_project(Path(config))
    with concurrency(STORE):
        return road.meet_corpus(project)


@task(name="watch for drift", **RETRIED)
def watch_drift(config: str, date: str) -> list[str]:
    """Compares the night with those before it; gives the alarms. A night that ended keeps what was found then."""
    project = read_project(Path(config))
    with concurrency(STORE):
        return learning.watch_drift(project, find_night(project, date))


@task(name="propose", **RETRIED)
def propose(config: str, date: str) -> dict[str, Any]:
    """Commits the samples on the night's branch; idempotent."""
    project = read_project(Path(config))
    return propose_samples(project, find_night(project, date))


@task(name="show")
def show(config: str, date: str) -> None:
    """Funnel, histogram and links as artifacts on Prefect's page."""
    found = find_night(read_project(Path(config)), date)
    table = [report.to_json() for report in found.reports()]
    rows = [{key: str(report[key]) for key in ("step", "in", "kept", "dropped", "held", "seconds")} for report in table]
    create_table_artifact(table=rows, key=f"funnel-{date}", description=f"The night of {date}, step by step")
    create_markdown_artifact(markdown=_markdown(found), key=f"night-{date}", description=f"Night {date}")


def _markdown(night: Night) -> str:
    """The night for Prefect's page: what became of it, the histogram of ratings, where to look."""
    proposal = night.proposal() or {}
    lines = [f"# The night of {night.date}", "", str(proposal.get("message", "not ended")), ""]
    lines += [f"**Alarm:** {alarm}\n" for alarm in night.alarms()]
    for report in night.reports():
        for low, n in report.facts.get("histogram", []):
            lines.append(f"    {low:>4} {'█' * min(n, 60)} {n}")
    lines += ["", f"Page: `gristmill report {night.date}`", f"Files: `{night.folder}`"]
    return "\n".join(lines)


@flow(name="gristmill-night", validate_parameters=False)
def night(config: str, date: str | None = None) -> State:
    """One night, from logs to a branch.

    Args:
        config: path of gristmill.toml.
        date: the date that the night bears; today in the time zone of the settings when absent.
    """
    end_with_parent()
    project = read_project(Path(config))
    date = checked_date(date) if date else tonight(project, datetime.now(UTC))
    with only_one(project):
        forge_of(project)  # a token that is missing is told before the night's work
        for name in [*reopened(project, date), date]:
            found, proposal = _walk(config, project, name)
    return _named_state(found, proposal)


def _walk(config: str, project: Project, date: str) -> tuple[Night, dict[str, Any]]:
    """The whole road of one night."""
    found = begin_night(project, date)
    road.forget_unfinished(project, found)
    head = meet_corpus(config)
    for step, run in TASKS.items():
        key, is_intact = step_key(project, found, step, head)
        run.with_options(refresh_cache=not is_intact)(config, date, key)
    watch_drift(config, date)
    proposal = propose(config, date)
    end_night(found)
    show(config, date)
    return found, proposal


_STATES = {
    "proposed": "Proposed",
    "unchanged": "Proposed",
    "under_review": "UnderReview",
    "merged": "Merged",
    "nothing_to_propose": "NothingToPropose",
}


def _named_state(found: Night, proposal: dict[str, Any]) -> State:
    failed = [str(name) for report in found.reports() for name in report.facts.get("failed_sources", [])]
    message = proposal["message"]
    if failed:
        return Completed(name="Degraded", message=f"{message}; sources that could not be read: {', '.join(failed)}")
    if proposal.get("pull_request_pending"):
        return Completed(name="PullRequestPending", message=message)
    if alarms := found.alarms():
        return Completed(name="Drifted", message=f"{message}; {'; '.join(alarms)}")
    return Completed(name=_STATES.get(proposal["state"], "Proposed"), message=message)


@dataclass(frozen=True)
class Ended:
    """How a night ended: Prefect's named state, and the sentence that goes with it."""

    night: Night
    state: str
    message: str


def run_night(project: Project, date: str) -> Ended:
    """Runs the flow on the embedded server (or the user's, when PREFECT_API_URL is set).

    Raises:
        GristmillError: whatever stopped the night.
    """
    assert project.file is not None
    with local_prefect(project.var / "prefect"):
        _limit_store()
        quiet_console()
        state: State = night(str(project.file), date, return_state=True)
        if not state.is_completed():
            state.result(raise_on_failure=True)
            raise GristmillError(f"the night ended as {state.name}: {state.message}")
    return Ended(find_night(project, date), state.name or "", state.message or "")


def _limit_store() -> None:
    """One task at a time writes the local stores, on whatever server the flow runs."""
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(STORE, 1)


def serve_nights(project: Project, on_ready: Callable[[dict[str, Any]], None], door: WebhookDoor | None = None) -> None:
    """Runs the night at `night.cron` until the process is stopped; `on_ready` is told where Prefect's page is.

    The judge's round is played at `judge_round.cron`, if the judge of the settings can learn. Finished nights are
    settled at `release.cron`, beside a night that runs, and when a forge knocks at the door. The schedule has a server
    of its own, so that `gristmill run` by hand works beside it.
    """
    settings = project.settings.night
    with local_prefect(project.var / "prefect-schedule", schedules=True):
        _limit_store()
        deployments = [_deployment(night, "nightly", settings.cron, project)]
        if learner_settings(project.settings.judge, project.settings.judges):
            deployments.append(_deployment(judge_round, "judge-round", project.settings.judge_round.cron, project))
        page = str(get_current_settings().api.url).removesuffix("/api")
        settling = _deployment(settle, SETTLE, project.settings.release.cron, project)
        with served_beside(settling), knocked_at(door) as webhook:
            facts = {"page": page, "cron": settings.cron, "timezone": settings.timezone, "webhook": webhook}
            on_ready({**facts, "settle_cron": project.settings.release.cron})
            serve(*deployments, print_starting_message=False, pause_on_shutdown=False, limit=1)


def _deployment(served: Flow[..., State], name: str, cron: str, project: Project) -> RunnerDeployment:
    deployment = served.to_deployment(
        name,
        schedule=Cron(cron, timezone=project.settings.night.timezone),
        parameters={"config": str(project.file)},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(deployment, RunnerDeployment)  # outside an event loop it is no coroutine
    return deployment
