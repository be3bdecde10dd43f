"""Open WebUI's own database, `webui.db`: the rows of table `chat` with the ratings of table `feedback`."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.sources.decode import JsonObject, decode
from corpus.sources.fields import as_object, as_text
from corpus.sources.problems import UnknownLog, UnreadableRecord
from corpus.sources.records import Item, Record, Unreadable, too_large
from corpus.sources.sqlite_file import read_only
from corpus.sources.window import EXCERPT_BYTES, Place

_CHAT = ("id", "user_id", "title", "created_at", "updated_at")
_FEEDBACK = ("data", "meta")

FEEDBACK = "feedback"

Rated = tuple[str, Item, list[JsonObject]]
"""The table's name, what stands in a row of it, and the rows of the feedback table about that."""


def read_database(file: Path, max_bytes: int) -> Iterator[Rated]:
    """Each chat as its row's object, with the rows of the feedback table about it, in the order they were stored.

    Rows of the feedback table that cannot be read come first, by themselves. Places count rows: line 1 is the first row
    of the table. A row of the same content always gives the same object.

    Raises:
        UnknownLog: the database is another program's. DamagedFile: it is damaged or locked.
    """
    with read_only(file) as connection:
        _check(connection, file)
        ratings: dict[str, list[JsonObject]] = defaultdict(list)
        for item in _ratings(connection, max_bytes):
            if isinstance(item, Unreadable):
                yield FEEDBACK, item, []
            elif chat_id := as_text(as_object(item.value["meta"]).get("chat_id")):
                ratings[chat_id].append(item.value)
        for n_rows, row in enumerate(_rows(connection, max_bytes)):
            item = _item(row, _place(n_rows), max_bytes)
            rated = as_text(item.value.get("id")) if isinstance(item, Record) else None
            yield "", item, ratings.get(rated or "", [])


def _place(n_rows: int) -> Place:
    return Place(n_rows, n_rows + 1, n_rows + 1)


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
    cells = f"chat IS NULL, {_bounded('chat', max_bytes)}"
    for row in connection.execute(f"SELECT {', '.join(names)}, {cells} FROM chat ORDER BY rowid"):
        yield dict(zip((*names, "is_null", "chat"), row, strict=True))


def _bounded(column: str, max_bytes: int) -> str:
    """A column that is null where it holds more than that, so that no larger cell reaches memory."""
    return f"CASE WHEN length(CAST({column} AS BLOB)) <= {max_bytes} THEN {column} END"


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


def _ratings(connection: sqlite3.Connection, max_bytes: int) -> Iterator[Item]:
    """The rows of the feedback table as `{"data", "meta"}`, each null where its cell is."""
    if not set(_FEEDBACK) <= set(_columns(connection, FEEDBACK)):
        return
    cells = ", ".join(f"{name} IS NULL, {_bounded(name, max_bytes)}" for name in _FEEDBACK)
    for n_rows, row in enumerate(connection.execute(f"SELECT {cells} FROM {FEEDBACK} ORDER BY rowid")):
        yield _rating(
            dict(zip(_FEEDBACK, zip(row[::2], row[1::2], strict=True), strict=True)), _place(n_rows), max_bytes
        )


def _rating(row: dict[str, tuple[int, Any]], place: Place, max_bytes: int) -> Item:
    told: JsonObject = {}
    for name, (is_null, cell) in row.items():
        if cell is None and not is_null:
            return Unreadable(place, f"its {name}: {too_large(max_bytes)}")
        raw = b"null" if cell is None else cell if isinstance(cell, bytes) else str(cell).encode()
        try:
            told[name] = decode(raw)
        except UnreadableRecord as error:
            return Unreadable(place, f"its {name}: {error}", raw[:EXCERPT_BYTES])
    return Record(told, place)
