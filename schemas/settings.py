"""gristmill.toml as one frozen object: every key, its default and its documentation.

`parse_settings` turns the parsed TOML into a `Settings`; schemas/settings_text.py writes the commented file of
`gristmill init` from the same field descriptions, so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from schemas.errors import SettingsError, nearest
from schemas.forge_address import has_password, no_such_kind, url_problems
from schemas.judge_settings import (
    DriftSettings,
    JudgeRoundSettings,
    JudgeSettings,
    NamedJudgeSettings,
    judge_problems,
)
from schemas.release_settings import ReleaseSettings, round_problems
from schemas.settings_table import VARIABLE, SettingsTable

__all__ = [
    "CorpusSettings",
    "DecontaminateSettings",
    "DedupeSettings",
    "ExpertSettings",
    "ForgeSettings",
    "JudgeSettings",
    "NamedJudgeSettings",
    "NightSettings",
    "ReleaseSettings",
    "ReviewSettings",
    "ScreenSettings",
    "Settings",
    "SourceSettings",
    "judge_problems",
    "model_of",
    "parse_settings",
]


class SourceSettings(SettingsTable):
    """One place that logs are pulled from; repeat the table for more."""

    name: str = Field(description="short name, unique; it is kept with every conversation")
    path: str = Field(description="file, folder or glob, relative to this file")
    type: str | None = Field(None, description="source type; recognised by content when absent")
    consent: str | None = Field(None, description="the basis for publication; absent: unknown, so held")
    licence: str | None = Field(None, description="SPDX id of the conversations' licence; absent: unknown, so held")


class CorpusSettings(SettingsTable):
    """The corpus repository."""

    remote: str = Field("corpus.git", description="a bare repository on disk (relative to this file) or any git URL")
    branch: str = Field("main", description="the branch that a night's proposal is based on")
    token_env: str | None = Field(
        None,
        pattern=VARIABLE,
        description="environment variable with a token for git at an https remote; absent: git's own credentials",
    )
    licences: tuple[str, ...] = Field(
        ("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "Apache-2.0", "MIT", "ODC-BY-1.0"),
        description="licences that the corpus accepts; others are held",
    )
    gristmill: str = Field(
        "",
        pattern=r"^[\x20-\x7e]*$",
        description='what the checks of pull requests install, for pip ("git+https://..."); put into a new corpus.toml',
    )


class ForgeSettings(SettingsTable):
    """Where a night's pull request is opened; of kind none, people review the pushed branch with git."""

    kind: Literal["none", "github", "gitlab", "gitea"] = Field(
        "none", description="none, github, gitlab or gitea (Forgejo is of kind gitea)"
    )
    url: str | None = Field(
        None, description="address of the forge; absent: https://github.com or https://gitlab.com; gitea has none"
    )
    project: str | None = Field(
        None,
        pattern=r"^[\w.-]+(/[\w.-]+)+$",
        description="the corpus's project there, owner/name; absent: as corpus.remote says",
    )
    token_env: str = Field(
        "GRISTMILL_FORGE_TOKEN", pattern=VARIABLE, description="environment variable that holds the token"
    )
    webhook_secret_env: str = Field(
        "GRISTMILL_FORGE_WEBHOOK_SECRET",
        pattern=VARIABLE,
        description="environment variable with the secret of the forge's webhook, for `gristmill serve --webhook`",
    )


class ScreenSettings(SettingsTable):
    """Cheap rules before any model is asked. Each rule is documented in corpus/screen_rules.toml."""

    languages: tuple[str, ...] = Field((), description='ISO 639-1 codes to keep, for example ["en", "de"]; empty: all')
    min_words: int = Field(8, ge=0, description="words of the whole conversation, at least")
    max_words: int = Field(20_000, ge=1, description="words of the whole conversation, at most")
    max_turns: int = Field(200, ge=1, description="messages of the active path, at most")
    disabled_rules: tuple[str, ...] = Field((), description="names of screen rules to switch off")
    max_redactions: int = Field(
        40, ge=1, description="more different values redacted in one conversation than this: held"
    )


class DedupeSettings(SettingsTable):
    """Duplicates, within the night and against everything the corpus ever accepted or saw."""

    jaccard_min: float = Field(0.8, gt=0, le=1, description="near-duplicates share this much of their word 5-grams")
    cosine_min: float = Field(
        0.97,
        gt=0,
        le=1,
        description="from this cosine of two embeddings on they say the same, and the better one is picked; 1: both",
    )


class DecontaminateSettings(SettingsTable):
    """Evaluation text that must never be trained on."""

    paths: tuple[str, ...] = Field((), description="text or JSONL files with evaluation text, globs allowed")


class NightSettings(SettingsTable):
    """How much a night may propose."""

    quota: int = Field(500, ge=0, description="samples of one night, at most")
    quota_per_expert: int | None = Field(None, ge=0, description="samples of one expert in a night, at most")
    quota_per_contributor: int | None = Field(50, ge=0, description="samples of one contributor in a night, at most")
    max_record_mb: int = Field(32, ge=1, description="a larger record in a log is unreadable (protects memory)")
    subject_key_file: str | None = Field(
        None, description="secret that pseudonymises user ids; if set, the pseudonyms are published"
    )
    timezone: str = Field("UTC", description="decides which date a night bears")
    cron: str = Field("0 3 * * *", description="when `gristmill serve` runs the night")


