"""pull on files: counts, places, permissions, types, and the same bytes again."""

import json

import pytest

from schemas.errors import SettingsError
from tests.corpus.pulling import lines, openai, quarantine, run, sharegpt


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


def test_the_same_logs_give_the_same_bytes(tmp_path):
    """Everything behind is cached by content."""
    (tmp_path / "a.jsonl").write_bytes(lines(openai(1), openai(2)) + b"{broken")
    run(tmp_path, "*.jsonl")
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if "report" not in path.name}
    run(tmp_path, "*.jsonl")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if "report" not in path.name} == first
