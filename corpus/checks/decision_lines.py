"""The lines of a night's decisions: well formed, and each added by the author whom it names.

What git records is the author that a commit claims. Who may push to the branch can claim any: a forge shows who pushed,
and a signed commit proves it, but neither is in the repository's history for us to compare. So a ballot under another's
name is found where the author of the commit and the reviewer of the line differ, and not where both are forged alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from corpus.checks.change import Step
from corpus.checks.problem import Problem, problem
from corpus.checks.text_file import ParsedLine, order_problems, read_text_file
from corpus.proposal import lines_of
from schemas.canonical import canonical_bytes
from schemas.decision import MAX_LINE_BYTES, Decision, reviewer_name
from schemas.errors import InputError

ReadBlob = Callable[[str], bytes]


def decision_problems(path: str, content: bytes, is_sample: Callable[[str], bool]) -> Iterator[Problem]:
    """What is wrong with the file as it stands; `is_sample` says whether an id is one of the night, edits included."""
    read = read_text_file(path, content, is_canonical=True, line_bytes_max=MAX_LINE_BYTES)
    yield from read.problems
    yield from order_problems(path, [(line.number, line.content) for line in read.lines])
    for line in read.lines:
        yield from _line_problems(line, is_sample)


def _line_problems(line: ParsedLine, is_sample: Callable[[str], bool]) -> Iterator[Problem]:
    try:
        decision = Decision.from_json(line.plain)
    except InputError as error:
        yield problem(line.path, line.number, "decision", str(error))
        return
    if decision.line().rstrip(b"\n") != canonical_bytes(line.plain):
        yield problem(line.path, line.number, "not_canonical", "the line leaves a key out")
    if decision.made_by != "person" or decision.is_honeypot:
        found = "the line says that a machine made it, or that the sample is a honeypot, which only settle writes"
        yield problem(line.path, line.number, "decision", found)
    elif not is_sample(decision.sample_id):
        yield problem(line.path, line.number, "unknown_sample", "the night did not propose this sample")


def author_problems(path: str, steps: Sequence[Step], blob: ReadBlob) -> Iterator[Problem]:
    """The commits that speak for somebody else than their author, or take another's line away."""

    @cache
    def lines(name: str | None) -> frozenset[bytes]:
        return frozenset(lines_of(blob(name))) if name else frozenset()

    for step in steps:
        changes = [one[path] for one in step.differences if path in one]
        if not changes:
            continue
        me = reviewer_name(f"mailto:{step.commit.author.email}")
        place = f"commit {step.commit.id[:12]}"
        after = lines(changes[0].new)
        is_merge = len(step.differences) > 1
        before = [lines(change.old) for change in changes]
        before += [after] * (len(step.differences) - len(changes))  # a parent that has the file as it is now
        added = after.difference(*before)
        removed = frozenset.union(*before) - after if is_merge else before[0] - after
        if is_merge:
            removed -= _taken_back(path, steps, blob)
        # What somebody's editor wrote in another way is still there.
        known, now = frozenset.union(*before, map(_canonical, removed)), after.union(map(_canonical, added))
        added = frozenset(line for line in added if _canonical(line) not in known)
        removed = frozenset(line for line in removed if _canonical(line) not in now)
        if any(_reviewer(line) not in (me, None) for line in added):
            yield problem(place, None, "not_your_decision", f"it adds another person's decision to {path}")
        if any(_reviewer(line) not in (me, None) for line in removed):
            yield problem(place, None, "decision_removed", f"it removes or changes another person's decision in {path}")


def _taken_back(path: str, steps: Sequence[Step], blob: ReadBlob) -> frozenset[bytes]:
    """The lines that their own reviewers took back in some commit of the change: a merge may lack them."""
    found: set[bytes] = set()
    for step in steps:
        if len(step.differences) == 1 and (change := step.differences[0].get(path)):
            me = reviewer_name(f"mailto:{step.commit.author.email}")
            old, new = (set(lines_of(blob(name))) if name else set() for name in (change.old, change.new))
            found |= {line for line in old - new if _reviewer(line) == me}
    return frozenset(found)


def _canonical(line: bytes) -> bytes:
    """A decision's canonical line, any other line as it is."""
    read = read_text_file("", line, is_canonical=False, line_bytes_max=MAX_LINE_BYTES)
    try:
        return Decision.from_json(read.lines[0].plain).line().rstrip(b"\n") if read.lines else line
    except InputError:
        return line


def _reviewer(line: bytes) -> str | None:
    """Who a line says decided; None for what is no decision, which is told as such."""
    read = read_text_file("", line, is_canonical=False, line_bytes_max=MAX_LINE_BYTES)
    named = read.lines[0].plain.get("reviewer") if read.lines else None
    return named if isinstance(named, str) else None
