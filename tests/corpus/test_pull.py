"""pull on files: counts, places, permissions, names, archives, databases, and hostile bytes."""

import gzip
import json
import os
import sqlite3
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from corpus.pull import matching_files, pull
from corpus.stage import read_report, read_rows, rejects_path
from schemas.conversation import Conversation
from schemas.errors import GristmillError, InputError, SettingsError
from schemas.settings import SourceSettings

KEY = b"a key of sixteen bytes"


def sharegpt(n: int, text: str = "Why is the sky blue?") -> dict:
    turns = [{"from": "human", "value": f"{text} ({n})"}, {"from": "gpt", "value": "Because blue light scatters most."}]
    return {"id": f"row_{n}", "conversations": turns}


def openai(n: int, **more) -> dict:
    messages = [{"role": "user", "content": f"Question {n}?"}, {"role": "assistant", "content": "Answer."}]
    return {"id": f"chat-{n}", "messages": messages, **more}


def lines(*records: dict) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def run(folder: Path, *paths: str, is_night: bool = False, licences=(), type=None, **terms):
    sources = [SourceSettings(name=f"s{n}", path=path, type=type, **terms) for n, path in enumerate(paths)]
    output = folder / "out" / "pulled.parquet"
    report = pull(
        sources,
        output,
        root=folder,
        subject_key=KEY,
        max_record_mb=1,
        licences=licences,
        hold_unconsented=is_night,
    )
    assert read_report(output) == report or read_report(output).to_json() == report.to_json()
    rows = list(read_rows(output))
    rejects = list(read_rows(rejects_path(output)))
    assert report.n_in == len(rows) + len(rejects)
    for row in rows:
        conversation = Conversation.from_json(json.loads(row["tree"]))
        assert conversation.id == row["conversation_id"]
        assert [{"role": turn.role, "content": turn.content} for turn in conversation.turns()] == row["messages"]
    return report, rows, rejects


def quarantine(folder: Path) -> list[dict]:
    file = folder / "out" / "pulled.quarantine.jsonl"
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def test_a_log_becomes_rows(tmp_path):
    """The contract of the first stage file."""
    (tmp_path / "log.json").write_text(json.dumps([sharegpt(1), sharegpt(2)]))
    report, rows, _ = run(tmp_path, "log.json", consent="asked", licence="CC0-1.0")
    assert (report.n_in, report.kept, dict(report.dropped)) == (2, 2, {})
    assert [(row["source"], row["system"], row["native_id"]) for row in rows] == [
        ("s0", "sharegpt", "row_1"),
        ("s0", "sharegpt", "row_2"),
    ]
    assert (rows[0]["n_messages"], rows[0]["n_branches"], rows[0]["consent"]) == (2, 1, "asked")
    assert not (tmp_path / "out" / "pulled.quarantine.jsonl").exists()


def test_a_damaged_tail_is_reported_with_its_offset_and_costs_nothing_before_it(tmp_path):
    """The largest public chat dump ends in the middle of a string."""
    whole = json.dumps([sharegpt(n) for n in range(50)], indent=2).encode()
    cut = len(whole) - 40
    (tmp_path / "log.json").write_bytes(whole[:cut])
    report, rows, rejects = run(tmp_path, "log.json")
    assert (report.n_in, len(rows), dict(report.dropped)) == (50, 49, {"unreadable": 1})
    entry = quarantine(tmp_path)[0]
    assert whole[entry["offset"] :].startswith(b'{\n    "id": "row_49"')
    assert entry["end"] == cut
    assert entry["line"] == whole[: entry["offset"]].count(b"\n") + 1
    assert report.facts["damaged"] == [{"file": "log.json", "offset": entry["offset"], "what": entry["reason"]}]
    assert "byte" in rejects[0]["evidence"]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"), ("utf-32-le", b"\xff\xfe\0\0")]
    + [("utf-32-be", b"\0\0\xfe\xff"), ("utf-16-le", b""), ("utf-16-be", b"")],
)
def test_every_unicode_encoding_gives_the_same_conversations(tmp_path, encoding, mark):
    """Windows tools write them; the text must come out as it went in, emoji included."""
    text = json.dumps([sharegpt(1, "Grüße 🦉 aus Köln")], ensure_ascii=False)
    (tmp_path / "log.json").write_bytes(mark + text.encode(encoding))
    _, rows, _ = run(tmp_path, "log.json")
    assert rows[0]["messages"][0]["content"] == "Grüße 🦉 aus Köln (1)"


