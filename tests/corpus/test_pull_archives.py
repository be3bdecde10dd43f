"""pull on compressed logs and archives, good, damaged and hostile."""

import gzip
import json
import zipfile
from pathlib import Path

from tests.corpus.pulling import chatgpt, lines, openai, quarantine, run


def test_gzip_is_read_as_what_it_holds(tmp_path):
    """Rotated logs are compressed."""
    content = gzip.compress(lines(openai(1), openai(2)))
    (tmp_path / "log.jsonl.gz").write_bytes(content)
    assert run(tmp_path, "log.jsonl.gz")[0].kept == 2
    (tmp_path / "cut.gz").write_bytes(content[:-9])
    report, _, _ = run(tmp_path, "cut.gz")
    assert "damaged" in quarantine(tmp_path)[-1]["reason"]
    assert (report.kept, report.n_in) == (2, 3)  # only the checksum is missing


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
