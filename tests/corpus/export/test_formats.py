"""The files of each format: equal bytes, counts that add up, keys that never change, and the holdout in none."""

import hashlib
import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.export.folder import MANIFEST
from corpus.export.registry import FORMATS, format_named
from corpus.export.rejected import RejectedSample
from corpus.release_rows import ReleasedSample
from schemas.errors import CorpusError, InputError
from schemas.reasons import REASONS
from tests.corpus.export.made_release import (
    beside,
    export_made,
    line,
    made_rejected,
    made_release,
    plain_talk,
    released,
    said,
)

ROOT = Path(__file__).parents[3]
ALL = [(form.name, kind) for form in FORMATS.values() for kind in form.shapes]


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def records(folder):
    """All rows, by file."""
    manifest = json.loads((folder / MANIFEST).read_text())
    paths = [folder / file["path"] for file in manifest["files"] if file["rows"]]
    return [
        row for path in paths for row in (pq.read_table(path).to_pylist() if path.suffix == ".parquet" else lines(path))
    ]


def lines(path):
    return [json.loads(one) for one in path.read_bytes().splitlines()]


def keys(value):
    """The keys at every depth."""
    if isinstance(value, dict):
        return {name: keys(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [keys(value[0])] if value else []
    return type(value).__name__


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_an_export_adds_up_and_is_the_same_bytes_twice(tmp_path, name, kind):
    """Equal exports are equal files on every machine, and in = written + left out, to the id."""
    rejected = made_rejected() if kind == "unpaired" else ()
    first, second = (export_made(tmp_path / place, name, kind, rejected=rejected) for place in ("one", "two"))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert first == second
    assert first.n_in == first.written + sum(first.left_out.values())
    rows = records(tmp_path / "one")
    assert len(rows) == first.written > 0
    left = lines(tmp_path / "one" / "left_out.jsonl")
    assert len(left) == sum(first.left_out.values())
    assert all(set(one) <= {"id", "reason", "turn"} and one["reason"] in REASONS for one in left)


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_all_rows_of_an_export_have_the_same_keys(tmp_path, name, kind):
    """A loader infers types from the first rows, and fills what it does not find with nulls."""
    export_made(tmp_path / "out", name, kind)
    shapes = {json.dumps(keys(row), sort_keys=True) for row in records(tmp_path / "out")}
    if not name.startswith("huggingface"):  # there a language may be unknown, and the README tells the types
        assert len(shapes) == 1


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_the_manifest_names_every_file_with_its_digest(tmp_path, name, kind):
    """Who trains can prove on what."""
    export_made(tmp_path / "out", name, kind)
    files = tree(tmp_path / "out")
    manifest = json.loads(files.pop(MANIFEST))
    assert {file["path"]: file["sha256"] for file in manifest["files"]} == {
        path: hashlib.sha256(content).hexdigest() for path, content in files.items()
    }
    assert (manifest["release"]["tag"], manifest["format"], manifest["kind"]) == ("v1", name, kind)
    assert manifest["in"] == manifest["written"] + sum(manifest["left_out"].values())


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_the_sealed_holdout_is_in_no_file(tmp_path, name, kind):
    """What was trained on measures nothing."""
    sealed = line(plain_talk(77, 1, "holdoutword"), beside(2, "worse holdoutword", vote=-1))
    bad = line(said("rejected holdoutword?", "Yes."))
    samples = sorted([*made_release(), *released(sealed, split="test")], key=lambda one: (one.expert, one.line["id"]))
    rejected = [RejectedSample("test", "general", bad)] if kind == "unpaired" else ()
    exported = export_made(tmp_path / "out", name, kind, samples, rejected)
    assert exported.left_out["sealed_holdout"] == 6 + len(rejected)
    for path, content in tree(tmp_path / "out").items():
        assert b"holdoutword" not in content, path
    assert all("holdoutword" not in json.dumps(row) for row in records(tmp_path / "out"))


def test_rows_are_ordered_by_expert_then_id(tmp_path):
    """The order is part of equal bytes."""
    export_made(tmp_path / "out", "huggingface-jsonl", "sft")
    rows = lines(tmp_path / "out/data/train-00000-of-00001.jsonl")
    assert [(row["expert"], row["id"]) for row in rows] == sorted((row["expert"], row["id"]) for row in rows)
    with pytest.raises(CorpusError, match="out of order"):
        export_made(tmp_path / "out", "trl", "sft", made_release()[::-1])


@pytest.mark.parametrize("name", ["trl", "huggingface", "llamafactory"])
def test_large_exports_are_cut_into_shards_that_hold_the_same_rows(tmp_path, name):
    """A file has a bound, whatever the number of samples."""
    export_made(tmp_path / "one", name, "sft")
    small = replace(format_named(name, "sft"), shard_bytes=2_000)
    export_made(tmp_path / "many", name, "sft", form=small)
    manifest = json.loads((tmp_path / "many" / MANIFEST).read_text())
    shards = [file for file in manifest["files"] if file["rows"]]
    assert len(shards) > 5
    total = sum("train" in file["path"] and not file["path"].startswith("tools") for file in shards)
    assert sum(f"-of-{total:05}" in file["path"] for file in shards) >= total
    assert records(tmp_path / "many") == records(tmp_path / "one")
    if name != "huggingface":
        assert all(file["n_bytes"] <= 2_000 for file in shards)


def test_a_folder_that_is_not_ours_is_refused(tmp_path):
    """An export replaces its folder, so it must hold nothing else."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        export_made(tmp_path, "trl", "sft")
    with pytest.raises(InputError, match="is a file"):
        export_made(tmp_path / "notes.txt", "trl", "sft")
    export_made(tmp_path / "out", "trl", "sft")
    (tmp_path / "out" / "adapter.bin").write_text("a week of training")
    with pytest.raises(InputError, match=r"adapter\.bin"):
        export_made(tmp_path / "out", "trl", "sft")
    assert (tmp_path / "out" / "adapter.bin").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_export_replaces_an_earlier_one_whole(tmp_path):
    """No shard of the one before is left to be trained on."""
    export_made(tmp_path / "out", "llamafactory", "sft")
    export_made(tmp_path / "out", "verl", "sft")
    assert not (tmp_path / "out" / "dataset_info.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_export_leaves_the_earlier_one_and_no_traces(tmp_path):
    """It appears whole or not at all."""
    export_made(tmp_path / "out", "trl", "sft")
    before = tree(tmp_path / "out")

    def broken():
        yield from made_release()[:5]
        raise CorpusError("a shard is damaged")

    with pytest.raises(CorpusError, match="damaged"):
        export_made(tmp_path / "out", "trl", "sft", broken())
    assert tree(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_export_without_a_row_says_why(tmp_path):
    """An empty folder would fail in the trainer, with another message."""
    with pytest.raises(CorpusError, match="no_alternative 1"):
        export_made(tmp_path / "out", "trl", "preference", released(line(plain_talk(1))))
    assert not (tmp_path / "out").exists()


def test_withdrawn_samples_are_left_out_of_releases_made_before(tmp_path):
    """Who takes back a conversation means the next export, too."""
    gone = made_release()[7].line["id"]
    exported = export_made(tmp_path / "out", "trl", "sft", withdrawn=lambda plain: plain["id"] == gone)
    assert exported.left_out["withdrawn"] == 1
    assert gone not in (tmp_path / "out/data/train-00000-of-00001.jsonl").read_text()


def test_an_expert_is_exported_alone(tmp_path):
    """Experts are trained one by one."""
    exported = export_made(tmp_path / "out", "huggingface", "sft", experts=("code",))
    assert {row["expert"] for row in records(tmp_path / "out")} == {"code"}
    assert exported.n_in == sum(one.expert == "code" for one in made_release())


def test_a_rejected_sample_that_was_kept_at_another_time_is_no_bad_example(tmp_path):
    """The same text with both labels teaches nothing."""
    (kept,) = released(line(plain_talk(1)))
    other = RejectedSample("train", "general", line(plain_talk(2)))
    rejected = sorted([RejectedSample("train", "general", kept.line), other], key=lambda one: one.line["id"])
    exported = export_made(tmp_path / "out", "trl", "unpaired", [kept], rejected)
    assert (exported.labels, exported.left_out) == ({"bad": 1, "good": 1}, {"contradictory_signals": 1})


def test_a_split_that_nobody_knows_stops_the_export(tmp_path):
    """It could be another holdout."""
    with pytest.raises(CorpusError, match="split 'secret'"):
        export_made(tmp_path / "out", "trl", "sft", [ReleasedSample("secret", "general", line(plain_talk(1)))])


def test_formats_and_kinds_that_do_not_exist_are_answered_with_those_that_do():
    """A typing error costs no search."""
    with pytest.raises(InputError, match="did you mean 'axolotl'"):
        format_named("axolot", "sft")
    with pytest.raises(InputError, match="it has sft, prompt"):
        format_named("verl", "unpaired")


def test_axolotl_gets_no_reply_that_it_would_cut_wrongly(tmp_path):
    """It searches the rendered text for the reply: what a template trims or contains is found elsewhere."""
    talks = [said("Who?", "user"), said("What?", "A thing."), said("Space?", "Much. "), said("Cut?", "Clean.")]
    samples = released(*(line(talk, beside(1, "Worse reply.", vote=-1)) for talk in talks))
    exported = export_made(tmp_path / "out", "axolotl", "preference", samples)
    assert (exported.written, exported.left_out) == (2, {"reply_not_found": 2})


def test_tags_of_media_are_kept_from_toolkits_that_look_for_the_medium(tmp_path):
    """A text about HTML is not a picture."""
    samples = released(line(said("What is <image>?", "No tag of HTML.")), line(said("And <img>?", "That is one.")))
    assert export_made(tmp_path / "l", "llamafactory", "sft", samples).left_out == {"media_tag": 1}
    assert export_made(tmp_path / "o", "openrlhf", "prompt", samples).left_out == {"media_tag": 1}
    assert export_made(tmp_path / "t", "trl", "sft", samples).left_out == {}


def test_small_sets_are_warned_of_where_a_service_refuses_them(tmp_path):
    """Better here than after the upload."""
    assert "at least 10" in export_made(tmp_path / "out", "openai", "sft", made_release()[:6]).warnings[0]
    assert export_made(tmp_path / "out", "openai", "sft").warnings == ()


def test_an_expert_that_does_not_exist_is_an_error_even_beside_one_that_does(tmp_path):
    """A typing error must not make a smaller training set without a word."""
    with pytest.raises(InputError, match="no expert 'genral'; did you mean 'general'"):
        export_made(tmp_path / "out", "trl", "sft", experts=("code", "genral"))
    assert not (tmp_path / "out").exists()


def test_text_that_utf8_cannot_carry_stops_the_export_without_being_shown(tmp_path):
    """No corpus holds such a line; one made by hand must end in words, and not in its text."""
    with pytest.raises(CorpusError, match="not of its form") as caught:
        export_made(tmp_path / "out", "huggingface", "sft", [hand_made("half \ud800 secretword")])
    assert "secretword" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def hand_made(content):
    plain = line(said("Really?", "Yes."))
    plain["messages"] = said("Really?", content)
    return ReleasedSample("train", "general", plain)


@pytest.mark.parametrize("name", ["trl", "huggingface"])
def test_a_very_long_message_is_exported_whole(tmp_path, name):
    """What is too long for a model is for the trainer to cut, where its length is known."""
    long = "word " * 2**21
    exported = export_made(tmp_path / "out", name, "sft", released(line(said("Long?", long)), line(said("a", "b"))))
    assert exported.written == 2
    assert any(row["messages"][1]["content"] == long for row in records(tmp_path / "out"))


def test_an_empty_system_message_is_left_out_and_counted(tmp_path):
    """Templates differ in what they make of it: a default, nothing, or an empty turn."""
    samples = released(line(said("Hi?", "Hello.", system="")), line(said("Who?", "I.", system="Be terse.")))
    assert export_made(tmp_path / "out", "trl", "sft", samples).left_out == {"empty_turn": 1}


@pytest.mark.parametrize("name", ["trl", "huggingface"])
def test_a_full_disk_ends_in_words_and_leaves_the_earlier_export(tmp_path, name):
    """A limit on the size of files is refused by the system where a full disk is."""
    export_made(tmp_path / "out", name, "sft")
    before = tree(tmp_path / "out")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, hard))
    try:
        with pytest.raises(CorpusError, match="cannot write"):
            export_made(tmp_path / "out", name, "sft")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert tree(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_killed_export_leaves_no_folder_under_its_name_and_the_next_one_cleans_up(tmp_path):
    """A half-written folder must never be taken for a whole one."""
    program = (
        "import os, sys; from tests.corpus.export.made_release import *; from pathlib import Path\n"
        "def killed():\n  yield from made_release()[:20]\n  os.kill(os.getpid(), 9)\n"
        "export_made(Path(sys.argv[1]) / 'out', 'trl', 'sft', killed())"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False)
    assert ended.returncode == -9
    assert not (tmp_path / "out").exists()
    assert len(list(tmp_path.iterdir())) == 1
    export_made(tmp_path / "out", "trl", "sft")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_export_moved_aside_by_a_killed_one_is_put_back(tmp_path):
    """Killed between two renames, the earlier export stands under another name; a failure then must not lose it."""
    export_made(tmp_path / "out", "trl", "sft")
    before = tree(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / ".out.export-old")
    with pytest.raises(CorpusError, match="out of order"):
        export_made(tmp_path / "out", "trl", "sft", made_release()[::-1])
    assert tree(tmp_path / "out") == before


def test_a_configuration_that_somebody_filled_in_is_not_written_over(tmp_path):
    """axolotl.yaml asks for the model's name; a second export must not forget it."""
    export_made(tmp_path / "out", "axolotl", "sft")
    mine = (tmp_path / "out/axolotl.yaml").read_text().replace("base_model:", "base_model: mine")
    (tmp_path / "out/axolotl.yaml").write_text(mine)
    with pytest.raises(InputError, match=r"axolotl\.yaml was changed"):
        export_made(tmp_path / "out", "axolotl", "sft")
    assert (tmp_path / "out/axolotl.yaml").read_text() == mine


def test_an_export_without_a_row_to_train_on_says_so(tmp_path):
    """A trainer that is given an empty path fails with another message."""
    samples = released(line(plain_talk(1)), split="validation")
    assert "nothing to train on" in export_made(tmp_path / "out", "axolotl", "sft", samples).warnings[0]


@pytest.mark.parametrize("kind", ["sft", "preference", "prompt"])
def test_openai_rows_keep_the_published_rules_of_fine_tuning_files(tmp_path, kind):
    """Its documentation: keys, roles, text, an assistant's message to learn from, one message in each of a pair."""
    export_made(tmp_path / "out", "openai", kind)
    for row in records(tmp_path / "out"):
        talks = {"sft": ["messages"], "prompt": ["messages"]}.get(kind, ["preferred_output", "non_preferred_output"])
        assert set(row) == {"sft": {"messages"}, "prompt": {"messages", "reference_answer"}}.get(
            kind, {"input", "preferred_output", "non_preferred_output"}
        )
        messages = [one for key in talks for one in row[key]] + row.get("input", {}).get("messages", [])
        assert all(set(one) == {"role", "content"} and one["content"].strip() for one in messages)
        assert {one["role"] for one in messages} <= {"system", "user", "assistant"}
        if kind == "preference":
            assert all([one["role"] for one in row[key]] == ["assistant"] for key in talks)
            assert row["input"]["messages"][-1]["role"] == "user"
        else:
            assert messages[-1]["role"] == ("assistant" if kind == "sft" else "user")