def test_half_a_character_in_utf16_costs_one_record(tmp_path):
    """Nothing is replaced by a question mark."""
    text = "\n".join(json.dumps(sharegpt(n, "x\ud83dy" if n == 1 else "z"), ensure_ascii=False) for n in range(3))
    (tmp_path / "log.jsonl").write_bytes(b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass"))
    report, rows, _ = run(tmp_path, "log.jsonl")
    assert [row["native_id"] for row in rows] == ["row_0", "row_2"]
    assert dict(report.dropped) == {"unreadable": 1}


def test_the_same_conversation_in_two_files_is_kept_once(tmp_path):
    """Exports overlap; ids of rows must be unique."""
    (tmp_path / "a.json").write_text(json.dumps([sharegpt(1), sharegpt(2)]))
    (tmp_path / "b.jsonl").write_bytes(lines(sharegpt(2), sharegpt(3)))
    report, rows, rejects = run(tmp_path, "*.json*")
    assert (report.kept, dict(report.dropped)) == (3, {"exact_duplicate": 1})
    assert len({row["conversation_id"] for row in rows}) == 3
    assert rejects[0]["conversation_id"] in {row["conversation_id"] for row in rows}


def test_a_night_holds_what_has_no_consent_or_no_accepted_licence(tmp_path):
    """A public branch is publication; a refusal in the record wins over the settings."""
    records = [openai(0), openai(1, consent=False), openai(2, consent="none"), openai(3, licence="CC-BY-NC-4.0")]
    records += [openai(4, consent="agreed by form 7", licence="MIT")]
    (tmp_path / "log.jsonl").write_bytes(lines(*records))
    report, rows, _ = run(
        tmp_path, "log.jsonl", is_night=True, licences=("CC0-1.0", "MIT"), consent="all agreed", licence="CC0-1.0"
    )
    assert dict(report.held) == {"no_consent": 2, "licence_not_allowed": 1}
    assert [(row["native_id"], row["consent"], row["licence"]) for row in rows] == [
        ("chat-0", "all agreed", "CC0-1.0"),
        ("chat-4", "agreed by form 7", "MIT"),
    ]
    assert dict(run(tmp_path, "log.jsonl", is_night=True, consent="yes")[0].held)["no_licence"] == 1
    assert dict(run(tmp_path, "log.jsonl", is_night=True)[0].held)["no_consent"] == 4


def test_without_settings_everything_is_kept_for_looking_at(tmp_path):
    """`gristmill pull FILE` is how people look at their data; nothing of it is published."""
    (tmp_path / "log.jsonl").write_bytes(lines(openai(0), openai(1, consent=False)))
    report, rows, _ = run(tmp_path, "log.jsonl")
    assert report.kept == 2
    assert [row["consent"] for row in rows] == [None, None]


def test_a_user_becomes_a_keyed_pseudonym_and_nothing_else(tmp_path):
    """A bare hash of an address can be reversed by trying all; the raw name must stand nowhere."""
    record = openai(1, user="ada@example.org", metadata={"email": "ada@example.org", "ip": "192.0.2.7"})
    (tmp_path / "log.jsonl").write_bytes(lines(record, openai(2, user="bob@example.org"), openai(3)))
    _, rows, _ = run(tmp_path, "log.jsonl")
    subjects = [row["subject"] for row in rows]
    assert len(subjects[0]) == 32
    assert subjects[0] != subjects[1]
    assert subjects[2] is None
    assert "example.org" not in json.dumps(rows, default=str)
    assert "192.0.2.7" not in json.dumps(rows, default=str)


def test_records_of_another_kind_in_a_log_are_unreadable_with_a_reason(tmp_path):
    """The type is decided by file; what does not fit is named, with its keys."""
    (tmp_path / "log.jsonl").write_bytes(lines(openai(0), {"level": "info", "event": "started"}, openai(1)))
    report, _, _ = run(tmp_path, "log.jsonl")
    assert (report.kept, dict(report.dropped)) == (2, {"unreadable": 1})
    assert "'level', 'event'" in quarantine(tmp_path)[0]["reason"]
    assert quarantine(tmp_path)[0]["line"] == 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50, "no log of a known type: it is not JSON"),
        ("table.csv", b"id,text\n1,hello\n2,world\n", "not JSON; it begins with b'id,text"),
        ("config.json", b'{"port": 80, "host": "x"}', "the keys 'port', 'host'"),
        ("rows.jsonl", b'{"instruction": "a", "output": "b"}\n' * 2000, "the keys 'instruction', 'output'"),
        ("empty.json", b"", "is empty"),
        ("space.json", b" \n\n ", "is empty"),
        ("list.json", b"[]", "is empty"),
    ],
)
def test_a_file_that_is_no_log_is_refused_with_what_was_found(tmp_path, name, content, says):
    """What was asked, what was found, what there is."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="(?s)" + says.replace("(", r"\(")):
        run(tmp_path, name)


def test_a_stray_file_in_a_folder_does_not_stop_the_others(tmp_path):
    """Folders of logs hold readme files and pictures."""
    (tmp_path / "logs" / "sub").mkdir(parents=True)
    (tmp_path / "logs" / "sub" / "a.jsonl").write_bytes(lines(openai(1)))
    (tmp_path / "logs" / "README.md").write_text("# Logs\n")
    (tmp_path / "logs" / ".hidden").write_text("{}")
    (tmp_path / "logs" / "zero.jsonl").write_bytes(b"")
    report, rows, _ = run(tmp_path, "logs")
    assert [row["native_id"] for row in rows] == ["chat-1"]
    assert dict(report.dropped) == {"unreadable": 1}
    assert report.facts["empty_files"] == ["logs/zero.jsonl"]


def test_a_missing_path_is_named_with_its_neighbour(tmp_path):
    """A typing error is found at once."""
    (tmp_path / "chats.jsonl").write_bytes(lines(openai(1)))
    with pytest.raises(InputError, match=r"chat\.jsonl does not exist; did you mean 'chats\.jsonl'"):
        run(tmp_path, "chats.jsonl", "chat.jsonl")
    with pytest.raises(InputError, match="nothing matches"):
        run(tmp_path, "*.json")


def test_in_a_night_a_missing_source_does_not_stop_the_others(tmp_path):
    """A bot that is down tonight must not cost the others' conversations."""
    (tmp_path / "a.jsonl").write_bytes(lines(openai(1)))
    report, _, _ = run(tmp_path, "a.jsonl", "gone.jsonl", "none/*.jsonl", is_night=True, consent="c", licence="MIT")
    assert report.kept == 1
    assert report.facts["failed_sources"][0].startswith("s1 (")
    assert report.facts["missing"] == ["none/*.jsonl"]
    with pytest.raises(InputError, match="gone"):
        run(tmp_path, "gone.jsonl", is_night=True)


