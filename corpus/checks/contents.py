"""The lines that a change adds: read once, then asked about one thing after the other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import orjson

from corpus.acts import Refused
from corpus.bulk import BulkObjects, Difference
from corpus.checks.change import Change, Step
from corpus.checks.decision_lines import author_problems, decision_problems
from corpus.checks.edited_lines import edit_problems
from corpus.checks.paths import place_of
from corpus.checks.private_text import kinds_problem, message_problems, private_problem
from corpus.checks.problem import Problem, in_a_night, problem, shown
from corpus.checks.repeats import Added, corpus_files, repeat_problems, withdrawn_problems
from corpus.checks.sample_lines import (
    CONTRIBUTED_LINE_BYTES_MAX,
    contribution_problems,
    sample_problems,
    sound_samples,
)
from corpus.checks.text_file import LINE_BYTES_MAX, ParsedLine, TextFile, order_problems, read_text_file
from corpus.line_states import LineReader
from corpus.outcome_files import planted
from corpus.proposal import proposal_in
from corpus.propose import record_path
from corpus.repeated import repeats
from corpus.tombstones import read_withdrawn
from schemas.canonical import canonical_bytes

_FILE_MODE = "100644"

_HONEYPOTS_MAX = 100
"""Of each kind; a night has two, and a record is anybody's text until it is found to be ours."""


