"""The road of a night, step by step, on the files of the night's folder: joins corpus, judges and settings.

Each function runs one step and gives its report. All can be run again: a step's output appears only when it is
complete, and what a step remembers (read marks, signatures, verdicts) is tagged with the night's sequence number, so
that a night that is run again does not meet its own traces.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable, Collection
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from corpus.carried import taken, waiting_after
from corpus.clone import Clone
from corpus.contributions import SOURCE_NAME, contributed_source
from corpus.contributors import Contributors
from corpus.decontaminate import decontaminate as decontaminate_rows
from corpus.dedupe import deduplicate as deduplicate_rows
from corpus.forge import ForgeRefused
from corpus.meaning import Accepted
from corpus.propose import accepted_lines, init_corpus
from corpus.propose import propose as propose_samples
from corpus.pull import pull
from corpus.repository import base_commit, on_corpus
from corpus.screen import screen as screen_rows
from corpus.seen import Seen
from corpus.select import select as select_rows
from corpus.sources.download import download, is_address
from corpus.stage import read_report, write_atomically
from corpus.stage import run_step as run_file_step
from corpus.tombstones import Withdrawn, read_withdrawn
from corpus.validate import build_samples
from corpus.watermarks import Watermarks
from flows.nights import PROPOSAL_FILE, Night, all_nights, complete_before, unfinished_before
from flows.pull_requests import forge_of, open_pull_request, proposal_of
from flows.settings_file import Project
from judges.choose import make_judge
from judges.registry import HeadRegistry
from judges.step import AFTER_ALL_NIGHTS, JudgeStep
from judges.verdicts import VerdictStore
from schemas.errors import SettingsError
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


def model_cache() -> Path:
    """Where requantised models are kept: GRISTMILL_CACHE, else gristmill/ in the user's cache folder."""
    if named := os.environ.get("GRISTMILL_CACHE"):
        return Path(named) / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gristmill" / "models"


def subject_key(project: Project) -> bytes:
    """The secret that pseudonymises user ids: the file of the settings, else one made once in var/.

    Raises:
        SettingsError: the file named in the settings cannot be read or is empty.
    """
    named = project.settings.night.subject_key_file
    if named:
        try:
            key = (project.root / named).read_bytes().strip()
        except OSError as error:
            raise SettingsError(f"night.subject_key_file {named!r} cannot be read: {error.strerror}") from error
        if len(key) < 16:
            raise SettingsError(f"night.subject_key_file {named!r} holds {len(key)} bytes; at least 16 are needed")
        return key
    return _own_key(project.var / "subject.key")


def _own_key(file: Path) -> bytes:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            new.write(secrets.token_hex(32).encode())
    except FileExistsError:
        if not file.read_bytes():  # killed between making and filling it
            file.unlink()
            return _own_key(file)
    return file.read_bytes()


