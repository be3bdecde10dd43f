"""Makes the judge that the settings name."""

from __future__ import annotations

from pathlib import Path

from judges.embedded import EmbeddedJudge
from judges.endpoint import EndpointJudge
from judges.models import ModelFile, embedded_model, own_model
from judges.rubric import load_rubric
from judges.scorer import load_head
from judges.scripted import ScriptedJudge
from schemas.errors import SettingsError
from schemas.settings import JudgeSettings
from schemas.verdict import Judge


def make_judge(settings: JudgeSettings, *, root: Path, cache: Path) -> Judge:
    """The judge of the settings; paths are relative to `root`, requantised models are kept in `cache`.

    Raises:
        SettingsError: a setting that this kind of judge needs is missing or wrong. JudgeError: the model is unusable.
    """
    if settings.kind == "scripted":
        if not settings.script:
            raise SettingsError('judge.kind = "scripted" needs judge.script, a JSONL of {content_id, rating}')
        return ScriptedJudge(root / settings.script)
    rubric = load_rubric(root / settings.rubric if settings.rubric else None)
    if settings.kind == "endpoint":
        return EndpointJudge(settings, rubric)
    model = _model_file(settings, root, cache)
    return EmbeddedJudge(model, rubric, load_head(), max_tokens=settings.max_tokens, n_threads=settings.n_threads)


def prepare_model(settings: JudgeSettings, *, root: Path, cache: Path) -> Path:
    """The GGUF file that the embedded judge loads: the user's own, or the packaged one requantised in `cache`.

    Raises:
        JudgeError: it is missing, damaged or cannot be made.
    """
    return _model_file(settings, root, cache).path


def _model_file(settings: JudgeSettings, root: Path, cache: Path) -> ModelFile:
    if settings.model:
        return own_model(root / settings.model)
    return embedded_model(cache, n_threads=settings.n_threads)
