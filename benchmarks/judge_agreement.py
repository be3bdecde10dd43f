"""How far the embedded judge agrees with people, beside the constant guess, the longer answer and the zero-shot model.

    python -m benchmarks.judge_agreement [N]     # N pairs of each set, chosen by hash; default 150

Reads `labelled/` of the folder named by GRISTMILL_SHARED (default: `shared` beside the repository); skips without it.
PandaLM: people's majority of three, ties left out. OASST: the ranks of sibling answers. Same prompt, two answers.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from flows.road import model_cache
from judges.choose import make_judge
from schemas.canonical import digest
from schemas.conversation import Turn
from schemas.settings import JudgeSettings
from schemas.verdict import Verdict

SHARED = Path(os.environ.get("GRISTMILL_SHARED") or Path(__file__).parent.parent.parent / "shared")
Pair = tuple[list[Turn], str, str, bool]
"""The prompt, two answers, and whether people preferred the first."""


def main() -> int:
    """Prints one table a set."""
    folder = SHARED / "data" / "labelled"
    if not folder.exists():
        print(f"skipped: no labelled sets at {folder}; set GRISTMILL_SHARED")
        return 0
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    judge = make_judge(JudgeSettings(), root=Path(), cache=model_cache())
    for name, pairs in (("PandaLM", list(_pandalm(folder))), ("OASST ranks", list(_oasst(folder)))):
        chosen = sorted(pairs, key=lambda pair: digest([pair[1], pair[2]]))[:n]
        both = [[*prompt, Turn("assistant", answer)] for prompt, a, b, _ in chosen for answer in (a, b)]
        verdicts = list(judge.judge(both))
        _print(name, chosen, verdicts)
    return 0


def _print(name: str, pairs: Sequence[Pair], verdicts: Sequence[Any]) -> None:
    lengths = sorted(len((a if first else b).split()) for _, a, b, first in pairs)
    print(
        f"{name}: {len(pairs)} pairs; words of the preferred answer: median {lengths[len(lengths) // 2]}, "
        f"95 % under {lengths[int(len(lengths) * 0.95)]}"
    )
    sides = list(zip(verdicts[::2], verdicts[1::2], strict=True))
    scores = {
        "constant": [0.0] * len(pairs),
        "longer answer": [float(len(a) - len(b)) for _, a, b, _ in pairs],
        "zero-shot model": [_difference(x, y, "model_rating") for x, y in sides],
        "this judge": [_difference(x, y, None) for x, y in sides],
    }
    for maker, differences in scores.items():
        right = sum(0.5 if d == 0 else float((d > 0) == pair[3]) for d, pair in zip(differences, pairs, strict=True))
        low, high = _wilson(right, len(pairs))
        print(f"  {maker:<18}{right / len(pairs):.2f}   95 % interval {low:.2f} to {high:.2f}")


def _difference(a: Any, b: Any, feature: str | None) -> float:
    if not isinstance(a, Verdict) or not isinstance(b, Verdict):
        return 0.0
    return a.features[feature] - b.features[feature] if feature else a.rating - b.rating


def _wilson(right: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, right / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def _pandalm(folder: Path) -> Iterator[Pair]:
    for row in json.loads((folder / "pandalm" / "testset-v1.json").read_text(encoding="utf-8")):
        votes = [int(row[f"annotator{i}"]) for i in (1, 2, 3)]
        winner = max(set(votes), key=votes.count)
        if winner:
            prompt = "\n".join(filter(None, (row["instruction"], row["input"])))
            yield [Turn("user", prompt)], row["response1"], row["response2"], winner == 1


def _oasst(folder: Path) -> Iterator[Pair]:
    for line in (folder / "oasst-en-100" / "en_100_tree.jsonl").read_text(encoding="utf-8").splitlines():
        yield from _siblings(json.loads(line)["prompt"], [])


def _siblings(node: dict[str, Any], path: list[Turn]) -> Iterator[Pair]:
    here = [*path, Turn("user" if node["role"] == "prompter" else "assistant", node["text"])]
    ranked = [reply for reply in node["replies"] if reply.get("rank") is not None and reply["role"] == "assistant"]
    for a, b in combinations(sorted(ranked, key=lambda reply: digest(reply["text"])), 2):
        yield here, a["text"], b["text"], a["rank"] < b["rank"]
    for reply in node["replies"]:
        yield from _siblings(reply, here)


if __name__ == "__main__":
    sys.exit(main())
