"""One record's bytes as a JSON object, or the reason why not. Nothing is replaced, guessed or dropped on the way."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from corpus.sources.problems import UnreadableRecord
from corpus.sources.scan import BrokenStructure, Scan

JsonObject = dict[str, Any]

_MAX_STRUCTURES = 250_000
"""Objects and lists of one record. A message of a few bytes costs 2.4 kB on its way to the table (measured with a
million of them), so these are 600 MB of the gibibyte that pull may use. 10,000 turns of ChatGPT's export have about
100,000.
"""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_KEY_END = re.compile(rb'"[ \t\r\n]*:')
_SPACED_KEY = re.compile(rb'"[ \t\r\n]+:')
_BACKSLASH_KEY = re.compile(rb'\\\\"[ \t\r\n]*:')
_BACKSLASH = 0x5C


def decode(raw: bytes) -> Any:
    """The JSON value in `raw`.

    NaN and Infinity, which some loggers write though JSON has none, become null. A key that stands twice in an object
    with equal values is read once.

    Raises:
        UnreadableRecord: saying what is wrong and at which byte of the record.
    """
    if raw.count(b"{") + raw.count(b"[") > _MAX_STRUCTURES and _n_structures(raw) > _MAX_STRUCTURES:
        raise UnreadableRecord(f"it holds more than {_MAX_STRUCTURES:,} objects and lists")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return _decode_slowly(raw, error)
    if _may_repeat_keys(raw, value):
        _check_keys(raw)
    return value


def _n_structures(raw: bytes) -> int:
    """How many objects and lists it holds, if not too many; brackets inside strings do not count."""
    scan = Scan()
    for n_bytes in range(2**20, len(raw) + 2**20, 2**20):
        try:
            if scan.end(raw[:n_bytes], 0) is not None or scan.n_opened > _MAX_STRUCTURES:
                break
        except BrokenStructure:  # the parser says it better
            return 0
    return scan.n_opened


def decode_text(text: str) -> Any:
    """The JSON value in a string of a record, such as a tool call's arguments; the string itself when it is none."""
    try:
        return decode(text.encode())
    except (UnreadableRecord, UnicodeEncodeError):
        return text


def _decode_slowly(raw: bytes, error: orjson.JSONDecodeError) -> Any:
    if b"NaN" not in raw and b"Infinity" not in raw:
        raise UnreadableRecord(_explained(raw, error)) from error
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=lambda _: None)
        return orjson.loads(json.dumps(value, ensure_ascii=False).encode())  # refuses what orjson would have
    except RecursionError:
        raise UnreadableRecord("it is nested too deep to read") from error
    except ValueError:  # of either parser, or half a character
        raise UnreadableRecord(_explained(raw, error)) from error


def _explained(raw: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        return f"it is not UTF-8: byte 0x{raw[fault.start]:02x} at byte {fault.start} of the record"
    at = len(text[: error.pos].encode())
    if "surrogate" in error.msg or (_SURROGATE.search(raw) and "hex escape" in error.msg):
        return f"it holds half a character (a lone surrogate) at byte {at} of the record"
    if "\0" in text:
        return f"it holds a NUL at byte {raw.index(0)} of the record"
    if "depth" in error.msg:
        return "it is nested deeper than 1,024 levels"
    return f"it is not JSON: {error.msg} at byte {at} of the record"


def _may_repeat_keys(raw: bytes, value: Any) -> bool:
    """Whether an object in `raw` may hold a key twice. No is certain; yes needs a closer look, and is rare.

    A quote that is followed by a colon and not preceded by a backslash closes a key, or opens a string that begins with
    a colon. Written again from the parsed value, which has each key once, the record has as many of these unless a
    key was repeated. The exceptions are looked for first: space before the colon, a key that ends in a backslash, a
    colon written as an escape.
    """
    if b"\\u003a" in raw or b"\\u003A" in raw or _BACKSLASH_KEY.search(raw):
        return True
    n_keys = _n_spaced(raw) if _SPACED_KEY.search(raw) else _n_marks(raw)
    return n_keys != _n_marks(_compact(value))


def _n_spaced(raw: bytes) -> int:
    return sum(raw[match.start() - 1] != _BACKSLASH for match in _KEY_END.finditer(raw))


def _n_marks(raw: bytes) -> int:
    return raw.count(b'":') - raw.count(b'\\":')


def _compact(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # nested deeper than it writes: no count, so a closer look
        return b""


def _check_keys(raw: bytes) -> None:
    try:
        json.loads(raw, object_pairs_hook=_unique)
    except RecursionError as error:
        raise UnreadableRecord("it is nested too deep to read") from error


def _unique(pairs: list[tuple[str, Any]]) -> JsonObject:
    found: JsonObject = {}
    for key, value in pairs:
        if key in found and json.dumps(found[key], sort_keys=True) != json.dumps(value, sort_keys=True):
            raise UnreadableRecord(f"the key {key[:60]!r} stands twice in one object, with different values")
        found[key] = value
    return found
