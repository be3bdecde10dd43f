"""The night's pull request: opened or brought up to date once the branch is pushed, and noted in the proposal.

A forge that cannot be asked costs nothing: the branch is there, the proposal says that the pull request is pending, and
running the same night again opens it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from corpus.forge import Forge, ForgeRefused, ForgeUnavailable, PullRequest, make_forge
from corpus.propose import ProposeResult
from corpus.remote import remote_of
from flows.settings_file import Project


def forge_of(project: Project) -> Forge | None:
    """The forge of the settings, None without one.

    Raises:
        SettingsError: its token or the project's name is missing.
    """
    return make_forge(project.settings.forge, remote_of(project.settings.corpus.remote, project.root))


def proposal_of(result: ProposeResult, pull_request: PullRequest | None, pending: str | None) -> dict[str, Any]:
    """The proposal as the night keeps it: `pull_request` may be null, `pull_request_pending` says why it waits."""
    noted = asdict(pull_request) if pull_request else None
    message = result.message + _words(pull_request, pending)
    return {**result.to_json(), "message": message, "pull_request": noted, "pull_request_pending": pending}


def open_pull_request(
    forge: Forge | None, result: ProposeResult, base: str, earlier: dict[str, Any] | None
) -> tuple[PullRequest | None, ForgeRefused | ForgeUnavailable | None]:
    """The pull request of what was proposed, or why there is none yet. `earlier` is the proposal of the run before.

    Where people have worked on the branch, title and body stay as they are; a merged night asks nothing any more.
    """
    known = (earlier or {}).get("pull_request")
    if forge is None or result.state == "nothing_to_propose":
        return None, None
    if result.state == "merged":
        return PullRequest(**{**known, "state": "merged"}) if known else None, None
    try:
        if result.state == "under_review" and (found := forge.find(result.branch)):
            return found, None
        return forge.open_or_update(result.branch, base, result.title, result.body), None
    except (ForgeRefused, ForgeUnavailable) as error:
        return None, error


def _words(pull_request: PullRequest | None, pending: str | None) -> str:
    if pending:
        return f"; the branch is pushed, its pull request is pending: {pending}"
    if pull_request is None:
        return ""
    left = ", which a person closed: it stays closed until a person opens it again"
    return f"; {pull_request.url}" + (left if pull_request.state == "closed" else "")
