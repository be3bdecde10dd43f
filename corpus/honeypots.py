"""Samples with a known answer, slipped into a night to see how attentive its reviewers are.

They are made of the corpus as it was at a commit, and of the night's date, alone: whoever has the repository can tell
them, so nothing names them, and settling takes them out again. Known good are samples of earlier nights on which every
vote was to keep; known bad are the same with the last answer of another sample.

What cannot be hidden: a known good one has the id of a sample that the corpus holds, and this module can be run by
anybody. They measure inattention, not fraud.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import orjson

from corpus.bulk import BulkObjects
from corpus.decisions import MAX_FILE_BYTES, decisions_path
from schemas.canonical import canonical_bytes, digest, short_id
from schemas.conversation import Turn, content_id
from schemas.decision import parse_decisions, votes
from schemas.errors import CorpusError, InputError

CORPUS_SAMPLES_MIN = 50
"""A smaller corpus has none: its reviewers would know every sample of it."""

DONORS = 64
"""Samples whose answers are tried for a known bad one: of so many, one speaks of something else."""

SHARED_WORDS_MAX = 0.05
"""The share of the words asked that the answer of another sample may take up. Of 184 example chats, 94 of 100 right
answers take up more (a third in the median), and 99 of 100 chats have one among the others' answers that does not."""

ANSWER_WORDS_MIN = 12
"""A shorter answer ("You are welcome!") may be right anywhere."""


@dataclass(frozen=True)
class Honeypot:
    """A sample as it stands in the night: canonical line without line end, and what a careful reviewer says of it."""

    sample_id: str
    line: bytes
    expected: Literal["keep", "reject"]


def honeypots(store: BulkObjects, base: str, night: str, n: int) -> tuple[Honeypot, ...]:
    """At most `n` of them, half (rounded down) known good; the same arguments always give the same.

    Costs a few earlier nights, whatever the size of the corpus.

    Args:
        store: a repository that has the commit.
        base: the commit of the corpus that they are made of.
        night: the date of the night that they go into; only nights before it are drawn from.
        n: how many.

    Raises:
        CorpusError: the decisions of a night cannot be read.
    """
    if n < 1 or not _is_large_enough(store, base):
        return ()
    good: list[Honeypot] = []
    bad: list[Honeypot] = []
    for sample, others in _kept_samples(store, base, night):
        if len(good) < n // 2:
            good.append(_honeypot(sample, night, "keep"))
        elif spoilt := _spoilt(sample, others):
            bad.append(_honeypot(spoilt, night, "reject"))
        if len(good) + len(bad) == n:
            break
    return (*good, *bad)


def seal(some: Iterable[Honeypot]) -> str:
    """A digest of which they are: it names none, and who computes them again sees whether they are still the same."""
    return digest(sorted(one.sample_id for one in some))


def _is_large_enough(store: BulkObjects, base: str) -> bool:
    n_samples = 0
    for entry in store.entries(base, "data"):
        if n_samples >= CORPUS_SAMPLES_MIN:
            break
        n_samples += store.blob(entry.blob).count(b"\n") if entry.path.endswith(".jsonl") else 0
    return n_samples >= CORPUS_SAMPLES_MIN


_Sample = dict[str, Any]


def _kept_samples(store: BulkObjects, base: str, night: str) -> Iterator[tuple[_Sample, list[_Sample]]]:
    """Samples that people kept by name, with others of their night; nights, and samples in a night, by lot."""
    earlier = [
        found[1]
        for entry in store.entries(base, "decisions")
        if (found := re.fullmatch(r"decisions/(\d{4}-\d\d-\d\d)\.jsonl", entry.path)) and found[1] < night
    ]
    for one in sorted(earlier, key=lambda other: digest([night, other])):
        if kept := _kept_ids(store, base, one):
            samples = sorted(_samples(store, base, one), key=lambda sample: digest([night, sample["id"]]))
            for sample in samples:
                if sample["id"] in kept:
                    yield sample, [other for other in samples if other is not sample][:DONORS]


def _kept_ids(store: BulkObjects, base: str, night: str) -> set[str]:
    """The samples of a night on which people voted, and all of them to keep."""
    path = decisions_path(night)
    content = store.file(base, path) or b""
    if len(content) > MAX_FILE_BYTES:
        raise CorpusError(f"{path} of the corpus has {len(content):,} bytes, which no review makes; mend it there")
    try:
        given = votes(parse_decisions(content, path))
    except InputError as error:
        raise CorpusError(f"the corpus has a damaged line of decisions: {error}; mend it there") from error
    return {sample_id for sample_id, said in given.items() if all(vote.verdict == "keep" for vote in said)}


