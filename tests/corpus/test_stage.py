"""Stage files that were damaged or made by somebody else: a step says which file it is and what is wrong with it."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.stage import StageWriter, read_rows, read_tables, rejects_path, run_step
from schemas.errors import InputError
from schemas.outcome import Dropped, Kept

TABLE = pa.schema(
    [
        pa.field("conversation_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("native_id", pa.string(), nullable=False),
        pa.field("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
    ]
)


def written(path: Path, n: int = 2000) -> Path:
    said = [{"role": "user", "content": "x" * 50}]
    with StageWriter(path, TABLE) as writer:
        for number in range(n):
            row = {"conversation_id": f"{number}", "source": "s", "native_id": "1", "messages": said}
            writer.write(row, n_bytes=100)
    return path


def pass_on(source: Path, output: Path) -> None:
    run_step(
        "pass", source, output, needs=TABLE, gives=TABLE, transform=lambda rows: ((row, Kept(row)) for row in rows)
    )


@pytest.mark.parametrize("read", [read_rows, read_tables])
def test_damage_in_the_middle_of_a_file_is_named(tmp_path: Path, read: Callable) -> None:
    """A disk's bad block is met long after the file was opened."""
    path = written(tmp_path / "rows.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:300] + bytes(len(whole) // 2) + whole[300 + len(whole) // 2 :])
    with pytest.raises(InputError, match=r"rows\.parquet cannot be read.*make it again"):
        list(read(path))


def test_a_column_of_another_type_is_refused_by_its_name(tmp_path: Path) -> None:
    """Else the step fails somewhere in its middle."""
    table = pq.read_table(written(tmp_path / "rows.parquet", 3))
    pq.write_table(table.set_column(3, "messages", pa.array(["a", "b", "c"])), tmp_path / "rows.parquet")
    with pytest.raises(InputError, match="column messages of .* is string, not list"):
        pass_on(tmp_path / "rows.parquet", tmp_path / "out.parquet")


def test_a_table_that_another_program_wrote_is_read(tmp_path: Path) -> None:
    """People filter a stage file with polars, which widens its types."""
    pl.read_parquet(written(tmp_path / "rows.parquet", 3)).write_parquet(tmp_path / "polars.parquet")
    pass_on(tmp_path / "polars.parquet", tmp_path / "out.parquet")
    assert list(read_rows(tmp_path / "out.parquet")) == list(read_rows(tmp_path / "rows.parquet"))


@pytest.mark.parametrize("place", [lambda path: path, rejects_path])
def test_a_step_never_overwrites_its_input(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    """Neither with what it keeps nor with what it drops."""
    output = tmp_path / "rows.parquet"
    source = written(place(output), 3)
    before = source.read_bytes()
    with pytest.raises(InputError, match="would overwrite the input"):
        run_step(
            "drop",
            source,
            output,
            needs=TABLE,
            gives=TABLE,
            transform=lambda rows: ((row, Dropped("too_short")) for row in rows),
        )
    assert source.read_bytes() == before
