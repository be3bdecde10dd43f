"""gristmill.toml as one frozen object: every key, its default and its documentation.

`parse_settings` turns the parsed TOML into a `Settings`; schemas/settings_text.py writes the commented file of
`gristmill init` from the same field descriptions, so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from schemas.errors import SettingsError, nearest
from schemas.forge_address import has_password, no_such_kind, url_problems
from schemas.release import tag_problem
from schemas.round import COMMAND_PLACES, TAG_PLACES, placeholder_problems, webhook_problems

_VARIABLE = r"^[A-Z_][A-Z0-9_]*$"
"""The name of an environment variable; tokens have small letters, so one written in its place is refused."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceSettings(_Table):
    """One place that logs are pulled from; repeat the table for more."""

    name: str = Field(description="short name, unique; it is kept with every conversation")
    path: str = Field(description="file, folder or glob, relative to this file")
    type: str | None = Field(None, description="source type; recognised by content when absent")
    consent: str | None = Field(None, description="the basis for publication; absent: unknown, so held")
    licence: str | None = Field(None, description="SPDX id of the conversations' licence; absent: unknown, so held")


class CorpusSettings(_Table):
    """The corpus repository."""

    remote: str = Field("corpus.git", description="a bare repository on disk (relative to this file) or any git URL")
    branch: str = Field("main", description="the branch that a night's proposal is based on")
    token_env: str | None = Field(
        None,
        pattern=_VARIABLE,
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


class ForgeSettings(_Table):
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
        "GRISTMILL_FORGE_TOKEN", pattern=_VARIABLE, description="environment variable that holds the token"
    )
    webhook_secret_env: str = Field(
        "GRISTMILL_FORGE_WEBHOOK_SECRET",
        pattern=_VARIABLE,
        description="environment variable with the secret of the forge's webhook, for `gristmill serve --webhook`",
    )


class ScreenSettings(_Table):
    """Cheap rules before any model is asked. Each rule is documented in corpus/screen_rules.toml."""

    languages: tuple[str, ...] = Field((), description='ISO 639-1 codes to keep, for example ["en", "de"]; empty: all')
    min_words: int = Field(8, ge=0, description="words of the whole conversation, at least")
    max_words: int = Field(20_000, ge=1, description="words of the whole conversation, at most")
    max_turns: int = Field(200, ge=1, description="messages of the active path, at most")
    disabled_rules: tuple[str, ...] = Field((), description="names of screen rules to switch off")
    max_redactions: int = Field(
        40, ge=1, description="more different values redacted in one conversation than this: held"
    )


class DedupeSettings(_Table):
    """Duplicates, within the night and against everything the corpus ever accepted or saw."""

    jaccard_min: float = Field(0.8, gt=0, le=1, description="near-duplicates share this much of their word 5-grams")
    cosine_min: float = Field(
        0.97,
        gt=0,
        le=1,
        description="from this cosine of two embeddings on they say the same, and the better one is picked; 1: both",
    )


class DecontaminateSettings(_Table):
    """Evaluation text that must never be trained on."""

    paths: tuple[str, ...] = Field((), description="text or JSONL files with evaluation text, globs allowed")


