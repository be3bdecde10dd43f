"""Stage files: Parquet tables between the steps, written to a temporary name and renamed, read in small batches.

Beside `night.parquet` stand `night.rejects.parquet` (what was dropped or held, and why) and, last of all,
`night.report.json` (the counts): its existence means that the step is complete.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import CorpusError, InputError
from schemas.outcome import Dropped, Held, Kept, Outcome, StepReport
from schemas.reasons import REASONS
from schemas.tables import REJECTED

Row = dict[str, Any]
Transform = Callable[[Iterator[Row]], Iterable[tuple[Row, Outcome[Row]]]]

GROUP_ROWS = 512
GROUP_BYTES = 16 * 2**20
"""A row group is written when either is reached: a bound on what a reader or writer holds in memory."""


class StageWriter:
    """Writes rows to a Parquet file that appears under its name only when it is complete.

    Use as a context manager; leaving it through an exception removes the temporary file.

    Raises:
        CorpusError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._schema = schema
        self._rows: list[Row] = []
        self._n_bytes = 0
        self.n_rows = 0

    def __enter__(self) -> StageWriter:
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._temporary, self._schema, compression="zstd")
        return self

    def write(self, row: Mapping[str, Any], n_bytes: int = 0) -> None:
        """Adds one row; keys that the schema lacks are left out. `n_bytes` is its size, when the caller knows it."""
        self._rows.append({name: row.get(name) for name in self._schema.names})
        self._n_bytes += n_bytes or _size(row)
        self.n_rows += 1
        if len(self._rows) >= GROUP_ROWS or self._n_bytes >= GROUP_BYTES:
            self._flush()

    def write_table(self, table: pa.Table) -> None:
        """Adds rows that are in Arrow already, as a row group of their own; columns the schema lacks are left out."""
        self._flush()
        with disk_errors(self.path):
            self._writer.write_table(table.select(self._schema.names).cast(self._schema))
        self.n_rows += table.num_rows

    def _flush(self) -> None:
        if self._rows:
            with disk_errors(self.path):
                self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._n_bytes = [], 0

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._flush()
            with disk_errors(self.path):
                self._writer.close()
            if kind is None:
                self._temporary.replace(self.path)
        finally:
            self._temporary.unlink(missing_ok=True)


class disk_errors:  # noqa: N801 (reads as a verb phrase in a with statement)
    """Turns an operating system's refusal into a CorpusError that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise CorpusError(
                f"cannot write {self._path}: {error.strerror or error}; free space or allow writing there, "
                "then run the same command again"
            ) from error


def _size(row: Mapping[str, Any]) -> int:
    return len(row.get("tree") or "") * 2


def read_rows(path: Path, columns: list[str] | None = None) -> Iterator[Row]:
    """The rows of a stage file, one at a time; a few megabytes are in memory at once.

    Raises:
        InputError: the file is missing, damaged, or not a Parquet table.
    """
    with _open(path) as file, _read_errors(path):
        for batch in file.iter_batches(batch_size=64, columns=columns, use_threads=False):
            yield from batch.to_pylist()


def read_tables(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a stage file in slices of at most `GROUP_ROWS` rows, for steps that stay in Arrow.

    Raises:
        InputError: the file is missing, damaged, or not a Parquet table.
    """
    with _open(path) as file, _read_errors(path):
        for group in range(file.num_row_groups):  # one by one: a batch across groups would have no bound in bytes
            for batch in file.iter_batches(GROUP_ROWS, row_groups=[group], columns=columns, use_threads=False):
                yield pa.Table.from_batches([batch])


def n_rows(path: Path) -> int:
    """The number of rows of a stage file, read from its footer."""
    with _open(path) as file:
        return int(file.metadata.num_rows)


def _open(path: Path) -> pq.ParquetFile:
    with _read_errors(path):
        return pq.ParquetFile(path)


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; make it with the step before, such as `gristmill pull`") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{path} cannot be read as a stage file (Parquet): {error}; make it again with the step before"
        ) from error


