"""What a machine keeps of a withdrawn conversation is found and removed; everything else stays."""

import gzip

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.local_traces import LocalTraces, find_local, records_of
from corpus.passages import Passages, chunks
from corpus.stage import read_rows, rejects_path
from corpus.stages import STEPS, stage_file
from schemas.outcome import Held
from tests.corpus.night_folder import Talk, make_night

SECRET = "My name is Zora Quillfeather, of 7 Thistledown Lane; which tree gives the best shade there?"
ANSWER = "A lime tree gives a good shade, and in July the bees will thank you for it every single day."
OTHER = (
    "Which road goes to the sea from here, and how long is it on foot?",
    "The mill road; it takes three hours on foot.",
)


def night(folder):
    talks = [Talk((SECRET, ANSWER), subject="5" * 32), Talk(OTHER, subject="6" * 32)]
    make_night(folder / "nights" / "2026-11-04", talks)
    held = Talk((SECRET + " Really?", ANSWER), subject="5" * 32, fate=("screen", Held("too_many_secrets")))
    return make_night(folder / "nights" / "2026-11-05", [held, Talk((OTHER[0] + " By boat?", OTHER[1]))])


def test_conversations_are_found_by_id_and_by_contributor(tmp_path):
    """Those that were never proposed, too: they are what must not be proposed tomorrow."""
    night(tmp_path)
    found = find_local(tmp_path / "nights", subjects=["5" * 32])
    assert len(found) == 2 and [one.content_id is None for one in sorted(found, key=lambda one: one.messages)] == [
        True,
        False,
    ]
    (known,) = [one for one in found if one.content_id]
    assert known.messages[0]["content"] == SECRET
    for prefix in (known.content_id[:8], known.conversation_id[:8]):
        assert find_local(tmp_path / "nights", prefix=prefix) == [known]
    assert find_local(tmp_path / "nights", prefix="") == []


