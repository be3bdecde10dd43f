"""The road of a night, step by step, on the files of the night's folder: joins corpus, judges and settings.

Each function runs one step and gives its report. All can be run again: a step's output appears only when it is
complete, and what a step remembers (read marks, signatures, verdicts) is tagged with the night's sequence number, so
that a night that is run again does not meet its own traces.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from corpus.carried import taken, waiting_after
from corpus.clone import Clone
from corpus.contributions import SOURCE_NAME, contributed_source
from corpus.contributors import Contributors
from corpus.decontaminate import decontaminate as decontaminate_rows
from corpus.dedupe import deduplicate as deduplicate_rows
from corpus.meaning import Others
from corpus.picks import embeddings_in
from corpus.propose import accepted_lines, init_corpus
from corpus.pull import pull
from corpus.repository import base_commit, on_corpus
from corpus.screen import screen as screen_rows
from corpus.seen import Seen
from corpus.select import select as select_rows
from corpus.stage import read_report, write_atomically
from corpus.stage import run_step as run_file_step
from corpus.tombstones import Withdrawn, read_withdrawn
from corpus.validate import build_samples
from corpus.watermarks import Watermarks
from flows.nights import Night, all_nights, complete_before, unfinished_before
from flows.settings_file import Project
from flows.stores import clone, heads_folder, model_cache, picks_of, subject_key, verdicts_of
from judges.choose import make_judge
from judges.registry import HeadRegistry
from judges.step import AFTER_ALL_NIGHTS, JudgeStep
from schemas.outcome import StepReport
from schemas.settings import SourceSettings
from schemas.tables import DISTINCT, JUDGED
from schemas.verdict import JudgeIdentity

_NOTES = {
    "fitness-1": "On pairs of fluent answers it decides as people did in 63 to 74 of 100 cases, on sets it never saw "
    "in 58 to 68: not shown to beat taking the longer answer there. It sees loops, wrong languages and refusals, fewer "
    "cut and off-topic answers, hardly a contradiction. An order to read in, no grade."
}
"""What was measured of a head, for the night's page; nothing may be presented as better than that."""

OnRow = Callable[[], None]


def screen(project: Project, source: Path, output: Path, on_row: OnRow | None = None) -> StepReport:
    """Rules and redaction."""
    return screen_rows(source, output, project.settings.screen, on_row=on_row)


def deduplicate_file(project: Project, source: Path, output: Path, on_row: OnRow | None = None) -> StepReport:
    """Duplicates within one file."""
    return deduplicate_rows(source, output, project.settings.dedupe, seen=None, on_row=on_row)


def decontaminate(project: Project, source: Path, output: Path, on_row: OnRow | None = None) -> StepReport:
    """Text of evaluation sets."""
    return decontaminate_rows(source, output, project.settings.decontaminate, root=project.root, on_row=on_row)


def judge(
    project: Project,
    source: Path,
    output: Path,
    *,
    sequence: int = AFTER_ALL_NIGHTS,
    on_row: OnRow | None = None,
    pin: Path | None = None,
    elsewhere: Collection[str] = (),
) -> StepReport:
    """Ratings; each conversation is judged once by each judge, ever.

    `pin` is a file that keeps which head judges: a night that is run again after a round of the judge's learning is
    judged by the head that it began with. `elsewhere` are conversations that later nights have taken over.
    """
    pinned = pin.read_text(encoding="ascii") if pin and pin.exists() else None
    heads, cache = heads_folder(project), model_cache()
    settings = project.settings
    judge = make_judge(
        settings.judge, root=project.root, cache=cache, heads=heads, head_digest=pinned, named=settings.judges
    )
    if pin and pinned is None:
        write_atomically(pin, judge.identity.head_digest.encode())
    step = JudgeStep(judge, verdicts_of(project), sequence=sequence, elsewhere=elsewhere)
    return run_file_step(
        "judge",
        source,
        output,
        needs=DISTINCT,
        gives=JUDGED,
        transform=step.rows,
        facts=lambda: {**step.facts(), "judge_note": _note(project, judge.identity)},
        on_row=on_row,
    )


def _note(project: Project, judge: JudgeIdentity) -> str:
    """What is known of a judge's agreement with people: of a learned head with these reviewers, else with others."""
    learned = HeadRegistry(heads_folder(project), judge).standing(judge.head_digest)
    return learned or _NOTES.get(judge.head, "")


def select(
    project: Project, source: Path, output: Path, on_row: OnRow | None = None, earlier: Others | None = None
) -> StepReport:
    """The night's picks; `earlier` is what the nights before picked."""
    settings = project.settings
    return select_rows(
        source,
        output,
        threshold=settings.judge.threshold,
        min_intact=settings.judge.min_intact,
        cosine_min=settings.dedupe.cosine_min,
        earlier=earlier,
        night=settings.night,
        experts=settings.experts,
        on_row=on_row,
    )


def run_step(step: str, project: Project, night: Night) -> StepReport:
    """Runs one step of the night on its files. `step` is a key of `corpus.stages.STEPS`."""
    return _NIGHT[step](project, night)