def require_columns(path: Path, schema: pa.Schema, step: str) -> None:
    """Checks that a stage file has the columns a step needs, of a type that can be read as theirs.

    Raises:
        InputError: naming the columns that are missing or of another type.
    """
    with _open(path) as file:
        found: pa.Schema = file.schema_arrow
    missing = [name for name in schema.names if name not in found.names]
    if missing:
        names = ", ".join(missing)
        raise InputError(f"{path} lacks the columns {names} that `{step}` needs; run the step before it first")
    for name in schema.names:
        if not _can_be(found.field(name).type, schema.field(name).type):
            kinds = f"{found.field(name).type}, not {schema.field(name).type}"
            raise InputError(f"column {name} of {path} is {kinds}; `{step}` reads what the step before it wrote")


def _can_be(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values can be cast: other programs that read and wrote the table may have widened its types."""
    if found == wanted:
        return True
    try:
        pa.array([], found).cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return False
    return True


def rejects_path(output: Path) -> Path:
    """Where a step writes what it dropped or held."""
    return output.with_name(f"{output.stem}.rejects.parquet")


def report_path(output: Path) -> Path:
    """Where a step writes its counts; the file is written last."""
    return output.with_name(f"{output.stem}.report.json")


def refuse_overwriting(source: Path, output: Path, *beside: Path) -> None:
    """Checks that what a step writes (`beside`: further files of its own) does not take the place of what it reads.

    Raises:
        InputError: the output, or a file that is written beside it, is the input.
    """
    written = (output, rejects_path(output), report_path(output), *beside)
    if source.resolve() in {path.resolve() for path in written}:
        raise InputError(f"writing {output} would overwrite the input {source}; give the output another name")


def run_step(
    step: str,
    source: Path,
    output: Path,
    *,
    needs: pa.Schema,
    gives: pa.Schema,
    transform: Transform,
    facts: Callable[[], Mapping[str, Any]] = dict,
    on_row: Callable[[], None] | None = None,
) -> StepReport:
    """Runs one step on files: every row of `source` ends in `output` or in its rejects.

    `transform` takes the rows and gives each back once (any order) with its outcome. `facts` is called at the end for
    further values of the report. `on_row` is called after each row, for a progress bar.

    Raises:
        InputError: the input lacks columns, or is the output. CorpusError: the output cannot be written.
    """
    started = time.monotonic()
    require_columns(source, needs, step)
    refuse_overwriting(source, output)
    with disk_errors(output):
        report_path(output).unlink(missing_ok=True)
    counts: dict[str, Counter[str]] = {"dropped": Counter(), "held": Counter()}
    kept = 0
    with StageWriter(output, gives) as writer, StageWriter(rejects_path(output), REJECTED) as rejects:
        for row, outcome in transform(read_rows(source)):
            if isinstance(outcome, Kept):
                writer.write(outcome.value)
                kept += 1
            else:
                rejects.write(rejected_row(row, outcome), n_bytes=200)
                counts["held" if isinstance(outcome, Held) else "dropped"][outcome.reason] += 1
            if on_row:
                on_row()
    report = StepReport(
        step=step,
        n_in=n_rows(source),
        kept=kept,
        dropped=counts["dropped"],
        held=counts["held"],
        seconds=time.monotonic() - started,
        outputs=(str(output), str(rejects_path(output))),
        facts=facts(),
    )
    write_report(report, output)
    return report


def rejected_row(row: Mapping[str, Any], outcome: Dropped | Held) -> Row:
    """The row of the rejects file for one outcome."""
    assert outcome.reason in REASONS, f"{outcome.reason!r} is not a reason code of schemas/reasons.py"
    status = "held" if isinstance(outcome, Held) else "dropped"
    return {
        "conversation_id": row["conversation_id"],
        "source": row["source"],
        "native_id": row["native_id"],
        "status": status,
        "reason": outcome.reason,
        "evidence": outcome.evidence[:500],
    }


def write_report(report: StepReport, output: Path) -> None:
    """Writes the step's counts beside its output, atomically and last."""
    write_atomically(report_path(output), orjson.dumps(report.to_json(), option=orjson.OPT_INDENT_2))


def read_report(output: Path) -> StepReport | None:
    """The counts of a complete step, None when it did not end."""
    with suppress(FileNotFoundError):
        return StepReport.from_json(orjson.loads(report_path(output).read_bytes()))
    return None


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a small file under a temporary name and renames it.

    Raises:
        CorpusError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
