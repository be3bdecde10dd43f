"""The trigger: finished nights are merged, a release is cut when enough has come together, and its round is started.

Merging comes first and waits for nothing; a round that cannot start waits in the ledger (flows/rounds.py) and is tried
again.

Each function can be run again at any time. Release and export give the same bytes, the manifest is written last, and
the round's key lets the receiver drop a second start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from corpus.clone import Clone
from corpus.due import Due, due
from corpus.export.manifest import Asked
from corpus.export.registry import format_named
from corpus.export.released import released
from corpus.export.rows import KINDS
from corpus.export.write import NothingToExport
from corpus.release import release
from corpus.repository import base_commit, on_corpus
from corpus.round_manifest import MANIFEST_FILE, export_facts, is_whole, round_manifest, write_manifest
from corpus.settle import Settled
from corpus.tombstones import TOMBSTONES
from flows import rounds
from flows.export_commands import export_release
from flows.round_start import Prepared, end_of_command, start
from flows.round_webhook import RoundRefused
from flows.rounds import Round
from flows.settings_file import Project
from flows.settling import place_of, settle_nights, waiting_nights
from schemas.canonical import digest
from schemas.errors import CorpusError, GristmillError, InputError, SettingsError, nearest
from schemas.release import Release
from schemas.round import RoundManifest

LOCK = "trigger.lock"
"""One trigger at a time in a project. It is not the nights' lock: settling and releasing work beside a night, and a
night of hours must not keep what people merged waiting."""


@dataclass(frozen=True)
class Merged:
    """What became of one night: it was settled, or why not."""

    night: str
    settled: Settled | None
    problem: str | None

    @property
    def needs_person(self) -> bool:
        """Whether something of it is held or refused."""
        return self.settled is None or bool(self.settled.held or self.settled.problems)

    @property
    def message(self) -> str:
        """What happened, in words."""
        return self.settled.message if self.settled else f"{self.night}: not settled: {self.problem}"

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object, and the sentence."""
        settled = self.settled.to_json() if self.settled else None
        return {"night": self.night, "settled": settled, "problem": self.problem, "message": self.message}


def ready_nights(project: Project) -> list[str]:
    """The nights that people are done with, by date."""
    return [one.night for one in waiting_nights(project) if one.is_ready]


def settle_night(project: Project, night: str, now: datetime) -> Merged:
    """Settles a night.

    Raises:
        GristmillError: it could not be settled.
    """
    return Merged(night, next(settle_nights(project, [night], now)), None)


def due_release(project: Project) -> tuple[Due, list[str]]:
    """What the next release would add, and the merged nights that keep it waiting because they are not settled yet."""
    unsettled = [one.night for one in waiting_nights(project) if one.state == "merged"]
    found = due(**place_of(project), pattern=project.settings.release.tag, unsettled=frozenset(unsettled))
    return found, unsettled


def want_release(project: Project, now: datetime) -> Round | None:
    """Writes the next round down as wanted when its release is due; None when it is not.

    A merged night that is not settled keeps every release waiting: its planted samples are still among the others.
    """
    settings = project.settings.release
    is_pending = any(one.is_open and one.commit is None for one in rounds.all_rounds(project))
    if not settings.min_new_samples or is_pending:
        return None
    found, unsettled = due_release(project)
    if found.tag is None or unsettled or found.n_new < settings.min_new_samples:
        return None
    return rounds.save(project, rounds.wanted(found.tag, settings.next_round, now))


