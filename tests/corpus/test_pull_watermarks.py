"""The next night reads only what is new; the same night, run again, reads the same."""

import json
import sqlite3
from pathlib import Path

import pytest

from corpus.pull import pull
from corpus.stage import read_rows
from corpus.watermarks import FileMark, Watermarks
from schemas.errors import CorpusError
from schemas.settings import SourceSettings


def openai(n: int, n_turns: int = 1) -> dict:
    messages = [message for turn in range(n_turns) for message in exchange(n, turn)]
    return {"id": f"chat-{n}", "messages": messages}


def exchange(n: int, turn: int) -> list[dict]:
    question, answer = f"Question {n}.{turn}?", f"Answer {n}.{turn}."
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def call(n: int, n_turns: int) -> dict:
    *history, answer = [message for turn in range(n_turns) for message in exchange(n, turn)]
    response = {"choices": [{"message": answer}]}
    facts = {"id": f"call-{n}-{n_turns}", "session_id": f"s{n}", "call_type": "acompletion", "status": "success"}
    return {**facts, "messages": history, "response": response, "startTime": "2026-11-01 09:30:00.000000"}


def lines(*records: dict) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


class Nights:
    """A project with one source."""

    def __init__(self, root: Path, path: str = "log.jsonl") -> None:
        self.root = root
        self.source = SourceSettings(name="bot", path=path, consent="asked", licence="CC0-1.0")

    def run(self, sequence: int, **changes):
        output = self.root / f"night-{sequence}" / "pulled.parquet"
        source = self.source.model_copy(update=changes)
        with Watermarks(self.root / "var" / "watermarks.sqlite") as watermarks:
            report = pull(
                [source],
                output,
                root=self.root,
                subject_key=b"k" * 16,
                hold_unconsented=True,
                watermarks=watermarks,
                night=f"2026-11-{sequence:02}",
                sequence=sequence,
            )
        return report, [row["native_id"] for row in read_rows(output)]

    def write(self, content: bytes, name: str = "log.jsonl") -> None:
        (self.root / name).write_bytes(content)


def test_a_night_without_new_logs_reads_nothing(tmp_path):
    """Cost follows the new data."""
    nights = Nights(tmp_path)
    nights.write(lines(openai(1), openai(2)))
    assert nights.run(1)[1] == ["chat-1", "chat-2"]
    report, ids = nights.run(2)
    assert (ids, report.n_in, report.facts["files_unchanged"], report.facts["bytes"]) == ([], 0, 1, 0)
    nights.write(lines(openai(1), openai(2)))  # written again with the same bytes
    assert nights.run(3)[0].facts["files_unchanged"] == 1


def test_a_log_that_grew_is_read_from_where_it_ended(tmp_path):
    """Including the line that was only half written then."""
    nights = Nights(tmp_path)
    old, half = lines(openai(1), openai(2)), lines(openai(3))
    nights.write(old + half[:30])
    report, ids = nights.run(1)
    assert (ids, dict(report.dropped)) == (["chat-1", "chat-2"], {"unreadable": 1})
    nights.write(old + half + lines(openai(4)) + b"{broken\n")
    report, ids = nights.run(2)
    assert ids == ["chat-3", "chat-4"]
    assert report.facts["bytes"] == len(half + lines(openai(4)) + b"{broken\n")
    offset = len(old + half + lines(openai(4)))
    assert report.facts["damaged"][0]["offset"] == offset
    entry = json.loads((tmp_path / "night-2" / "pulled.quarantine.jsonl").read_bytes())
    assert (entry["offset"], entry["line"]) == (offset, 5)


def test_a_log_that_was_rewritten_is_read_anew_and_gives_only_new_conversations(tmp_path):
    """Exports are whole files each time."""
    nights = Nights(tmp_path, "export.json")
    nights.write(json.dumps([openai(1), openai(2)]).encode(), "export.json")
    nights.run(1)
    nights.write(json.dumps([openai(3), openai(1), openai(2, n_turns=2)]).encode(), "export.json")
    report, ids = nights.run(2)
    assert ids == ["chat-3", "chat-2"]  # chat-2 went on, so it is another conversation
    assert report.facts["already_pulled"] == 1
    assert report.n_in == 2