def _samples(store: BulkObjects, base: str, night: str) -> Iterator[_Sample]:
    """The samples of a night that end with an answer; a line that is none is passed over, as it cannot be shown."""
    shards = re.compile(rf"data/[^/]+/{night[:7]}/{night}\.jsonl")
    blobs = [entry.blob for entry in store.entries(base, "data") if shards.fullmatch(entry.path)]
    for _, content in store.blobs(blobs):
        for line in content.splitlines():
            if (sample := _parsed(line)) and sample["messages"][-1]["role"] == "assistant":
                yield sample


def _parsed(line: bytes) -> _Sample | None:
    try:
        plain: _Sample = orjson.loads(line)
        turns = [Turn(message["role"], message["content"]) for message in plain["messages"]]
        is_whole = (
            content_id(turns) == plain["id"] and isinstance(plain["provenance"], dict) and plain["verdict"]["rating"]
        )
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return plain if turns and is_whole else None


def _spoilt(sample: _Sample, others: Iterable[_Sample]) -> _Sample | None:
    """The sample with the last answer of another in its language that speaks of something else; None without one."""
    asked = _words(" ".join(message["content"] for message in sample["messages"][:-1]))
    tried = [other for other in others if _may_give(sample, other)]
    least = min(tried, key=lambda other: (_shared(asked, other), other["id"]), default=None)
    if least is None or _shared(asked, least) > SHARED_WORDS_MAX:
        return None
    last = len(sample["messages"]) - 1
    messages = [*sample["messages"][:-1], {"role": "assistant", "content": least["messages"][-1]["content"]}]
    return {
        **sample,
        "id": content_id([Turn(one["role"], one["content"]) for one in messages]),
        "messages": messages,
        "alternatives": [one for one in sample["alternatives"] if one["turn"] != last],
    }


def _may_give(sample: _Sample, other: _Sample) -> bool:
    answer = other["messages"][-1]["content"]
    is_of_language = other["provenance"].get("language") == sample["provenance"].get("language")
    return is_of_language and len(answer.split()) >= ANSWER_WORDS_MIN and answer != sample["messages"][-1]["content"]


def _shared(asked: frozenset[str], other: _Sample) -> float:
    """The share of the words that were asked which the other's answer has, too."""
    return len(asked & _words(other["messages"][-1]["content"])) / len(asked) if asked else 1.0


def _words(text: str) -> frozenset[str]:
    """The words of four letters and more: shorter ones are in every text."""
    return frozenset(re.findall(r"\w{4,}", text.casefold()))


def _honeypot(sample: _Sample, night: str, expected: Literal["keep", "reject"]) -> Honeypot:
    """The sample as one of this night: its date, another conversation, written as long before the night as it was."""
    origin = sample["provenance"]
    moved = {
        "night": night,
        "conversation_id": short_id([night, sample["id"], origin.get("conversation_id")]),
        "created_on": _moved(origin.get("created_on"), origin.get("night"), night),
        "extends": None,
    }
    dressed = {**sample, "provenance": {**origin, **moved}}
    return Honeypot(sample["id"], canonical_bytes(dressed), expected)


def _moved(day: str | None, night: str | None, to: str) -> str | None:
    try:
        return (date.fromisoformat(day or "") + (date.fromisoformat(to) - date.fromisoformat(night or ""))).isoformat()
    except (ValueError, OverflowError):  # undated, or a date that only strangers write
        return None


def disguised(one: Honeypot, night: Iterable[Mapping[str, Any]], threshold: float | None) -> bytes:
    """The line of a honeypot among the samples of a night, without what no sample of it could have.

    It gets an expert, a judge and criteria that the night has, and a rating that is not below its threshold: those of
    the sample that is nearest in rating, as far as its own would stand out.
    """
    sample: _Sample = orjson.loads(one.line)
    samples = list(night)
    verdict = sample["verdict"]
    if threshold is not None and verdict["rating"] < threshold:
        verdict["rating"] = round(threshold + (10 - threshold) * int(digest(sample["id"])[:8], 16) / 2**32, 4)
    twin = min(samples, key=lambda other: (abs(other["verdict"]["rating"] - verdict["rating"]), other["id"]))
    if sample["expert"] not in {other["expert"] for other in samples}:
        sample["expert"] = twin["expert"]
    if verdict["judge"] not in [other["verdict"]["judge"] for other in samples]:
        verdict.update(twin["verdict"], rating=verdict["rating"])
    return canonical_bytes(sample)
