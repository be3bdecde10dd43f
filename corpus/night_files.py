"""The files of a night's proposal: shards, reading copy and record, written into the clone one chunk at a time.

They depend on the samples, the record, the settings of review and the commit of the corpus that they stand beside.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from corpus.bulk import BulkObjects
from corpus.doubt import Sureness, certainty, is_doubtful, rule_of
from corpus.honeypots import Honeypot, disguised, honeypots, seal
from corpus.objects import BlobSource
from corpus.reading_copy import Reading, Shown, reading_copy
from corpus.review_notes import ReviewNotes
from corpus.sampling_plan import SamplingPlan, plan_reading
from corpus.spool import Entry, Spool
from schemas.canonical import canonical_bytes
from schemas.contracts import EXPERT
from schemas.errors import InputError
from schemas.sample import FORMAT_VERSION
from schemas.settings import ReviewSettings


class NightFiles(NamedTuple):
    """What is to be committed: path to blob, and the words about it."""

    files: Mapping[str, str]
    title: str
    body: str


class _Fact(NamedTuple):
    """What is kept in memory of a sample."""

    id: str
    expert: str
    sureness: Sureness
    notes: ReviewNotes


class NightSamples:
    """The samples of a night, their lines in a spool."""

    def __init__(self, spool: Spool[_Fact]) -> None:
        self._spool = spool

    def add(self, row: Mapping[str, Any]) -> None:
        """Takes in a SAMPLES row.

        Raises:
            InputError: its expert cannot name a folder.
        """
        if not re.fullmatch(EXPERT, row["expert"]):
            raise InputError(f"there is an expert {row['expert']!r}; make the samples again with validate")
        notes = ReviewNotes.from_text(row.get("notes"))
        acceptance = orjson.loads(row["line"])["verdict"]["acceptance"]
        sureness = Sureness(row["rating"], acceptance, notes.uncertainty)
        self._spool.add(_Fact(row["id"], row["expert"], sureness, notes), row["line"].encode() + b"\n")

    def __len__(self) -> int:
        return len(self._spool.entries)

    def facts(self) -> list[_Fact]:
        """Of each sample."""
        return [entry.key for entry in self._spool.entries]

    def entries(self) -> dict[str, Entry[_Fact]]:
        """By id."""
        return {entry.key.id: entry for entry in self._spool.entries}

    def line(self, entry: Entry[_Fact]) -> bytes:
        """With line end."""
        return self._spool.read(entry)

    def verdicts(self) -> Iterator[dict[str, Any]]:
        """Id, expert and verdict of each."""
        for entry in self._spool.entries:
            plain = orjson.loads(self.line(entry))
            yield {key: plain[key] for key in ("id", "expert", "verdict")}


def record_path(night: str) -> str:
    """Where the corpus keeps a night's record; its presence in the base branch says that the night is merged."""
    return f"nights/{night}.json"


def night_files(
    store: BulkObjects,
    base: str,
    night: str,
    samples: NightSamples,
    record: Mapping[str, Any],
    review: ReviewSettings,
) -> NightFiles:
    """Writes the files of a night; the same arguments give the same blobs.

    Args:
        store: the clone.
        base: the commit of the corpus that the honeypots are made of and that links lead to.
        night: the date.
        samples: of the night, at least one.
        record: see `corpus.propose.propose`.
        review: how people are asked.
    """
    return _Writer(store, base, night, samples, record, review).written()


