"""pull: chat systems' logs become conversations, one row each; the first step of the road.

Sources are read in the order of the settings, files by path, records as they stand, so the same logs give the same
bytes. Beside the output stand the rejects, the quarantine (one JSON line for each record that could not be read, with
its place) and, last, the report. In a night the watermarks say what earlier nights have read; they are written when the
output is in place, so that a night which is killed and run again gives the same.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpus.carried import Waiting, carried_path, pulled_rows, write_taken
from corpus.sources.files import is_named, matching_files, shown
from corpus.sources.log_file import LogFile, Terms, pulled_row
from corpus.sources.problems import DamagedFile, UnknownLog
from corpus.sources.quarantine import Quarantine
from corpus.sources.reading import Found, Reading
from corpus.sources.registry import SourceType, source_type
from corpus.sources.snapshot import Digests, digests_of, stat_of
from corpus.sources.window import Place
from corpus.stage import Row, StageWriter, refuse_overwriting, rejected_row, rejects_path, report_path, write_report
from corpus.watermarks import FileMark, Watermarks
from schemas.canonical import digest, short_id
from schemas.conversation import Conversation
from schemas.errors import InputError
from schemas.outcome import Dropped, Held, StepReport
from schemas.settings import SourceSettings
from schemas.tables import PULLED, REJECTED

__all__ = ["matching_files", "pull"]

_MEGABYTE = 10**6
_MAX_LISTED = 100
"""So many places of damage are in the report; all are in the quarantine."""


def pull(
    sources: Sequence[SourceSettings],
    output: Path,
    *,
    root: Path,
    subject_key: bytes,
    max_record_mb: int = 32,
    licences: Sequence[str] = (),
    hold_unconsented: bool = False,
    watermarks: Watermarks | None = None,
    waiting: Sequence[Waiting] = (),
    night: str = "",
    sequence: int = 0,
    on_bytes: Callable[[int], None] | None = None,
) -> StepReport:
    """Reads the sources into a PULLED file and reports what became of every record.

    Args:
        sources: where the logs are, with consent, licence and type as the settings state them.
        output: the Parquet file to write.
        root: relative paths start here.
        subject_key: the secret that pseudonymises user ids.
        max_record_mb: a larger record is unreadable.
        licences: what the corpus accepts; empty: any.
        hold_unconsented: in a night: what has no consent or no accepted licence is held, and a missing source does not
            stop the others.
        watermarks: what earlier nights have read; None: everything is read.
        waiting: what earlier nights left to be judged. It is taken over after the sources, where its source is still
            read on the same terms; what the logs gave anew counts as taken over.
        night: the night's date.
        sequence: the night's number, which the watermarks are kept under.
        on_bytes: told how many bytes were read, for a progress bar.

    Raises:
        InputError: nothing that was named can be read; the output is one of the logs; or, outside a night, one of the
            paths does not exist.
        SettingsError: a source's type is unknown. CorpusError: the output cannot be written.
    """
    terms = Terms(root, subject_key, max_record_mb * _MEGABYTE, tuple(licences), hold_unconsented)
    sources = [source.model_copy(update={"name": shown(source.name)}) for source in sources]  # a path may be the name
    types = [source_type(source.type) if source.type else None for source in sources]
    started = time.monotonic()
    for source in sources:
        if is_named(source, root):
            refuse_overwriting(root / source.path, output)
    report_path(output).unlink(missing_ok=True)
    with (
        StageWriter(output, PULLED) as writer,
        StageWriter(rejects_path(output), REJECTED) as rejects,
        Quarantine(output) as quarantine,
    ):
        night_pull = _Pull(terms, writer, rejects, quarantine, watermarks, sequence, on_bytes)
        for source, kind in zip(sources, types, strict=True):
            night_pull.read_source(source, kind)
        night_pull.take_over(waiting, sources)
        night_pull.refuse_nothing()
    if watermarks is not None:
        write_taken(output, night_pull.taken)
        watermarks.replace(sequence, night, night_pull.marks, night_pull.pulled)
    report = night_pull.report(output, time.monotonic() - started)
    write_report(report, output)
    return report


@dataclass
class _Pull:
    """One run of pull: where it writes, and what it has counted."""

    terms: Terms
    writer: StageWriter
    rejects: StageWriter
    quarantine: Quarantine
    watermarks: Watermarks | None
    sequence: int
    on_bytes: Callable[[int], None] | None
    marks: list[tuple[str, Path, FileMark]] = field(default_factory=list)
    pulled: list[tuple[str, str]] = field(default_factory=list)
    taken: list[Waiting] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    damaged: list[dict[str, Any]] = field(default_factory=list)
    names: dict[str, list[str]] = field(
        default_factory=lambda: {"missing": [], "failed_sources": [], "empty_files": []}
    )
    counts: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    _n_unknown: int = 0
    _seen: dict[bytes, bool] = field(default_factory=dict)  # by conversation id, whether it was kept

    def read_source(self, source: SourceSettings, wanted: SourceType | None) -> None:
        """Reads the files of a source. In a night a source that is missing does not stop the others."""
        try:
            files = matching_files(source, self.terms.root)
        except InputError as error:
            if not self.terms.is_night:
                raise
            self.problems.append(str(error))
            self.names["failed_sources"].append(f"{source.name} ({error})")
            return
        if not files:
            self.names["missing"].append(shown(source.path))
            self.problems.append(f"source {source.name!r}: nothing matches {shown(source.path)}")
        for file in files:
            refuse_overwriting(file, self.writer.path, self.quarantine.path)
            self._read_file(LogFile(file, shown(file, self.terms.root), source, self._key(source), wanted, self.terms))

    def _key(self, source: SourceSettings) -> str:
        """Names a source as it is configured: other marks do not count for it."""
        facts = [source.name, source.type, source.consent, source.licence, sorted(self.terms.licences)]
        return digest(facts)[:16]

    def _read_file(self, file: LogFile) -> None:
        try:
            stat = stat_of(file.path)
            mark = self._mark(file)
            if mark and (mark.size, mark.mtime_ns) == (stat.size, stat.mtime_ns):
                self.counts["files_unchanged"] += 1
                return
            digests = digests_of(file.path, stat.size, mark.offset if mark else 0)
        except DamagedFile as error:
            self._unreadable(file, Found(Place(0, 0, 1), None, reason=str(error)))
            return
        if mark and (mark.size, mark.digest) == (stat.size, digests.whole):
            self.counts["files_unchanged"] += 1
            return
        has_grown = mark is not None and mark.offset > 0 and mark.offset_digest == digests.old
        reading = Reading(
            file.path,
            stat.size,
            self.terms.max_record_bytes,
            file.wanted,
            (mark.offset, mark.line) if mark and has_grown else None,
            self.on_bytes,
        )
        self._read_records(file, reading, digests)
        self.counts["files"] += 1
        self.counts["bytes"] += stat.size - (mark.offset if mark and reading.has_resumed else 0)
        if not reading.is_passing:
            at = (digests.line_end, digests.line, digests.to_line_end) if reading.is_lines else (0, 1, "")
            self.marks.append((file.source_key, file.path, FileMark(stat.size, stat.mtime_ns, digests.whole, *at)))

    def _mark(self, file: LogFile) -> FileMark | None:
        if self.watermarks is None:
            return None
        return self.watermarks.file_mark(file.source_key, file.path, before=self.sequence)

    def _read_records(self, file: LogFile, reading: Reading, digests: Digests) -> None:
        try:
            for found in reading.found():
                self._take(file, found, digests)
        except UnknownLog as error:
            self.problems.append(f"{file.label}: {error}")
            self._n_unknown += 1
            self._unreadable(file, Found(Place(0, reading.size, 1), None, reason=str(error)))
            return
        self.counts["calls_merged"] += reading.n_merged
        if not reading.n_items and not reading.has_resumed:
            self.names["empty_files"].append(file.label)
            if is_named(file.source, self.terms.root):
                self.problems.append(f"{file.label} is empty: there is no record in it")

    def _take(self, file: LogFile, found: Found, digests: Digests) -> None:
        if found.draft is None or found.type is None:
            if found.is_empty:
                self._reject(file, found, Dropped("no_content", f"{file.place(found)}: {found.reason}"))
            else:
                self._unreadable(file, found)
            return
        try:
            conversation = file.conversation(found.draft, found.type, digests.whole)
            row = pulled_row(conversation)
        except (TypeError, InputError) as error:  # canonical JSON has a limit of depth, paths have a beginning
            self._unreadable(file, Found(found.place, found.type, reason=f"it cannot be stored: {error}"))
            return
        self._keep(file, found, conversation, row)

    def _keep(self, file: LogFile, found: Found, conversation: Conversation, row: Row) -> None:
        if self.watermarks and self.watermarks.is_pulled(file.source_key, conversation.id, before=self.sequence):
            self.counts["already_pulled"] += 1
            return
        self.types[found.type.name if found.type else ""] += 1
        identity = bytes.fromhex(conversation.id)
        outcome: Dropped | Held | None = self.terms.objection(conversation)
        if identity in self._seen:
            outcome = Dropped("exact_duplicate", f"{file.place(found)} repeats conversation {conversation.id}")
        self._seen[identity] = self._seen.get(identity, outcome is None)
        self.pulled.append((file.source_key, conversation.id))
        if outcome is None:
            self.writer.write(row)
        else:
            self._write_reject(row, outcome)

    def take_over(self, waiting: Sequence[Waiting], sources: Sequence[SourceSettings]) -> None:
        """Writes what waits for the judge since earlier nights, with its counts as if a log had held it."""
        keys = [(source.name, self._key(source)) for source in sources]
        for one, row in pulled_rows(waiting):
            identity = bytes.fromhex(one.conversation_id)
            if self._seen.get(identity):
                self.taken.append(one)
            elif identity not in self._seen and self._is_on_same_terms(row, keys):
                self.taken.append(one)
                self._seen[identity] = True
                self.counts["carried"] += 1
                self.writer.write(row)

    def _is_on_same_terms(self, row: Row, keys: Sequence[tuple[str, str]]) -> bool:
        """Whether a source of the settings, as it stands there now, has given this conversation."""
        assert self.watermarks is not None, "what waits is a matter of nights"
        same = [key for name, key in keys if name == row["source"]]
        identity = row["conversation_id"]
        return any(self.watermarks.is_pulled(key, identity, before=self.sequence) for key in same)

    def _unreadable(self, file: LogFile, found: Found) -> None:
        entry = file.quarantined(found)
        self.quarantine.write(entry)
        if len(self.damaged) < _MAX_LISTED:
            self.damaged.append({"file": entry["file"], "offset": found.place.offset, "what": found.reason})
        self._reject(file, found, Dropped("unreadable", f"{file.place(found)}: {found.reason}"))

    def _reject(self, file: LogFile, found: Found, outcome: Dropped) -> None:
        place = [file.source.name, file.label, found.member, found.place.offset, found.place.end, outcome.reason]
        native_id = found.native_id or file.place(found)
        row = {"conversation_id": short_id(place), "source": file.source.name, "native_id": native_id}
        self._write_reject(row, outcome)

    def _write_reject(self, row: Row, outcome: Dropped | Held) -> None:
        self.rejects.write(rejected_row(row, outcome), n_bytes=300)
        (self.held if isinstance(outcome, Held) else self.dropped)[outcome.reason] += 1

    def refuse_nothing(self) -> None:
        """Raises InputError when nothing that was named could be read at all."""
        n_records = sum(self.types.values()) + sum(
            self.counts[key] for key in ("files_unchanged", "already_pulled", "carried")
        )
        n_other = self.dropped.total() - self._n_unknown
        is_hopeless = not self.terms.is_night or len(self.problems) == len(self.names["failed_sources"])
        if self.problems and is_hopeless and not n_records and not n_other:
            raise InputError("\n".join(self.problems[:10]))

    def report(self, output: Path, seconds: float) -> StepReport:
        """The counts, and where everything is."""
        kept = self.writer.n_rows
        outputs = [output, rejects_path(output)]
        outputs += [self.quarantine.path] if self.quarantine.n_entries else []
        outputs += [carried_path(output)] if self.taken else []
        facts: dict[str, Any] = {key: self.counts[key] for key in ("files", "bytes")}
        facts |= {"types": dict(sorted(self.types.items())), "quarantined": self.quarantine.n_entries}
        facts |= {key: self.counts[key] for key in ("files_unchanged", "already_pulled", "carried", "calls_merged")}
        return StepReport(
            step="pull",
            n_in=kept + self.dropped.total() + self.held.total(),
            kept=kept,
            dropped=self.dropped,
            held=self.held,
            seconds=seconds,
            outputs=tuple(str(path) for path in outputs),
            facts={**facts, "damaged": self.damaged, **self.names},
        )
