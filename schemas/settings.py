"""gristmill.toml as one frozen object: every key, its default and its documentation.

`parse_settings` turns the parsed TOML into a `Settings`; schemas/settings_text.py writes the commented file of
`gristmill init` from the same field descriptions, so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from schemas.errors import SettingsError, nearest


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
    licences: tuple[str, ...] = Field(
        ("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "Apache-2.0", "MIT", "ODC-BY-1.0"),
        description="licences that the corpus accepts; others are held",
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


class DecontaminateSettings(_Table):
    """Evaluation text that must never be trained on."""

    paths: tuple[str, ...] = Field((), description="text or JSONL files with evaluation text, globs allowed")


class JudgeSettings(_Table):
    """Who rates the conversations, and how good is good enough."""

    kind: Literal["embedded", "endpoint", "scripted"] = Field(
        "embedded", description="embedded: a local model in this process; endpoint: an OpenAI-compatible server"
    )
    threshold: float = Field(6.0, ge=1, le=10, description="of 10; conversations rated below are dropped")
    rubric: str | None = Field(None, description="path of a rubric TOML; absent: judges/rubrics/fitness.toml")
    model: str | None = Field(None, description="path of a GGUF file; absent: the packaged SmolLM2-135M-Instruct")
    n_threads: int = Field(0, ge=0, description="threads of the embedded model; 0: all cores")
    max_tokens: int = Field(2048, ge=256, description="tokens of one conversation that the embedded judge reads")
    endpoint_url: str | None = Field(None, description='base URL, for example "http://localhost:8000/v1"')
    endpoint_model: str | None = Field(None, description="model name to ask the endpoint for")
    endpoint_key_env: str = Field("GRISTMILL_ENDPOINT_KEY", description="environment variable that holds the key")
    endpoint_concurrency: int = Field(4, ge=1, description="requests under way at once")
    endpoint_timeout_s: float = Field(60.0, gt=0, description="seconds before a request is given up")
    endpoint_price_per_million_tokens: float = Field(0.0, ge=0, description="for the cost shown on the night's page")
    script: str | None = Field(None, description="for kind scripted: a JSONL of {content_id, rating}")


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
    screen: ScreenSettings = ScreenSettings()
    dedupe: DedupeSettings = DedupeSettings()
    decontaminate: DecontaminateSettings = DecontaminateSettings()
    judge: JudgeSettings = JudgeSettings()
    night: NightSettings = NightSettings()
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
    return settings


def _explained(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            key = str(problem["loc"][-1])
            yield f"{place}: no such setting{nearest(key, _known_keys(problem['loc'][:-1]))}"
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
