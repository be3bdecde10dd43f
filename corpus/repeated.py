"""What a night repeats of what was settled since it was proposed: two open nights may hold nearly the same.

Who is settled first keeps its sample. What the corpus had before was compared when the night was run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from corpus.bulk import BulkObjects
from corpus.checks.repeats import Added, repeated
from corpus.checks.text_file import ParsedLine
from corpus.corpus_rules import corpus_rules
from corpus.cut import parsed
from corpus.leaving import text_of
from corpus.proposal import Proposal
from corpus.propose import record_path


def repeats(store: BulkObjects, base: str, proposal: Proposal, lines: Mapping[str, bytes]) -> dict[str, str]:
    """Those of a night's lines that say what `base` got from other nights since the proposal, and what it has for each.

    Costs those nights' new lines and, where there are any, the lines given; not the corpus.

    Args:
        store: the clone.
        base: the base branch's commit.
        proposal: the night.
        lines: by id, as they would be merged.
    """
    new = list(settled_since(store, base, proposal)) if lines else []
    if not new:
        return {}
    added = [Added.of(ParsedLine("", 0, line, orjson.loads(line))) for _, line in sorted(lines.items())]
    found = repeated(added, [b"\n".join(new)], corpus_rules(store, base).jaccard_min)
    return {one: of for one, of in found.items() if one in lines}


def settled_since(store: BulkObjects, base: str, proposal: Proposal) -> Iterator[bytes]:
    """The lines that other nights brought to `base` since the proposal was made.

    A night that was merged and not settled yet is passed over: what it repeats leaves it when it is, and what people
    rejected in it must keep nothing out.
    """
    since = _made_beside(store, proposal)
    changes = store.changes(since, base, "data") if since else []
    nights = {one.path: Path(one.path).stem for one in changes}
    unsettled = {night for night in set(nights.values()) if not _is_settled(store, base, night)}
    for one in changes:
        if nights[one.path] not in {proposal.night, *unsettled}:
            known = set(store.blob(one.old).split(b"\n")) if one.old else set()
            for line in store.blob(one.new).split(b"\n"):
                plain = parsed(line) if line not in known else None
                if plain and isinstance(plain.get("id"), str) and text_of(plain):
                    yield line


def _made_beside(store: BulkObjects, proposal: Proposal) -> str | None:
    """The commit of the corpus that the night was proposed beside: its record says it even after a rebase."""
    asked = proposal.record.get("honeypots")
    said = asked.get("base") if isinstance(asked, dict) else None
    if isinstance(said, str) and re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", said) and store.has_commit(said):
        return said
    return store.own_parent(proposal.commit, proposal.night)


def _is_settled(store: BulkObjects, base: str, night: str) -> bool:
    record = parsed(store.file(base, record_path(night)) or b"")
    return record is None or isinstance(record.get("settled"), dict)
