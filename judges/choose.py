"""Makes the judge that the settings name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from judges.cascade import CascadeJudge
from judges.embedded import EmbeddedJudge
from judges.endpoint import EndpointJudge
from judges.features import N_LAYERS
from judges.head import Head, load_head
from judges.members import HEADS_JOINED_BY, Member
from judges.models import embedded_model, own_model, sentence_model
from judges.panel import PanelJudge
from judges.registry import HeadRegistry
from judges.rubric import Rubric, load_rubric
from judges.scripted import ScriptedJudge
from judges.zero_shot import ZeroShotJudge
from schemas.errors import SettingsError
from schemas.settings import JudgeSettings, NamedJudgeSettings, judge_problems
from schemas.verdict import Judge, JudgeIdentity


def make_judge(
    settings: JudgeSettings,
    *,
    root: Path,
    cache: Path,
    heads: Path | None = None,
    head_digest: str | None = None,
    named: Sequence[NamedJudgeSettings] = (),
) -> Judge:
    """The judge of the settings; paths are relative to `root`, requantised models are kept in `cache`.

    `heads` is where the project's heads are kept (judges/registry.py): the champion among them judges, or the one named
    by `head_digest` if it is there; without `heads`, or before the first promotion, that of `judge.head`, else the one
    that ships. `head_digest` is that of an identity: for a panel or a cascade it names one head for each embedded one.
    `named` are the [[judges]] that those are made of.

    Raises:
        SettingsError: a setting that this kind of judge needs is missing or wrong. JudgeError: the model is unusable.
    """
    if wrong := list(judge_problems(settings, named)):
        raise SettingsError("; ".join(wrong))
    pins = iter(head_digest.split(HEADS_JOINED_BY) if head_digest else ())
    return _Maker(root, cache, heads, pins, {one.name: one for one in named}).made(settings)


@dataclass(frozen=True)
class _Maker:
    """`pins` gives each embedded judge its head's digest, in the order in which composed identities list them."""

    root: Path
    cache: Path
    heads: Path | None
    pins: Iterator[str]
    named: Mapping[str, NamedJudgeSettings]

    def made(self, settings: JudgeSettings) -> Judge:
        if settings.kind == "scripted":
            if not settings.script:
                raise SettingsError('judge.kind = "scripted" needs judge.script, a JSONL of {content_id, rating}')
            return ScriptedJudge(self.root / settings.script)
        if settings.kind == "panel":
            members = self._members(sorted(settings.members))
            return PanelJudge(members, combine=settings.combine, max_disagreement=settings.max_disagreement)
        if settings.kind == "cascade":
            bounds = {"margin": settings.margin, "max_uncertainty": settings.max_uncertainty}
            return CascadeJudge(self._members(settings.members), threshold=settings.threshold, **bounds)
        rubric = load_rubric(self.root / settings.rubric if settings.rubric else None)
        return EndpointJudge(settings, rubric) if settings.kind == "endpoint" else self._embedded(settings, rubric)

    def _members(self, names: Sequence[str]) -> list[Member]:
        return [Member(name, self.made(self.named[name]), threshold=self.named[name].threshold) for name in names]

    def _embedded(self, settings: JudgeSettings, rubric: Rubric) -> Judge:
        n_threads = settings.n_threads
        if settings.model:
            own = own_model(self.root / settings.model)
            return ZeroShotJudge(own, rubric, max_tokens=settings.max_tokens, n_threads=n_threads)
        models = embedded_model(self.cache, n_threads=n_threads, n_layers=N_LAYERS), sentence_model(self.cache)
        first = load_head(self.root / settings.head if settings.head else None)
        shipped = EmbeddedJudge(*models, rubric, first, n_threads=n_threads)
        promoted = _promoted(self.heads, shipped.identity, next(self.pins, None))
        return shipped if promoted is None else EmbeddedJudge(*models, rubric, promoted, n_threads=n_threads)


def _promoted(heads: Path | None, shipped: JudgeIdentity, head_digest: str | None) -> Head | None:
    """The head that a project has put in the shipped one's place, None for the shipped one itself."""
    if heads is None or head_digest == shipped.head_digest:
        return None
    registry = HeadRegistry(heads, shipped)
    return (registry.head(head_digest) if head_digest else None) or registry.champion()


def embedded_settings(settings: JudgeSettings, named: Sequence[NamedJudgeSettings] = ()) -> list[JudgeSettings]:
    """The embedded judges that this one is or asks, in the order of `members`, each once."""
    if settings.kind == "embedded":
        return [settings]
    by_name = {one.name: one for one in named}
    members = (by_name[name] for name in settings.members if name in by_name)
    found = [one for member in members for one in embedded_settings(member, named)]
    return [one for at, one in enumerate(found) if one not in found[:at]]


def learner_settings(settings: JudgeSettings, named: Sequence[NamedJudgeSettings] = ()) -> JudgeSettings | None:
    """The judge that learns from reviewers: this one or the first of its members with a head, None if none has one."""
    return next((one for one in embedded_settings(settings, named) if not one.model), None)


def prepare_models(
    settings: JudgeSettings, *, root: Path, cache: Path, named: Sequence[NamedJudgeSettings] = ()
) -> list[Path]:
    """The GGUF files that the judge or its members load: the user's own, or the packaged ones as kept in `cache`.

    Raises:
        JudgeError: one is missing, damaged or cannot be made.
    """
    judges = embedded_settings(settings, named) or [settings]
    return list(dict.fromkeys(path for one in judges for path in _prepared(one, root, cache)))


def _prepared(settings: JudgeSettings, root: Path, cache: Path) -> list[Path]:
    if settings.model:
        return [own_model(root / settings.model).path]
    made = embedded_model(cache, n_threads=settings.n_threads, n_layers=N_LAYERS), sentence_model(cache)
    return [file.path for file in made]
