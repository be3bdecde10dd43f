"""The developer certificate of origin: who brings text says that they may.

A commit that adds text to the corpus ends with `Signed-off-by: name <e-mail>` of its author. One that only takes away
(deletes lines, unticks boxes) or only adds decisions brings nothing that a licence could cover, and a merge brings
nothing of its own unless somebody wrote into it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from corpus.checks.change import Step
from corpus.checks.paths import place_of
from corpus.checks.problem import Problem, problem

_SIGNED = re.compile(r"^Signed-off-by:[ \t]*(?P<name>[^<\n]*?)[ \t]*<(?P<email>[^>\n]*)>[ \t\r]*$", re.MULTILINE | re.I)

AddsLines = Callable[[str | None, str], bool]
"""Whether the second of two blobs has a line that the first (None: no file) lacks."""


def sign_off_problems(steps: Sequence[Step], own: str | None, adds_lines: AddsLines) -> Iterator[Problem]:
    """The commits that bring text and are not signed off by their author; `own` is Gristmill's."""
    for step in steps:
        if step.commit.id == own or not _brings_text(step, adds_lines):
            continue
        author = step.commit.author
        signed = {_folded(found["email"]) for found in _SIGNED.finditer(step.commit.message)}
        place = f"commit {step.commit.id[:12]}"
        if not signed:
            yield problem(place, None, "sign_off", "it brings text and is not signed off")
        elif _folded(author.email) not in signed:
            yield problem(place, None, "sign_off", "it is signed off by somebody else than its author")


def _brings_text(step: Step, adds_lines: AddsLines) -> bool:
    for path in step.paths():
        changes = [one[path] for one in step.differences]
        kind = place_of(path).kind
        if kind in ("page", "decisions") or changes[0].new is None:
            continue  # boxes and ballots; what else is in them is refused anyway
        if kind not in ("shard", "contribution"):
            return True
        if all(adds_lines(change.old, str(change.new)) for change in changes):
            return True
    return False


def _folded(text: str) -> str:
    return text.strip().casefold()