class JudgeSettings(_Table):
    """Who rates the conversations, and how good is good enough."""

    kind: Literal["embedded", "endpoint", "scripted", "panel", "cascade"] = Field(
        "embedded",
        description="embedded: a local model in this process; endpoint: an OpenAI-compatible server; panel: several of "
        "[[judges]] together; cascade: the next of [[judges]] only where the one before is unsure",
    )
    threshold: float = Field(6.0, ge=1, le=10, description="of 10; conversations rated below are dropped")
    min_intact: float = Field(
        0.4,
        ge=0,
        le=1,
        description="of what is rated well: the embedded judge's probability that no answer is damaged; below: dropped",
    )
    rubric: str | None = Field(None, description="path of a rubric TOML; absent: judges/rubrics/fitness.toml")
    model: str | None = Field(None, description="path of a GGUF file; absent: the packaged SmolLM2-135M-Instruct")
    head: str | None = Field(
        None, description="path of a head from `gristmill judge train` to begin with; absent: the one that ships"
    )
    n_threads: int = Field(0, ge=0, description="threads of the embedded model; 0: all cores")
    max_tokens: int = Field(2048, ge=256, description="tokens of one conversation that the embedded judge reads")
    endpoint_url: str | None = Field(None, description='base URL, for example "http://localhost:8000/v1"')
    endpoint_model: str | None = Field(None, description="model name to ask the endpoint for")
    endpoint_key_env: str = Field("GRISTMILL_ENDPOINT_KEY", description="environment variable that holds the key")
    endpoint_concurrency: int = Field(4, ge=1, description="requests under way at once")
    endpoint_timeout_s: float = Field(60.0, gt=0, description="seconds before a request is given up")
    endpoint_price_per_million_tokens: float = Field(0.0, ge=0, description="for the cost shown on the night's page")
    script: str | None = Field(None, description="for kind scripted: a JSONL of {content_id, rating}")
    members: tuple[str, ...] = Field(
        (), description="for kind panel or cascade: names of [[judges]]; a cascade asks them in this order"
    )
    combine: Literal["mean", "median", "vote"] = Field(
        "mean", description="for kind panel; vote: 1 + 9 * the share of members that rate at or above their threshold"
    )
    max_disagreement: float | None = Field(
        None,
        ge=0,
        le=4.5,
        description="for kind panel: standard deviation of its ratings (of a vote's 1 and 10) beyond which a person is "
        "asked; absent: 2.0, as of two judges four points apart; of a vote 4.5, so never",
    )
    margin: float = Field(
        1.0,
        ge=0,
        description="for kind cascade: a rating nearer to the threshold is unsure; 1.0 is 0.11 of acceptance",
    )
    max_uncertainty: float = Field(
        0.2,
        ge=0,
        le=0.5,
        description="for kind cascade: above it a rating is unsure; at 0.2, two standard deviations to either side "
        "span 0.8 of the way from reject to keep",
    )


class NamedJudgeSettings(JudgeSettings):
    """A judge for `members` of [judge]: it takes every key that [judge] takes; by its threshold it votes to keep."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$", description="short name, unique; it stands in verdicts")


class JudgeRoundSettings(_Table):
    """How the judge learns from reviewers' decisions."""

    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="a new head must be better with this confidence to become the judge"
    )
    decisions_since: str | None = Field(
        None,
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="a night's date; decisions on earlier nights no longer count, for example after a change of taste",
    )
    cron: str = Field("0 1 * * *", description="when `gristmill serve` plays a round")


class DriftSettings(_Table):
    """When the night's page rings the alarm: the data changed, or people decide otherwise than the judge expects."""

    nights: int = Field(7, ge=1, description="earlier nights that a night is compared with")
    stability_index_max: float = Field(
        0.25, gt=0, description="population stability index of ratings and acceptances, at most"
    )
    agreement_fall_max: float = Field(
        0.1, gt=0, le=1, description="fall of the share of decisions that were as the judge expected, at most"
    )


class NightSettings(_Table):
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


class ReviewSettings(_Table):
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


class ReleaseSettings(_Table):
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
        pattern=_VARIABLE,
        description="for next_round webhook: environment variable with the secret that signs what is posted",
    )
    deployment: str | None = Field(
        None,
        pattern=r"^[^/]+/[^/]+$",
        description='for next_round deployment: flow and deployment, for example "train/nightly"',
    )


