"""What a machine keeps of a withdrawn conversation is found and removed; everything else stays."""

import orjson

from corpus.local_traces import LocalTraces, find_local, records_of
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


def test_experts_of_a_release_are_found_by_their_records(tmp_path):
    """A release that had withdrawn samples taught somebody."""
    (tmp_path / "experts").mkdir()
    for name, release in (("a", "v1"), ("b", {"tag": "v1"}), ("c", "v2")):
        (tmp_path / "experts" / f"{name}.json").write_bytes(orjson.dumps({"name": name, "release": release}))
    assert [name for name, _ in records_of(tmp_path, "experts", ["v1"])] == ["a", "b"]
    assert records_of(tmp_path, "experts", []) == []
