"""Some lines of a shard as a release sees them: each is checked to be a sample; numbers are kept, and no text.

A line is anybody's text until it is found to be a sample: what is not stops the release, with its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from corpus.minhash import shingle_sets, signatures
from corpus.near import Signatures
from corpus.words import word_hashes
from schemas.canonical import canonical_bytes, short_id
from schemas.conversation import ROLES
from schemas.errors import CorpusError
from schemas.sample import FORMAT_VERSION

CODED = ("language", "licence", "model", "source", "judge")
"""Facts of which a corpus has few different values: kept as numbers."""

_MAY_BE_NULL = ("subject", "extends", "language", "model")


class Piece(NamedTuple):
    """Whole lines of a shard; `first` is the number of the first one, counted from 1."""

    path: str
    expert: str
    first: int
    content: bytes


@dataclass(frozen=True)
class PieceFacts:
    """What is kept of the lines of a piece, by line. `coded` has the values and each line's number of one."""

    ids: npt.NDArray[np.bytes_]
    signatures: Signatures
    has_words: npt.NDArray[np.bool_]
    keys: npt.NDArray[np.uint64]  # (lines, 4), see `_keys_of`; 0 for none
    ratings: npt.NDArray[np.float32]
    n_messages: npt.NDArray[np.int32]
    n_words: npt.NDArray[np.int32]
    coded: Mapping[str, tuple[list[str], npt.NDArray[np.int32]]]


def read_piece(piece: Piece) -> PieceFacts:
    """What is kept of the lines of a piece. Raises: CorpusError: a line is no sample."""
    samples = [_parsed(line, piece, number) for number, line in enumerate(_lines(piece.content), piece.first)]
    words = word_hashes([_spoken(sample) for sample in samples])
    minima = signatures(shingle_sets(words))
    lengths = np.array([len(one) for one in words], np.int32)
    return PieceFacts(
        ids=np.array([bytes.fromhex(sample["id"]) for sample in samples], "S16"),
        signatures=minima.astype(np.uint16),  # its lowest 16 bits
        has_words=lengths > 0,
        keys=np.array([_keys_of(sample) for sample in samples], np.uint64).reshape(-1, 4),
        ratings=np.array([sample["verdict"]["rating"] for sample in samples], np.float32),
        n_messages=np.array([len(sample["messages"]) for sample in samples], np.int32),
        n_words=lengths,
        coded={name: _numbered([_coded(sample, name) for sample in samples]) for name in CODED},
    )


def _lines(content: bytes) -> list[bytes]:
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _parsed(line: bytes, piece: Piece, number: int) -> dict[str, Any]:
    """The sample in a line, as far as a release reads it; everything else was checked when it came in."""
    place = f"{piece.path}, line {number}"
    try:
        sample: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise CorpusError(f"the corpus has a damaged line ({place}): {error}; mend it there") from error
    try:
        problem = _problem(sample, piece.expert)
    except (KeyError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {str(error)[:60]!a}"
    if problem:
        raise CorpusError(f"the corpus has a line that is no sample ({place}: {problem}); mend it there")
    return sample


def _problem(sample: Mapping[str, Any], expert: str) -> str | None:
    """What is wrong with a line, None when nothing is. Raises KeyError and the like where its form is another one."""
    messages, origin = sample["messages"], sample["provenance"]
    if sample["format"] != FORMAT_VERSION:
        return f"its format is not {FORMAT_VERSION}"
    said = [[message["role"], message["content"]] for message in messages]
    if not said or not all(role in ROLES and isinstance(content, str) for role, content in said):
        return "its messages are not roles and texts"
    if sample["id"] != short_id(said):
        return "its id is not that of its messages: the text was changed"
    if sample["expert"] != expert:
        return "it is in the folder of another expert"
    if type(sample["verdict"]["rating"]) not in (int, float):
        return "its rating is no number"
    if not all(isinstance(origin[name], str) for name in ("conversation_id", "licence", "source")):
        return "its provenance is not of its form"
    if not all(origin[name] is None or isinstance(origin[name], str) for name in _MAY_BE_NULL):
        return "its provenance is not of its form"
    return None


def _spoken(sample: Mapping[str, Any]) -> str:
    """As corpus/fingerprint.py: what the system says to everybody makes nobody alike."""
    said = (message["content"] for message in sample["messages"] if message["role"] in ("user", "assistant"))
    return "\n".join(said)


def _keys_of(sample: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Its id, the id that it goes on from, its conversation and its contributor."""
    origin = sample["provenance"]
    return (
        key_of("sample", sample["id"]),
        key_of("sample", origin["extends"]),
        key_of("conversation", origin["conversation_id"]),
        key_of("subject", origin["subject"]),
    )


def key_of(kind: str, name: str | None) -> int:
    """A name as a number, 0 for none. Two of 10^7 names meet with probability 10^14 / 2 / 2^64, under 3e-6."""
    if not name:
        return 0
    said = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(said, digest_size=8, person=kind.encode()).digest())


def _coded(sample: Mapping[str, Any], name: str) -> str:
    if name == "judge":
        return canonical_bytes(sample["verdict"]["judge"]).decode()
    return str(sample["provenance"][name] or "")


def _numbered(found: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int32]]:
    numbers: dict[str, int] = {}
    places = [numbers.setdefault(value, len(numbers)) for value in found]
    return list(numbers), np.array(places, np.int32)
