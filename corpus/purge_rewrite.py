"""Rewrites the history of a mirror after a purge's plan: starts corpus/purge_filter.py, then mends the notes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from corpus.mirror import Mirror
from corpus.passages import Passages
from corpus.purge_filter import PLAN_FILE, REPLACED_FOLDER
from corpus.purge_notes import carry_notes
from corpus.stage import disk_errors
from schemas.errors import CorpusError

Replaced = Mapping[str, tuple[bytes, int]]
"""Blob to its new content and the number of lines that leave it."""


def rewrite(mirror: Mirror, plan: Path, replaced: Replaced, passages: Passages, day: str) -> None:
    """Gives files their new contents, and takes the passages out of everything else, in every commit.

    Args:
        mirror: is rewritten.
        plan: a folder to be made, for what the rewriting process is told.
        replaced: what the files' contents become.
        passages: what nothing may quote.
        day: the date of the commits that carry notes.

    Raises:
        CorpusError: git-filter-repo failed; nothing was pushed.
    """
    _write_plan(mirror, plan, replaced, passages)
    command = [sys.executable, "-m", "corpus.purge_filter", str(plan.absolute())]
    done = subprocess.run(command, cwd=mirror.path, env=_own_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CorpusError(
            f"rewriting the history failed ({said[-1][:200] if said else done.returncode}); nothing was pushed. "
            "Free space or update git and git-filter-repo, then run the same command again"
        )
    carry_notes(mirror, {blob: new for blob, (new, _) in replaced.items()}, passages, day)


def _write_plan(mirror: Mirror, plan: Path, replaced: Replaced, passages: Passages) -> None:
    with disk_errors(plan):
        (plan / REPLACED_FOLDER).mkdir(parents=True)
        for blob, (content, _) in replaced.items():
            (plan / REPLACED_FOLDER / blob).write_bytes(content)
        (plan / PLAN_FILE).write_bytes(orjson.dumps({
            "digests": dict(_digests(mirror, replaced)),
            "chunks": sorted(chunk.hex() for chunk in passages.wanted),
        }))  # fmt: skip


def _digests(mirror: Mirror, replaced: Replaced) -> Iterator[tuple[str, dict[str, Any]]]:
    for blob, old in mirror.blobs(sorted(replaced)):
        new, n_cut = replaced[blob]
        facts = {"sha256": hashlib.sha256(new).hexdigest(), "n_cut": n_cut, "n_bytes": len(new)}
        yield hashlib.sha256(old).hexdigest(), facts


def _own_environment() -> dict[str, str]:
    """This process's, without anybody's git configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name == "GIT_EXEC_PATH"}
    root = str(Path(__file__).parent.parent)
    paths = [root, *([kept["PYTHONPATH"]] if kept.get("PYTHONPATH") else [])]
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return {**kept, **own, "PYTHONPATH": os.pathsep.join(paths), "GIT_TERMINAL_PROMPT": "0"}
