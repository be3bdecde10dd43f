"""A problem of a change: its place, its code, and what to do about it; never a word of a conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

_OWN = "conversations of your own go into contributions/<yyyy-mm>/<name>.jsonl"

REMEDIES = {
    # The branch.
    "unrelated_history": "begin the branch anew from the branch that it is meant for",
    "night_merged": "later votes stay on its branch, where `gristmill settle` finds them; withdraw samples with "
    "`gristmill retract`",
    "several_nights": "one pull request holds one night; put the others into pull requests of their own",
    "rewritten": "restore the branch as Gristmill pushed it, or delete it and let `gristmill run` propose it again",
    "forged": f"a night is proposed by Gristmill alone; {_OWN}",
    "sign_off": "by it they say that they may give the text away (CONTRIBUTING.md)",
    # Files.
    "damaged_tree": "make the commit again with git itself",
    "too_many_files": "split the change",
    "too_large": "split the file",
    "not_allowed": "take it out of the change; what only the maintainers change goes into a pull request of theirs",
    "other_night": "leave other nights as they are",
    "not_a_file": "commit a plain file with its content",
    "executable": "remove the mark with `git update-index --chmod=-x <file>`",
    "bad_name": "name it with small letters, digits and dashes, as CONTRIBUTING.md says",
    "names_alike": "choose another name: some systems take the two for one",
    "record_changed": "restore the file as Gristmill made it",
    "reading_copy_changed": "only boxes are ticked and unticked there; to change a conversation use `gristmill review`",
    # Bytes.
    "not_utf8": "save the file as UTF-8",
    "byte_order_mark": "save the file as UTF-8 without a byte order mark",
    "line_ends": "save the file with line feeds alone (no carriage returns)",
    "no_line_end": "end the last line with a line feed",
    "empty_line": "remove the line",
    "not_json": "write one JSON object in the line",
    "duplicate_key": "write each key once",
    "not_canonical": "write it with sorted keys, no white space and no needless escapes; `gristmill review` does so",
    "lone_surrogate": "write the character whole",
    "unsorted": "sort the lines of the file",
    "repeated_line": "keep one of them",
    # Samples.
    "shape": "give the line the keys and types that CONTRIBUTING.md shows",
    "id": "write the digest of what the messages say; `gristmill review` does so",
    "turns": "begin with at most one system message, then the user; end with the assistant; never two in a row",
    "text": "give every message a text that says something, without NUL",
    "verdict": "leave the verdict as the judge wrote it",
    "alternatives": "leave the alternatives as they were proposed",
    "consent": "say on what basis the conversation may be published",
    "licence": "name one of the licences in corpus.toml that the contributors agreed to",
    "expert": "keep the sample in the folder of its expert",
    "night": "keep the sample in the file of its night",
    "edited_by_hand": "settle takes it as an edit by the author of the commit and writes the new id",
    "line_changed": "only the messages of a sample may be edited; restore everything else",
    "settle_refuses": "mend the branch, or settle will not merge it",
    "line_added": f"a night holds what was proposed; {_OWN}",
    "withdrawn": "it was withdrawn for good; leave it out",
    "exact_duplicate": "leave it out: the corpus has it already",
    "near_duplicate": "leave it out, or what is not new in it: the corpus has nearly the same",
    "private": "replace each by a placeholder such as [EMAIL_1] and make the commits anew without it, since a merge "
    "publishes the history, too",
    # Decisions.
    "decision": "write it as `gristmill review` does",
    "not_your_decision": "decide under your own name: the reviewer of a line is the author of the commit that adds it",
    "decision_removed": "restore the line: each reviewer takes back only what they said themselves",
    "unknown_sample": "name a sample of this night by its whole id",
}
"""Code to what to do next."""

MENDED = frozenset({"edited_by_hand", "unsorted", "no_line_end"})
"""What settle mends by itself in a night; the check only warns of it."""

MENDED_IN_A_NIGHT = MENDED | {
    *("byte_order_mark", "line_ends", "empty_line", "repeated_line", "not_canonical", "withdrawn"),
}
"""The same for a night that is settled for sure: what a formatter or an editor makes of a file that it saves, and what
was withdrawn since it was proposed."""

MOST_ALIKE = 20
"""Problems of one code in one file that are listed; the others are counted: a systematic fault breaks every line."""

_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Problem:
    """Something in a change that must not be merged.

    `path` is a file's (printable, cut at 200 characters), `commit <id>`, or empty for the change as a whole; `line`
    counts from 1. `message` says what was found and what to do. `is_mended`: settle sets it right, so it keeps nobody
    from merging.
    """

    path: str
    line: int | None
    code: str
    message: str
    is_mended: bool = False

    def place(self) -> str:
        """File and line as people write them."""
        return (self.path or "the change") + (f":{self.line}" if self.line else "")

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)


def problem(path: str, line: int | None, code: str, found: str) -> Problem:
    """The problem with its remedy; `found` is our own words about it."""
    return Problem(shown(path), line, code, f"{found}: {REMEDIES[code]}", code in MENDED)


def in_a_night(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Problems of a file that settle writes anew: what it mends is only warned of."""
    for one in problems:
        yield replace(one, is_mended=one.code in MENDED_IN_A_NIGHT)


def shown(path: str) -> str:
    """A path from anybody as it can be shown: control characters and odd bytes escaped."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def limited(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems sorted by place, of many alike in a file only the first, with how many there are."""
    ranked = sorted(set(problems), key=lambda one: (one.path, one.line or 0, one.code, one.message))
    totals = Counter((one.path, one.code) for one in ranked)
    given: Counter[tuple[str, str]] = Counter()
    for one in ranked:
        key = (one.path, one.code)
        given[key] += 1
        if given[key] == MOST_ALIKE and totals[key] > MOST_ALIKE:
            more = f"{one.message} (and {totals[key] - MOST_ALIKE} more of this kind in this file)"
            yield replace(one, message=more)
        elif given[key] <= MOST_ALIKE:
            yield one