class ReviewSettings(SettingsTable):
    """How people are asked about a night, and what is done where they disagree."""

    bad_share: float = Field(
        0.05, gt=0, lt=1, description="a night with a larger share of bad samples is found by its sampling plan"
    )
    confidence: float = Field(0.9, gt=0, lt=1, description="the probability with which the plan finds it, at least")
    honeypots: int = Field(
        2, ge=0, le=50, description="known-good and as many known-bad samples slipped in to test reviewers; 0: none"
    )
    conflict: Literal["hold", "majority", "any_reject"] = Field(
        "hold",
        description="reviewers against each other: the larger side wins, and at a draw hold waits for one more vote, "
        "majority rejects; any_reject: one vote to reject is enough",
    )


class ExpertSettings(SettingsTable):
    """A kind of conversation with an expert of its own; the first that matches gets the sample, else `general`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$", description="folder name under data/ of the corpus")
    languages: tuple[str, ...] = Field((), description="match these languages; empty: any")
    sources: tuple[str, ...] = Field((), description="match these sources; empty: any")
    pattern: str | None = Field(None, description="match this regular expression in the conversation; absent: any")


class Settings(SettingsTable):
    """All settings; the tables of gristmill.toml."""

    sources: tuple[SourceSettings, ...] = ()
    corpus: CorpusSettings = CorpusSettings()
    forge: ForgeSettings = ForgeSettings()
    screen: ScreenSettings = ScreenSettings()
    dedupe: DedupeSettings = DedupeSettings()
    decontaminate: DecontaminateSettings = DecontaminateSettings()
    judge: JudgeSettings = JudgeSettings()
    judges: tuple[NamedJudgeSettings, ...] = ()
    judge_round: JudgeRoundSettings = JudgeRoundSettings()
    drift: DriftSettings = DriftSettings()
    night: NightSettings = NightSettings()
    review: ReviewSettings = ReviewSettings()
    release: ReleaseSettings = ReleaseSettings()
    experts: tuple[ExpertSettings, ...] = ()


def parse_settings(tables: Mapping[str, Any], *, file: str = "gristmill.toml") -> Settings:
    """The settings in a parsed TOML file.

    Raises:
        SettingsError: with every unknown key (and the nearest known one) and every wrong value, one a line.
    """
    try:
        settings = Settings.model_validate(tables)
    except ValidationError as error:
        raise _unusable(file, "has settings that cannot be used", _explained(error)) from error
    names = [source.name for source in settings.sources]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"{file}: two [[sources]] are named {repeated[0]!r}; give each a name of its own")
    if wrong := list(_forge_problems(settings)):
        raise _unusable(file, "has settings of the forge that cannot be used", wrong)
    if wrong := list(round_problems(settings.release)):
        raise _unusable(file, "has settings of the next round that cannot be used", wrong)
    if wrong := list(judge_problems(settings.judge, settings.judges)):
        raise _unusable(file, "names judges that cannot work", wrong)
    return settings


def _unusable(file: str, said: str, problems: Iterable[str]) -> SettingsError:
    lines = "\n".join(f"  {line}" for line in problems)
    return SettingsError(f"{file} {said}:\n{lines}")


def _forge_problems(settings: Settings) -> Iterator[str]:
    """What keeps the forge from being asked."""
    if has_password(settings.corpus.remote):
        yield "corpus.remote has a password in it; take it out and name a variable with the token in corpus.token_env"
    forge = settings.forge
    if forge.kind == "none":
        for key in sorted(forge.model_fields_set - {"kind"}):
            yield f'forge.{key} is set, but forge.kind is "none"; set it to "github", "gitlab" or "gitea"'
    elif forge.url is None and forge.kind == "gitea":
        yield 'forge.kind is "gitea" and needs forge.url, for example "https://codeberg.org"'
    if forge.url is not None:
        yield from url_problems(forge.url)


def _explained(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            key = str(problem["loc"][-1])
            yield f"{place}: no such setting{nearest(key, _known_keys(problem['loc'][:-1]))}"
        elif place.endswith(("token_env", "secret_env")) and problem["type"] == "string_pattern_mismatch":
            yield f"{place}: is no name of an environment variable; never write the token itself here"
        elif place == "forge.kind" and isinstance(found := problem["input"], str):
            yield f"{place}: {no_such_kind(found)}"
        else:
            yield f"{place}: {problem['msg'].lower()} (found {problem['input']!r:.80})"


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    table = model_of(Settings.model_fields[str(place[0])]) if place else Settings
    return list(table.model_fields)


def model_of(field: FieldInfo) -> type[BaseModel]:
    """The table that a field of `Settings` holds, or holds a list of."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, SettingsTable):
            return candidate
    raise TypeError(f"{field} is not a settings table")
