"""A corpus of its own for tests of releases: a bare repository on disk with nights of made-up conversations."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from corpus.clone import Clone
from corpus.repository import base_commit, init_corpus, on_corpus
from schemas.canonical import canonical_bytes, short_id
from schemas.settings import CorpusSettings, ReleaseSettings

CORPUS = CorpusSettings(remote="corpus.git")
HALF = ReleaseSettings(validation_share=0.2, test_share=0.3)
"""Shares with which a small corpus has samples in all splits."""

JUDGE = {
    "name": "scripted", "model": "none", "model_digest": "0" * 64, "rubric": "fitness", "rubric_digest": "1" * 64,
    "head": "", "head_digest": "", "prompt_digest": "",
}  # fmt: skip


def words(seed: int, n: int) -> str:
    """The same `n` words for a seed, other words for another one."""
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 8))) for _ in range(n))


def sample(seed: int, *, night: str = "2026-11-04", said: str | None = None, **origin: Any) -> dict[str, Any]:
    """A sample whose text nobody else's resembles, unless `said` is given."""
    answer = words(seed, 60) if said is None else said
    messages = [{"role": "user", "content": words(seed + 10**6, 12)}, {"role": "assistant", "content": answer}]
    return {
        "format": 1,
        "id": short_id([[one["role"], one["content"]] for one in messages]),
        "expert": origin.pop("expert", "general"),
        "messages": messages,
        "alternatives": [],
        "verdict": {"rating": 1 + seed % 90 / 10, "acceptance": None, "criteria": [], "features": [], "judge": JUDGE},
        "provenance": {
            "conversation_id": hashlib.sha256(str(seed).encode()).hexdigest()[:32],
            "source": "bot", "system": "openwebui", "created_on": "2026-11-01", "model": "m", "language": "en",
            "consent": "yes", "licence": "CC0-1.0", "subject": None, "night": night, "redactions": [], "extends": None,
            **origin,
        },
    }  # fmt: skip


def begin(root: Path) -> None:
    """An empty corpus below `root`."""
    init_corpus(CORPUS, root=root, clone=root / "clone.git")


def merge(root: Path, night: str, samples: Sequence[Mapping[str, Any]], **files: bytes) -> str:
    """Adds a night to the base branch, with further files by path, and gives the commit."""
    by_expert: dict[str, list[Mapping[str, Any]]] = {}
    for one in samples:
        by_expert.setdefault(one["expert"], []).append(one)
    contents = dict(files)
    for expert, own in by_expert.items():
        lines = [canonical_bytes(one) + b"\n" for one in sorted(own, key=lambda one: one["id"])]
        contents[f"data/{expert}/{night[:7]}/{night}.jsonl"] = b"".join(lines)
    contents[f"nights/{night}.json"] = orjson.dumps({"format": 1, "night": night}) + b"\n"
    contents[f"review/{night}/index.md"] = b"# read me\n"
    return commit_files(root, night, contents)


def commit_files(root: Path, day: str, contents: Mapping[str, bytes], removed: Sequence[str] = ()) -> str:
    """Puts files on the base branch as they are."""

    def run(store: Clone) -> str:
        base = base_commit(store, CORPUS, store.heads())
        blobs = store.store((path, [content], len(content)) for path, content in contents.items())
        commit = store.commit(base, blobs, "merge\n", day, removed=removed)
        store.push(commit, CORPUS.branch, expected=base)
        return commit

    return on_corpus(CORPUS, root=root, clone=root / "clone.git", operation=run)
