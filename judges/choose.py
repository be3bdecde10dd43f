"""Makes the judge that the settings name."""

from __future__ import annotations

from pathlib import Path

from judges.embedded import EmbeddedJudge
from judges.endpoint import EndpointJudge
from judges.llama import packaged_model, requantised
from judges.rubric import Rubric, load_rubric
from judges.scripted import ScriptedJudge
from schemas.errors import JudgeError, SettingsError
from schemas.settings import JudgeSettings
from schemas.verdict import Judge


def make_judge(settings: JudgeSettings, *, root: Path, cache: Path) -> Judge:
    """The judge of the settings; paths are relative to `root`, requantised models are kept in `cache`.

    Raises:
        SettingsError: a setting that this kind of judge needs is missing. JudgeError: the model cannot be used.
    """
    if settings.kind == "scripted":
        if not settings.script:
            raise SettingsError('judge.kind = "scripted" needs judge.script, a JSONL of {content_id, rating}')
        return ScriptedJudge(root / settings.script)
    rubric = _rubric(settings, root)
    if settings.kind == "endpoint":
        return EndpointJudge(settings, rubric)
    model = prepare_model(settings, root=root, cache=cache)
    return EmbeddedJudge(model, rubric, n_threads=settings.n_threads, max_tokens=settings.max_tokens)


def _rubric(settings: JudgeSettings, root: Path) -> Rubric:
    return load_rubric(root / settings.rubric if settings.rubric else None)


def prepare_model(settings: JudgeSettings, *, root: Path, cache: Path) -> Path:
    """The GGUF file that the embedded judge loads: the user's own, or the packaged one requantised in `cache`.

    Raises:
        JudgeError: it is missing or cannot be made.
    """
    if settings.model:
        own = root / settings.model
        if not own.is_file():
            raise JudgeError(f"judge.model {own} does not exist; correct it, or leave it out for the packaged model")
        return own
    return requantised(packaged_model(), cache)