@dataclass(frozen=True)
class _Writer:
    store: BulkObjects
    base: str
    night: str
    samples: NightSamples
    record: Mapping[str, Any]
    review: ReviewSettings

    def written(self) -> NightFiles:
        threshold = self.record.get("threshold")
        found = self._honeypots()
        tests = self._tests(found, threshold)
        facts = [*self.samples.facts(), *(fact for fact, _ in tests.values())]
        doubtful = [fact.id for fact in facts if is_doubtful(fact.sureness, threshold)]
        plan = self._plan(doubtful, list(tests))
        known = {
            "threshold": None,
            **self.record,
            "format": FORMAT_VERSION,
            "night": self.night,
            "judges": self._judges(),
            "honeypots": {"n": len(found), "base": self.base, "seal": seal(found)},
            "sampling_plan": plan.to_json(),
        }
        lines = {one: line for one, (_, line) in tests.items()}
        digests = _Digests()
        blobs = self.store.store(self._shards(facts, lines, digests))
        blobs |= self.store.store(self._pages(facts, lines, known, plan, digests))
        record_file = orjson.dumps({**known, "files": digests.files}, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
        blobs |= self.store.store([(record_path(self.night), [record_file, b"\n"], len(record_file) + 1)])
        title = f"night: {self.night}, {len(self.samples)} conversations"
        return NightFiles(blobs, title, _body(facts, known))

    # The tests of attention.

    def _honeypots(self) -> tuple[Honeypot, ...]:
        """As many as are wanted, or fewer of each kind; none where one is a sample of the night itself."""
        own = {fact.id for fact in self.samples.facts()}
        for n in range(2 * self.review.honeypots, 0, -2):
            found = honeypots(self.store, self.base, self.night, n)
            if len(found) == n:
                return () if any(one.sample_id in own for one in found) else found
        return ()

    def _tests(self, found: Sequence[Honeypot], threshold: float | None) -> dict[str, tuple[_Fact, bytes]]:
        """What is known of each, and its line, by id."""
        night = list(self.samples.verdicts()) if found else []
        tests = {}
        for one in found:
            line = disguised(one, night, threshold)
            plain = orjson.loads(line)
            verdict = plain["verdict"]
            sureness = self._sure_as_others(Sureness(verdict["rating"], verdict["acceptance"]))
            fact = _Fact(one.sample_id, plain["expert"], sureness, ReviewNotes(sureness.uncertainty))
            tests[one.sample_id] = fact, line + b"\n"
        return tests

    def _sure_as_others(self, one: Sureness) -> Sureness:
        """With the uncertainty of the night's sample that is nearest in acceptance: its own was not kept."""
        known = [fact for fact in self.samples.facts() if fact.sureness.uncertainty is not None]
        acceptance = one.acceptance
        if acceptance is None or not known:
            return one
        nearest = min(known, key=lambda fact: (abs((fact.sureness.acceptance or 0.0) - acceptance), fact.id))
        return Sureness(one.rating, acceptance, nearest.sureness.uncertainty)

    def _plan(self, doubtful: Sequence[str], tests: Sequence[str]) -> SamplingPlan:
        facts = self.samples.facts()
        return plan_reading(
            [fact.id for fact in facts],
            night=self.night,
            bad_share=self.review.bad_share,
            confidence=self.review.confidence,
            doubtful=doubtful,
            new_contributors=[fact.id for fact in facts if fact.notes.is_new_contributor],
            tests=tests,
        )

    # The files.

    def _shards(self, facts: Sequence[_Fact], tests: Mapping[str, bytes], digests: _Digests) -> Iterator[BlobSource]:
        entries = self.samples.entries()
        for expert, group in groupby(
            sorted(facts, key=lambda fact: (fact.expert, fact.id)), key=lambda fact: fact.expert
        ):
            ids = [fact.id for fact in group]
            n_bytes = sum(len(tests[one]) if one in tests else entries[one].n_bytes for one in ids)
            chunks = (tests.get(one) or self.samples.line(entries[one]) for one in ids)
            yield digests.noted(f"data/{expert}/{self.night[:7]}/{self.night}.jsonl", chunks, n_bytes, samples=len(ids))

    def _pages(
        self,
        facts: Sequence[_Fact],
        tests: Mapping[str, bytes],
        record: Mapping[str, Any],
        plan: SamplingPlan,
        digests: _Digests,
    ) -> Iterator[BlobSource]:
        rule = rule_of([fact.sureness for fact in facts])
        by_doubt = sorted(facts, key=lambda fact: (certainty(fact.sureness, rule), fact.id))
        notes = {fact.id: self._without(fact.notes, tests) for fact in facts}
        entries = self.samples.entries()

        def read(one: str) -> Shown:
            return Shown(orjson.loads(tests.get(one) or self.samples.line(entries[one])), notes[one])

        earlier = self._read_before({near.night for one in notes.values() for near in one.neighbours})
        ids = [fact.id for fact in by_doubt]
        for page in reading_copy(Reading(self.night, ids, read, record, rule, plan, earlier)):
            text = page.text.encode()
            yield digests.noted(f"review/{self.night}/{page.name}", [text], len(text))

    def _without(self, notes: ReviewNotes, tests: Mapping[str, bytes]) -> ReviewNotes:
        """The notes without neighbours that are slipped in tonight: their night would tell on them."""
        near = tuple(one for one in notes.neighbours if one.id not in tests)
        return ReviewNotes(notes.uncertainty, near, notes.is_new_contributor)

    def _read_before(self, nights: Iterable[str]) -> frozenset[str]:
        """Those of the nights whose reading copy the corpus has."""
        named = sorted(nights)
        found = self.store.ids([f"{self.base}:review/{night}/index.md" for night in named]) if named else []
        return frozenset(night for night, blob in zip(named, found, strict=True) if blob)

    def _judges(self) -> list[dict[str, Any]]:
        """The judges of the night's samples, each once; almost always one."""
        found = {canonical_bytes(one["verdict"]["judge"]) for one in self.samples.verdicts()}
        return [orjson.loads(judge) for judge in sorted(found)]


class _Digests:
    """Passes files on to git and notes what the record says of each."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, Any]] = {}

    def noted(self, path: str, chunks: Iterable[bytes], n_bytes: int, **facts: int) -> BlobSource:
        return path, self._hashed(path, chunks, facts), n_bytes

    def _hashed(self, path: str, chunks: Iterable[bytes], facts: Mapping[str, int]) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            yield chunk
        self.files[path] = {"sha256": digest.hexdigest(), **facts}


def _body(facts: Sequence[_Fact], record: Mapping[str, Any]) -> str:
    """The counts in words, for the commit and the pull request; no word of a conversation."""
    ratings = [fact.sureness.rating for fact in facts]
    judges = ", ".join(f"{judge['name']} ({judge['model']})" for judge in record["judges"])
    plan = record["sampling_plan"]
    lines = [f"Rated {min(ratings):.1f} to {max(ratings):.1f} of 10 by {judges}.", ""]
    experts = Counter(fact.expert for fact in facts)
    lines += [f"{expert}: {n}" for expert, n in sorted(experts.items())]
    lines += ["", *(_counted(step) for step in record.get("steps", []))]
    lines += [
        "",
        f"Read it in review/{record['night']}/index.md; who cannot read all reads the {len(plan['ids'])} there.",
    ]
    return "\n".join(lines) + "\n"


def _counted(step: Mapping[str, Any]) -> str:
    reasons = [f"{reason} {n}" for kind in ("dropped", "held") for reason, n in sorted(step[kind].items())]
    return f"{step['step']}: {step['in']} in, {step['kept']} kept" + "".join(f", {reason}" for reason in reasons)