def want_round(project: Project, tag: str, now: datetime, *, is_again: bool = False) -> Round:
    """Writes the round of an existing release down as wanted by a person, to be tried at once.

    Raises:
        SettingsError: the settings say of no round how to start it. InputError, CorpusError: there is no such release.
        GristmillError: it was started already.
    """
    way = project.settings.release.next_round
    if way == "none":
        raise SettingsError("release.next_round names no way to start one; set it to command, webhook or deployment")
    found = rounds.find_round(project, tag)
    if found is None or found.commit is None:
        on_corpus(**place_of(project), operation=lambda store: released(store, tag))
        return rounds.save(project, found or rounds.wanted(tag, way, now))
    if found.state in ("started", "done") and found.way != "none" and not is_again:
        raise GristmillError(f"the round of {tag} was started at {found.started_at}; --again starts it once more")
    edition = found.edition + (found.started_at is not None and found.way != "none")
    anew = replace(found, state="wanted", way=way, edition=edition, n_failed=0, next_try_at=None, started_at=None)
    return rounds.save(project, replace(anew, message="a person wants it now", at=rounds.instant(now)))


def drop_round(project: Project, tag: str, now: datetime) -> Round:
    """Gives a round up.

    Raises:
        InputError: there is none of this release.
    """
    found = rounds.find_round(project, tag)
    if found is None:
        known = [one.release for one in rounds.all_rounds(project)]
        raise InputError(f"no round of {tag}{nearest(tag, known)}; there are {', '.join(known) or 'none'}")
    dropped = replace(found, state="dropped", message="a person gave it up", next_try_at=None)
    return rounds.save(project, replace(dropped, at=rounds.instant(now)))


def due_rounds(project: Project, now: datetime) -> list[Round]:
    """The rounds that there is something to do for."""
    return [one for one in rounds.all_rounds(project) if rounds.is_due(one, now)]


def go_on(project: Project, tag: str, now: datetime) -> Round:
    """Takes a round as far as it goes: release, exports, manifest, start. What stops it stands in the ledger.

    Raises:
        InputError: the ledger has no such round, or is damaged.
    """
    one = rounds.find_round(project, tag)
    if one is None:
        raise InputError(f"the ledger of rounds has no {tag}; `gristmill trigger {tag}` wants it")
    try:
        if (after := _after_command(project, one, now)) is not None:
            return rounds.save(project, after)
        one, prepared = _prepared(project, one)
        if one.way == "none":
            done = rounds.succeeded(one, "done", "released; the settings name no round to start", now)
            return rounds.save(project, done)
        one = rounds.save(project, rounds.begun(one, project.settings.release.next_round, now))
        state, message = start(project, one, prepared, now)
        return rounds.save(project, rounds.succeeded(one, state, message, now))
    except RoundRefused as error:
        return rounds.save(project, rounds.failed(one, str(error), now, not_before_s=error.wait_s))
    except (GristmillError, OSError) as error:
        return rounds.save(project, rounds.failed(one, str(error), now))


def _after_command(project: Project, one: Round, now: datetime) -> Round | None:
    """The round as its command under way has left it, None when there is none."""
    if not one.is_under_way or one.way != "command":
        return None
    ended = end_of_command(project, one)
    if ended is None:
        return one if one.state == "started" else rounds.succeeded(one, "started", "its command is running", now)
    if ended.is_well:
        return rounds.succeeded(one, "done", ended.message, now)
    if ended.is_lost and one.is_open:  # killed before the command was begun, so it is begun now
        return None
    return rounds.failed(one, ended.message, now)


@dataclass(frozen=True)
class _Cut:
    """A release that exists: its commit, manifest and that one's digest; `withdrawn` is the blob of the tombstones."""

    commit: str
    release: Release
    sha256: str
    withdrawn: str | None


