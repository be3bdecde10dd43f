"""What a night's branch may hold: the lines, boxes and decisions of its own night, and nothing else.

Whatever else is there is named, all of it at once, so that it can be mended in one go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import orjson

from corpus.acts import MAX_BLOB_BYTES
from corpus.bulk import BulkObjects, Difference
from corpus.checks.private_text import kinds_in
from corpus.checks.sign_off import unsigned
from corpus.checks.text_file import has_duplicate_key
from corpus.decisions import decisions_path
from corpus.line_states import LineState
from corpus.objects import Commit
from corpus.proposal import is_ours, lines_of, proposals
from corpus.propose import record_path
from corpus.reading_copy_boxes import unticked
from corpus.review import Review
from schemas.decision import Decision, parse_decisions
from schemas.errors import InputError

_PLAIN_FILE = "100644"
_KINDS = {"120000": "a symbolic link", "160000": "a submodule", "100755": "a program"}


def branch_problems(
    store: BulkObjects, review: Review, *, base: str, tip: str, settled: Collection[Decision]
) -> list[str]:
    """What keeps the branch at `tip` from being merged into `base`, a sentence each; empty when all is well.

    Args:
        store: the clone.
        review: what was collected from the branch.
        base: the base branch's commit.
        tip: the night branch's commit.
        settled: decisions that the base branch has from settling the night before.
    """
    fork = store.merge_base(base, tip)
    if fork is None:
        return ["its history shares nothing with the corpus; begin it again from the base branch"]
    if fork == tip:
        return []
    trees = store.ids([f"{fork}^{{tree}}", f"{tip}^{{tree}}"], "tree")
    differences = store.differences([(str(trees[0]), str(trees[1]))])[0]
    too_large = [*_too_large(store, base, tip)]
    if too_large:
        return too_large
    history = store.history(base, tip)
    return [
        *_not_ours(store, review, history),
        *_file_problems(review, differences),
        *_own_problems(store, review, fork, tip),
        *_line_problems(store, review, differences),
        *_unsigned_edits(store, review, base, tip, history),
        *_private_before(store, review, tip, history),
        *_decision_problems(store, review, tip, settled),
    ]


def _too_large(store: BulkObjects, base: str, tip: str) -> Iterator[str]:
    """In the whole history that a merge would bring: what is there once can hardly be got rid of."""
    for size in store.sizes(store.new_objects(base, tip)):
        if size > MAX_BLOB_BYTES:
            yield f"its history has a file of {size:,} bytes, which is more than {MAX_BLOB_BYTES:,}; rewrite it without"


def _not_ours(store: BulkObjects, review: Review, history: Sequence[Commit]) -> Iterator[str]:
    signed = [commit for commit in history if is_ours(commit)]
    made = proposals(store, signed, review.proposal.night)
    for commit in signed:
        if commit.id not in made:
            yield f"commit {commit.id[:12]} is signed as Gristmill, which did not make it; make it under your own name"


def _file_problems(review: Review, differences: Sequence[Difference]) -> Iterator[str]:
    """Files that a night's branch does not have, or not in this way."""
    proposal = review.proposal
    own = {record_path(proposal.night), decisions_path(proposal.night), *proposal.shards, *proposal.pages}
    for one in differences:
        if one.path not in own:
            yield f"{_shown(one.path)} is no part of the night {proposal.night}{_kind(one)}"
        elif one.new_mode not in (None, _PLAIN_FILE):
            yield f"{one.path} is no plain file{_kind(one)}"


def _own_problems(store: BulkObjects, review: Review, fork: str, tip: str) -> Iterator[str]:
    """Changes of what Gristmill alone writes: the record, and the reading copy but for its boxes."""
    proposal = review.proposal
    paths = [record_path(proposal.night), *proposal.pages]
    before, begun, now = (store.ids([f"{one}:{path}" for path in paths]) for one in (fork, proposal.commit, tip))
    found = zip(paths, before, begun, now, strict=True)
    changed = {path: blob for path, *known, blob in found if blob is None or blob not in known}
    read = dict(store.blobs(sorted({blob for path, blob in changed.items() if blob and path in proposal.pages})))
    for path, blob in changed.items():
        if blob is None:
            yield f"{path} was removed; restore it as Gristmill made it"
        elif path not in proposal.pages:
            yield f"{path} was changed; only Gristmill writes it"
        elif not _only_boxes(proposal.pages[path], read[blob]):
            yield f"{path} was changed beyond its ballot boxes, so others read something else than was proposed"


def _shown(path: str) -> str:
    return path if path.isascii() and path.isprintable() and len(path) < 120 else f"{path[:120]!a}"


