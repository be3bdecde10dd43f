"""Words as 64-bit numbers that mean the same on every machine and on every night.

Signatures are kept for years, so nothing here may depend on the process (Python's `hash`), on a library's release
(polars' and xxhash's seeds) or on the Unicode version of the interpreter: a character's class is read from Unicode 3.2,
which every Python carries unchanged for domain names, and what 3.2 did not know has a fixed rule.

A word is a run of letters, marks, digits and underscores, in lower case. Scripts that are written without spaces (Han,
kana, bopomofo, yi, Thai, Lao, Khmer, Myanmar) have one word a character, so a 5-gram of words is there a 5-gram of
characters. Everything else separates.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FORMAT_VERSION = 1
"""To be raised whenever `word_hashes` gives other numbers for any text: the kept signatures become void."""

Words = npt.NDArray[np.uint64]

_SEPARATOR, _LETTER, _ALONE = 0, 1, 2
_TABLED = 0x20000  # classes of the planes above are fixed by ranges
_CODEPOINTS = 0x110000
_PIECE_CHARACTERS = 2**16
"""Texts are hashed this many characters at a time: its arrays of 0.5 MiB stay in a core's cache, and a message of
100 MB needs no more memory than a short one. From 2^15 to 2^18 the rate was the same within noise."""

_ALONE_RANGES = (
    (0x0E00, 0x0F00),  # Thai, Lao
    (0x1000, 0x10A0),  # Myanmar
    (0x1780, 0x1800),  # Khmer
    (0x3041, 0x3130),  # hiragana, katakana, bopomofo
    (0x31A0, 0x31C0),  # bopomofo extended
    (0x31F0, 0x3200),  # katakana extended
    (0x3400, 0x4DC0),  # Han
    (0x4E00, 0xA4D0),  # Han, yi
    (0xF900, 0xFB00),  # Han, compatibility
    (0xFF66, 0xFFA0),  # katakana, half width
    (0x20000, 0x32400),  # Han
)
_SYMBOL_RANGES = (
    (0x2000, 0x2C00),  # punctuation, arrows, mathematics, boxes: later additions are of the same kind
    (0x2E00, 0x2E80),  # supplemental punctuation
    (0xFE00, 0xFE10),  # variation selectors, which follow pictographs
    (0x1F000, 0x20000),  # pictographs
)


class _Tables(NamedTuple):
    value: Words  # by code point: a mixed number of the lower-case character, 0 for a separator
    kind: npt.NDArray[np.uint8]
    lower: npt.NDArray[np.uint32]


def mix(numbers: Words) -> Words:
    """MurmurHash3's 64-bit finaliser: a bijection in which every input bit moves every output bit."""
    mixed = numbers ^ (numbers >> np.uint64(33))
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def word_hashes(texts: Sequence[str]) -> list[Words]:
    """One array a text: the 64-bit hash of each of its words, in order.

    A word's hash is the polynomial of its characters' numbers modulo 2^64, mixed. Equal words are equal; different
    words meet by chance with probability near 2^-64. A hostile text could be built to meet another, which would only
    drop the hostile text, as sending a plain copy would.
    """
    hashes: list[Words] = []
    for group in _grouped(texts):
        hashes += _hash_group(group) if len(group) > 1 else [_hash_long(group[0])]
    return hashes


def words(text: str) -> list[str]:
    """The words themselves, in the order of `word_hashes`: for verification and for people."""
    return [word for piece in _pieces(text) for word in _words_of(piece)]


def _words_of(piece: str) -> list[str]:
    codes = _code_points(piece)
    starts, ends = _spans(_tables().kind[codes])
    lowered = _tables().lower[codes].astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    return [lowered[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def _grouped(texts: Sequence[str]) -> Iterator[list[str]]:
    """Runs of texts of about a piece's length together, so that numpy's cost per call is shared."""
    group: list[str] = []
    n_characters = 0
    for text in texts:
        if group and n_characters + len(text) >= _PIECE_CHARACTERS:
            yield group
            group, n_characters = [], 0
        group.append(text)
        n_characters += len(text) + 1
    if group:
        yield group


def _hash_group(texts: list[str]) -> list[Words]:
    hashes, starts = _hash_piece("\n".join(texts))
    firsts = np.cumsum([len(text) + 1 for text in texts[:-1]])
    return np.split(hashes, np.searchsorted(starts, firsts))


def _hash_long(text: str) -> Words:
    hashes = [_hash_piece(piece)[0] for piece in _pieces(text)]
    return np.concatenate(hashes) if hashes else np.empty(0, np.uint64)


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces, cut on white space where there is any: a rule that depends on this text alone."""
    at = 0
    while at < len(text):
        end = at + _PIECE_CHARACTERS
        if end < len(text):
            end = max(text.rfind(" ", at, end), text.rfind("\n", at, end)) + 1 or end
        yield text[at:end]
        at = end


def _hash_piece(text: str) -> tuple[Words, npt.NDArray[np.int64]]:
    """The hash and the place of each word of at most `_PIECE_CHARACTERS` characters."""
    codes = _code_points(text)
    tables = _tables()
    starts, _ = _spans(tables.kind.take(codes))
    if not len(starts):
        return np.empty(0, np.uint64), starts
    powers, inverses = _powers()
    weighted = tables.value.take(codes)
    weighted *= powers[: len(codes)]
    # Separators weigh 0, so the sum up to the next start is the sum of the word.
    sums = np.add.reduceat(weighted, starts)
    sums *= inverses.take(starts)
    return mix(sums), starts


def _code_points(text: str) -> npt.NDArray[np.unsignedinteger]:
    if text.isascii():  # a quarter of the memory to move for most of the world's chat logs
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _spans(kind: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where words start and where they end (exclusive)."""
    alone = kind == _ALONE
    letter = kind == _LETTER
    starts, ends = letter.copy(), letter.copy()
    starts[1:] &= ~letter[:-1]
    ends[:-1] &= ~letter[1:]
    return np.flatnonzero(starts | alone), np.flatnonzero(ends | alone) + 1


@cache
def _powers() -> tuple[Words, Words]:
    """The powers from 0 on of the polynomial's base, and of its inverse modulo 2^64 (an odd base has one)."""
    base = 0x9E3779B97F4A7C15  # the golden ratio's bits
    return _powers_of(base), _powers_of(pow(base, -1, 2**64))


def _powers_of(base: int) -> Words:
    powers = np.full(_PIECE_CHARACTERS, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


@cache
def _tables() -> _Tables:
    kind = np.full(_CODEPOINTS, _LETTER, np.uint8)
    lower = np.arange(_CODEPOINTS, dtype=np.uint32)
    for code in range(_TABLED):
        category = unicodedata.ucd_3_2_0.category(chr(code))
        # Cn: not assigned in 3.2; most of what came later is letters of further scripts.
        kind[code] = _LETTER if category[0] in "LMN" or category == "Cn" or chr(code) == "_" else _SEPARATOR
        if category in ("Lu", "Lt"):
            lower[code] = ord(chr(code).lower()[0])  # the first: only U+0130 has two
    for first, end in _SYMBOL_RANGES:
        kind[first:end] = _SEPARATOR
    for first, end in _ALONE_RANGES:
        kind[first:end] = np.where(kind[first:end] == _SEPARATOR, _SEPARATOR, _ALONE)
    kind[0xE0000:] = _SEPARATOR  # tags and private use
    value = mix((lower.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03))
    value[kind == _SEPARATOR] = 0
    return _Tables(value, kind, lower)
