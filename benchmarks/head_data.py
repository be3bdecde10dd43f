"""What the default head is trained and tried on: labelled pairs, the same answers damaged, whole conversations damaged.

Pairs come from the labelled sets (benchmarks/labelled.py); the damage from judges/damage.py. A pair's group is its
prompt: no prompt is on both sides of a split.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.labelled import Pair, hhh, labelled_folder, make_pair, pandalm
from judges.damage import OPERATIONS
from schemas.conversation import Turn

WITHIN = ("swapped", "elsewhere_within")
"""The operations that need a conversation of several answers."""


def oasst(folder: Path) -> Iterator[Pair]:
    """OpenAssistant trees: every two ranked sibling answers to one prompt."""
    for line in (folder / "oasst-en-100" / "en_100_tree.jsonl").read_text(encoding="utf-8").splitlines():
        yield from _siblings(json.loads(line)["prompt"], ())


def _siblings(message: dict[str, Any], before: tuple[Turn, ...]) -> Iterator[Pair]:
    path = (*before, Turn("user" if message["role"] == "prompter" else "assistant", message["text"]))
    ranked = [reply for reply in message["replies"] if reply["role"] == "assistant" and reply.get("rank") is not None]
    ranked.sort(key=lambda reply: reply["rank"])
    for better, worse in itertools.combinations(ranked, 2):
        yield make_pair("oasst", path, better["text"], worse["text"])
    for reply in message["replies"]:
        yield from _siblings(reply, path)


def labelled_pairs(folder: Path | None = None) -> dict[str, list[Pair]]:
    """The pairs of each set by name; empty where the labelled sets are absent."""
    folder = folder or labelled_folder()
    if folder is None:
        return {}
    sets = {"pandalm": pandalm(folder), "oasst": oasst(folder), "hhh": hhh(folder)}
    return {name: [pair for pair in pairs if _is_usable(pair)] for name, pairs in sets.items()}


def _is_usable(pair: Pair) -> bool:
    return pair.better != pair.worse and all(turn.content.strip() for turn in (*pair.better, *pair.worse))


def damaged_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """The best answer to each prompt against itself damaged, once for each operation; `set_name` is the operation.

    The other conversation is the next prompt's.
    """
    first = list({pair.group: pair for pair in sorted(pairs, key=lambda pair: pair.group)}.values())
    made = []
    for pair, after in zip(first, [*first[1:], *first[:1]], strict=True):
        for name, operation in OPERATIONS.items():
            worse = operation(pair.better, after.better)
            if worse != pair.better:
                made.append(Pair(name, pair.group, pair.better, worse))
    return made


def conversations(pairs: Sequence[Pair]) -> list[tuple[Turn, ...]]:
    """Every conversation that the pairs hold, once, in order."""
    return list(dict.fromkeys(turns for pair in pairs for turns in (pair.better, pair.worse)))