def test_odd_names_of_files_work_and_are_shown_escaped(tmp_path):
    """Spaces, newlines and bytes that are no UTF-8 are legal in names."""
    folder = tmp_path / "my logs"
    folder.mkdir()
    (folder / "two\nlines [1].jsonl").write_bytes(lines(openai(1)) + b"{broken\n")
    (folder / os.fsdecode(b"caf\xe9.jsonl")).write_bytes(lines(openai(2)) + b"{broken\n")
    report, rows, _ = run(tmp_path, "my logs")
    assert [row["native_id"] for row in rows] == ["chat-2", "chat-1"]
    assert {entry["file"] for entry in quarantine(tmp_path)} == {
        "my logs/caf\\xe9.jsonl",
        "my logs/two\\nlines [1].jsonl",
    }
    source = SourceSettings(name=os.fsdecode(b"caf\xe9"), path="my logs/" + os.fsdecode(b"caf\xe9.jsonl"))
    output = tmp_path / "out" / "odd.parquet"
    assert pull([source], output, root=tmp_path, subject_key=KEY).kept == 1
    assert next(read_rows(output))["source"] == "caf\\xe9"
    assert len(run(tmp_path, "my logs/two\nlines [1].jsonl")[1]) == 1
    assert dict(report.dropped) == {"unreadable": 2}


@pytest.mark.parametrize("name", ["log.json", "log.rejects.parquet", "log.report.json", "log.quarantine.jsonl"])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_log_is_never_overwritten(tmp_path, name, is_link):
    """`pull chats.json -o chats.json` is typed in a hurry; the log may be the only copy."""
    log = tmp_path / ("elsewhere.json" if is_link else name)
    log.write_bytes(lines(sharegpt(1)))
    if is_link:
        (tmp_path / name).symlink_to(log)
    output = tmp_path / ("log.json" if name == "log.json" else "log.parquet")
    with pytest.raises(InputError, match="would overwrite the input"):
        pull([SourceSettings(name="s", path=str(log))], output, root=tmp_path, subject_key=KEY)
    assert log.read_bytes() == lines(sharegpt(1))


