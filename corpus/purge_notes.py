"""Notes (`git notes`) after a purge: carried over to the rewritten commits, without what was withdrawn.

git-filter-repo leaves them as they are: named after commits that no longer exist, and quoting whom they please.
"""

from __future__ import annotations

from collections.abc import Mapping

from corpus.mirror import Mirror
from corpus.objects import Entry
from corpus.passages import Passages, letters

NOTES = "refs/notes/"
_COMMIT_MAP = "filter-repo/commit-map"


def carry_notes(mirror: Mirror, replaced: Mapping[str, bytes], passages: Passages, day: str) -> None:
    """Gives every ref of notes one commit with the notes that it has now; those with nothing left to say go.

    Args:
        mirror: just rewritten by git-filter-repo.
        replaced: blob to its new content.
        passages: what no name may quote.
        day: the date of the commits.
    """
    renamed = _renamed(mirror)
    refs = [(ref, found) for ref, found in mirror.refs().items() if ref.startswith(NOTES)]
    for ref, found in refs:
        kept: dict[str, str] = {}
        for entry in mirror.entries(found):
            content = replaced.get(entry.blob, mirror.blob(entry.blob))
            name = _name(entry, renamed)
            if content.strip() and not passages.met(letters(b" " + name.encode(errors="replace"))):
                kept |= mirror.store([(name, [content], len(content))])
        mirror.set_ref(ref, mirror.commit(None, kept, "notes: carried over to the rewritten history\n", day))
    if refs:
        mirror.forget_unreachable()


def _name(entry: Entry, renamed: Mapping[str, str]) -> str:
    """The note's name: the id of what it speaks of, without the folders that git makes of its first characters."""
    plain = entry.path.replace("/", "")
    return renamed.get(plain, entry.path)


def _renamed(mirror: Mirror) -> dict[str, str]:
    """Old commit to new commit, as git-filter-repo wrote it down."""
    lines = (mirror.path / _COMMIT_MAP).read_text(encoding="ascii").splitlines()[1:]
    return dict(line.split() for line in lines)
