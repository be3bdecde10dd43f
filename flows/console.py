"""What people see at a terminal: tables and progress on standard error, one JSON object on standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from schemas.outcome import StepReport
from schemas.reasons import REASONS

DONE, FAILED, WRONG_USAGE, DONE_BUT_HELD = 0, 1, 2, 3
"""Exit codes of the command line."""


def stderr() -> Console:
    """The console for people; made anew each time, so that a redirected standard error is honoured."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def printable(text: str) -> str:
    """The text with control characters and undecodable bytes of file names escaped."""
    clean = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in clean)


def say(text: str) -> None:
    """Prints lines for people on standard error."""
    stderr().print(printable(text), markup=False)


def print_json(value: Mapping[str, Any]) -> None:
    """Prints the command's one JSON object on standard output."""
    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")
    sys.stdout.flush()


@contextmanager
def progress(label: str, total: int | None, *, in_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere; gives the function that advances it."""
    column = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn(f"{label:<13}"), BarColumn(), column, TimeRemainingColumn())
    is_shown = sys.stderr.isatty()
    with Progress(*columns, console=stderr(), transient=True, disable=not is_shown) as bar:
        task = bar.add_task(label, total=total)

        def advance(amount: int = 1) -> None:
            bar.advance(task, amount)

        yield advance


def print_report(report: StepReport) -> None:
    """One step's counts as a table."""
    print_funnel([report])


def print_funnel(reports: list[StepReport]) -> None:
    """The counts of several steps, a row each, with the reasons below."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("step", "in", "kept", "dropped", "held", "seconds"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for report in reports:
        dropped, held = sum(report.dropped.values()), sum(report.held.values())
        cells = (report.n_in, report.kept, dropped or "", held or "", f"{report.seconds:.1f}")
        table.add_row(report.step, *map(str, cells))
    console = stderr()
    console.print(table)
    for report in reports:
        _print_reasons(console, report)


def _print_reasons(console: Console, report: StepReport) -> None:
    reasons = [(n, reason, "dropped") for reason, n in report.dropped.items()]
    reasons += [(n, reason, "held") for reason, n in report.held.items()]
    for n, reason, what in sorted(reasons, reverse=True):
        line = f"  {report.step}: {n:>6} {what:<8}{reason:<22} {REASONS.get(reason, '')}"
        console.print(line, markup=False, style="dim")


def exit_code(reports: list[StepReport], alarms: Sequence[str] = ()) -> int:
    """3 when something is held for a person or was unreadable, or an alarm rang, else 0."""
    needs_person = bool(alarms) or any(report.held or report.dropped.get("unreadable") for report in reports)
    return DONE_BUT_HELD if needs_person else DONE
