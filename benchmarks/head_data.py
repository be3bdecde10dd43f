"""What the default head is trained and tried on: labelled pairs, the same answers damaged, whole conversations damaged.

Pairs come from the labelled sets (benchmarks/labelled.py); the damage from judges/damage.py. A pair's group is its
prompt: no prompt is on both sides of a split.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.labelled import Pair, hhh, labelled_folder, oasst, pandalm
from judges.damage import OPERATIONS
from schemas.conversation import Turn


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
