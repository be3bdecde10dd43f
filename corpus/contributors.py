"""Whose samples were proposed before: by pseudonym, so that the first ones of a contributor can be read with care.

A file in `var/`, keyed hashes only. It is no more than memory: where it was lost, everybody is new again, and people
read a little more than they need to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from corpus.night_store import NightStore
from corpus.seen import Seen

_TABLE = """
CREATE TABLE IF NOT EXISTS picks (
    subject TEXT NOT NULL, content_id TEXT NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (subject, sequence, content_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS picks_of_night ON picks (sequence);
"""

_LOOKED_AT = 200
"""Earlier samples of a contributor that are looked up, the first ones: of so many, one was accepted, or they should be
read with care indeed."""


class Contributors(NightStore):
    """The picks of all nights by contributor; see `NightStore` for use and errors."""

    TABLE = _TABLE
    LOST = "then every contributor counts as new once"

    def new_among(self, subjects: Mapping[str, str], sequence: int, seen: Seen) -> frozenset[str]:
        """One of each new contributor's samples, by content id; those who were proposed before but not accepted, too.

        Args:
            subjects: content id to pseudonym of the night's samples.
            sequence: the night's place; only nights before it count.
            seen: the open index, which knows what was accepted.
        """
        by_subject: dict[str, list[str]] = defaultdict(list)
        for one, subject in subjects.items():
            by_subject[subject].append(one)
        return frozenset(min(ids) for subject, ids in by_subject.items() if not self._is_known(subject, sequence, seen))

    def _is_known(self, subject: str, sequence: int, seen: Seen) -> bool:
        query = "SELECT content_id FROM picks WHERE subject = ? AND sequence < ? ORDER BY sequence, content_id LIMIT ?"
        with self._errors():
            earlier = [one for (one,) in self._base.execute(query, (subject, sequence, _LOOKED_AT))]
        return any(one.status == "accepted" for one in seen.by_content_id(earlier, sequence).values())

    def record(self, subjects: Mapping[str, str], sequence: int) -> None:
        """Makes these the night's picks, in one transaction."""
        self._replace(sequence, ((subject, one, sequence) for one, subject in subjects.items()))
