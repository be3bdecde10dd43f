"""What joins the judge and its reviewers: the round, the watch for drift, the export of decisions. No Prefect here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import orjson

from corpus.decisions import Decided, read_decided
from corpus.propose import corpus_head
from corpus.stage import read_rows, write_atomically
from flows.nights import DRIFT_FILE, Night, all_nights
from flows.settings_file import Project
from flows.stores import clone, heads_folder, model_cache
from judges.choose import learner_settings, make_judge
from judges.drift import RatedNight, find_drift
from judges.head import load_head
from judges.labels import Label
from judges.lessons import lessons
from judges.measured import MeasuredConversations, Measures
from judges.measurement import Measurement
from judges.registry import HeadRegistry, JudgeRound
from judges.rounds import play_round
from judges.rubric import load_rubric
from judges.sft_export import sft_lines
from judges.train import Trained, train
from schemas.canonical import digest
from schemas.conversation import Turn, content_id
from schemas.errors import SettingsError

READ_AT_ONCE = 64
"""Conversations between two steps of the progress bar; what was read is kept, so a killed training goes on there."""


def decided(project: Project, *, newest: int | None = None) -> Decided:
    """What people decided since `judge_round.decisions_since`, of the newest nights if their number is given.

    Raises:
        CorpusError: there is no corpus yet, or it cannot be read.
    """
    settings, since = project.settings.corpus, project.settings.judge_round.decisions_since
    corpus_head(settings, root=project.root, clone=clone(project))
    return read_decided(
        settings, root=project.root, clone=clone(project), nights=project.nights, since=since, newest=newest
    )


def play(project: Project) -> JudgeRound:
    """Plays the judge's round on all decisions of the corpus; the caller holds the project's lock. Idempotent.

    Raises:
        SettingsError: the judge of the settings has no head that could learn. CorpusError, JudgeError: as they say.
    """
    settings = project.settings
    learner = learner_settings(settings.judge, settings.judges) or settings.judge
    judge = make_judge(learner, root=project.root, cache=model_cache(), named=settings.judges)
    if not isinstance(judge, Measures):
        raise SettingsError(
            f'judge.kind = "{project.settings.judge.kind}" has no head that could learn here; write the decisions with '
            "`gristmill judge lessons -o lessons.jsonl` and fine-tune its model on them"
        )
    measured = MeasuredConversations(project.var / "measurements", judge)
    return play_round(
        decided(project).samples,
        measure=measured.of,
        registry=HeadRegistry(heads_folder(project), judge.identity),
        default=load_head(project.root / learner.head if learner.head else None),
        confidence=project.settings.judge_round.confidence,
    )


def train_head(project: Project, labels: Sequence[Label], output: Path, on_read: Callable[[int], None]) -> Trained:
    """Trains a head on labels, beginning with that of the settings, and writes it.

    Raises:
        SettingsError: the judge of the settings has no head. JudgeError: its models cannot be used.
    """
    settings = project.settings
    learner = learner_settings(settings.judge, settings.judges) or settings.judge
    judge = make_judge(learner, root=project.root, cache=model_cache(), named=settings.judges)
    if not isinstance(judge, Measures):
        raise SettingsError(f'judge.kind = "{settings.judge.kind}" has no head to train; set judge.kind = "embedded"')
    store = MeasuredConversations(project.var / "measurements", judge)
    talks = list(dict.fromkeys(turns for label in labels for turns in label.conversations()))
    measured: dict[tuple[Turn, ...], Measurement] = {}
    for begin in range(0, len(talks), READ_AT_ONCE):
        part = {content_id(turns): turns for turns in talks[begin : begin + READ_AT_ONCE]}
        found = store.of(part)
        measured |= {part[name]: one for name, one in found.items()}
        on_read(len(part))
    trained = train(
        labels, measured, load_head(project.root / learner.head if learner.head else None), name=output.stem
    )
    trained.head.save(output)
    return trained


def export_lessons(project: Project, output: Path) -> Mapping[str, int]:
    """Writes the decisions as a fine-tuning set for a judge; gives how many were decided, written and kept frozen."""
    found = lessons(decided(project).samples)
    settings = project.settings.judge
    rubric = load_rubric(project.root / settings.rubric if settings.rubric else None)
    lines = list(sft_lines(found, rubric))
    write_atomically(output, b"".join(lines))
    return {"decided": len(found), "written": len(lines), "frozen": len(found) - len(lines)}


def watch_drift(project: Project, night: Night) -> list[str]:
    """Compares a night with those before it, writes what was found beside its tables, and gives the alarms.

    A night that ended keeps what was found when it ran.
    """
    if night.is_complete and (night.folder / DRIFT_FILE).exists():
        return night.alarms()
    settings = project.settings.drift
    earlier = [other for other in all_nights(project) if other.sequence < night.sequence]
    judge = _judge_of(night)
    same = [other for other in earlier if _judge_of(other) == judge][-settings.nights :]
    found = find_drift(
        _rated(night),
        [_rated(other) for other in same],
        decided(project, newest=2 * settings.nights).samples,
        nights=settings.nights,
        psi_max=settings.stability_index_max,
        fall_max=settings.agreement_fall_max,
    )
    write_atomically(night.folder / DRIFT_FILE, orjson.dumps(found.to_json(), option=orjson.OPT_INDENT_2))
    return list(found.alarms)


def _judge_of(night: Night) -> str:
    """The digest of the judge that rated a night, "" when it was not rated."""
    reports = {report.step: report for report in night.reports()}
    return digest(reports["judge"].facts.get("judge")) if "judge" in reports else ""


def _rated(night: Night) -> RatedNight:
    rows = list(read_rows(night.output("judge"), ["rating", "acceptance"]))
    ratings = np.array([row["rating"] for row in rows], dtype=np.float64)
    acceptances = np.array([row["acceptance"] for row in rows if row["acceptance"] is not None], dtype=np.float64)
    return RatedNight(night.date, _judge_of(night), ratings, acceptances)
