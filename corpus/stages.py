"""The files of a night's folder: for each step the table that it writes, in the order of the road."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from schemas.tables import DISTINCT, JUDGED, PULLED, SAMPLES, SCREENED, SELECTED


class Stage(NamedTuple):
    """What a step writes: the stem of its file's name, and the table in it."""

    stem: str
    table: pa.Schema


STEPS: dict[str, Stage] = {
    "pull": Stage("pulled", PULLED),
    "screen": Stage("screened", SCREENED),
    "deduplicate": Stage("distinct", DISTINCT),
    "decontaminate": Stage("decontaminated", DISTINCT),
    "judge": Stage("judged", JUDGED),
    "select": Stage("selected", SELECTED),
    "validate": Stage("samples", SAMPLES),
}


def stage_file(folder: Path, step: str) -> Path:
    """The file that a step writes in a night's folder. `step` is a key of `STEPS`."""
    return folder / f"{STEPS[step].stem}.parquet"
