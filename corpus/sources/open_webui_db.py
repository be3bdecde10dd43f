"""Open WebUI's own database, `webui.db`: the rows of table `chat` with the ratings of table `feedback`."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.sources.decode import JsonObject, decode
from corpus.sources.problems import UnknownLog, UnreadableRecord
from corpus.sources.records import Item, Record, Unreadable, too_large
from corpus.sources.sqlite_file import read_only
from corpus.sources.window import EXCERPT_BYTES, Place

_CHAT = ("id", "user_id", "title", "created_at", "updated_at")
_FEEDBACK = ("data", "meta")

Rated = tuple[Item, list[JsonObject]]


def read_database(file: Path, max_bytes: int) -> Iterator[Rated]:
    """Each chat as its row's object, with the rows of the feedback table about it, in the order they were stored.

    Places count rows: line 1 is the first row of the table. A row of the same content always gives the same object.

    Raises:
        UnknownLog: the database is another program's. DamagedFile: it is damaged or locked.
    """
    with read_only(file) as connection:
        _check(connection, file)
        ratings = _ratings(connection)
        for n_rows, row in enumerate(_rows(connection, max_bytes)):
            item = _item(row, Place(n_rows, n_rows + 1, n_rows + 1), max_bytes)
            chat_id = item.value.get("id") if isinstance(item, Record) else None
            yield item, ratings.get(chat_id, []) if isinstance(chat_id, str) else []


def _check(connection: sqlite3.Connection, file: Path) -> None:
    if not {"id", "chat"} <= set(_columns(connection, "chat")):
        names = ", ".join(_tables(connection)[:12]) or "none"
        raise UnknownLog(f"{file.name} is a database, but not Open WebUI's: it has no table chat; its tables: {names}")


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name.decode("utf-8", "backslashreplace") for (name,) in rows]


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [
        name.decode("utf-8", "backslashreplace") for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")
    ]


def _rows(connection: sqlite3.Connection, max_bytes: int) -> Iterator[dict[str, Any]]:
    known = _columns(connection, "chat")
    names = [name for name in _CHAT if name in known]
    chat = f"CASE WHEN length(CAST(chat AS BLOB)) <= {max_bytes} THEN chat END"
    for row in connection.execute(f"SELECT {', '.join(names)}, chat IS NULL, {chat} FROM chat ORDER BY rowid"):
        yield dict(zip((*names, "is_null", "chat"), row, strict=True))


def _item(row: dict[str, Any], place: Place, max_bytes: int) -> Item:
    chat = row.pop("chat")
    if chat is None:
        return Unreadable(place, "its chat is null" if row["is_null"] else too_large(max_bytes))
    raw = chat if isinstance(chat, bytes) else str(chat).encode()
    try:
        facts = {key: value.decode() if isinstance(value, bytes) else value for key, value in row.items()}
        return Record({**facts, "chat": decode(raw)}, place)
    except UnicodeDecodeError as error:
        return Unreadable(place, f"a column of the row is not UTF-8: {error.reason}", raw[:EXCERPT_BYTES])
    except UnreadableRecord as error:
        return Unreadable(place, str(error), raw[:EXCERPT_BYTES])


def _ratings(connection: sqlite3.Connection) -> dict[str, list[JsonObject]]:
    """The rows of the feedback table by chat; those that cannot be read rate nothing."""
    found: dict[str, list[JsonObject]] = defaultdict(list)
    if not set(_FEEDBACK) <= set(_columns(connection, "feedback")):
        return found
    for row in connection.execute("SELECT data, meta FROM feedback ORDER BY rowid"):
        try:
            data, meta = (decode(cell) if isinstance(cell, bytes) else None for cell in row)
        except UnreadableRecord:
            continue
        if isinstance(meta, dict) and isinstance(chat_id := meta.get("chat_id"), str):
            found[chat_id].append({"data": data, "meta": meta})
    return found
