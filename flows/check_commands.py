"""check: what is wrong with a change of the corpus; in a checkout of the corpus alone, as CI has it, or of a remote."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.table import Table

from flows.cli import json_option
from flows.console import DONE, FAILED, print_json, printable, progress, say, stderr

NIGHT = r"\d{4}-\d\d-\d\d"

if TYPE_CHECKING:
    from corpus.check import Problem


@click.command()
@click.argument("where", metavar="[PATH-or-remote]", default=".")
@click.option("--base", help="What the change is meant to be merged into; else the main branch.")
@click.option("--head", help="The last commit of the change; else HEAD.")
@click.option("--night", help="The night under review, where --base is its branch; night/<date> says it by itself.")
@click.option("--from-fork", is_flag=True, help="It comes from outside: nothing in it is taken for Gristmill's.")
@click.option("--maintainer", is_flag=True, help="It may change every file; what is in them is checked all the same.")
@json_option
def check(
    where: str, base: str | None, head: str | None, night: str | None, from_fork: bool, maintainer: bool, as_json: bool
) -> int:
    """Check a pull request of the corpus: files, samples, decisions, duplicates, secrets, sign-offs.

    Needs no settings: a checkout of the corpus with its whole history, a bare repository, or an address. Nothing is
    checked out; commits are checked, so commit first. Exit code 1 when something must not be merged; what settle mends
    by itself is a warning.

    \b
    Example:  gristmill check --base origin/main --head HEAD
    """
    if night is not None and not re.fullmatch(NIGHT, night):
        raise click.BadParameter(f"{night!a} is not a night; write its date as 2026-11-04", param_hint="--night")
    from corpus.check import Rules, check_change
    from corpus.checks.place import open_place

    with open_place(where, base, head) as place:
        rules = Rules(night=night or _night_of(place.base_name), is_from_fork=from_fork, is_maintainer=maintainer)
        with progress("comparing", place.n_bytes, in_bytes=True) as advance:
            problems = check_change(place.store, place.base, place.head, rules=rules, on_bytes=advance)
    serious = [one for one in problems if not one.is_mended]
    _print_problems(problems)
    if os.environ.get("GITHUB_ACTIONS"):
        for one in problems:
            (sys.stderr if as_json else sys.stdout).write(annotation(one) + "\n")
    change = f"{place.base_name} {place.base[:12]} .. {place.head_name} {place.head[:12]}"
    say(f"{change}: {_summary(len(serious), len(problems) - len(serious))}")
    if as_json:
        facts = {"base": place.base, "head": place.head, "night": rules.night, "n_problems": len(serious)}
        print_json({**facts, "problems": [one.to_json() for one in problems]})
    return FAILED if serious else DONE


def _night_of(base_name: str) -> str | None:
    """The night whose branch a name is, None for any other."""
    found = re.fullmatch(rf"(?:.*/)?night/({NIGHT})", base_name)
    return found[1] if found else None


def _print_problems(problems: Sequence[Problem]) -> None:
    if not problems:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("where", "code", "what, and what to do"):
        table.add_column(column, overflow="fold")
    for one in problems:
        table.add_row(*(printable(text).replace("[", r"\[") for text in (one.place(), one.code, one.message)))
    stderr().print(table)


def _summary(n_serious: int, n_mended: int) -> str:
    if not n_serious and not n_mended:
        return "nothing is wrong"
    found = f"{n_serious} problem{'' if n_serious == 1 else 's'}"
    return f"{found}, {n_mended} that settle mends" if n_mended else found


def annotation(one: Problem) -> str:
    """A problem as GitHub Actions reads it; everything that could end the command or begin another is escaped."""
    kind = "warning" if one.is_mended else "error"
    place = f"file={_escaped(one.path)}," if one.path and not one.path.startswith("commit ") else ""
    line = f"line={one.line}," if one.line else ""
    text = one.message if place else f"{one.place()}: {one.message}"
    return f"::{kind} {place}{line}title={_escaped(one.code)}::{_escaped(text, is_value=False)}"


def _escaped(text: str, *, is_value: bool = True) -> str:
    for character, code in (
        ("%", "%25"),
        ("\r", "%0D"),
        ("\n", "%0A"),
        *(((":", "%3A"), (",", "%2C")) if is_value else ()),
    ):
        text = text.replace(character, code)
    return text