def test_the_same_night_run_again_gives_the_same_bytes(tmp_path):
    """Killed at any instant and started again, it must end in the same commit."""
    nights = Nights(tmp_path)
    nights.write(lines(openai(1)))
    nights.run(1)
    nights.write(lines(openai(1), openai(2)))
    nights.run(2)
    first = (tmp_path / "night-2" / "pulled.parquet").read_bytes()
    assert nights.run(2)[1] == ["chat-2"]
    assert (tmp_path / "night-2" / "pulled.parquet").read_bytes() == first
    assert nights.run(3)[1] == []


def test_what_was_held_gets_another_chance_when_the_settings_change(tmp_path):
    """Somebody asks the users, and writes down that they agreed."""
    nights = Nights(tmp_path)
    nights.write(lines(openai(1)))
    assert dict(nights.run(1, consent=None)[0].held) == {"no_consent": 1}
    assert nights.run(2, consent=None)[0].n_in == 0
    assert nights.run(3)[1] == ["chat-1"]
    assert nights.run(4)[1] == []


def test_a_forgotten_night_is_read_by_the_next(tmp_path):
    """A night that never ended must not swallow what it read."""
    nights = Nights(tmp_path)
    nights.write(lines(openai(1)))
    nights.run(1)
    with Watermarks(tmp_path / "var" / "watermarks.sqlite") as watermarks:
        watermarks.forget(1)
    assert nights.run(2)[1] == ["chat-1"]


def test_a_grown_log_of_calls_gives_the_longer_conversation(tmp_path):
    """The chat went on after the night: what is new is the whole longer chat, once."""
    nights = Nights(tmp_path)
    nights.write(lines(call(1, 1), call(1, 2), call(2, 1)))
    report, ids = nights.run(1)
    assert (ids, report.facts["calls_merged"]) == (["call-1-2", "call-2-1"], 1)
    nights.write(lines(call(1, 1), call(1, 2), call(2, 1), call(1, 3), call(1, 4)))
    report, ids = nights.run(2)
    assert (ids, report.facts["calls_merged"]) == (["call-1-4"], 1)


def test_a_database_that_changed_gives_only_new_chats(tmp_path):
    """Also when all that changed is its WAL."""
    nights = Nights(tmp_path, "webui.db")
    messages = {"u": {"role": "user", "content": "Hi"}, "a": {"role": "assistant", "content": "Hello", "parentId": "u"}}
    chat = json.dumps({"history": {"messages": messages, "currentId": "a"}})
    connection = sqlite3.connect(tmp_path / "webui.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE chat (id TEXT, user_id TEXT, title TEXT, chat JSON)")
    connection.execute("INSERT INTO chat VALUES ('c1', 'u', 't', ?)", (chat,))
    connection.commit()
    assert nights.run(1)[1] == ["c1"]
    assert nights.run(2)[0].facts["files_unchanged"] == 1
    connection.execute("INSERT INTO chat VALUES ('c2', 'u', 't', ?)", (chat,))
    connection.commit()
    report, ids = nights.run(3)
    assert (ids, report.facts["already_pulled"]) == (["c2"], 1)
    connection.close()


def test_marks_are_replaced_as_a_whole(tmp_path):
    """Half of them would lose conversations."""
    mark = FileMark(size=3, mtime_ns=4, digest="d")

    def broken():
        yield "key", "0" * 32
        raise RuntimeError("killed")

    with Watermarks(tmp_path / "marks.sqlite") as watermarks:
        watermarks.replace(1, "2026-11-01", [("key", Path("a"), mark)], [("key", "1" * 32)])
        with pytest.raises(RuntimeError):
            watermarks.replace(1, "2026-11-01", [], broken())
        assert watermarks.file_mark("key", Path("a"), before=2) == mark
        assert watermarks.file_mark("key", Path("a"), before=1) is None
        assert watermarks.is_pulled("key", "1" * 32, before=2)
        assert not watermarks.is_pulled("other", "1" * 32, before=2)


def test_a_damaged_store_says_what_to_do(tmp_path):
    """It can be deleted: the logs are read anew, the corpus is not touched."""
    (tmp_path / "marks.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)
    with pytest.raises(CorpusError, match="delete it"), Watermarks(tmp_path / "marks.sqlite"):
        pass
