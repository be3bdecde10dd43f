"""What this machine still holds of withdrawn conversations: stage files, pages, drafts, exports; listed and removed.

What can be made anew goes whole: an export whose digests would be wrong without a row, a page, a downloaded log. Other
tables lose rows, other texts lines. What was written outside `var` is not looked for. The index of seen conversations
forgets the ids apart (`Seen.forget`), as do the verdicts and the picks, whose embeddings tell what a conversation was
about. Hashes stay: the read marks, which keep the logs from being read anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.export.folder import MANIFEST
from corpus.leaving import SaidText, chunks_of
from corpus.passages import Passages, letters
from corpus.stage import StageWriter, read_rows, read_tables, write_atomically
from corpus.stages import stage_file
from schemas.errors import InputError

_KEYS = {"conversation_id": "conversation_ids", "content_id": "ids", "id": "ids"}
_SKIPPED = (".parquet", ".sqlite", ".duckdb", ".wal", ".lock", ".safetensors", ".gguf")
"""Tables, which are looked through row by row, and files that hold numbers or hashes."""

_SKIPPED_FOLDERS = ("clone.git", "purge")
_BLOCK_BYTES = 64 * 2**20
"""Of lines in memory at once."""

_OF_LINES = (".jsonl", ".log", ".txt", ".md", ".csv", ".tsv")
_DATABASES = (".db", ".db-wal", ".db-shm", ".db-journal")
_STALE_FOLDERS = ("downloads", "verify")
"""Logs that the next night fetches anew, perhaps compressed; and what a killed `gristmill release verify` left."""

How = Literal["rows", "lines", "file", "folder", "left"]


@dataclass(frozen=True)
class LocalConversation:
    """A conversation in the stage files of this machine, perhaps never proposed; without `content_id`: not screened."""

    content_id: str | None
    conversation_id: str
    messages: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class Trace:
    """A place that holds withdrawn conversations, and how it is cleaned.

    `rows`: so many rows (`n_rows`) leave a table. `lines`: those that quote leave a text. `file`, `folder`: it goes
    whole. `left`: a database of another program, which a person must look after.
    """

    path: Path
    n_rows: int | None
    how: How

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {"path": str(self.path), "rows": self.n_rows, "how": self.how}


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
        releases: tags of releases that had them; all exports of those count.
    """

    def __init__(
        self, var: Path, ids: Collection[str], conversation_ids: Collection[str], releases: Collection[str] = ()
    ) -> None:
        self._var = var
        self._names = {
            "ids": pa.array(sorted(ids), pa.string()),
            "conversation_ids": pa.array(sorted(conversation_ids), pa.string()),
        }
        self._measured = frozenset(ids)
        self._releases = frozenset(releases)
        self._passages = Passages(chunks_of(self._texts()))

    def also(self, passages: Passages, common: Collection[bytes]) -> None:
        """Looks for these passages, too, and for none of those in common with what stays."""
        self._passages = Passages([*self._passages.without(common).wanted, *passages.wanted])

    def found(self) -> list[Trace]:
        """The places, by path."""
        traces = {trace.path: trace for trace in chain(self._exports(), self._measurements())}
        for trace in chain(self._tables(), self._files(traces)):
            whole = self._export_with(trace.path)
            found = Trace(whole, None, "folder") if whole else trace
            traces.setdefault(found.path, found)
        return [traces[path] for path in sorted(traces)]

    def remove(self) -> list[Trace]:
        """Cleans them and gives what it touched. Tables come last: what they say is what the others are searched for.

        A night's page is made anew by `gristmill report`, an export by `gristmill export`.
        """
        stale = [Trace(folder, None, "folder") for name in _STALE_FOLDERS if (folder := self._var / name).is_dir()]
        traces = [*stale, *self.found()]
        for trace in sorted(traces, key=lambda trace: trace.how == "rows"):
            self._clean(trace)
        return traces

    def _clean(self, trace: Trace) -> None:
        if trace.how == "rows":
            self._rewrite(trace.path)
        elif trace.how == "lines":
            self._cut(trace.path)
        elif trace.how == "file":
            trace.path.unlink(missing_ok=True)
        elif trace.how == "folder":
            shutil.rmtree(trace.path)

    def _texts(self) -> Iterator[SaidText]:
        """What the conversations say, before and after redaction, as far as a table has it."""
        for file in self._parquet_files():
            schema = _schema(file)
            for table in self._named(file) if "messages" in schema.names or "tree" in schema.names else ():
                for row in table.to_pylist():
                    if "messages" in schema.names:
                        yield SaidText("", None, tuple(row["messages"]))
                    if "tree" in schema.names:
                        tree = orjson.loads(row["tree"])
                        said = [part.get("text") or "" for one in tree["messages"] for part in one["parts"]]
                        yield SaidText("", None, (), (*said, tree.get("title") or ""))

    # Tables.

    def _parquet_files(self) -> Iterator[Path]:
        yield from sorted(path for path in self._var.rglob("*.parquet") if not self._is_skipped(path))

    def _is_skipped(self, path: Path) -> bool:
        return path.relative_to(self._var).parts[0] in _SKIPPED_FOLDERS

    def _tables(self) -> Iterator[Trace]:
        for file in self._parquet_files():
            if n_rows := sum(pc.sum(self._is_withdrawn(table)).as_py() or 0 for table in _tables_of(file)):
                yield Trace(file, n_rows, "rows")

    def _named(self, file: Path) -> Iterator[pa.Table]:
        """The rows that bear one of the names."""
        if not set(_KEYS).isdisjoint(_schema(file).names):
            for table in _tables_of(file):
                yield table.filter(self._is_withdrawn(table))

    def _is_withdrawn(self, table: pa.Table) -> pa.Array:
        """A mask of the rows that bear one of the names, or in a table without names, of those that quote."""
        keys = [name for name in _KEYS if name in table.schema.names]
        if not keys and self._passages:
            return pa.array([self._quotes(orjson.dumps(row, default=str)) for row in table.to_pylist()], pa.bool_())
        mask = pa.array([False] * table.num_rows)
        for column in keys:
            mask = pc.or_(mask, pc.is_in(table[column], value_set=self._names[_KEYS[column]]))
        return mask

    def _rewrite(self, file: Path) -> None:
        with StageWriter(file, pq.read_schema(file)) as writer:
            for table in read_tables(file):
                writer.write_table(table.filter(pc.invert(self._is_withdrawn(table))))

    # Everything else.

    def _exports(self) -> Iterator[Trace]:
        """The exports of the releases."""
        for file in sorted(self._var.rglob(MANIFEST)) if self._releases else ():
            if (whole := self._export_with(file)) and _release_of(file) in self._releases:
                yield Trace(whole, None, "folder")

    def _export_with(self, path: Path) -> Path | None:
        """The export that a file is part of: all of a round's exports together, as one manifest names their files."""
        parts = path.relative_to(self._var).parts
        if parts[0] == "exports" and len(parts) > 2:
            return self._var / "exports" / parts[1]
        above = [folder for folder in path.parents if folder.is_relative_to(self._var) and folder != self._var]
        return next((folder for folder in above if (folder / MANIFEST).is_file()), None)

    def _measurements(self) -> Iterator[Trace]:
        """What the judge measured of a conversation: numbers that its text can be guessed from."""
        for file in sorted((self._var / "measurements").rglob("*.safetensors")):
            if file.stem in self._measured:
                yield Trace(file, None, "file")

    def _files(self, known: Collection[Path]) -> Iterator[Trace]:
        if not self._passages:
            return
        for file in sorted(self._var.rglob("*")):
            is_text = file.is_file() and not self._is_skipped(file) and file.suffix not in _SKIPPED
            if is_text and self._export_with(file) not in known and self._is_quoting(file):
                is_anothers = file.suffix in _DATABASES or file.is_symlink()
                how: How = "left" if is_anothers else "lines" if file.suffix in _OF_LINES else "file"
                yield Trace(file, None, how)

    def _quotes(self, content: bytes) -> bool:
        return bool(self._passages.met(letters(content)))

    def _is_quoting(self, file: Path) -> bool:
        with file.open("rb") as opened:
            return any(self._quotes(b"".join(lines)) for lines in iter(lambda: opened.readlines(_BLOCK_BYTES), []))

    def _cut(self, file: Path) -> None:
        """Takes the lines out that quote, and all of it where a quotation stretches over several."""
        kept = [line for line in file.read_bytes().splitlines(keepends=True) if not self._quotes(line)]
        write_atomically(file, b"".join(kept))
        if self._is_quoting(file):
            file.unlink()


def _tables_of(file: Path) -> Iterator[pa.Table]:
    try:
        yield from read_tables(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(file, error) from error


def _schema(file: Path) -> pa.Schema:
    try:
        return pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> InputError:
    return InputError(f"{file} cannot be read ({error}); remove it, it may hold withdrawn text")


def _release_of(manifest: Path) -> str | None:
    """The tag in an export's manifest; None where it cannot be told."""
    try:
        plain = orjson.loads(manifest.read_bytes())
    except orjson.JSONDecodeError:
        return None
    release = plain.get("release") if isinstance(plain, dict) else None
    return str(release.get("tag")) if isinstance(release, dict) else None


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
