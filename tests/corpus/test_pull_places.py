"""Which files pull reads: folders, patterns, odd names, what is missing, and what it never overwrites."""

import os

import pytest

from corpus.pull import matching_files, pull
from corpus.stage import read_rows
from schemas.errors import InputError
from schemas.settings import SourceSettings
from tests.corpus.pulling import KEY, lines, openai, quarantine, run, sharegpt


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
