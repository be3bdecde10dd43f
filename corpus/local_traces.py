"""What this machine still holds of withdrawn conversations: stage files, pages, drafts; found, listed, removed.

The index of seen conversations forgets the ids apart (`Seen.forget`). Hashes stay: read marks, which keep the logs from
being read anew, and the verdicts' numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.leaving import SaidText, chunks_of
from corpus.passages import Passages, letters
from corpus.stage import StageWriter, read_rows, read_tables, write_atomically
from corpus.stages import stage_file
from schemas.errors import InputError

_KEYS = {"conversation_id": "conversation_ids", "content_id": "ids", "id": "ids"}
_SKIPPED = (".parquet", ".sqlite", ".duckdb", ".wal", ".lock", ".safetensors", ".gguf")
"""Tables, which are looked through row by row, and files that hold numbers or hashes."""

_SKIPPED_FOLDERS = ("clone.git", "purge")
_MOST_BYTES = 256 * 2**20
"""No page, draft or record comes near this; what is larger is listed as not searched."""


@dataclass(frozen=True)
class LocalConversation:
    """A conversation in the stage files of this machine, perhaps never proposed; without `content_id`: not screened."""

    content_id: str | None
    conversation_id: str
    messages: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class Trace:
    """A file that holds withdrawn conversations: so many of its rows, or (None) somewhere in its text."""

    path: Path
    n_rows: int | None

    def to_json(self) -> dict[str, Any]:
        """Both fields."""
        return {"path": str(self.path), "rows": self.n_rows}


def find_local(nights: Path, *, prefix: str = "", subjects: Collection[str] = ()) -> list[LocalConversation]:
    """The conversations of all nights that an id's beginning means, or that are a contributor's; by conversation id."""
    found: dict[str, LocalConversation] = {}
    names = ("conversation_id", "content_id")
    for folder in sorted(path for path in nights.glob("*") if path.is_dir()):
        for row in _meant(stage_file(folder, "screen"), names, ["messages"], prefix, subjects):
            found[row["conversation_id"]] = LocalConversation(
                row["content_id"], row["conversation_id"], tuple(row["messages"])
            )
        for row in _meant(stage_file(folder, "pull"), names[:1], [], prefix, subjects):
            found.setdefault(row["conversation_id"], LocalConversation(None, row["conversation_id"]))
    return [found[name] for name in sorted(found)]


def _meant(
    file: Path, names: Sequence[str], more: Sequence[str], prefix: str, subjects: Collection[str]
) -> list[dict[str, Any]]:
    """The rows that are meant; `more` columns are read only where there are any."""
    if not file.exists():
        return []

    def is_meant(row: dict[str, Any]) -> bool:
        return row["subject"] in subjects or bool(prefix) and any(row[name].startswith(prefix) for name in names)

    if not any(is_meant(row) for row in read_rows(file, [*names, "subject"])):
        return []
    return [row for row in read_rows(file, [*names, "subject", *more]) if is_meant(row)]


class LocalTraces:
    """What `var` holds of these samples and conversations.

    Args:
        var: the folder of local state.
        ids: content ids of the withdrawn samples.
        conversation_ids: of the conversations.
    """

    def __init__(self, var: Path, ids: Collection[str], conversation_ids: Collection[str]) -> None:
        self._var = var
        self._names = {
            "ids": pa.array(sorted(ids), pa.string()),
            "conversation_ids": pa.array(sorted(conversation_ids), pa.string()),
        }  # noqa: E501
        self._passages = Passages(chunks_of(self._texts()))

    def found(self) -> list[Trace]:
        """The files, by path."""
        return sorted([*self._tables(), *self._files()], key=lambda trace: trace.path)

    def remove(self) -> list[Trace]:
        """Takes the rows out of the tables and removes the pages; gives what it touched.

        A night's page is made anew by `gristmill report`. Of other text files the lines go that quote.
        """
        traces = self.found()
        for trace in traces:
            if trace.n_rows is not None:
                self._rewrite(trace.path)
            elif trace.path.suffix == ".html":
                trace.path.unlink()
            else:
                self._cut(trace.path)
        return traces

    def _texts(self) -> Iterator[SaidText]:
        """What the conversations say, before and after redaction, as far as a table has it."""
        for file in self._parquet_files():
            schema = pq.read_schema(file)
            for table in self._matching(file):
                for row in table.to_pylist():
                    if "messages" in schema.names:
                        yield SaidText("", None, tuple(row["messages"]))
                    if "tree" in schema.names:
                        tree = orjson.loads(row["tree"])
                        said = [part.get("text") or "" for one in tree["messages"] for part in one["parts"]]
                        yield SaidText("", None, (), (*said, tree.get("title") or ""))

    def _parquet_files(self) -> Iterator[Path]:
        yield from sorted(path for path in self._var.rglob("*.parquet") if not self._is_skipped(path))

    def _is_skipped(self, path: Path) -> bool:
        return path.relative_to(self._var).parts[0] in _SKIPPED_FOLDERS

    def _tables(self) -> Iterator[Trace]:
        for file in self._parquet_files():
            if n_rows := sum(table.num_rows for table in self._matching(file)):
                yield Trace(file, n_rows)

    def _matching(self, file: Path) -> Iterator[pa.Table]:
        try:
            keys = [name for name in _KEYS if name in pq.read_schema(file).names]
            for table in read_tables(file) if keys else ():
                yield table.filter(self._is_withdrawn(table))
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"{file} cannot be read ({error}); remove it, it may hold withdrawn text") from error

    def _is_withdrawn(self, table: pa.Table) -> pa.Array:
        """A mask of the rows that bear one of the names."""
        mask = pa.array([False] * table.num_rows)
        for column in (name for name in _KEYS if name in table.schema.names):
            mask = pc.or_(mask, pc.is_in(table[column], value_set=self._names[_KEYS[column]]))
        return mask

    def _rewrite(self, file: Path) -> None:
        with StageWriter(file, pq.read_schema(file)) as writer:
            for table in read_tables(file):
                writer.write_table(table.filter(pc.invert(self._is_withdrawn(table))))

    def _files(self) -> Iterator[Trace]:
        if not self._passages:
            return
        for file in sorted(self._var.rglob("*")):
            is_text = file.is_file() and not self._is_skipped(file) and file.suffix not in _SKIPPED
            if is_text and (file.stat().st_size > _MOST_BYTES or self._passages.met(letters(file.read_bytes()))):
                yield Trace(file, None)

    def _cut(self, file: Path) -> None:
        lines = file.read_bytes().splitlines(keepends=True)
        write_atomically(file, b"".join(line for line in lines if not self._passages.met(letters(line))))


def records_of(var: Path, kind: str, releases: Collection[str]) -> list[tuple[str, dict[str, Any]]]:
    """The experts, rounds or exports (`kind` is their folder in `var`) made of one of these releases: name and record.

    A record is a JSON object whose `release` is a tag, or has one under `tag`; its name is its `name`, else
    the file's path below the folder, without its ending.

    Raises:
        InputError: a record is damaged.
    """
    found = []
    for file in sorted((var / kind).rglob("*.json")) if releases else ():
        try:
            plain = orjson.loads(file.read_bytes())
        except orjson.JSONDecodeError as error:
            raise InputError(f"{file} is damaged ({error}); mend or remove it") from error
        release = plain.get("release") if isinstance(plain, dict) else None
        if (release.get("tag") if isinstance(release, dict) else release) in releases:
            name = file.relative_to(var / kind).with_suffix("").as_posix()
            found.append((str(plain.get("name") or name), plain))
    return found
