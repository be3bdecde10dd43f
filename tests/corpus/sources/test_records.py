"""Splitting streams into records: all shapes, all kinds of damage, and the law of truncation."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources.lines import split_lines
from corpus.sources.records import Record, Unreadable
from corpus.sources.values import ValueSplitter
from corpus.sources.window import Window

LIMIT = 100_000


class Slow(io.BytesIO):
    """A stream that gives a few bytes at a time, as pipes and archives do."""

    def read(self, n_bytes=-1):
        return super().read(7)


def is_row(value):
    return "id" in value and "text" in value


def values(raw: bytes, limit: int = LIMIT, stream=io.BytesIO):
    return list(ValueSplitter(Window(stream(raw)), limit, is_row))


def lines(raw: bytes, limit: int = LIMIT, stream=io.BytesIO):
    return list(split_lines(Window(stream(raw)), limit))


def ids(items):
    return [item.value["id"] for item in items if isinstance(item, Record)]


def bad(items):
    return [item for item in items if isinstance(item, Unreadable)]


def row(n: int, **more):
    return {"id": n, "text": f'say "{n}" {{[\\ \n end', **more}


ROWS = [row(n, nested={"id": -n, "more": [{}, [], "}"]}) for n in range(6)]
PRETTY, MINIFIED = json.dumps(ROWS, indent=2).encode(), json.dumps(ROWS, separators=(",", ":")).encode()
SHAPES = {
    "array": PRETTY,
    "minified array": MINIFIED,
    "indented by tabs, windows lines": json.dumps(ROWS, indent="\t").replace("\n", "\r\n").encode(),
    "objects one after the other": "\n".join(json.dumps(r, indent=1) for r in ROWS).encode(),
    "objects without space": "".join(json.dumps(r) for r in ROWS).encode(),
    "two arrays": json.dumps(ROWS[:3]).encode() + b"\n" + json.dumps(ROWS[3:]).encode(),
}


@pytest.mark.parametrize("stream", [io.BytesIO, Slow])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_records(shape, stream):
    """What a file looks like must not matter, nor how its bytes arrive."""
    items = values(SHAPES[shape], stream=stream)
    assert [item.value for item in items] == ROWS


@pytest.mark.parametrize("shape", SHAPES)
def test_a_records_place_is_its_bytes(shape):
    """The report names places that an editor can go to."""
    raw = SHAPES[shape]
    for item in values(raw):
        assert json.loads(raw[item.place.offset : item.place.end]) == item.value
        assert item.place.line == raw[: item.place.offset].count(b"\n") + 1


@given(cut=st.integers(0, len(PRETTY)), shape=st.sampled_from(sorted(SHAPES)))
def test_cutting_a_file_anywhere_never_costs_a_record_before_the_cut(cut, shape):
    """A damaged tail never costs what came before it, and its place is known."""
    raw = SHAPES[shape]
    whole = [item for item in values(raw) if item.place.end <= cut]
    items = values(raw[:cut])
    assert [item.value for item in items if isinstance(item, Record)] == [item.value for item in whole]
    for item in bad(items):
        assert item.place.offset >= (whole[-1].place.end if whole else 0)
        assert item.place.end == len(raw[:cut])


@given(cut=st.integers(0, 600))
def test_cutting_json_lines_anywhere_never_costs_a_line_before_the_cut(cut):
    """The same for the format that grows."""
    raw = b"".join(json.dumps(r).encode() + b"\n" for r in ROWS)
    items = lines(raw[:cut])
    assert ids(items)[: raw[:cut].count(b"\n")] == list(range(raw[:cut].count(b"\n")))
    assert len(bad(items)) <= 1


@pytest.mark.parametrize("shape", ["array", "minified array", "objects one after the other"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damage_in_the_middle_costs_at_most_the_records_it_touches(shape, data):
    """Disks lose blocks; what stands before and behind them is whole. The neighbour may lose its beginning, too."""
    raw = SHAPES[shape]
    whole = values(raw)
    at = data.draw(st.integers(0, len(raw) - 1))
    n_bytes = data.draw(st.integers(1, 40))
    noise = data.draw(st.sampled_from([b"", b"\0" * n_bytes, b'"', b"}", b"]", b"{", b"\xff\xfe", b'":{"']))
    damaged = raw[:at] + noise + raw[at + n_bytes :]
    found = [item.value for item in values(damaged) if isinstance(item, Record)]
    last_touched = max((n for n, item in enumerate(whole) if item.place.offset <= at + n_bytes), default=0)
    before = [item.value for item in whole if item.place.end < at]
    behind = [item.value for item in whole[last_touched + 1 :]]
    assert found[: len(before)] == before
    assert found[len(found) - len(behind) :] == behind or not behind


def test_lines_that_are_damaged_cost_only_themselves():
    """Blank lines, strings, lists and numbers occur in real logs between the objects."""
    raw = b'{"id": 1}\n\n{"id": 2\n"note"\n[1]\n17\nnull\n  \r\n{"id": 3}\r\n{"id": 4}'
    items = lines(raw)
    assert ids(items) == [1, 3, 4]
    assert [item.place.line for item in bad(items)] == [3, 4, 5, 6, 7]
    assert "a string, not an object" in bad(items)[1].reason


def test_several_objects_on_one_line_are_all_read():
    """Two processes that write to one log without a lock lose a newline now and then."""
    items = lines(b'{"id": 1}{"id": 2} {"id": 3}\n{"id": 4}{"id": \n{"id": 5}\n')
    assert ids(items) == [1, 2, 3, 4, 5]
    assert [item.place.offset for item in bad(items)] == [38]


def test_nul_bytes_between_lines_are_reported_and_cost_nothing():
    """A crash leaves a hole of NULs at the end of a file, and the next start writes on behind it."""
    items = lines(b'{"id": 1}\n' + b"\0" * 50 + b'{"id": 2}\n')
    assert ids(items) == [1, 2]
    assert bad(items)[0].reason == "NUL bytes between records"
    assert (bad(items)[0].place.offset, bad(items)[0].place.end) == (10, 60)


@pytest.mark.parametrize("split", [values, lines])
@pytest.mark.parametrize("stream", [io.BytesIO, Slow])
def test_a_record_that_is_too_large_is_skipped_and_the_rest_is_read(split, stream):
    """Memory is bounded by max_record_mb, whatever a log holds."""
    raw = b"\n".join(json.dumps(row(n, more="x" * (500 if n == 1 else 1))).encode() for n in range(4))
    items = split(raw, 300, stream)
    assert ids(items) == [0, 2, 3]
    assert "larger than" in bad(items)[0].reason
    assert raw[bad(items)[0].place.offset :].startswith(b'{"id": 1')


def test_a_record_whose_end_is_lost_is_not_mistaken_for_a_large_one():
    """One missing bracket makes a record seem to go on to the end of the file."""
    raw = PRETTY.replace(b'"id": -1', b'"id": {-1', 1)
    items = values(raw, limit=600)
    assert ids(items) == [0, 2, 3, 4, 5]


def test_nesting_is_never_followed_by_recursion():
    """A hostile record of a hundred thousand levels is one unreadable record."""
    deep = b'{"id": 1, "text": ' + b"[" * 10**5 + b"]" * 10**5 + b"}"
    items = values(b"[" + deep + b"," + json.dumps(ROWS[0]).encode() + b"]", limit=10**7)
    assert ids(items) == [0]
    assert "nested deeper" in bad(items)[0].reason


def test_a_file_of_nothing_but_space_is_not_held():
    """Compressed, it is small."""

    class Spaces:
        def __init__(self):
            self.left = 300

        def read(self, n_bytes):
            self.left -= 1
            return b" " * 10**6 if self.left > 0 else b""

    window = Window(Spaces())
    assert list(ValueSplitter(window, LIMIT, is_row)) == []
    assert len(window.data) < 3 * 10**6


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    [
        b'{"id":',
        b'{"id":"',
        b'{"id":1,"text":{"id":2},',
        b'{"id":1,"x":[}',
        b'[{"id":[',
        b"{" * 50,
        b'"\\',
        b'{"id":1,"a":"b" "id":{',
    ],
)
def test_hostile_damage_is_searched_in_linear_time(piece):
    """Every beginning is a candidate for the next record; without a budget this would take hours."""
    items = values(b'[{"id":0,"text":""},' + piece * (2 * 10**6 // len(piece)), limit=10**6)
    assert ids(items)[0] == 0
    assert bad(items)
