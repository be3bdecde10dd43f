"""Migrations: a corpus of an older format becomes one of this Gristmill's, in one commit that loses no row.

`STEPS` says for each version how its files become those of the next. A step rewrites one file at a time and knows
nothing of git. What is counted before is counted after: the samples by night and expert, the decisions, the tombstones;
a step that changes how many there are is refused, and nothing is pushed. Idempotent: a corpus of the present format is
left alone.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from corpus.clone import Clone
from corpus.objects import Entry
from corpus.repository import on_corpus
from schemas.errors import CorpusError, nearest
from schemas.sample import FORMAT_VERSION
from schemas.settings import CorpusSettings

DESCRIPTION = "corpus.toml"

File = tuple[str, bytes]
"""Path and content."""


class Step(NamedTuple):
    """How a file of one version becomes files of the next.

    `rewrite` gives the files that stand in its place: itself, another path, several, or none where it has no rows.
    `says` is one line for the commit, without a word of a conversation.
    """

    says: str
    rewrite: Callable[[File], Iterator[File]]


STEPS: Mapping[int, Step] = {}
"""By the version that a step begins with. There is one version so far."""

_COUNTED = (
    ("samples", re.compile(r"data/([^/]+)/\d{4}-\d\d/([^/]+)\.jsonl")),
    ("decisions", re.compile(r"decisions/()([^/]+)\.jsonl")),
    ("tombstones", re.compile(r"()(tombstones)\.jsonl")),
)

Counts = Mapping[tuple[str, str, str], int]
"""Rows by kind, expert and night."""


@dataclass(frozen=True)
class Migration:
    """What was done: `state` is "current" when there was nothing to do. `rows` are the rows of each kind."""

    state: str
    before: int
    after: int
    commit: str
    n_files: int
    rows: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)


def migrate(
    corpus: CorpusSettings,
    *,
    root: Path,
    clone: Path,
    day: str,
    steps: Mapping[int, Step] = STEPS,
    to_version: int = FORMAT_VERSION,
) -> Migration:
    """Brings the base branch to the present format; nights under review are proposed anew afterwards.

    Args:
        corpus: where the corpus is, and its base branch.
        root: the folder that a relative `corpus.remote` starts from.
        clone: our private bare clone.
        day: the date that the commit bears.
        steps: by version, how to come to the next.
        to_version: where to.

    Raises:
        CorpusError: the corpus is newer than this Gristmill or a step is missing; a step lost or invented rows (nothing
            was pushed); git or the remote refused.
    """

    def run(store: Clone) -> Migration:
        heads = store.heads()
        if corpus.branch not in heads:
            hint = nearest(corpus.branch, heads)
            raise CorpusError(
                f"{store.remote} has no branch {corpus.branch!r}{hint}; `gristmill init` creates the corpus"
            )
        base = heads[corpus.branch]
        store.fetch({corpus.branch: base})
        return _migrate(store, corpus.branch, base, day, steps, to_version)

    return on_corpus(corpus, root=root, clone=clone, operation=run)


def version_of(store: Clone, commit: str) -> int:
    """The format version of a commit of the corpus.

    Raises:
        CorpusError: it has no corpus.toml that says one.
    """
    try:
        found = tomllib.loads((store.file(commit, DESCRIPTION) or b"").decode())["format"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise CorpusError(
            f"{DESCRIPTION} of {store.remote} says no format ({error!r:.100}); write `format = 1` into it and run again"
        ) from error
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise CorpusError(f"{DESCRIPTION} of {store.remote} says format {found!r:.40}; it is a number from 1 on")
    return found


def _migrate(store: Clone, branch: str, base: str, day: str, steps: Mapping[int, Step], to_version: int) -> Migration:
    version = version_of(store, base)
    entries = store.entries(base)
    before = _counted(store, entries)
    if version > to_version:
        raise CorpusError(
            f"{store.remote} has corpus format {version}, this Gristmill knows {to_version}: a newer one wrote it. "
            "Update Gristmill (in its folder: `git pull && make setup`), then run the same command again"
        )
    if version == to_version:
        return Migration("current", version, version, base, 0, _totals(before))
    if missing := [one for one in range(version, to_version) if one not in steps]:
        raise CorpusError(f"there is no way from corpus format {missing[0]} to {missing[0] + 1}; update Gristmill")
    changed, removed = _rewritten(store, entries, [steps[one] for one in range(version, to_version)], to_version)
    title = f"corpus: format {version} becomes {to_version}"
    says = "".join(f"\n{steps[one].says}" for one in range(version, to_version))
    commit = store.commit(base, changed, f"{title}\n{says}\n", day, removed=removed)
    after = _counted(store, store.entries(commit))
    _check(before, after)
    if version_of(store, commit) != to_version:
        raise CorpusError(f"the migration left {DESCRIPTION} at another format; nothing was pushed")
    store.push(commit, branch, expected=base)
    return Migration("migrated", version, to_version, commit, len(changed) + len(removed), _totals(after))


def _rewritten(
    store: Clone, entries: list[Entry], steps: list[Step], to_version: int
) -> tuple[dict[str, str], list[str]]:
    """Path to blob of the files that change, and the paths that vanish; one file is in memory at once."""
    blobs: dict[str, str] = {}
    removed: set[str] = set()
    plain = [entry for entry in entries if entry.mode in ("100644", "100755")]
    contents = store.blobs(entry.blob for entry in plain)
    for entry, (_, content) in zip(plain, contents, strict=True):
        if entry.path == DESCRIPTION:
            files = [(DESCRIPTION, _described(content, to_version))]
        else:
            files = _stepped((entry.path, content), steps)
        if files != [(entry.path, content)]:
            _refuse_collisions(entry.path, files, blobs)
            blobs |= store.store((path, [new], len(new)) for path, new in files)
            removed |= {entry.path} - {path for path, _ in files}
    return blobs, sorted(removed - set(blobs))


def _refuse_collisions(path: str, files: list[File], blobs: Mapping[str, str]) -> None:
    if taken := [new for new, _ in files if new in blobs]:
        raise CorpusError(f"the migration writes {taken[0]} twice (the second time from {path}); nothing was pushed")


def _stepped(file: File, steps: list[Step]) -> list[File]:
    files = [file]
    for step in steps:
        files = [new for one in files for new in step.rewrite(one)]
    return files


def _described(content: bytes, version: int) -> bytes:
    """corpus.toml with another version; its comments stay."""
    return re.sub(rb"(?m)^(format\s*=\s*)\d+", rb"\g<1>%d" % version, content, count=1)


def _counted(store: Clone, entries: list[Entry]) -> Counts:
    """The rows of every file that has rows."""
    counts: Counter[tuple[str, str, str]] = Counter()
    named = [
        (entry, kind, found) for entry in entries for kind, form in _COUNTED if (found := form.fullmatch(entry.path))
    ]
    for (_, kind, found), (_, content) in zip(named, store.blobs(entry.blob for entry, *_ in named), strict=True):
        counts[kind, found[1], found[2]] += sum(bool(line.strip()) for line in content.splitlines())
    return {key: n for key, n in counts.items() if n}


def _check(before: Counts, after: Counts) -> None:
    for key in sorted({*before, *after}):
        if before.get(key, 0) != after.get(key, 0):
            kind, expert, night = key
            place = " of ".join(part for part in (kind, expert, night) if part)
            raise CorpusError(
                f"the migration changes the number of {place} from {before.get(key, 0)} to {after.get(key, 0)}; "
                "nothing was pushed. Report this with the line above"
            )


def _totals(counts: Counts) -> dict[str, int]:
    totals = {kind: 0 for kind, _ in _COUNTED}
    for (kind, _, _), n in counts.items():
        totals[kind] += n
    return totals
