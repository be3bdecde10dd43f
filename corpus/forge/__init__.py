"""Pull requests on the forge that the settings name; with no forge, people review the pushed branch with git alone."""

from __future__ import annotations

import os
from collections.abc import Mapping

from corpus.forge.access import access_of
from corpus.forge.errors import ForgeRefused, ForgeUnavailable
from corpus.forge.patience import Clock
from corpus.forge.pull_request import Forge, PullRequest
from corpus.forge.web import project_of
from corpus.remote import Remote
from schemas.errors import SettingsError
from schemas.settings import ForgeSettings

__all__ = ["Clock", "Forge", "ForgeRefused", "ForgeUnavailable", "PullRequest", "make_forge", "project_name"]

_HOMES = {"github": "https://github.com", "gitlab": "https://gitlab.com"}


def project_name(settings: ForgeSettings, remote: Remote) -> str:
    """The project on the forge, owner/name: that of the settings, else what the corpus's address says.

    Raises:
        SettingsError: it cannot be told.
    """
    project = settings.project
    if project is None and remote.path is None and settings.kind != "none":
        project = project_of(remote.address, settings.url or _HOMES[settings.kind])
    if project is None:
        raise SettingsError(f"forge.project is not set, and {remote} does not say it; set it to owner/name")
    if settings.kind != "gitlab" and project.count("/") != 1:
        raise SettingsError(f"forge.project is {project!r}; on {settings.kind} it has the form owner/name")
    return project


def make_forge(
    settings: ForgeSettings,
    remote: Remote,
    *,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Forge | None:
    """The forge of the settings, None for kind "none". Asks nothing of it yet.

    Args:
        settings: kind, address, project and the variable of the token.
        remote: the corpus; its address says the project when the settings do not.
        environment: where the token is; this process's environment when absent.
        clock: the time and the waiting between tries; the real ones when absent.

    Raises:
        SettingsError: the token is missing, or the project cannot be told.
    """
    if settings.kind == "none":
        return None
    url, project = settings.url or _HOMES[settings.kind], project_name(settings, remote)
    access = access_of(settings.kind, settings.token_env, os.environ if environment is None else environment)
    if settings.kind == "github":
        from corpus.forge.github import GitHub  # noqa: PLC0415 (loaded only when named: with its HTTP library, 70 ms)

        return GitHub(url, project, access, clock or Clock())
    if settings.kind == "gitlab":
        from corpus.forge.gitlab import GitLab  # noqa: PLC0415

        return GitLab(url, project, access, clock or Clock())
    from corpus.forge.gitea import Gitea  # noqa: PLC0415

    return Gitea(url, project, access, clock or Clock())
