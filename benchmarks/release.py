"""release: MB/s end to end and peak memory on a made-up corpus with nights, contributors, near-duplicates and chains.

    python -m benchmarks.release [N] [-o FOLDER] [--make] [--without-proof]      # samples; default 100,000

The corpus is made first, in a process of its own, from a seed, and kept in FOLDER if there is one, so that several runs
measure the same; `--make` only makes it. It has some 2.8 KB a sample in nights of 500, words by Zipf's
law, 5 in 100 samples nearly the same as an earlier one, 3 in 10 of a known contributor, 2 in 100 going on from another.
The time is from `release` called to the tag at the remote: fetching the corpus into a fresh clone, reading, grouping,
writing the shards of the splits, card and manifest, and pushing. Then `verify` makes it again from another fresh clone.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson

from corpus.clone import Clone
from corpus.release import release
from corpus.repository import base_commit, init_corpus, on_corpus
from corpus.verify import verify
from schemas.canonical import canonical_bytes, short_id
from schemas.settings import CorpusSettings, ReleaseSettings

T = TypeVar("T")

_PER_NIGHT = 500
_NIGHTS_PER_COMMIT = 100
_CORPUS = CorpusSettings(remote="corpus.git")
_EXPERTS = ("code", "general", "languages")
_JUDGE = dict.fromkeys(
    ("name", "model", "model_digest", "rubric", "rubric_digest", "head", "head_digest", "prompt_digest"), "0" * 64
)


def main() -> int:
    """Prints the figures of one release and its proof."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("n", nargs="?", type=lambda text: int(text.replace(",", "")), default=100_000)
    parser.add_argument("-o", "--folder", type=Path, help="keep the corpus here, or take the one that is here")
    parser.add_argument("--make", action="store_true", help="only make the corpus")
    parser.add_argument("--without-proof", action="store_true", help="do not measure `verify`")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gristmill-release-") as temporary:
        root = given.folder or Path(temporary)
        if not (root / "corpus.git").exists() and not _made(root, given.n):
            return 1
        return 0 if given.make or _measured(root, with_proof=not given.without_proof) else 1


def _made(root: Path, n: int) -> bool:
    root.mkdir(parents=True, exist_ok=True)
    maker = get_context("spawn").Process(target=_make_corpus, args=(root, n))
    maker.start()
    maker.join()
    return not maker.exitcode