class ExpertSettings(_Table):
    """A kind of conversation with an expert of its own; the first that matches gets the sample, else `general`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$", description="folder name under data/ of the corpus")
    languages: tuple[str, ...] = Field((), description="match these languages; empty: any")
    sources: tuple[str, ...] = Field((), description="match these sources; empty: any")
    pattern: str | None = Field(None, description="match this regular expression in the conversation; absent: any")


class Settings(_Table):
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
        lines = "\n".join(f"  {line}" for line in _explained(error))
        raise SettingsError(f"{file} has settings that cannot be used:\n{lines}") from error
    names = [source.name for source in settings.sources]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"{file}: two [[sources]] are named {repeated[0]!r}; give each a name of its own")
    if wrong := list(_forge_problems(settings)):
        lines = "\n".join(f"  {line}" for line in wrong)
        raise SettingsError(f"{file} has settings of the forge that cannot be used:\n{lines}")
    if wrong := list(_round_problems(settings.release)):
        lines = "\n".join(f"  {line}" for line in wrong)
        raise SettingsError(f"{file} has settings of the next round that cannot be used:\n{lines}")
    if wrong := list(judge_problems(settings.judge, settings.judges)):
        lines = "\n".join(f"  {line}" for line in wrong)
        raise SettingsError(f"{file} names judges that cannot work:\n{lines}")
    return settings


_KIND_OF_KEY = {
    "members": ("panel", "cascade"),
    "combine": ("panel",),
    "max_disagreement": ("panel",),
    "margin": ("cascade",),
    "max_uncertainty": ("cascade",),
}
_NEEDED_KEYS = {"endpoint": ("endpoint_url", "endpoint_model"), "scripted": ("script",)}


def judge_problems(judge: JudgeSettings, named: Sequence[NamedJudgeSettings]) -> Iterator[str]:
    """What keeps a judge and the named ones from working together, one sentence each; nothing when all is well."""
    by_name = {one.name: one for one in named}
    if len(by_name) < len(named):
        names = [one.name for one in named]
        repeated = next(name for name in names if names.count(name) > 1)
        yield f"two [[judges]] are named {repeated!r}; give each a name of its own"
    for place, one in [("judge", judge), *((f"judges.{name}", one) for name, one in by_name.items())]:
        for key, kinds in _KIND_OF_KEY.items():
            if key in one.model_fields_set and one.kind not in kinds:
                yield f'{place}.{key} is for kind {" or ".join(kinds)}, not for kind "{one.kind}"; remove it'
        if one.kind in _KIND_OF_KEY["members"]:
            yield from _member_problems(place, one, by_name)
        missing = [key for key in _NEEDED_KEYS.get(one.kind, ()) if place != "judge" and not getattr(one, key)]
        if missing:
            yield f'{place} has kind "{one.kind}" and needs {" and ".join(missing)}'


def _member_problems(place: str, judge: JudgeSettings, named: Mapping[str, NamedJudgeSettings]) -> Iterator[str]:
    if len(judge.members) < 2:
        yield f"{place}.members names {len(judge.members)} judge(s); a {judge.kind} has at least two of [[judges]]"
    for name in sorted(set(judge.members)):
        if name not in named:
            yield f"{place}.members names {name!r}, which is not among [[judges]]{nearest(name, named)}"
        elif judge.members.count(name) > 1:
            yield f"{place}.members names {name!r} twice; a judge speaks once"
        elif judge.kind == "panel" and judge.combine == "vote" and "threshold" not in named[name].model_fields_set:
            yield f"{place} is a vote and needs judges.{name}.threshold, the rating from which it votes to keep"
    if place != "judge" and judge.kind == "cascade" and "threshold" not in judge.model_fields_set:
        yield f"{place} is a cascade and needs a threshold, beside which its first judge may be unsure"
    if (name := place.removeprefix("judges.")) in _all_members(judge, named):
        yield f"{place} asks itself: {name!r} is among its members or theirs"


def _all_members(judge: JudgeSettings, named: Mapping[str, NamedJudgeSettings]) -> set[str]:
    """The members, their members, and so on."""
    found: set[str] = set()
    waiting = list(judge.members)
    while waiting:
        if (name := waiting.pop()) in named and name not in found:
            found.add(name)
            waiting += named[name].members
    return found


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


def _round_problems(release: ReleaseSettings) -> Iterator[str]:
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
        if isinstance(candidate, type) and issubclass(candidate, _Table):
            return candidate
    raise TypeError(f"{field} is not a settings table")
