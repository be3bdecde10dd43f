"""Identity: the canonical bytes of a value and their digests, computed here and nowhere else."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson

ID_LENGTH = 32
"""Hexadecimal characters of an id: 128 bits, so 10^12 ids collide with probability 10^24 / 2^129, under 2e-15."""


def canonical_bytes(value: Any) -> bytes:
    """JSON with sorted keys, no white space and UTF-8 text; equal values give equal bytes.

    Raises:
        TypeError: the value is not JSON, or holds a lone surrogate, which UTF-8 cannot carry.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, 64 hexadecimal characters."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def short_id(value: Any) -> str:
    """The first `ID_LENGTH` characters of `digest(value)`: the form of every id in the corpus."""
    return digest(value)[:ID_LENGTH]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks, 64 hexadecimal characters."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
