"""What a judge could not rate for now: a later night takes it from the folder of the night that read it.

The logs' watermarks have moved on, and the log itself may be gone. So the rows come from what the earlier night pulled;
they go the whole road again, on the settings of the night that takes them. That night notes beside its pulled table
what it took and from whom. From then on it answers for these conversations: no other night takes them from the same
place, and the earlier night, run again, leaves them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.stage import Row, StageWriter, read_report, read_rows, rejects_path, require_columns
from corpus.stages import stage_file
from schemas.errors import InputError
from schemas.reasons import UNRATED_FOR_NOW
from schemas.tables import CARRIED, PULLED


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation that waits for a rating: the date and the folder of the night it waits in, and its ids there."""

    night: str
    folder: Path
    conversation_id: str
    content_id: str


def carried_path(pulled: Path) -> Path:
    """Where a night notes what it took from earlier ones."""
    return pulled.with_name(f"{pulled.stem}.carried.parquet")


def taken(folder: Path) -> list[dict[str, Any]]:
    """What a night took from earlier ones, as rows of table CARRIED.

    Raises:
        InputError: the note is damaged.
    """
    path = carried_path(stage_file(folder, "pull"))
    return list(read_rows(path)) if path.exists() else []


def waiting_after(folders: Iterable[Path]) -> list[Waiting]:
    """What still waits after these nights, given by their folders in the order they were first run.

    Costs nothing but the reading of reports where no night left anything.

    Raises:
        InputError: a table is damaged.
    """
    still: dict[str, Waiting] = {}
    for folder in folders:
        with _remedy(folder):
            for row in taken(folder):
                if (one := still.get(row["conversation_id"])) and one.night == row["night"]:
                    del still[one.conversation_id]
            still |= {one.conversation_id: one for one in _left_by(folder)}
    return list(still.values())


def _left_by(folder: Path) -> Iterator[Waiting]:
    judged = stage_file(folder, "judge")
    report = read_report(judged)
    if report is None or UNRATED_FOR_NOW not in report.held:
        return
    held = {row["conversation_id"] for row in read_rows(rejects_path(judged)) if row["reason"] == UNRATED_FOR_NOW}
    for row in read_rows(stage_file(folder, "decontaminate"), ["conversation_id", "content_id"]):
        if row["conversation_id"] in held:
            yield Waiting(folder.name, folder, row["conversation_id"], row["content_id"])


def pulled_rows(waiting: Sequence[Waiting]) -> Iterator[tuple[Waiting, Row]]:
    """Each with its row of table PULLED, night by night in the order of the rows.

    Raises:
        InputError: a table is damaged.
    """
    for folder in dict.fromkeys(one.folder for one in waiting):
        wanted = {one.conversation_id: one for one in waiting if one.folder == folder}
        with _remedy(folder):
            require_columns(stage_file(folder, "pull"), PULLED, "pull")
            for row in read_rows(stage_file(folder, "pull")):
                if one := wanted.get(row["conversation_id"]):
                    yield one, row


@contextmanager
def _remedy(folder: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(
            f"{error}; conversations of the night {folder.name} wait for the judge: restore that file, or move the "
            f"folder {folder} away to give them up"
        ) from error


def write_taken(pulled: Path, taken_over: Iterable[Waiting]) -> None:
    """Notes what the night took; the file is there only where there is something.

    Raises:
        CorpusError: the folder cannot be written, or the disk is full.
    """
    path, notes = carried_path(pulled), list(taken_over)
    if not notes:
        path.unlink(missing_ok=True)
        return
    with StageWriter(path, CARRIED) as writer:
        for one in notes:
            writer.write({name: getattr(one, name) for name in CARRIED.names}, n_bytes=200)
