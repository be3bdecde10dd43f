"""Measures the judge on whole dialogues that people rated: FED (Mehri and Eskenazi 2020), never trained on.

    python -m benchmarks.fed [--head HEAD]

Spearman's rank correlation between what the judge says and the mean of the annotators, of 125 whole dialogues by their
own qualities and of 375 last replies by `Overall`; with it the correlation of the plainest rule, the number of words.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelled import labelled_folder
from flows.stores import model_cache
from judges.choose import make_judge
from judges.embedded import EmbeddedJudge
from judges.head import Head, load_head
from judges.measurement import Measurement
from schemas.conversation import Turn
from schemas.settings import JudgeSettings

ROLES = {"User:": "user", "System:": "assistant"}
QUALITIES = ("Overall", "Coherent", "Error recovery", "Consistent", "Likeable", "Informative", "Inquisitive")
"""Of whole dialogues, those that speak of fitness; all but two of the set's."""


@dataclass(frozen=True)
class Dialogue:
    """Turns, and the annotators' mean of each quality."""

    turns: tuple[Turn, ...]
    ratings: Mapping[str, float]
    is_whole: bool


def dialogues(folder: Path) -> Iterator[Dialogue]:
    """The set's entries: with a response they are about that last reply, without one about the whole."""
    for item in json.loads((folder / "fed" / "fed_data.json").read_text(encoding="utf-8")):
        is_whole = "response" not in item
        lines = [*item["context"].splitlines(), *([] if is_whole else [item["response"]])]
        ratings = {name: _mean(given) for name, given in item["annotations"].items()}
        yield Dialogue(tuple(_turns(lines)), {k: v for k, v in ratings.items() if v is not None}, is_whole)


def _mean(given: Sequence[Any]) -> float | None:
    numbers = [float(one) for one in given if isinstance(one, int | float)]
    return float(np.mean(numbers)) if numbers else None


def _turns(lines: Sequence[str]) -> Iterator[Turn]:
    """A line a turn; successive lines of one speaker are one turn, a line without speaker goes on with the last."""
    role, said = "user", list[str]()
    for line in lines:
        mark = next((mark for mark in ROLES if line.startswith(mark)), None)
        if mark and ROLES[mark] != role:
            if said:
                yield Turn(role, "\n".join(said))  # type: ignore[arg-type]
            role, said = ROLES[mark], []
        said.append(line.removeprefix(mark).strip() if mark else line)
    yield Turn(role, "\n".join(said))  # type: ignore[arg-type]


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's; ties have their mean rank."""
    return float(np.corrcoef(_ranks(np.asarray(a)), _ranks(np.asarray(b)))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse])


def _figures(head: Head, one: Dialogue, found: Measurement) -> dict[str, float]:
    said = head.assess(found)
    n_words = sum(len(turn.content.split()) for turn in one.turns if turn.role == "assistant")
    return {"rating": said.rating, "intact": said.intact, "words": n_words}


def main() -> int:
    """Reads, rates, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", type=Path)
    asked = parser.parse_args()
    folder = labelled_folder()
    if folder is None:
        print("skipped: the labelled sets are not here; set GRISTMILL_SHARED to the folder that holds data/labelled")
        return 0
    known = list(dialogues(folder))
    head = load_head(asked.head)
    judge = make_judge(JudgeSettings(), root=Path(), cache=model_cache())
    assert isinstance(judge, EmbeddedJudge)
    rows: list[tuple[Dialogue, dict[str, float]]] = []
    for one, found in zip(known, judge.measure([one.turns for one in known]), strict=True):
        if isinstance(found, Measurement) and len(found.vector):
            rows.append((one, _figures(head, one, found)))
        print(f"\rread {len(rows)} of {len(known)}", end="", file=sys.stderr)
    judge.close()
    for is_whole, qualities in ((True, QUALITIES), (False, ("Overall", "Relevant", "Interesting", "Specific"))):
        print(f"\n{'whole dialogues' if is_whole else 'last replies'}: rank correlation with people")
        for quality in qualities:
            own = [
                (one.ratings[quality], said)
                for one, said in rows
                if one.is_whole == is_whole and quality in one.ratings
            ]
            told = "   ".join(
                f"{name} {rank_correlation([said[name] for _, said in own], [given for given, _ in own]):+.3f}"
                for name in ("rating", "intact", "words")
            )
            print(f"  {quality:<16}{told}   n = {len(own)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
