"""The trial of the judge over the labelled sets: what `gristmill judge eval` says, with the published attacks besides.

    python -m benchmarks.judge_trial --page trial.html                   200 pairs of each set
    python -m benchmarks.judge_trial --pairs 100000                      all of them
    python -m benchmarks.judge_trial --lines pairs.jsonl                 only writes the pairs as the command reads them

A head is fitted on some of these sets (judges/README.md says which): its figures on those are no evidence of anything.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from benchmarks.labelled import Pair, hhh, labelled_folder, oasst, pandalm, sample
from flows.trial_page import render_trial
from judges.choose import make_judge
from judges.injection import ATTACKS, read_attacks
from judges.trial_pairs import TrialPair
from judges.trial_run import Plan, Trial
from schemas.settings import JudgeSettings

SETS = {"pandalm": pandalm, "oasst": oasst, "hhh": hhh}
PUBLISHED = ("text_attack_train.json", "code_attack_train.json")
"""BIPIA's attack strings (MIT): instructions hidden in text and in code. None speaks to a judge."""


def trial_pair(pair: Pair, number: int) -> TrialPair:
    """The pair with its better answer as a or b, by the hash of its text, so that neither side is the better one."""
    is_swapped = sha256(repr(pair).encode()).digest()[0] % 2 == 1
    a, b = (pair.worse, pair.better) if is_swapped else (pair.better, pair.worse)
    identifier = f"{pair.set_name}-{number}"
    label = "b" if is_swapped else "a"
    return TrialPair(identifier, pair.better[:-1], a[-1].content, b[-1].content, label, group=pair.set_name)  # type: ignore[arg-type]


def trial_pairs(folder: Path, n: int) -> Iterator[TrialPair]:
    """At most n pairs of each set."""
    for load in SETS.values():
        for number, pair in enumerate(sample(load(folder), n)):
            yield trial_pair(pair, number)


def as_line(pair: TrialPair) -> str:
    """The pair as a line for `gristmill judge eval`."""
    plain = {**asdict(pair), "prompt": [asdict(turn) for turn in pair.prompt]}
    return json.dumps({name: value for name, value in plain.items() if value}, ensure_ascii=False)


def published_attacks(labelled: Path, n: int) -> dict[str, tuple[str, ...]]:
    """The first n published attacks of each category as families `text_attack_train` and so on; empty where absent."""
    folder = labelled.parent / "adversarial" / "bipia"
    files = [folder / name for name in PUBLISHED if (folder / name).exists()]
    return {
        file.stem: tuple(attack for strings in read_attacks(file).values() for attack in strings[:n]) for file in files
    }


def show(facts: Mapping[str, Any]) -> None:
    """Prints the figures that people ask for."""
    print(f"{facts['n']} pairs, judge {facts['judge']['name']} {facts['judge']['model']} {facts['judge']['head']}")
    _line("accuracy", facts)
    for name, value in facts["baselines"].items():
        _line(f"  baseline {name}", {"accuracy": value, "ci95": facts["baselines_ci95"][name]})
    for name, share in facts["by_group"].items():
        _line(f"  {name} (longer answer {share['longer']:.3f})", share)
    _line("lengths within 10 %", facts["length_matched"])
    for name in ("kappa", "auc", "auc_answers", "ece", "ece_by_chance", "order_consistency"):
        print(f"{name:<40}{facts[name]}")
    for name, share in facts["adversarial"].items():
        _line(f"  against {name}", share)
    print(f"attacks {facts['injection_total']}\ncontrol {facts['injection_neutral']}")
    print(f"{facts['conversations_per_s']} conversations/s, {facts['tokens_per_s']} tokens/s")


def _line(name: str, share: Mapping[str, Any]) -> None:
    if share["accuracy"] is not None:
        print(f"{name:<40}{share['accuracy']:.3f}   [{share['ci95'][0]:.3f}, {share['ci95'][1]:.3f}]")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the trial, prints its figures, writes what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200, help="pairs of each set, at most")
    parser.add_argument("--damaged", type=int, default=60, help="better answers that are damaged")
    parser.add_argument("--injected", type=int, default=2, help="good and poor chats each for an attack and place")
    parser.add_argument("--published", type=int, default=2, help="published attacks of each category")
    parser.add_argument("--threads", type=int, default=0, help="threads of the judge; 0: all cores")
    parser.add_argument("--page", type=Path, help="HTML file to write")
    parser.add_argument("--json", type=Path, help="JSON file to write")
    parser.add_argument("--lines", type=Path, help="write the pairs to this JSONL file, and stop")
    asked = parser.parse_args(arguments)
    folder = labelled_folder()
    if folder is None:
        print("skipped: the labelled sets are not here; set GRISTMILL_SHARED to the folder that holds data/labelled")
        return 0
    pairs = list(trial_pairs(folder, asked.pairs))
    if asked.lines:
        asked.lines.write_text("".join(f"{as_line(pair)}\n" for pair in pairs), encoding="utf-8")
        return 0
    settings = JudgeSettings(n_threads=asked.threads)
    attacks = {**ATTACKS, **published_attacks(folder, asked.published)}
    judge = make_judge(settings, root=Path(), cache=Path(gettempdir()) / "gristmill-bench-models")
    facts = Trial(pairs, Plan(settings.threshold, 100, asked.damaged, asked.injected, attacks)).run(judge)
    show(facts)
    if asked.json:
        asked.json.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    if asked.page:
        asked.page.write_text(render_trial({**facts, "damaged_lines": []}, "the labelled sets"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
