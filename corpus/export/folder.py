"""The folder of an export: it appears whole or not at all, and only an export's own folder is ever replaced."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from corpus.stage import disk_errors
from schemas.canonical import file_digest
from schemas.errors import CorpusError, InputError

MANIFEST = "export.json"
MARK = "gristmill_export"
"""The key of the manifest by which an export is known as ours; its value is the manifest's version."""
VERSION = 1


@contextmanager
def export_folder(folder: Path) -> Iterator[Path]:
    """Gives an empty folder to write to, which takes the place of `folder` when the block ends without an exception.

    What a killed export left behind is removed, and the earlier export that it had moved aside is put back.

    Raises:
        InputError: `folder` is a file, or holds something else than an export of ours.
        CorpusError: the disk refuses, or another process is writing there.
    """
    folder = folder.absolute()
    if folder.is_symlink():
        folder = folder.resolve()
    refuse_foreign(folder)
    new, old = (folder.with_name(f".{folder.name}.export-{state}") for state in ("new", "old"))
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder.parent, os.O_RDONLY)
    try:
        _lock(lock, folder)
        with disk_errors(folder):
            if old.exists() and not folder.exists():  # killed in the middle of taking its place
                old.rename(folder)
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
        yield new
        refuse_foreign(folder)  # something may have been put there meanwhile
        with disk_errors(folder):
            _take_place(new, folder, old)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        os.close(lock)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CorpusError(
            f"another export is writing to {folder.parent}; wait for it, or export into another folder"
        ) from error


def _take_place(new: Path, folder: Path, old: Path) -> None:
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def refuse_foreign(folder: Path) -> None:
    """Checks that nothing is lost when the folder is replaced.

    Raises:
        InputError: it is no folder, or holds a file that no export of ours wrote.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; name a new or an empty folder with -o")
    files = _manifest(folder).get("files", ())
    listed = {str(file["path"]) for file in files} | {MANIFEST}
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    if found and MANIFEST not in found:
        raise InputError(f"{folder} is not empty and no export of ours; name a new or an empty folder with -o")
    if foreign := [path for path in found if path not in listed]:
        raise InputError(
            f"{folder} holds {len(foreign)} file(s) that the export in it did not write, such as {foreign[0]!a:.80}; "
            "move them away, or export into another folder"
        )
    if changed := [file["path"] for file in files if file.get("rows") is None and _is_changed(folder, file)]:
        raise InputError(
            f"{folder / changed[0]} was changed after the export, which would write it anew; "
            "move it away, or export into another folder"
        )


def _is_changed(folder: Path, file: Mapping[str, Any]) -> bool:
    """Whether a file beside the rows, such as a trainer's configuration, is there and not as it was written."""
    path = folder / str(file["path"])
    return path.is_file() and file_digest(path) != file.get("sha256")


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an export, empty if there is none of ours."""
    try:
        found = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    is_ours = isinstance(found, dict) and MARK in found and isinstance(found.get("files"), list)
    return found if is_ours and all(isinstance(file, dict) and "path" in file for file in found["files"]) else {}