def _measured(root: Path, *, with_proof: bool) -> bool:
    """Whether the release that was made and measured is sound, as far as that was asked."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    seconds, done = _timed(lambda: release(
        "v1", corpus=_CORPUS, settings=ReleaseSettings(), root=root, clone=root / "clone.git"
    ))  # fmt: skip
    n_bytes = sum(count.bytes for count in done.counts.values())
    print(", ".join(f"{split} {count.samples:,}" for split, count in done.counts.items()), done.left_out)
    _figures("release", n_bytes, seconds, before)
    if not with_proof:
        return True
    seconds, found = _timed(lambda: verify("v1", corpus=_CORPUS, root=root, clone=root / "clone.git"))
    _figures("verify", n_bytes, seconds, before)
    return found.is_sound


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    done = work()
    return time.perf_counter() - started, done


def _figures(name: str, n_bytes: int, seconds: float, before: int) -> None:
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(
        f"{name}: {n_bytes / 1e6:,.0f} MB in {seconds:.1f} s, {n_bytes / 1e6 / seconds:.1f} MB/s; peak memory "
        f"{own / 2**10:,.0f} MiB, of the largest child process {child / 2**10:,.0f} MiB (while the corpus was made "
        f"{before / 2**10:,.0f})",
        flush=True,
    )


# The corpus.


def _make_corpus(root: Path, n: int) -> None:
    clone = root / "making.git"
    init_corpus(_CORPUS, root=root, clone=clone)
    on_corpus(_CORPUS, root=root, clone=clone, operation=lambda store: _fill(store, n))
    shutil.rmtree(clone)


def _fill(store: Clone, n: int) -> None:
    """Commits all nights, many at once: how they came is not what is measured."""
    base = commit = base_commit(store, _CORPUS, store.heads())
    talk = _Talk()
    files: dict[str, bytes] = {}
    for number, first in enumerate(range(0, n, _PER_NIGHT)):
        night = (date(2020, 1, 1) + timedelta(days=number)).isoformat()
        files |= dict(_night(talk, night, first, min(_PER_NIGHT, n - first)))
        if len(files) >= 4 * _NIGHTS_PER_COMMIT or first + _PER_NIGHT >= n:
            blobs = store.store((path, [content], len(content)) for path, content in files.items())
            commit = store.commit(commit, blobs, "nights\n", night)
            files = {}
    store.push(commit, _CORPUS.branch, expected=base)


def _night(talk: _Talk, night: str, first: int, n: int) -> Iterator[tuple[str, bytes]]:
    by_expert: dict[str, list[tuple[str, bytes]]] = {}
    for number in range(first, first + n):
        sample = talk.sample(number, night)
        by_expert.setdefault(sample["expert"], []).append((sample["id"], canonical_bytes(sample) + b"\n"))
    for expert, lines in by_expert.items():
        yield f"data/{expert}/{night[:7]}/{night}.jsonl", b"".join(line for _, line in sorted(lines))
    yield f"nights/{night}.json", orjson.dumps({"format": 1, "night": night}) + b"\n"


class _Talk:
    """Conversations by number; the same number says the same."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        self._words = ["".join(rng.choice(letters, size)) for size in rng.integers(2, 10, 50_000)]
        weights = 1 / np.arange(1, len(self._words) + 1)
        self._cumulated = np.cumsum(weights / weights.sum())
        self._ids: list[str] = []

    def _turns(self, number: int) -> list[dict[str, str]]:
        rng = np.random.default_rng([1, number])
        n_words = int(np.clip(rng.lognormal(5.2, 0.6), 20, 3000))
        chosen = np.searchsorted(self._cumulated, rng.random(n_words)).tolist()
        words = [self._words[min(place, len(self._words) - 1)] for place in chosen]
        turns = 2 * int(rng.integers(1, 4))
        size = -(-n_words // turns)
        return [
            {
                "role": ("user", "assistant")[turn % 2],
                "content": " ".join(words[turn * size : (turn + 1) * size]) or "ok",
            }
            for turn in range(turns)
        ]

    def sample(self, number: int, night: str) -> dict[str, Any]:
        rng = np.random.default_rng([2, number])
        drawn = rng.random(3)
        turns = self._turns(number)
        if number and drawn[0] < 0.05:  # nearly the same as an earlier one
            turns = self._turns(int(rng.integers(0, number)))
            turns[-1] = {**turns[-1], "content": f"{turns[-1]['content']} {self._words[number % 50_000]} {number}"}
        sample_id = short_id([[turn["role"], turn["content"]] for turn in turns])
        before = self._ids[int(rng.integers(0, len(self._ids)))] if self._ids and drawn[1] < 0.02 else None
        self._ids.append(sample_id)
        subject = int(rng.integers(0, 200_000)) if drawn[2] < 0.3 else None
        return {
            "format": 1,
            "id": sample_id,
            "expert": _EXPERTS[number % 3],
            "messages": turns,
            "alternatives": [],
            "verdict": {
                "rating": 6 + 4 * float(drawn[0]), "acceptance": 0.8, "criteria": [],
                "features": [{"name": name, "value": float(drawn[1])} for name in ("length", "surprise")],
                "judge": _JUDGE,
            },
            "provenance": {
                "conversation_id": hashlib.sha256(b"%d" % number).hexdigest()[:32], "source": "bot",
                "system": "openwebui", "created_on": night, "model": "some-model", "language": "en",
                "consent": "users agreed", "licence": "CC0-1.0",
                "subject": None if subject is None else hashlib.sha256(b"s%d" % subject).hexdigest()[:32],
                "night": night, "redactions": [], "extends": before,
            },
        }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