def _prepared(project: Project, one: Round) -> tuple[Round, Prepared]:
    """The round with its release cut, its exports and manifest written; what is there already is not made again."""
    settings, folder = project.settings.release, project.var / "exports" / one.release
    cut = _cut(project, one.release)
    if settings.next_round == "none":
        return rounds.save(project, replace(one, commit=cut.commit, way="none")), Prepared(folder, folder, None)
    key = project.root / Path(settings.signing_key).expanduser() if settings.signing_key else None
    facts = [asdict(cut) | {"release": cut.release.tag}, list(settings.exports), project.settings_digest(), str(key)]
    basis = digest(facts)
    if one.basis != basis or not _is_whole(folder):
        one = rounds.save(project, replace(one, commit=cut.commit, basis=None))
        exports = [_exported(project, one.release, name, folder) for name in settings.exports]
        if not any(export["files"] for export in exports):
            raise CorpusError(f"release {one.release} has nothing for {', '.join(settings.exports)}; see its counts")
        made = round_manifest(cut.release, cut.commit, cut.sha256, settings=project.settings_digest(), exports=exports)
        is_signed = write_manifest(made, folder, key) is not None
        rows = sum(sum(export["rows"].values()) for export in exports)
        one = rounds.save(project, replace(one, basis=basis, is_signed=is_signed, rows=rows, path=str(folder)))
    manifest = RoundManifest.from_content((folder / MANIFEST_FILE).read_bytes())
    first = next(export for export in manifest.exports if export["files"])
    return one, Prepared(folder, folder / first["folder"], one.is_signed)


def _cut(project: Project, tag: str) -> _Cut:
    """The release of this tag, cut now when there is none."""

    def look(store: Clone) -> _Cut | None:
        base = base_commit(store, project.settings.corpus, store.heads())
        if tag not in store.tags():
            return None
        commit, found = released(store, tag)
        return _Cut(commit, found, sha256(found.content()).hexdigest(), store.blob_id(base, TOMBSTONES))

    if (found := on_corpus(**place_of(project), operation=look)) is None:
        release(tag, **place_of(project), settings=project.settings.release)
        found = on_corpus(**place_of(project), operation=look)
    if found is None:
        raise CorpusError(f"the release {tag} was cut, and its tag is gone again; look who removes tags at the remote")
    return found


def _is_whole(folder: Path) -> bool:
    try:
        return is_whole(RoundManifest.from_content((folder / MANIFEST_FILE).read_bytes()), folder)
    except (OSError, InputError):
        return False


def _exported(project: Project, tag: str, name: str, folder: Path) -> dict[str, Any]:
    """Writes one export and gives its facts for the manifest; one that has no rows is told as such."""
    format_name, kind = named_export(name)
    form = format_named(format_name, kind)
    try:
        export_release(project, Asked(tag=tag, commit="", form=form, kind=kind), folder / format_name / kind)
    except NothingToExport as nothing:
        left_out = dict(nothing.left_out)
        return {"format": form.name, "kind": kind, "folder": name, "rows": {}, "left_out": left_out, "files": []}
    return export_facts(folder / format_name / kind, name)


def named_export(name: str) -> tuple[str, Any]:
    """Format and kind of an entry of release.exports.

    Raises:
        SettingsError: it is not of the form format/kind.
    """
    form, _, kind = name.partition("/")
    if kind not in KINDS:
        raise SettingsError(
            f"release.exports has {name!r:.80}; write format/kind, the kind one of {', '.join(KINDS)}"
            f"{nearest(kind, KINDS)}"
        )
    return form, kind


def check_round(project: Project) -> None:
    """Finds out at once what would stop every round.

    Raises:
        SettingsError, InputError: an export that there is not, or a secret that is missing.
    """
    settings = project.settings.release
    if settings.next_round == "none":
        return
    for name in settings.exports:
        format_named(*named_export(name))
    if settings.next_round == "webhook" and not os.environ.get(settings.webhook_secret_env):
        raise SettingsError(f"{settings.webhook_secret_env} is not set; the next round's webhook is signed with it")


def run_trigger(project: Project) -> Iterator[Merged | Round]:
    """The whole trigger once, without Prefect: what became of each night, then of each round.

    A night that cannot be settled keeps no other from it, and no round.
    """
    for night in ready_nights(project):
        try:
            yield settle_night(project, night, datetime.now(UTC))
        except GristmillError as error:
            yield Merged(night, None, str(error))
    yield from run_rounds(project)


def run_rounds(project: Project) -> Iterator[Round]:
    """The rounds that there is something to do for, a release that is due among them, each taken as far as it goes."""
    want_release(project, datetime.now(UTC))
    for one in due_rounds(project, datetime.now(UTC)):
        yield go_on(project, one.release, datetime.now(UTC))
