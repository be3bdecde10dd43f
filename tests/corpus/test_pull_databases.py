"""pull on databases: read with their ratings, while they are in use, and left as they are."""

import json
import sqlite3
from pathlib import Path

import pytest

from schemas.errors import InputError
from tests.corpus.pulling import quarantine, run


def make_database(path: Path, chats: dict[str, str], *, is_open_in_wal: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    if is_open_in_wal:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE chat (id TEXT, user_id TEXT, title TEXT, chat JSON, created_at INT, updated_at INT)"
    )
    connection.execute("CREATE TABLE feedback (id TEXT, user_id TEXT, type TEXT, data JSON, meta JSON, snapshot JSON)")
    for key, chat in chats.items():
        connection.execute("INSERT INTO chat VALUES (?, 'u1', 'Title', ?, 1793525400, 1793525400)", (key, chat))
    data, meta = json.dumps({"rating": "1", "details": {"rating": 8}}), json.dumps({"chat_id": "c1", "message_id": "a"})
    connection.execute("INSERT INTO feedback VALUES ('f', 'u1', 'rating', ?, ?, NULL)", (data, meta))
    connection.commit()
    return connection


def web_chat(text: str) -> str:
    messages = {
        "u": {
            "id": "u",
            "parentId": None,
            "childrenIds": ["a"],
            "role": "user",
            "content": text,
            "timestamp": 1793525400,
        },
        "a": {
            "id": "a",
            "parentId": "u",
            "childrenIds": ["gone"],
            "role": "assistant",
            "content": "Yes.",
            "model": "m",
        },
    }
    return json.dumps(
        {"title": "Title", "history": {"messages": messages, "currentId": "a"}, "params": {"system": "Be brief."}}
    )


@pytest.mark.parametrize("is_open_in_wal", [False, True])
def test_a_database_is_read_with_its_ratings_and_is_not_altered(tmp_path, is_open_in_wal):
    """Open WebUI may be running: what it wrote a second ago is in the WAL, and must be seen and left alone."""
    chats = {"c1": web_chat("Is it?"), "c2": "{broken", "c3": web_chat("Really?")}
    connection = make_database(tmp_path / "webui.db", chats, is_open_in_wal=is_open_in_wal)
    if not is_open_in_wal:
        connection.close()
    files = ["webui.db", "webui.db-wal"] if is_open_in_wal else ["webui.db"]
    before = {name: (tmp_path / name).read_bytes() for name in files}
    listing = sorted(path.name for path in tmp_path.iterdir())
    report, rows, _ = run(tmp_path, "webui.db")
    assert [row["native_id"] for row in rows] == ["c1", "c3"]
    assert dict(report.dropped) == {"unreadable": 1}
    assert quarantine(tmp_path)[0]["line"] == 2
    kinds = [(item["kind"], item["value"]) for item in json.loads(rows[0]["tree"])["feedback"]]
    assert kinds == [("thumb", 1.0), ("scalar", 8.0)]
    assert rows[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert {name: (tmp_path / name).read_bytes() for name in files} == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "out") == listing
    connection.close()


def test_ratings_that_cannot_be_read_are_reported_with_their_row(tmp_path):
    """A thumb that is lost in silence is a person's opinion lost; its row can be found and repaired."""
    connection = make_database(tmp_path / "webui.db", {"c1": web_chat("Is it?")})
    meta = '{"chat_id": "c1"}'
    rows = [("{broken", meta), ('{"rating": 1}', b"\xff\xfe"), ('{"rating": "%s"}' % ("9" * 10**6), meta), (None, None)]
    connection.executemany("INSERT INTO feedback VALUES ('f', 'u1', 'rating', ?, ?, NULL)", rows)
    connection.commit()
    connection.close()
    report, rows, _ = run(tmp_path, "webui.db")
    assert [item["value"] for item in json.loads(rows[0]["tree"])["feedback"]] == [1.0, 8.0]
    assert dict(report.dropped) == {"unreadable": 3}
    found = quarantine(tmp_path)
    assert [(entry["member"], entry["line"]) for entry in found] == [("feedback", 2), ("feedback", 3), ("feedback", 4)]
    assert [entry["reason"].split(":")[0] for entry in found] == ["its data", "its meta", "its data"]


def test_a_copied_database_is_read_with_its_wal(tmp_path):
    """A backup of the two files, without the third that coordinates readers."""
    (tmp_path / "live").mkdir()
    connection = make_database(tmp_path / "live" / "webui.db", {"c1": web_chat("Is it?")}, is_open_in_wal=True)
    for name in ("webui.db", "webui.db-wal"):
        (tmp_path / name).write_bytes((tmp_path / "live" / name).read_bytes())
    connection.close()
    listing = sorted(path.name for path in tmp_path.iterdir())
    assert run(tmp_path, "webui.db")[0].kept == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "out") == listing


def test_databases_of_others_and_damaged_ones_say_so(tmp_path):
    """By their tables, or by SQLite's own words."""
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE songs (id INT)")
    connection.close()
    with pytest.raises(InputError, match="its tables: songs"):
        run(tmp_path, "other.db")
    (tmp_path / "cut.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert run(tmp_path, "cut.db")[0].dropped["unreadable"] == 1
    assert "database" in quarantine(tmp_path)[0]["reason"]