def test_what_is_no_file_is_refused(tmp_path):
    """Reading a pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        run(tmp_path, "pipe")
    assert matching_files(SourceSettings(name="s", path="*"), tmp_path) == []


def test_an_unknown_type_suggests_its_neighbour(tmp_path):
    """So that a typing error in the settings is one look."""
    with pytest.raises(SettingsError, match="did you mean 'sharegpt'"):
        run(tmp_path, "x.json", type="share-gpt")


def test_the_type_can_be_named(tmp_path):
    """Where the first records are junk, recognition can be wrong."""
    (tmp_path / "log.jsonl").write_bytes(lines(openai(0)) + lines(*[sharegpt(n) for n in range(3)]))
    report, _, _ = run(tmp_path, "log.jsonl", type="openai-messages")
    assert (report.facts["types"], dict(report.dropped)) == ({"openai-messages": 1}, {"unreadable": 3})
    assert run(tmp_path, "log.jsonl")[0].facts["types"] == {"sharegpt": 3}


def test_gzip_is_read_as_what_it_holds(tmp_path):
    """Rotated logs are compressed."""
    content = gzip.compress(lines(openai(1), openai(2)))
    (tmp_path / "log.jsonl.gz").write_bytes(content)
    assert run(tmp_path, "log.jsonl.gz")[0].kept == 2
    (tmp_path / "cut.gz").write_bytes(content[:-9])
    report, _, _ = run(tmp_path, "cut.gz")
    assert "damaged" in quarantine(tmp_path)[-1]["reason"]
    assert (report.kept, report.n_in) == (2, 3)  # only the checksum is missing


def chatgpt(n: int) -> dict:
    def node(key, parent, role, text):
        content = {"content_type": "text", "parts": [text]}
        return {"id": key, "parent": parent, "children": [], "message": {"author": {"role": role}, "content": content}}

    mapping = {"u": node("u", None, "user", f"Hello {n}"), "a": node("a", "u", "assistant", "Hi!")}
    return {"conversation_id": f"c{n}", "mapping": mapping, "current_node": "a", "create_time": 1793525400.5}


def make_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_chatgpt_archive_is_read_with_its_shards_and_ratings(tmp_path):
    """The export is a ZIP; the thumbs are in another member, the account in a third."""
    members = {f"conversations-00{n}.json": json.dumps([chatgpt(n)]).encode() for n in (1, 0)}
    members["message_feedback.json"] = json.dumps(
        [{"conversation_id": "c1", "id": "a", "rating": "thumbs_up", "user_id": "u-1"}]
    ).encode()
    members |= {"user.json": b'{"id": "u-1", "email": "ada@example.org"}', "chat.html": b"<html>"}
    make_zip(tmp_path / "export.zip", members)
    _, rows, _ = run(tmp_path, "export.zip")
    assert [row["native_id"] for row in rows] == ["c0", "c1"]
    feedback = json.loads(rows[1]["tree"])["feedback"]
    assert [(item["kind"], item["value"], item["message_id"]) for item in feedback] == [("thumb", 1.0, "a")]
    assert rows[0]["subject"]
    assert "ada" not in json.dumps(rows, default=str)


def test_what_cannot_be_read_beside_an_archives_logs_is_reported(tmp_path):
    """The ratings' file is small and easily forgotten; its damage must not pass for an absence of ratings."""
    good = {"conversation_id": "c1", "id": "a", "rating": "thumbs_up"}
    feedback = b"[" + json.dumps(good).encode() + b', {"conversation_id": "c1", "rat'
    make_zip(
        tmp_path / "export.zip",
        {"conversations.json": json.dumps([chatgpt(1)]).encode(), "message_feedback.json": feedback},
    )
    report, rows, _ = run(tmp_path, "export.zip")
    assert len(json.loads(rows[0]["tree"])["feedback"]) == 1
    assert dict(report.dropped) == {"unreadable": 1}
    assert [entry["member"] for entry in quarantine(tmp_path)] == ["message_feedback.json"]


