"""`gristmill judge`: one step on files, and under it the trial of the judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import click
from rich.markup import escape
from rich.table import Table

from corpus.rules.catalogue import rules
from corpus.rules.language import NO_LANGUAGE, language_of
from corpus.rules.talk import Talk
from corpus.stage import write_atomically
from flows.cli import json_option
from flows.console import DONE, DONE_BUT_HELD, print_json, printable, progress, say, stderr
from flows.settings_file import Project, find_project
from flows.stores import heads_folder, model_cache
from flows.trial_page import render_trial
from flows.verbs import Verbs
from judges.choose import make_judge
from judges.injection import ATTACKS, read_attacks
from judges.trial_pairs import DamagedLine, TrialPair, read_pairs
from judges.trial_run import Plan, Trial

_FILES = "files"
SUBCOMMANDS = {
    _FILES: "flows.step_commands:judge",
    "eval": "flows.judge_commands:judge_eval",
    "train": "flows.learning_commands:judge_train",
    "round": "flows.learning_commands:judge_round",
    "lessons": "flows.learning_commands:lessons",
}
"""Name of each subcommand and where it lives; loaded when it is named."""

_LISTED = 20
"""Damaged lines that are named one by one on standard error; the JSON names them all."""


@click.group(cls=Verbs, places=SUBCOMMANDS, default=_FILES)
def judge() -> None:
    """Rate each conversation of a file with the judge of the settings, or see what that judge is worth.

    IN -o OUT rates the rows of a Parquet file from 1 to 10. Ratings are kept in var/, so the same conversation is never
    judged twice by the same judge.

    \b
    Example:  gristmill judge in.parquet -o judge.parquet --json
              gristmill judge eval pairs.jsonl --page trial.html
    """


@runtime_checkable
class _Closeable(Protocol):
    """A judge that holds a model or connections."""

    def close(self) -> None:
        """Lets them go."""
        ...


_FILE = click.Path(path_type=Path, dir_okay=False)


def _count(name: str, default: int, text: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    return click.option(name, type=click.IntRange(0), default=default, show_default=True, help=text)


@click.command("eval")
@click.argument("pairs_file", metavar="PAIRS.jsonl", type=_FILE)
@click.option("--page", type=_FILE, help="HTML file to write: the figures with their pictures.")
@click.option("--attacks", "attack_files", type=_FILE, multiple=True, help="More attack strings: lines, JSON or JSONL.")
@_count("--again", 100, "Pairs judged again in swapped order.")
@_count("--damaged", 30, "Better answers that are damaged.")
@_count("--injected", 1, "Good and poor chats each for an attack and place.")
@json_option
@click.pass_obj
def judge_eval(
    config: Path | None,
    pairs_file: Path,
    page: Path | None,
    attack_files: Sequence[Path],
    again: int,
    damaged: int,
    injected: int,
    as_json: bool,
) -> int:
    """Try the judge of the settings on pairs that people labelled: does it prefer what they preferred?

    Each line of the file is {"id", "prompt": [{"role", "content"}...], "a", "b", "label": "a", "b" or "tie"}, with
    "group" and "language" if you like. Better answers are then damaged in known ways, and attacked with words to the
    judge; --damaged 0 and --injected 0 leave that out. Lines that are no pairs are named, and the exit code is then 3.

    \b
    Example:  gristmill judge eval pairs.jsonl --page trial.html --json
    """
    project = find_project(config)
    pairs, bad_lines = read_pairs(pairs_file)
    pairs = [pair if pair.language else replace(pair, language=_language(pair)) for pair in pairs]
    plan = Plan(project.settings.judge.threshold, again, damaged, injected, _attacks(attack_files))
    facts = {**_run(project, Trial(pairs, plan)), "damaged_lines": [vars(line) for line in bad_lines]}
    if page:
        write_atomically(page, render_trial(facts, pairs_file.name).encode())
    _show(facts, bad_lines)
    if as_json:
        print_json(facts)
    return DONE_BUT_HELD if bad_lines else DONE


def _language(pair: TrialPair) -> str:
    """The language that the night would give the conversation with answer a; empty where it is not sure."""
    label, confidence = language_of(Talk(list(pair.conversation("a"))))
    is_sure = confidence >= rules()["language_known"].number("confidence_min")
    return label if label != NO_LANGUAGE and is_sure else ""


def _attacks(files: Sequence[Path]) -> Mapping[str, Sequence[str]]:
    found: dict[str, tuple[str, ...]] = dict(ATTACKS)
    for file in files:
        for family, strings in read_attacks(file).items():
            found[family] = tuple(dict.fromkeys((*found.get(family, ()), *strings)))
    return found


def _run(project: Project, trial: Trial) -> dict[str, Any]:
    heads, settings = heads_folder(project), project.settings
    one = make_judge(settings.judge, root=project.root, cache=model_cache(), heads=heads, named=settings.judges)
    try:
        with progress("judge eval", trial.n_conversations) as advance:
            return trial.run(one, advance)
    finally:
        if isinstance(one, _Closeable):
            one.close()


def _show(facts: Mapping[str, Any], bad_lines: Sequence[DamagedLine]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("share of pairs decided as people did", "", "95 % interval", "n"):
        table.add_column(name, justify="left" if name.startswith("share") else "right")
    for name, share in _rows(facts):
        low, high = share["ci95"] or ("", "")
        interval = f"{low:.3f} to {high:.3f}" if share["ci95"] else ""
        table.add_row(escape(printable(name)), _three(share["accuracy"]), interval, str(share["n"]))
    stderr().print(table)
    injected = facts["injection_total"]
    say(
        f"kappa {_three(facts['kappa'])}, AUC {_three(facts['auc'])}, calibration error {_three(facts['ece'])}, same "
        f"decision in swapped order {_three(facts['order_consistency'])}\n"
        f"{injected['n']} attacks: rating {_three(injected['rating_shift'])} on average, at most "
        f"{_three(injected['rating_shift_max'])} up; {injected['n_rejects_become_keeps']} of {injected['n_rejects']} "
        f"rejects became keeps\n{facts['conversations_per_s']} conversations/s, {facts['tokens_per_s']} tokens/s"
    )
    if facts["n_unrated"]:
        say(f"{facts['n_unrated']} pairs could not be rated and are left out")
    for line in bad_lines[:_LISTED]:
        say(str(line))
    if len(bad_lines) > _LISTED:
        say(f"and {len(bad_lines) - _LISTED} more damaged lines")


def _rows(facts: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    whole = {"n": facts["n_decided"], "accuracy": facts["accuracy"], "ci95": facts["ci95"]}
    rows: list[tuple[str, Mapping[str, Any]]] = [("this judge", whole)]
    names = {"longer": "the longer answer", "constant": "constant", "zero_shot": "the model's own rating",
             "feature_only": "features alone"}  # fmt: skip
    for key, name in names.items():
        if facts["baselines"][key] is not None:
            share = {"n": facts["n_decided"], "accuracy": facts["baselines"][key]}
            rows.append((name, {**share, "ci95": facts["baselines_ci95"][key]}))
    rows.append(("this judge, lengths alike", facts["length_matched"]))
    rows += [(f"group {group}", share) for group, share in facts["by_group"].items()]
    if "all" in facts["adversarial"]:
        rows.append(("against damage", facts["adversarial"]["all"]))
    return rows


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
