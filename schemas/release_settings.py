"""The table of gristmill.toml about releases and the next round of training that one starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from schemas.release import tag_problem
from schemas.round import COMMAND_PLACES, TAG_PLACES, placeholder_problems, webhook_problems
from schemas.settings_table import VARIABLE, SettingsTable


class ReleaseSettings(SettingsTable):
    """How `gristmill release` splits the samples and signs, and when a release is cut by itself."""

    validation_share: float = Field(0.05, ge=0, le=0.5, description="share of new groups of samples for validation")
    test_share: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="share of new groups for the sealed holdout, never trained on; 0.1 of 1,000 samples are 100, "
        "enough to measure a share to within 0.1 either way",
    )
    signing_key: str | None = Field(
        None, description="SSH key that signs tag and manifest, relative to this file; absent: releases are not signed"
    )
    allowed_signers: str | None = Field(
        None, description="file of the keys that `gristmill release verify` accepts: git's gpg.ssh.allowedSignersFile"
    )
    min_new_samples: int = Field(
        0, ge=0, description="so many new samples since the last release cut the next by themselves; 0: only by hand"
    )
    tag: str = Field(
        "{night}", description="name of a release cut by itself: {night} is its newest night, {number} counts releases"
    )
    cron: str = Field(
        "*/15 * * * *", description="when `gristmill serve` settles finished nights, releases, and tries rounds again"
    )
    next_round: Literal["none", "command", "webhook", "deployment"] = Field(
        "none", description="what a release that was cut by itself starts: a command, a webhook or a Prefect deployment"
    )
    exports: tuple[str, ...] = Field(
        ("huggingface/sft",),
        min_length=1,
        description="exports that the next round gets, format/kind; `gristmill export --list` shows them",
    )
    command: tuple[str, ...] = Field(
        (),
        description="for next_round command: program and arguments, run without a shell; {export} (folder of the first "
        "export), {exports} (folder of all), {tag} and {manifest} are filled in",
    )
    command_timeout_s: float = Field(
        86_400.0, gt=0, description="for next_round command: seconds before it is ended and counts as failed; a day"
    )
    webhook_url: str | None = Field(None, description="for next_round webhook: where the round's manifest is posted")
    webhook_secret_env: str = Field(
        "GRISTMILL_WEBHOOK_SECRET",
        pattern=VARIABLE,
        description="for next_round webhook: environment variable with the secret that signs what is posted",
    )
    deployment: str | None = Field(
        None,
        pattern=r"^[^/]+/[^/]+$",
        description='for next_round deployment: flow and deployment, for example "train/nightly"',
    )


def round_problems(release: ReleaseSettings) -> Iterator[str]:
    """What keeps the next round from being started."""
    needed = {"command": "command", "webhook": "webhook_url", "deployment": "deployment"}.get(release.next_round)
    if needed and not getattr(release, needed):
        yield f'release.next_round is "{release.next_round}" and needs release.{needed}'
    yield from placeholder_problems("release.command", release.command, COMMAND_PLACES)
    yield from placeholder_problems("release.tag", [release.tag], TAG_PLACES)
    if not any(f"{{{name}}}" in release.tag for name in TAG_PLACES):
        yield f"release.tag is {release.tag!r:.80}; with {{night}} or {{number}} in it each release has its own name"
    elif problem := tag_problem(release.tag.replace("{night}", "2026-11-04").replace("{number}", "1")):
        yield f"release.tag is {release.tag!r:.80}; the name of a release {problem}"
    if release.webhook_url is not None:
        yield from webhook_problems(release.webhook_url)