def test_archives_that_are_damaged_encrypted_or_bombs_say_so(tmp_path):
    """Each with what to do; none with a traceback, none with a full memory."""
    make_zip(tmp_path / "good.zip", {"conversations.json": json.dumps([chatgpt(n) for n in range(50)]).encode()})
    content = (tmp_path / "good.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[:-30])
    (tmp_path / "flipped.zip").write_bytes(content[:200] + bytes([content[200] ^ 0xFF]) + content[201:])
    at = content.index(b"PK\x01\x02")
    (tmp_path / "secret.zip").write_bytes(content[: at + 8] + b"\x01" + content[at + 9 :])
    bomb = zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED)
    with bomb, bomb.open("conversations.json", "w") as member:
        member.write(b"[")
        for _ in range(258):
            member.write(b" " * 2**20)
    make_zip(tmp_path / "pictures.zip", {"a.png": b"x"})
    for name, says in [
        ("cut.zip", "ZIP archive is damaged"),
        ("flipped.zip", "damaged"),
        ("secret.zip", "encrypted"),
        ("bomb.zip", "expands more than 200 times"),
        ("pictures.zip", "holds no"),
    ]:
        report, _, _ = run(tmp_path, name)
        assert says in quarantine(tmp_path)[-1]["reason"], name
        assert report.dropped["unreadable"] == 1, name


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


def test_large_messages_and_long_conversations(tmp_path):
    """A message of several megabytes is over the limit here; 10,000 turns are not too many for a tree."""
    many = {
        "id": "long",
        "messages": [{"role": ("user", "assistant")[n % 2], "content": f"{n}"} for n in range(10_000)],
    }
    (tmp_path / "log.jsonl").write_bytes(lines(openai(0, note="x" * 3_000_000), many, openai(1)))
    report, rows, _ = run(tmp_path, "log.jsonl")
    assert [row["n_messages"] for row in rows] == [10_000, 2]
    assert "larger than night.max_record_mb" in quarantine(tmp_path)[0]["reason"]
    assert report.n_in == 3


def test_the_same_logs_give_the_same_bytes(tmp_path):
    """Everything behind is cached by content."""
    (tmp_path / "a.jsonl").write_bytes(lines(openai(1), openai(2)) + b"{broken")
    run(tmp_path, "*.jsonl")
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if "report" not in path.name}
    run(tmp_path, "*.jsonl")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if "report" not in path.name} == first


def test_a_deep_record_that_no_table_could_hold_is_unreadable(tmp_path):
    """Canonical JSON has a limit of depth; the record before it is kept."""
    deep: dict = {}
    for _ in range(400):
        deep = {"d": deep}
    record = {"id": "x", "messages": [{"role": "user", "content": [{"type": "custom", "data": deep}]}]}
    (tmp_path / "log.jsonl").write_bytes(lines(openai(1), record))
    report, _, _ = run(tmp_path, "log.jsonl")
    assert (report.kept, dict(report.dropped)) == (1, {"unreadable": 1})


_whole = [
    lines(openai(1), openai(2)),
    json.dumps([sharegpt(n) for n in range(3)]).encode(),
    json.dumps([chatgpt(1)]).encode(),
]
_whole += [gzip.compress(lines(openai(1))), json.dumps({"data": [sharegpt(1)]}, indent=1).encode()]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.one_of(st.binary(max_size=200), st.binary(max_size=20).map(lambda tail: b"[{" + tail)))
@example(b"SQLite format 3\0" + b"\0" * 100)
@example(b"PK\x03\x04" + b"\0" * 50)
@example(b"\x1f\x8b" + b"\0" * 50)
@example(b"\xff\xfe[")
def test_no_bytes_make_pull_raise_anything_but_our_errors(tmp_path, raw):
    """Hostile input is normal, and no traceback reaches the user."""
    (tmp_path / "log").write_bytes(raw)
    try:
        run(tmp_path, "log")
    except GristmillError as error:
        assert str(error)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    whole=st.sampled_from(_whole),
    at=st.floats(0, 1),
    noise=st.binary(max_size=6),
    n_lost=st.sampled_from([0, 1, 5, 10**6]),
)
def test_no_damage_to_a_log_makes_pull_raise_anything_but_our_errors(tmp_path, whole, at, noise, n_lost):
    """The same for bytes that are nearly right."""
    cut = int(at * len(whole))
    (tmp_path / "log").write_bytes(whole[:cut] + noise + whole[cut + n_lost :])
    try:
        run(tmp_path, "log")
    except GristmillError as error:
        assert str(error)
