"""The developer certificate of origin: who brings text says that they may.

A commit that adds text to the corpus ends with `Signed-off-by: name <e-mail>` of its author. One that only takes away
(deletes lines, unticks boxes) or only adds decisions brings nothing that a licence could cover, and a merge brings
nothing of its own unless somebody wrote into it.

Who forgot it makes another commit, signed off, whose message names the one that is meant: a branch on which several
people work is not to be made anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from corpus.checks.change import Step
from corpus.checks.paths import place_of
from corpus.checks.problem import Problem, problem
from corpus.objects import Commit

_SIGNED = re.compile(r"^Signed-off-by:[ \t]*(?P<name>[^<\n]*?)[ \t]*<(?P<email>[^>\n]*)>[ \t\r]*$", re.MULTILINE | re.I)

BringsText = Callable[[Step, str], bool]
"""Whether a commit brings text into a file of samples or contributions."""


def sign_off_problems(steps: Sequence[Step], own: str | None, brings_text: BringsText) -> Iterator[Problem]:
    """The commits that bring text and are not signed off by their author; `own` is Gristmill's."""
    commits = [step.commit for step in steps]
    for step in steps:
        if step.commit.id == own or not _brings_text(step, brings_text):
            continue
        if found := unsigned(step.commit, commits):
            yield problem(f"commit {step.commit.id[:12]}", None, "sign_off", found)


def unsigned(commit: Commit, commits: Sequence[Commit]) -> str | None:
    """What is wrong with a commit that brings text, with what its author types; None when it is signed off.

    `commits` may have a later one of the same author that signs it off by name.
    """
    email, name = _folded(commit.author.email), commit.id[:12]
    signers = _signers(commit)
    if email in signers or any(_vouches(one, email, name) for one in commits):
        return None
    others = ", but by somebody else" if signers else ""
    command = f'`git commit --allow-empty --signoff -m "Sign off {name}"`'
    return f"it brings text and is not signed off by its author{others}; they type {command} on this branch and push it"


def _vouches(commit: Commit, email: str, name: str) -> bool:
    return name in commit.message and _folded(commit.author.email) == email and email in _signers(commit)


def _signers(commit: Commit) -> set[str]:
    return {_folded(found["email"]) for found in _SIGNED.finditer(commit.message)}


def _brings_text(step: Step, brings_text: BringsText) -> bool:
    for path in step.paths():
        kind = place_of(path).kind
        if kind in ("page", "decisions") or step.differences[0][path].new is None:
            continue  # boxes and ballots; what else is in them is refused anyway
        if kind not in ("shard", "contribution") or brings_text(step, path):
            return True
    return False


def _folded(text: str) -> str:
    return text.strip().casefold()
