"""The tables of gristmill.toml about the judge: who rates, how it learns, when it rings the alarm, what cannot work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field

from schemas.errors import nearest
from schemas.settings_table import SettingsTable


class JudgeSettings(SettingsTable):
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


class JudgeRoundSettings(SettingsTable):
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


class DriftSettings(SettingsTable):
    """When the night's page rings the alarm: the data changed, or people decide otherwise than the judge expects."""

    nights: int = Field(7, ge=1, description="earlier nights that a night is compared with")
    stability_index_max: float = Field(
        0.25, gt=0, description="population stability index of ratings and acceptances, at most"
    )
    agreement_fall_max: float = Field(
        0.1, gt=0, le=1, description="fall of the share of decisions that were as the judge expected, at most"
    )


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
    names = [one.name for one in named]
    if len(by_name) < len(named):
        repeated = next(name for name in names if names.count(name) > 1)
        yield f"two [[judges]] are named {repeated!r}; give each a name of its own"
    for place, one in [("judge", judge), *((f"judges.{name}", one) for name, one in by_name.items())]:
        yield from _misplaced_keys(place, one)
        if one.kind in _KIND_OF_KEY["members"]:
            yield from _member_problems(place, one, by_name)
        missing = [key for key in _NEEDED_KEYS.get(one.kind, ()) if place != "judge" and not getattr(one, key)]
        if missing:
            yield f'{place} has kind "{one.kind}" and needs {" and ".join(missing)}'


def _misplaced_keys(place: str, judge: JudgeSettings) -> Iterator[str]:
    for key, kinds in _KIND_OF_KEY.items():
        if key in judge.model_fields_set and judge.kind not in kinds:
            yield f'{place}.{key} is for kind {" or ".join(kinds)}, not for kind "{judge.kind}"; remove it'


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
