"""What `deduplicate` knows of a conversation: enough to find and verify each kind of duplicate without its text.

- Exact duplicates: the content id.
- Prefixes: a chain of hashes, one a turn, each over all turns so far. A conversation whose last link stands anywhere
  in another's chain is its beginning. A leading system prompt is left out, because logs of one conversation differ in
  whether and with which date they carry it.
- Answers cut off: beside the chain an *opening* for each answer of at least 40 characters, a hash of the link before
  it and its first 40 characters. Where a record's last opening stands in another's, the longer one is a candidate.
- Near-duplicates: the shingles of what user and assistant say. System prompts and tool results are left out: one long
  prompt or retrieved page shared by short chats would make them all near-duplicates of each other. Roles are left
  out because the chain has them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from corpus.minhash import Shingles, shingle_sets
from corpus.words import word_hashes
from schemas.conversation import Turn

FORMAT_VERSION = 1
"""To be raised whenever a chain or an opening changes its meaning."""

Keys = npt.NDArray[np.int64]

OPENING_CHARACTERS = 40
"""About seven English words: two replies to the same history that begin with them are one reply, or two of a model's
stock openings, which the shingles then tell apart. It also bounds how many records share one opening."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One conversation for comparison.

    `n_turns` counts messages without a leading system prompt, `n_words` those of user and assistant. `chain` has one
    link a turn; `openings` one an answer long enough; `last_opening` is that of the last turn, None where it is none.
    """

    content_id: str
    n_turns: int
    n_words: int
    chain: Keys
    openings: Keys
    last_opening: int | None
    shingles: Shingles

    @property
    def end(self) -> int | None:
        """The last link of the chain; None for a conversation without turns."""
        return int(self.chain[-1]) if len(self.chain) else None

    @property
    def links(self) -> Keys:
        """Chain and openings together: the keys under which another's last link or opening finds this one."""
        return np.concatenate([self.chain, self.openings])

    @property
    def length(self) -> tuple[int, int]:
        """What "longer" means: more turns, then more words."""
        return self.n_turns, self.n_words


def fingerprints(conversations: Sequence[tuple[str, Sequence[Turn]]]) -> Iterator[Fingerprint]:
    """One fingerprint for each (content id, turns), in order."""
    words = word_hashes([_spoken(turns) for _, turns in conversations])
    sets = shingle_sets(words)
    for (content_id, turns), text, shingles in zip(conversations, words, sets, strict=True):
        chained = turns[1:] if turns and turns[0].role == "system" else turns
        chain, openings, last_opening = _chain(chained)
        yield Fingerprint(content_id, len(chained), len(text), chain, openings, last_opening, shingles)


def _spoken(turns: Sequence[Turn]) -> str:
    return "\n".join(turn.content for turn in turns if turn.role in ("user", "assistant"))


def _chain(turns: Sequence[Turn]) -> tuple[Keys, Keys, int | None]:
    says = [f"{turn.role}\n{turn.content.strip()}".encode("utf-8", "surrogatepass") for turn in turns]
    links = list(accumulate(says, lambda link, said: _hash(b"turn", link, said), initial=b""))
    openings = [_opening(link, turn) for link, turn in zip(links, turns, strict=False)]
    last = openings[-1] if openings else None
    found = [opening for opening in openings if opening is not None]
    return _keys(links[1:]), _keys(found), None if last is None else int.from_bytes(last, "little", signed=True)


def _opening(before: bytes, turn: Turn) -> bytes | None:
    if turn.role != "assistant" or not before:
        return None
    text = turn.content.strip()[:OPENING_CHARACTERS]
    return _hash(b"open", before, text.encode("utf-8", "surrogatepass")) if len(text) == OPENING_CHARACTERS else None


def _hash(kind: bytes, before: bytes, said: bytes) -> bytes:
    return hashlib.blake2b(before + said, digest_size=8, person=kind).digest()


def _keys(hashes: Sequence[bytes]) -> Keys:
    return np.frombuffer(b"".join(hashes), "<i8").astype(np.int64)