def test_every_trace_is_listed_and_removed(tmp_path):
    """All stage files, and files of text that quote; the rows of others, and their reports, stay."""
    night(tmp_path)
    folder = tmp_path / "nights" / "2026-11-04"
    (folder / "night.html").write_text(f"<p>{SECRET}</p>")
    (tmp_path / "review").mkdir()
    lines = [orjson.dumps({"sample_id": "1", "messages": [{"content": text}]}) for text in (SECRET, OTHER[0])]
    (tmp_path / "review" / "draft.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    found = find_local(tmp_path / "nights", subjects=["5" * 32])
    traces = LocalTraces(
        tmp_path, [one.content_id for one in found if one.content_id], [one.conversation_id for one in found]
    )
    listed = {trace.path.name: trace.n_rows for trace in traces.found()}
    assert {f"{stage.stem}.parquet" for stage in STEPS.values()} <= set(listed)
    assert listed["night.html"] is None and listed["draft.jsonl"] is None and listed["screened.rejects.parquet"] == 1
    traces.remove()
    assert traces.found() == [] and not (folder / "night.html").exists()
    for step in STEPS:
        assert len(list(read_rows(stage_file(folder, step)))) == 1
    assert list(read_rows(rejects_path(stage_file(tmp_path / "nights" / "2026-11-05", "screen")))) == []
    assert (tmp_path / "review" / "draft.jsonl").read_bytes() == lines[1] + b"\n"
    assert not any(b"Quillfeather" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def export(folder, rows, tag="v1"):
    """An export as one of ours lies there: rows for a toolkit, no ids, and the manifest that names its files."""
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_bytes(b"".join(orjson.dumps({"prompt": said}) + b"\n" for said in rows))
    pq.write_table(pa.table({"prompt": rows}), folder / "train.parquet")
    (folder / "export.json").write_bytes(orjson.dumps({"release": {"tag": tag}}))
    return folder


def test_what_was_derived_goes_and_what_others_made_stays(tmp_path):
    """Exports, downloads, training files, measurements, results of tasks: none of them has the conversation's id."""
    (tmp_path / "nights").mkdir()
    export(tmp_path / "exports" / "v1" / "trl" / "sft", [SECRET, OTHER[0]])
    export(tmp_path / "exports" / "v1" / "trl" / "preference", [OTHER[0]])
    export(tmp_path / "mine", [ANSWER], tag="v0")
    kept = export(tmp_path / "exports" / "v2" / "trl" / "sft", [OTHER[0], OTHER[1]], tag="v2")
    by_tag = export(tmp_path / "exports" / "v3", [OTHER[0]], tag="v3")
    tables = {"train.parquet": [SECRET, OTHER[0]], "clean.parquet": [OTHER[0]]}
    for name, rows in tables.items():
        pq.write_table(pa.table({"text": rows}), tmp_path / name)
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "log.jsonl.gz").write_bytes(gzip.compress(SECRET.encode()))
    (tmp_path / "measurements" / "a" / "11").mkdir(parents=True)
    for name in ("1" * 32, "2" * 32):
        (tmp_path / "measurements" / "a" / "11" / f"{name}.safetensors").write_bytes(b"x")
    for name, text in (("result", SECRET), ("prefect.db", ANSWER), ("other.db", OTHER[0])):
        (tmp_path / name).write_text(f"head\n{text}\n")
    (tmp_path / "train.log").write_text(f"epoch 1\nsample: {SECRET}\n{SECRET[:40]}\n{SECRET[40:]}\nepoch 2\n")
    (tmp_path / "broken.txt").write_text("\n".join(ANSWER.split()))
    traces = LocalTraces(tmp_path, ["1" * 32], ["c" * 32], ["v3"])
    traces.also(Passages([*chunks(SECRET), *chunks(ANSWER)]), ())
    listed = {str(trace.path.relative_to(tmp_path)): trace.how for trace in traces.remove()}
    assert listed == {
        "exports/v1": "folder", "exports/v3": "folder", "mine": "folder", "downloads": "folder",
        "train.parquet": "rows", f"measurements/a/11/{'1' * 32}.safetensors": "file", "result": "file",
        "prefect.db": "left", "train.log": "lines", "broken.txt": "lines",
    }  # fmt: skip
    assert [str(trace.path) for trace in traces.found()] == [str(tmp_path / "prefect.db")]
    assert not by_tag.exists() and (kept / "train.parquet").exists() and (tmp_path / "other.db").exists()
    assert pq.read_table(tmp_path / "train.parquet").column("text").to_pylist() == [OTHER[0]]
    assert (tmp_path / "train.log").read_text() == "epoch 1\nepoch 2\n"
    assert not (tmp_path / "broken.txt").exists(), "no line of it quotes, all of it does"
    assert (tmp_path / f"measurements/a/11/{'2' * 32}.safetensors").exists()


def test_what_others_say_too_is_left_alone(tmp_path):
    """A phrase in common is no trace; a draft of somebody's edit must not vanish because of it."""
    (tmp_path / "review").mkdir()
    draft = tmp_path / "review" / "draft.jsonl"
    draft.write_bytes(orjson.dumps({"content": SECRET}) + b"\n")
    traces = LocalTraces(tmp_path, [], [])
    traces.also(Passages(chunks(ANSWER)), set(chunks(SECRET)))
    assert traces.remove() == [] and draft.stat().st_size


def test_experts_of_a_release_are_found_by_their_records(tmp_path):
    """A release that had withdrawn samples taught somebody."""
    (tmp_path / "experts").mkdir()
    for name, release in (("a", "v1"), ("b", {"tag": "v1"}), ("c", "v2")):
        (tmp_path / "experts" / f"{name}.json").write_bytes(orjson.dumps({"name": name, "release": release}))
    assert [name for name, _ in records_of(tmp_path, "experts", ["v1"])] == ["a", "b"]
    assert records_of(tmp_path, "experts", []) == []


def test_what_lies_elsewhere_is_told_and_not_replaced(tmp_path):
    """A link would be cut to a file of its own, and the text it leads to stay."""
    (tmp_path / "var").mkdir()
    outside = tmp_path / "outside.txt"
    outside.write_text(f"{SECRET}\nand more\n")
    (tmp_path / "var" / "link.txt").symlink_to(outside)
    traces = LocalTraces(tmp_path / "var", [], [])
    traces.also(Passages(chunks(SECRET)), frozenset())
    assert [(trace.path.name, trace.how) for trace in traces.remove()] == [("link.txt", "left")]
    assert (tmp_path / "var" / "link.txt").is_symlink() and SECRET in outside.read_text()
