"""One record's bytes: what is refused, what is read, and that no repeated key is ever missed."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.sources.decode import decode, decode_text
from corpus.sources.problems import UnreadableRecord


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"a": "\xff"}', "not UTF-8: byte 0xff at byte 7"),
        (b'{"a": "\\ud83d"}', "lone surrogate"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a": "\0"}', "NUL at byte 7"),
        (b'{"a": "b', "not JSON"),
        (b'{"a": 1e999}', "infinity"),
        (b"[" * 3000 + b"]" * 3000, "nested deeper"),
        (b"[" * 1000 + b"NaN" + b"]" * 1000, "nested too deep"),
        (b'{"a": NaN, "b": "\\udc00"}', "not JSON"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
    ],
)
def test_a_damaged_record_is_refused_with_the_reason_and_the_place(raw, says):
    """People repair logs by these words; a guess in their place would put invented text into the corpus."""
    with pytest.raises(UnreadableRecord, match=says):
        decode(raw)


def test_a_record_of_very_many_tiny_objects_is_refused_and_one_full_of_code_is_not():
    """Parsed, a list of empty objects takes a hundred times its bytes; brackets in a text take nothing."""
    with pytest.raises(UnreadableRecord, match="more than 250,000"):
        decode(b"[" + b"{}," * 250_000 + b"{}]")
    assert len(decode(b'["' + b"{}[" * 250_000 + b'"]')[0]) == 750_000


def test_not_a_number_becomes_null():
    """Python loggers write NaN for a missing cost; the conversation beside it is whole."""
    assert decode(b'{"cost": NaN, "limit": -Infinity, "text": "NaN"}') == {"cost": None, "limit": None, "text": "NaN"}


def test_huge_integers_are_read():
    """Snowflake ids and hostile numbers must not stop a night."""
    assert decode(b'{"id": 18446744073709551615}') == {"id": 2**64 - 1}
    assert decode(b'{"id": 1' + b"0" * 300 + b"}")["id"] == 1e300


def test_a_key_that_stands_twice_with_equal_values_is_fine():
    """Some loggers repeat fields; nothing is ambiguous then."""
    assert decode(b'{"a": {"b": [1]}, "a": {"b": [1]}}') == {"a": {"b": [1]}}


_keys = st.sampled_from(["a", "b", ":", "", "a\\", '"', ":a", " "])
_style = st.sampled_from(["", " ", "\n  ", "\t"])


@st.composite
def _objects(draw, depth=2):
    """JSON text with freely chosen spellings, and whether one of its objects repeats a key with another value."""
    pairs, seen, is_ambiguous = [], {}, False
    for key in draw(st.lists(_keys, max_size=4)):
        if depth and draw(st.booleans()):
            value, inner = draw(_objects(depth=depth - 1))
            is_ambiguous |= inner
        else:
            value = draw(st.sampled_from(["1", "true", '": x"', '"\\u003ab"', '"c\\\\"', '"\\": "', '""']))
        is_ambiguous |= key in seen and json.dumps(json.loads(seen[key])) != json.dumps(json.loads(value))
        seen[key] = value
        spelt = json.dumps(key)
        if draw(st.booleans()):
            spelt = '"' + "".join(f"\\u{ord(sign):04x}" for sign in key) + '"'
        pairs.append(spelt + draw(_style) + ":" + draw(_style) + value)
    return "{" + ",".join(pairs) + "}", is_ambiguous


@given(_objects())
@example(('{"a\\\\":1,"a\\\\":2}', True))
@example(('{"x":"\\u003ay","b":1,"b":2}', True))
@example(('{"a" : "\\": ","a":1}', True))
def test_a_repeated_key_is_found_however_it_is_spelt(case):
    """The quick test counts quotes and colons; it may send too many records to the slow one, but never too few."""
    text, is_ambiguous = case
    if is_ambiguous:
        with pytest.raises(UnreadableRecord, match="stands twice"):
            decode(text.encode())
    else:
        assert decode(text.encode()) == json.loads(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(raw):
    """A parser that raises anything else stops the whole night for one record."""
    try:
        decode(raw)
    except UnreadableRecord as error:
        assert str(error)


@given(st.text(max_size=30))
def test_text_in_a_record_is_json_or_itself(text):
    """Tool arguments are JSON in a string, or are meant to be."""
    decode_text(text)
