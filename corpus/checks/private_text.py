"""What must not be published: the recognisers of redaction, asked of every text that a change adds.

All versions of a branch are read, not the last alone: a merge publishes the history, too. Nothing found is quoted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from corpus.checks.problem import Problem, problem
from corpus.redaction.recognise import recognise
from schemas.canonical import ID_LENGTH

_DIGEST = re.compile(rf"(?:[0-9a-f]{{{ID_LENGTH}}}|[0-9a-f]{{64}}|)")
"""An id or a digest: it says nothing about anybody, and may look like a number of any kind."""

_DIGESTS = frozenset({"id", "conversation_id", "subject", "extends", "sample_id", "edited_id"})
_OURS = frozenset({"verdict", "format", "expert", "redactions", "reviewer", "decided_at", "night", "created_on"})
"""Keys whose values are numbers, dates and names of ours; their shape is checked elsewhere."""

_TRAILER = re.compile(r"^[A-Za-z][A-Za-z-]*: [^<\n]*<[^>\n]*>\s*$", re.MULTILINE)


def private_problem(path: str, number: int | None, plain: Mapping[str, Any], where: str = "") -> Iterator[Problem]:
    """The problem of a parsed line that holds personal data or secrets; `where` names a commit before the tip."""
    yield from kinds_problem(path, number, _texts(plain), where)


def kinds_problem(path: str, number: int | None, texts: Iterable[str], where: str = "") -> Iterator[Problem]:
    """The problem of texts that hold personal data or secrets."""
    if kinds := kinds_in(texts):
        before = f"in {where}, before the last, " if where else ""
        yield problem(path, number, "private", f"{before}it holds personal data or secrets ({_counted(kinds)})")


def message_problems(commits: Iterable[tuple[str, str]], is_known: Callable[[str], bool]) -> Iterator[Problem]:
    """The problems of commit messages (id and text), trailers such as sign-offs apart."""
    for commit, message in commits:
        if not is_known(commit) and (kinds := kinds_in([_TRAILER.sub("", message)])):
            found = f"the commit message holds personal data or secrets ({_counted(kinds)})"
            yield problem(f"commit {commit[:12]}", None, "private", found)


def kinds_in(texts: Iterable[str]) -> Counter[str]:
    """How many passages of which kind the recognisers find."""
    return Counter(finding.kind for text in dict.fromkeys(texts) for finding in recognise(text))


def _counted(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items()))


def _texts(value: Any, key: str = "") -> Iterator[str]:
    """Every text of a line that somebody outside may have written; keys, too, since they may be anybody's."""
    if isinstance(value, str):
        if not (key in _DIGESTS and _DIGEST.fullmatch(value)):
            yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in _OURS:
                yield from _texts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, key)