def _pull(project: Project, night: Night) -> StepReport:
    """What is new in the logs. A night that ended before a later one began keeps what it read: the rest is theirs."""
    if night.is_complete and night != all_nights(project)[-1] and (settled := read_report(night.output("pull"))):
        return settled
    waiting = waiting_after(complete_before(project, night))
    with Watermarks(project.var / "watermarks.sqlite") as watermarks:
        return pull(
            [*project.settings.sources, *_contributed(project)],
            night.output("pull"),
            root=project.root,
            subject_key=subject_key(project),
            max_record_mb=project.settings.night.max_record_mb,
            licences=project.settings.corpus.licences,
            hold_unconsented=True,
            watermarks=watermarks,
            waiting=waiting,
            night=night.date,
            sequence=night.sequence,
        )


def _contributed(project: Project) -> list[SourceSettings]:
    """What people contributed to the corpus by pull request, unless the settings have a source of that name."""
    named = {source.name for source in project.settings.sources}
    place = {"root": project.root, "clone": clone(project), "folder": project.var / SOURCE_NAME}
    found = None if SOURCE_NAME in named else contributed_source(project.settings.corpus, **place)
    return [found] if found else []


def _screen(project: Project, night: Night) -> StepReport:
    return screen(project, night.output("pull"), night.output("screen"))


def _deduplicate(project: Project, night: Night) -> StepReport:
    """Within the night and against all that the corpus accepted or saw before it."""
    with Seen(project.var / "seen.sqlite") as seen:
        return deduplicate_rows(
            night.output("screen"),
            night.output("deduplicate"),
            project.settings.dedupe,
            seen=seen,
            night=night.date,
            withdrawn=withdrawn(project),
            again=[row["content_id"] for row in taken(night.folder)],
        )


def _decontaminate(project: Project, night: Night) -> StepReport:
    return decontaminate(project, night.output("deduplicate"), night.output("decontaminate"))


def _judge(project: Project, night: Night) -> StepReport:
    files = (night.output("decontaminate"), night.output("judge"))
    later = [other for other in all_nights(project) if other.sequence > night.sequence and other.is_complete]
    elsewhere = {row["conversation_id"] for one in later for row in taken(one.folder) if row["night"] == night.date}
    return judge(project, *files, sequence=night.sequence, pin=night.folder / "head.txt", elsewhere=elsewhere)


def _select(project: Project, night: Night) -> StepReport:
    with picks_of(project) as picks:
        report = select(project, night.output("judge"), night.output("select"), earlier=picks.before(night.sequence))
        picks.record(night.sequence, night.date, embeddings_in(night.output("select")))
    return report


def _validate(project: Project, night: Night) -> StepReport:
    settings, var = project.settings, project.var
    contributors = Contributors(var / "contributors.sqlite")
    with Seen(var / "seen.sqlite") as seen, contributors, picks_of(project) as picks:
        return build_samples(
            night.output("select"),
            night.output("validate"),
            night=night.date,
            publish_subjects=settings.night.subject_key_file is not None,
            threshold=settings.judge.threshold,
            licences=settings.corpus.licences,
            seen=seen,
            contributors=contributors,
            earlier=picks.before(night.sequence),
        )


_NIGHT: dict[str, Callable[[Project, Night], StepReport]] = {
    "pull": _pull,
    "screen": _screen,
    "deduplicate": _deduplicate,
    "decontaminate": _decontaminate,
    "judge": _judge,
    "select": _select,
    "validate": _validate,
}


def forget_unfinished(project: Project, night: Night) -> list[str]:
    """Forgets what nights that never ended have read, so that this one reads it; gives their dates."""
    nights = unfinished_before(project, night)
    if nights:
        watermarks, seen = Watermarks(project.var / "watermarks.sqlite"), Seen(project.var / "seen.sqlite")
        with watermarks, seen, picks_of(project) as picks:
            for other in nights:
                watermarks.forget(other.sequence)
                seen.forget_night(other.date)
                picks.record(other.sequence, other.date, {})
    return [other.date for other in nights]


def meet_corpus(project: Project) -> str:
    """Brings the signatures up to date with what the corpus accepted; gives the commit of its base branch.

    Costs what was merged since the last time: only new shards are read.
    """
    settings, root = project.settings.corpus, project.root
    head = init_corpus(settings, root=root, clone=clone(project))
    with Seen(project.var / "seen.sqlite") as seen:
        seen.forget(withdrawn(project).ids)
        since = seen.corpus_head()
        if since != head:
            seen.add_accepted(accepted_lines(settings, since=since, root=root, clone=clone(project)), head=head)
    return head


def withdrawn(project: Project) -> Withdrawn:
    """What must not return: the corpus's tombstones."""
    corpus = project.settings.corpus

    def read(store: Clone) -> Withdrawn:
        return read_withdrawn(store, base_commit(store, corpus, store.heads()))

    return on_corpus(corpus, root=project.root, clone=clone(project), operation=read)