def pull_files(
    project: Project,
    named: tuple[str, ...],
    output: Path,
    *,
    source_type: str | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> StepReport:
    """Reads sources named on the command line: of the settings, or paths, globs and addresses without consent.

    Raises:
        InputError: a path does not exist, an address does not answer.
    """
    known = {source.name: source for source in project.settings.sources}
    sources = []
    for name in named:
        if name in known:
            source = known[name].model_copy(update={"path": str(project.root / known[name].path)})
        elif is_address(name):
            file = download(name, project.var / "downloads", on_bytes)
            source = SourceSettings(name=Path(urlsplit(name).path).stem or "download", path=str(file))
        else:
            source = SourceSettings(name=Path(name).stem or name, path=str(Path.cwd() / name))
        sources.append(source.model_copy(update={"type": source_type}) if source_type else source)
    return pull(
        sources,
        output,
        root=project.root,
        subject_key=subject_key(project) if project.file else _throwaway_key(),
        max_record_mb=project.settings.night.max_record_mb,
        hold_unconsented=False,
        on_bytes=on_bytes,
    )


def _throwaway_key() -> bytes:
    return hmac.new(b"gristmill pull without settings", b"", sha256).digest()


def screen(project: Project, source: Path, output: Path, on_row: OnRow | None = None) -> StepReport:
    """Rules and redaction."""
    return screen_rows(source, output, project.settings.screen, on_row=on_row)


def deduplicate_file(project: Project, source: Path, output: Path, on_row: OnRow | None = None) -> StepReport:
    """Duplicates within one file."""
    return deduplicate_rows(source, output, project.settings.dedupe, seen=None, on_row=on_row)


def decontaminate(project: Project, source: Path, output: Path, on_row: OnRow | None = None) -> StepReport:
    """Text of evaluation sets."""
    return decontaminate_rows(source, output, project.settings.decontaminate, root=project.root, on_row=on_row)


def heads_folder(project: Project) -> Path:
    """Where the project's heads and the records of the judge's rounds are kept."""
    return project.var / "judge"


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
    step = JudgeStep(judge, _verdicts(project), sequence=sequence, elsewhere=elsewhere)
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


def _verdicts(project: Project) -> VerdictStore:
    return VerdictStore(project.var / "verdicts.duckdb")


def _note(project: Project, judge: JudgeIdentity) -> str:
    """What is known of a judge's agreement with people: of a learned head with these reviewers, else with others."""
    learned = HeadRegistry(heads_folder(project), judge).standing(judge.head_digest)
    return learned or _NOTES.get(judge.head, "")


def select(
    project: Project, source: Path, output: Path, on_row: OnRow | None = None, accepted: Accepted | None = None
) -> StepReport:
    """The night's picks; `accepted` is what the corpus held before it."""
    settings = project.settings
    return select_rows(
        source,
        output,
        threshold=settings.judge.threshold,
        min_intact=settings.judge.min_intact,
        cosine_min=settings.dedupe.cosine_min,
        accepted=accepted,
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
    with Seen(project.var / "seen.sqlite") as seen:
        accepted = Accepted(_verdicts(project).embeddings, seen, night.date)
        return select(project, night.output("judge"), night.output("select"), accepted=accepted)


def _validate(project: Project, night: Night) -> StepReport:
    settings, var = project.settings, project.var
    with Seen(var / "seen.sqlite") as seen, Contributors(var / "contributors.sqlite") as contributors:
        return build_samples(
            night.output("select"),
            night.output("validate"),
            night=night.date,
            publish_subjects=settings.night.subject_key_file is not None,
            threshold=settings.judge.threshold,
            licences=settings.corpus.licences,
            seen=seen,
            contributors=contributors,
            accepted=Accepted(_verdicts(project).embeddings, seen, night.date),
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


def clone(project: Project) -> Path:
    """Our private bare clone of the corpus; made anew when it is missing or damaged."""
    return project.var / "clone.git"


def forget_unfinished(project: Project, night: Night) -> list[str]:
    """Forgets what nights that never ended have read, so that this one reads it; gives their dates."""
    nights = unfinished_before(project, night)
    if nights:
        with Watermarks(project.var / "watermarks.sqlite") as watermarks, Seen(project.var / "seen.sqlite") as seen:
            for other in nights:
                watermarks.forget(other.sequence)
                seen.forget_night(other.date)
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


def propose(project: Project, night: Night) -> dict[str, Any]:
    """Commits the night's samples on its branch, opens its pull request, and writes down what became of it, at last.

    Raises:
        ForgeRefused: the branch is pushed and noted, but a person must mend what keeps the pull request from being
            opened; running the night again opens it.
    """
    forge = forge_of(project)
    result = propose_samples(
        night.output("validate"),
        corpus=project.settings.corpus,
        root=project.root,
        clone=clone(project),
        night=night.date,
        record=night_record(project, night),
        review=project.settings.review,
    )
    pull_request, problem = open_pull_request(forge, result, project.settings.corpus.branch, night.proposal())
    proposal = proposal_of(result, pull_request, str(problem) if problem else None)
    write_atomically(night.folder / PROPOSAL_FILE, orjson.dumps(proposal, option=orjson.OPT_INDENT_2))
    if isinstance(problem, ForgeRefused):
        raise problem
    return proposal


def night_record(project: Project, night: Night) -> dict[str, Any]:
    """What the corpus keeps of a night: counts by step and reason, and the settings' digest; nothing that varies."""
    keys = ("step", "in", "kept", "dropped", "held")
    reports = night.reports()
    steps = [{key: report.to_json()[key] for key in keys} for report in reports]
    return {
        "night": night.date,
        "settings_digest": project.settings_digest(),
        "threshold": project.settings.judge.threshold,
        "steps": steps,
        "histogram": next((one.facts.get("histogram", []) for one in reports if one.step == "select"), []),
    }


def night_markdown(night: Night) -> str:
    """The night for Prefect's page: what became of it, the histogram of ratings, where to look."""
    proposal = night.proposal() or {}
    lines = [f"# The night of {night.date}", "", str(proposal.get("message", "not ended")), ""]
    lines += [f"**Alarm:** {alarm}\n" for alarm in night.alarms()]
    for report in night.reports():
        for low, n in report.facts.get("histogram", []):
            lines.append(f"    {low:>4} {'█' * min(n, 60)} {n}")
    lines += ["", f"Page: `gristmill report {night.date}`", f"Files: `{night.folder}`"]
    return "\n".join(lines)
