"""Which files a source means: a file, everything in a folder, or a glob; and how their names are shown."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import InputError, nearest
from schemas.settings import SourceSettings

_COMPANIONS = ("-wal", "-shm", "-journal")
_OWN = (".quarantine.jsonl", ".rejects.parquet", ".report.json")
"""Not logs: parts of a database that are read with it, and what pull itself writes."""


def matching_files(source: SourceSettings, root: Path) -> list[Path]:
    """The files that a source means, sorted by path; a relative path starts at `root`.

    A folder means all files below it, without hidden ones. A glob may match nothing.

    Raises:
        InputError: a path that is no glob does not exist, is no regular file, or a folder cannot be listed.
    """
    path = root / source.path
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted(_files_below(path), key=os.fsencode)
    if path.exists():
        raise InputError(f"source {source.name!r}: {shown(path)} is neither a file nor a folder")
    if not glob.has_magic(source.path):
        raise InputError(f"source {source.name!r}: {shown(path)} does not exist{_neighbour(path)}")
    names = glob.iglob(source.path, root_dir=root, recursive=True)  # noqa: PTH207 (Path.glob finds hidden files, too)
    found = (root / name for name in names)
    return sorted((file for file in found if file.is_file() and not _is_other(file)), key=os.fsencode)


def is_named(source: SourceSettings, root: Path) -> bool:
    """Whether a source names one file, and not a folder or a glob."""
    return (root / source.path).is_file()


def _files_below(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder, onerror=_not_listed):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(at) / name
            if not name.startswith(".") and file.is_file() and not _is_other(file):
                yield file


def _is_other(file: Path) -> bool:
    return file.name.endswith(_OWN) or any(
        file.name.endswith(suffix) and file.with_name(file.name.removesuffix(suffix)).is_file()
        for suffix in _COMPANIONS
    )


def _not_listed(error: OSError) -> None:
    raise InputError(f"the folder {shown(error.filename)} cannot be listed: {error.strerror}") from error


def _neighbour(path: Path) -> str:
    try:
        return nearest(path.name, sorted(entry.name for entry in path.parent.iterdir()))
    except OSError:
        return f"; its folder {shown(path.parent)} does not exist either"


def shown(path: Path | str, root: Path | None = None) -> str:
    """A path as text that can be printed and stored: relative where it lies below `root`, odd characters escaped."""
    if root is not None and Path(path).is_relative_to(root):
        path = Path(path).relative_to(root)
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