class Contents:
    """The files of samples, contributions and decisions that differ between fork and tip."""

    def __init__(
        self,
        store: BulkObjects,
        change: Change,
        *,
        licences: tuple[str, ...],
        jaccard_min: float,
        is_maintainer: bool,
        trusted: Collection[str],
    ) -> None:
        self._store = store
        self._change = change
        self._licences = licences
        self._jaccard_min = jaccard_min
        self._is_maintainer = is_maintainer
        self._trusted = trusted
        self._digests: dict[str, frozenset[bytes]] = {}

    def problems(self, on_bytes: Callable[[int], None] | None) -> Iterator[Problem]:
        """All that is wrong with what the change adds."""
        sound: list[ParsedLine] = []
        found: list[Problem] = []
        for one in self._differing("shard"):
            sound += self._read_shard(one, found)
        contributed: list[ParsedLine] = []
        for one in self._differing("contribution"):
            read = self._read(one, is_canonical=False, line_bytes_max=CONTRIBUTED_LINE_BYTES_MAX)
            wrong = list(contribution_problems(read.lines, self._licences))
            broken = {(each.path, each.line) for each in wrong if each.code in ("shape", "turns")}
            contributed += [line for line in read.lines if (line.path, line.number) not in broken]
            found += read.problems + wrong
        yield from found
        if not self._is_maintainer:
            yield from edit_problems(self._unproposed(sound), self._before)
        yield from self._repeat_problems(sound, contributed, on_bytes)
        yield from self._decision_problems()
        yield from self._private_problems()

    def brings_text(self, step: Step, path: str) -> bool:
        """Whether a commit brought words into a file that no parent has.

        Of a night's shard only what the tip still has counts, and an edit alone is new: not a sample that was put back,
        nor one that was written in another way.
        """
        changes = [one[path] for one in step.differences]
        before = frozenset[bytes]().union(*(self._lines(one.old) for one in changes if one.old))
        added = self._lines(str(changes[0].new)) - before
        if not self._reader or place_of(path).night != self._change.night:
            return bool(added)
        now = next((one.new for one in self._change.differences if one.path == path), None)
        added &= self._lines(now) if now else frozenset()
        content = self._store.blob(str(changes[0].new)).removeprefix(b"\xef\xbb\xbf") if added else b""
        lines = [line for line in content.split(b"\n") if _digest(line) in added]
        states = (self._reader.read(line.rstrip(b"\r")) for line in lines)
        return any(one.problem or (one.line and _digest(one.line.rstrip(b"\n")) not in before) for one in states)

    # Reading.

    def _differing(self, kind: str) -> list[Difference]:
        plain = [one for one in self._change.differences if one.new and one.new_mode == _FILE_MODE]
        return [one for one in plain if place_of(one.path).kind == kind]

    def _read(self, one: Difference, *, is_canonical: bool, line_bytes_max: int) -> TextFile:
        content = self._store.blob(str(one.new))
        return read_text_file(one.path, content, is_canonical=is_canonical, line_bytes_max=line_bytes_max)

    def _read_shard(self, one: Difference, found: list[Problem]) -> list[ParsedLine]:
        """The added lines of a shard that have a sample's shape; what is wrong with the shard goes to `found`."""
        read = self._read(one, is_canonical=True, line_bytes_max=LINE_BYTES_MAX)
        ids = [(line.number, line.plain.get("id")) for line in read.lines]
        ordered = order_problems(one.path, [(number, text) for number, text in ids if isinstance(text, str)])
        told = [*read.problems, *ordered]
        found += in_a_night(told) if self._reader else told
        known = set(self._store.blob(one.old).split(b"\n")) if one.old else set()
        lines = [line for line in read.lines if line.content not in known]
        added = sound_samples([self._as_settled(line, found) for line in lines], found)
        found += sample_problems(added, place_of(one.path), self._licences)
        return added

    def _as_settled(self, line: ParsedLine, found: list[Problem]) -> ParsedLine:
        """The line as settle writes it, where it is a sample of the night or an edit of one, else as it is."""
        state = self._reader.read(line.content) if self._reader else None
        if state is None or state.root is None or state.problem or self._reader is None:
            return line
        content = (state.line or self._reader.proposed(state.root)).rstrip(b"\n")
        if state.edited_id and line.plain.get("id") != state.edited_id:
            what = f"the messages were changed and the id was not; it becomes {state.edited_id}"
            found.append(problem(line.path, line.number, "edited_by_hand", what))
        elif not state.edited_id and content != line.content == canonical_bytes(line.plain):
            what = "a number is written in another way than it was proposed"
            found += in_a_night([problem(line.path, line.number, "not_canonical", what)])
        return ParsedLine(line.path, line.number, content, orjson.loads(content))

    @cached_property
    def _reader(self) -> LineReader | None:
        """Reads lines as settle does, None for what is not settled."""
        if self._is_maintainer:
            return None
        own = self._change.own
        if own is None and self._change.is_open and self._change.night:
            own = proposal_in(self._store, self._change.base, self._change.night)
        return LineReader(own) if own else None

    def _lines(self, blob: str) -> frozenset[bytes]:
        if blob not in self._digests:
            lines = self._store.blob(blob).removeprefix(b"\xef\xbb\xbf").split(b"\n")
            self._digests[blob] = frozenset(_digest(line) for line in lines if line)
        return self._digests[blob]

    # What was proposed.

    @cached_property
    def _proposed(self) -> frozenset[bytes]:
        own = self._change.own
        return frozenset(one.line for one in own.lines.values()) if own else frozenset()

    def _is_sample(self, sample_id: str) -> bool:
        """Whether an id is one of the night's, or of an edit; what nobody proposed is told elsewhere."""
        own = self._change.own
        if own is None and not self._change.is_open:
            return True
        return (own is not None and sample_id in own.lines) or sample_id in self._all_ids

    @cached_property
    def _all_ids(self) -> frozenset[str]:
        """The ids that the night's shards have, and had in any commit."""
        now = (self._store.blob(str(one.new)).split(b"\n") for one in self._differing("shard"))
        return frozenset(found for lines in (*now, *self._before()) for found in _ids(lines))

    def _unproposed(self, lines: Sequence[ParsedLine]) -> list[ParsedLine]:
        if not self._change.own and not self._change.is_open:
            return []  # told already: nobody proposed the file
        return [line for line in lines if line.content not in self._proposed]

    def _before(self) -> Iterator[Sequence[bytes]]:
        """The lines of the night's shards as they were proposed, then as they stood in each commit since."""
        yield list(self._proposed)
        blobs: dict[str, None] = {}
        for step in self._change.steps:
            for change in (one for each in step.differences for one in each.values()):
                if place_of(change.path).kind == "shard" and place_of(change.path).night == self._change.night:
                    blobs |= {blob: None for blob in (change.old, change.new) if blob}
        tips = {one.new for one in self._change.differences}
        for _, content in self._store.blobs(blob for blob in blobs if blob not in tips):
            yield content.split(b"\n")
        if self._change.is_open and self._change.night:
            pattern = f"data/*/{self._change.night[:7]}/{self._change.night}.jsonl"
            for version in self._store.versions(self._change.base, pattern):
                yield self._store.blob(version.new).split(b"\n")

    # Asking.

    def _repeat_problems(
        self,
        sound: Sequence[ParsedLine],
        contributed: Sequence[ParsedLine],
        on_bytes: Callable[[int], None] | None,
    ) -> Iterator[Problem]:
        change, slipped = self._change, self._honeypots
        added = [*(Added.of(line, is_sample=True) for line in sound), *map(Added.of, contributed)]
        added = [one for one in added if one.content_id not in slipped]
        withdrawn = withdrawn_problems(added, read_withdrawn(self._store, change.base))
        yield from in_a_night(withdrawn) if self._reader else withdrawn
        is_trusted = change.own is not None and change.own.commit in self._trusted
        # A night's samples may be contributions that were merged before: they stay in their files.
        folders = ("data", "contributions") if contributed else ("data",)
        own_files = {one.path for one in change.differences}
        mended = self._left_out_by_settle(added)
        for one in repeat_problems(
            added,
            lambda: corpus_files(self._store, change.base, folders, own_files),
            jaccard_min=None if is_trusted else self._jaccard_min,
            on_bytes=on_bytes,
        ):
            yield replace(one, is_mended=one.is_mended or (one.path, one.line) in mended)

    def _left_out_by_settle(self, added: Sequence[Added]) -> set[tuple[str, int | None]]:
        """The places of lines that repeat what another night brought since this one was proposed."""
        if self._change.own is None or self._is_maintainer:
            return set()
        lines = {one.content_id: one.line.content for one in added}
        found = repeats(self._store, self._change.base, self._change.own, lines)
        return {(shown(one.line.path), one.line.number) for one in added if one.content_id in found}

    @cached_property
    def _honeypots(self) -> frozenset[str]:
        """The samples that Gristmill slipped into the night to measure reviewers: the corpus has them already."""
        own = self._change.own
        asked = own.record.get("honeypots") if own else None
        if own is None or not isinstance(asked, dict) or not _is_recomputable(asked):
            return frozenset()
        try:
            return frozenset(planted(self._store, own))
        except Refused:  # then they are told as the duplicates that they are
            return frozenset()

    def _decision_problems(self) -> Iterator[Problem]:
        for one in self._change.differences:
            if place_of(one.path).kind != "decisions":
                continue
            if one.new and one.new_mode == _FILE_MODE:
                told = decision_problems(one.path, self._store.blob(one.new), self._is_sample)
                yield from in_a_night(told) if self._reader else told
        steps = self._change.steps
        touched = {path for step in steps for each in step.differences for path in each}  # also what is gone again
        for path in sorted(touched if not self._is_maintainer else ()):
            if place_of(path).kind == "decisions":
                yield from author_problems(path, steps, self._store.blob)

    def _private_problems(self) -> Iterator[Problem]:
        """Of every line that any version of any file brings, the last version first."""
        own = self._change.own
        seen = {_digest(line) for line in self._proposed} if own and own.commit in self._trusted else set()
        if own:
            made = [*own.pages.values(), self._store.file(own.commit, record_path(own.night)) or b""]
            seen |= {_digest(line) for content in made for line in content.split(b"\n")}
        for path, blob, where in self._versions():
            if own and path not in own.shards and path in own.record["files"] and where == f"commit {own.commit[:12]}":
                continue
            yield from _private_lines(path, self._store.blob(blob), where, seen)
        commits = [(step.commit.id, step.commit.message) for step in self._change.steps]
        trusted = {own.commit} if own else set()
        yield from message_problems(commits, lambda commit: commit in trusted)

    def _versions(self) -> Iterator[tuple[str, str, str]]:
        """Path, blob and commit ("" for the tip) of each version that the base lacks."""
        known = {one.blob for one in self._store.entries(self._change.base)}
        for one in self._change.differences:
            if one.new and one.new_mode == _FILE_MODE and one.new not in known:
                known.add(one.new)
                yield one.path, one.new, ""
        for step in self._change.steps:
            for path in sorted(step.paths()):
                version = step.differences[0][path]
                if version.new and version.new_mode == _FILE_MODE and version.new not in known:
                    known.add(version.new)
                    yield path, version.new, f"commit {step.commit.id[:12]}"


def _private_lines(path: str, content: bytes, where: str, seen: set[bytes]) -> Iterator[Problem]:
    """The problems of the lines that were not seen before; they are added to `seen`."""
    for number, line in enumerate(content.split(b"\n"), 1):
        digest = _digest(line)
        if not line.strip() or digest in seen:
            continue
        seen.add(digest)
        plain = _object(line) if path.endswith(".jsonl") else None
        at = None if where else number
        if plain is None:
            yield from kinds_problem(path, at, [line.decode(errors="replace")], where)
        else:
            yield from private_problem(path, at, plain, where)


def _object(line: bytes) -> Mapping[str, object] | None:
    try:
        plain = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return plain if isinstance(plain, dict) else None


def _is_recomputable(asked: Mapping[str, object]) -> bool:
    n_asked, made_of = asked.get("n"), asked.get("base")
    is_commit = isinstance(made_of, str) and re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", made_of) is not None
    return is_commit and type(n_asked) is int and 0 <= n_asked <= _HONEYPOTS_MAX


def _ids(lines: Sequence[bytes]) -> Iterator[str]:
    for line in lines:
        if (plain := _object(line)) and isinstance(found := plain.get("id"), str):
            yield found


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()
