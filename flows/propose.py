"""The end of the road: the night's samples become a branch of the corpus and a pull request."""

from __future__ import annotations

from typing import Any

import orjson

from corpus.forge import ForgeRefused
from corpus.propose import propose as propose_samples
from corpus.stage import write_atomically
from flows.nights import PROPOSAL_FILE, Night
from flows.pull_requests import forge_of, open_pull_request, proposal_of
from flows.settings_file import Project
from flows.stores import clone


def propose(project: Project, night: Night) -> dict[str, Any]:
    """Commits the night's samples on its branch, opens its pull request, and writes down what became of it, at last.

    Raises:
        ForgeRefused: the branch is pushed and noted, but a person must mend what keeps the pull request from being
            opened; running the night again opens it.
    """
    forge = forge_of(project)
    result = propose_samples(
        night.output("validate"),
        corpus=project.settings.corpus,
        root=project.root,
        clone=clone(project),
        night=night.date,
        record=night_record(project, night),
        review=project.settings.review,
    )
    pull_request, problem = open_pull_request(forge, result, project.settings.corpus.branch, night.proposal())
    proposal = proposal_of(result, pull_request, str(problem) if problem else None)
    write_atomically(night.folder / PROPOSAL_FILE, orjson.dumps(proposal, option=orjson.OPT_INDENT_2))
    if isinstance(problem, ForgeRefused):
        raise problem
    return proposal


def night_record(project: Project, night: Night) -> dict[str, Any]:
    """What the corpus keeps of a night: counts by step and reason, and the settings' digest; nothing that varies."""
    keys = ("step", "in", "kept", "dropped", "held")
    reports = night.reports()
    steps = [{key: report.to_json()[key] for key in keys} for report in reports]
    return {
        "night": night.date,
        "settings_digest": project.settings_digest(),
        "threshold": project.settings.judge.threshold,
        "steps": steps,
        "histogram": next((one.facts.get("histogram", []) for one in reports if one.step == "select"), []),
    }
