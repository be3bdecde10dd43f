"""Which files a change may touch, and what each is.

    data/<expert>/<yyyy-mm>/<night>.jsonl   shard           a night's, made by Gristmill, cut and edited by reviewers
    review/<night>/index.md, 01.md, ...     page            a night's
    nights/<night>.json                     record          a night's, made by Gristmill alone
    decisions/<night>.jsonl                 decisions       a night's, written by reviewers
    contributions/<yyyy-mm>/<name>.jsonl    contribution    anybody's, in a pull request of its own

Contributions have no verdict. They wait outside `data/`, where no loader looks, until a night pulls, screens and rates
them and proposes them like any other conversation; so `data/` holds nothing that was not judged and reviewed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from corpus.bulk import Difference
from corpus.checks.problem import Problem, problem

Kind = Literal["shard", "page", "record", "decisions", "contribution", "other"]

LONGEST_PATH = 200
"""Bytes; the longest of ours has under 80, and Windows stops at 260 with the folder that it is in."""

_NIGHT = r"(?P<night>\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))"
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("shard", re.compile(rf"data/(?P<expert>[a-z0-9][a-z0-9-]{{0,40}})/(?P<month>\d{{4}}-\d\d)/{_NIGHT}\.jsonl")),
    ("page", re.compile(rf"review/{_NIGHT}/(?:index|\d{{2,4}})\.md")),
    ("record", re.compile(rf"nights/{_NIGHT}\.json")),
    ("decisions", re.compile(rf"decisions/{_NIGHT}\.jsonl")),
    ("contribution", re.compile(r"contributions/(?P<month>\d{4}-(?:0[1-9]|1[0-2]))/[a-z0-9][a-z0-9-]{0,60}\.jsonl")),
)

_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Microsoft, "Naming Files, Paths, and Namespaces": reserved with any extension."""

_FILE_KINDS = {"120000": "it is a symbolic link", "160000": "it is a submodule", "40000": "it is a folder"}


@dataclass(frozen=True)
class Place:
    """What a path is; `night` and `expert` where it has one."""

    kind: Kind
    night: str | None = None
    expert: str | None = None


def place_of(path: str) -> Place:
    """What a path of the corpus is."""
    for kind, pattern in _PATTERNS:
        if found := pattern.fullmatch(path):
            named = found.groupdict()
            night = named.get("night")
            if kind == "shard" and named["month"] != str(night)[:7]:
                break
            return Place(kind, night, named.get("expert"))
    return Place("other")


def nights_of(differences: Iterable[Difference]) -> list[str]:
    """The nights whose files differ; the one with a record first, then by number of files, then by date."""
    counts: dict[str, tuple[bool, int]] = {}
    for one in differences:
        place = place_of(one.path)
        if place.night:
            has_record, n_files = counts.get(place.night, (False, 0))
            counts[place.night] = (has_record or place.kind == "record", n_files + 1)
    return sorted(counts, key=lambda night: (not counts[night][0], -counts[night][1], night))


def file_problems(differences: Sequence[Difference]) -> Iterator[Problem]:
    """What is wrong with the files as such, wherever they stand: kind, mode, name."""
    for one in differences:
        if one.new_mode is None:
            continue
        if one.new_mode in _FILE_KINDS:
            yield problem(one.path, None, "not_a_file", _FILE_KINDS[one.new_mode])
        elif one.new_mode != "100644":
            yield problem(one.path, None, "executable", "it is marked as a program")
        if one.old is None:
            yield from name_problems(one.path)


def name_problems(path: str) -> Iterator[Problem]:
    """What is wrong with a new file's name."""
    if len(path.encode(errors="surrogateescape")) > LONGEST_PATH:
        yield problem(path, None, "bad_name", f"the path has more than {LONGEST_PATH} bytes")
    elif not path.isascii() or not path.isprintable():
        yield problem(path, None, "bad_name", "the path has other than plain characters")
    parts = path.split("/")
    if any(_DEVICE.fullmatch(part) for part in parts):
        yield problem(path, None, "bad_name", "Windows takes this name for a device")
    if any(part.lower().startswith(".git") for part in parts) and not path.startswith((".github/", ".gitea/")):
        yield problem(path, None, "not_allowed", "git reads this file itself: it can change what others check out")
    elif any(part in ("hooks", ".husky") for part in parts):
        yield problem(path, None, "not_allowed", "it is a place for programs that run by themselves")


def alike_problems(added: Iterable[str], everything: Iterable[str]) -> Iterator[Problem]:
    """New names that differ from another's by case or by how their letters are composed alone."""
    known: dict[str, list[str]] = {}
    for path in everything:
        known.setdefault(_folded(path), []).append(path)
    for path in added:
        if any(other != path for other in known.get(_folded(path), [])):
            yield problem(path, None, "names_alike", "another file has this name in other letters")


def _folded(path: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