def _kind(one: Difference) -> str:
    kind = _KINDS.get(one.new_mode or "", "")
    return f": it is {kind}" if kind else ": it was removed" if one.new is None else ""


def _only_boxes(proposed: bytes, now: bytes) -> bool:
    return _words(unticked(now.decode(errors="replace"))) == _words(unticked(proposed.decode()))


def _words(text: str) -> list[str]:
    """Its lines without what editors change by themselves: line ends, white space at the ends."""
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _line_problems(store: BulkObjects, review: Review, differences: Sequence[Difference]) -> Iterator[str]:
    for one in differences:
        if one.path in review.proposal.shards and one.new and one.new_mode == _PLAIN_FILE:
            standing: dict[str, set[str | None]] = {}
            for number, line in enumerate(lines_of(store.blob(one.new)), 1):
                state = review.reader.read(line)
                if state.problem:
                    yield f"{one.path}, line {number} {state.problem}"
                if state.line and (kinds := _new_private(review, state)):
                    yield f"{one.path}, line {number} was edited and now holds personal data or secrets ({kinds})"
                if state.root:
                    standing.setdefault(state.root, set()).add(state.edited_id)
            edits = {decision.edited_id for decision in review.decisions if decision.edited_id}
            for root, versions in sorted(standing.items()):
                if len(versions) > 1 and not versions <= edits:  # else the latest of several people's edits stands
                    yield f"{one.path} has {len(versions)} versions of the sample {root}; leave the one to keep"


def _unsigned_edits(
    store: BulkObjects, review: Review, base: str, tip: str, history: Sequence[Commit]
) -> Iterator[str]:
    """Edits that nobody signed off, apart from those that the base branch has already."""
    known, now = (_edits(store, review, commit) for commit in (base, tip))
    made = [makers for edited_id in sorted(now - known) if (makers := review.makers.get(edited_id))]
    bringing = {makers[0].id: makers[0] for makers in made if all(unsigned(one, history) for one in makers)}
    yield from (f"commit {one.id[:12]}: {unsigned(one, history)}" for one in bringing.values())


def _private_before(store: BulkObjects, review: Review, tip: str, history: Sequence[Commit]) -> Iterator[str]:
    """Edits that stand nowhere any more and that a merge would publish all the same."""
    brought = {commit.id for commit in history}
    for edited_id in sorted(set(review.edits) - _edits(store, review, tip)):
        commits = [one.id[:12] for one in review.makers.get(edited_id, ()) if one.id in brought]
        if commits and (kinds := _new_private(review, review.edits[edited_id])):
            yield (
                f"commit {commits[0]} has an edit with personal data or secrets ({kinds}), which a merge would "
                f"publish; make the commits after {review.proposal.commit[:12]} anew without it and force the push"
            )


def _edits(store: BulkObjects, review: Review, commit: str) -> set[str]:
    """The edits that stand in a commit's shards."""
    blobs = store.ids([f"{commit}:{path}" for path in review.proposal.shards])
    lines = (line for blob in blobs if blob for line in lines_of(store.blob(blob)))
    return {state.edited_id for state in map(review.reader.read, lines) if state.edited_id}


def _new_private(review: Review, state: LineState) -> str:
    """Kinds of personal data that an edit has and its sample had not, in words."""
    edited = orjson.loads(state.line or b"")
    original = review.proposal.lines[str(state.root)].sample()
    found, known = (kinds_in(message["content"] for message in one["messages"]) for one in (edited, original))
    return ", ".join(f"{kind} {n}" for kind, n in sorted((found - known).items()))


def _decision_problems(store: BulkObjects, review: Review, tip: str, settled: Collection[Decision]) -> Iterator[str]:
    place = decisions_path(review.proposal.night)
    roots = review.roots()
    (blob,) = store.ids([f"{tip}:{place}"])
    for number, line in enumerate(lines_of(store.blob(blob) if blob else b""), 1):
        try:
            (decision,) = parse_decisions(line, place)
        except InputError as error:
            yield str(error).replace("line 1:", f"line {number}:", 1)
            continue
        if has_duplicate_key(line):
            yield f"{place}, line {number} names a key twice"
        if decision in settled:
            continue
        if decision.sample_id not in roots:
            yield f"{place}, line {number} decides on {decision.sample_id}, which the night did not propose"
        elif decision.edited_id and decision.edited_id not in roots:
            yield f"{place}, line {number} names the edit {decision.edited_id}, whose line is in no shard"
        elif decision not in review.decisions and (act := review.foreign.get(decision)):
            yield (
                f"{place}, line {number} speaks for {decision.reviewer}, but {act.reviewer} wrote it "
                f"(commit {act.commit[:12]}); who decides commits their own lines"
            )
