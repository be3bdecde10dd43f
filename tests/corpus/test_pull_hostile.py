"""pull on hostile bytes: huge, deep, damaged and random."""

import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schemas.errors import GristmillError
from tests.corpus.pulling import _whole, lines, openai, quarantine, run, sharegpt


def test_half_a_character_in_utf16_costs_one_record(tmp_path):
    """Nothing is replaced by a question mark."""
    text = "\n".join(json.dumps(sharegpt(n, "x\ud83dy" if n == 1 else "z"), ensure_ascii=False) for n in range(3))
    (tmp_path / "log.jsonl").write_bytes(b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass"))
    report, rows, _ = run(tmp_path, "log.jsonl")
    assert [row["native_id"] for row in rows] == ["row_0", "row_2"]
    assert dict(report.dropped) == {"unreadable": 1}


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


def test_a_deep_record_that_no_table_could_hold_is_unreadable(tmp_path):
    """Canonical JSON has a limit of depth; the record before it is kept."""
    deep: dict = {}
    for _ in range(400):
        deep = {"d": deep}
    record = {"id": "x", "messages": [{"role": "user", "content": [{"type": "custom", "data": deep}]}]}
    (tmp_path / "log.jsonl").write_bytes(lines(openai(1), record))
    report, _, _ = run(tmp_path, "log.jsonl")
    assert (report.kept, dict(report.dropped)) == (1, {"unreadable": 1})


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
