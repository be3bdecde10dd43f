"""What a night's git work costs as the corpus grows: `python -m benchmarks.corpus_growth [SAMPLES ...]`, see --help.

A corpus is written through the product's own doors (`Objects.store` and `commit`): nights of 1,000 made-up samples of
about 1,100 bytes, seeded, a shard, a page and a record each, all on the base branch. Then one night of 500 more is
proposed from an up-to-date clone, another machine fetches that night, it is settled, and a machine that has nothing
clones it all. `objects` are those that the proposal brought to the remote, trees included.

A night's work should not grow with the corpus; what grows is what git must write of folders (one line a night) and look
up (a pack's index, logarithmically). A clone should be linear in the data.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

import orjson

from corpus.clone import Clone
from corpus.mirror import AllObjects
from corpus.objects import BlobSource
from corpus.propose import propose
from corpus.remote import remote_of
from corpus.repository import base_commit, on_corpus
from corpus.settle import settle
from corpus.stage import StageWriter
from schemas.canonical import canonical_bytes
from schemas.settings import CorpusSettings
from schemas.tables import SAMPLES

T = TypeVar("T")

CORPUS = CorpusSettings(remote="corpus.git")
PER_NIGHT, TONIGHT = 1_000, 500
FIRST_NIGHT = date(2020, 1, 1)
JUDGE = {
    "head": "",
    "head_digest": "",
    "model": "none",
    "model_digest": "0" * 64,
    "name": "made up",
    "prompt_digest": "",
    "rubric": "fitness 1",
    "rubric_digest": "1" * 64,
}


_HEAD = b'{"alternatives":[],"expert":"general","format":1,"id":"%s","messages":[{"content":"%s","role":"user"},'
_TAIL = (
    b'{"content":"%s","role":"assistant"}],"provenance":{"consent":"form","conversation_id":"%s","created_on":"%s",'
    b'"extends":null,"language":"en","licence":"CC0-1.0","model":"small","night":"%s","redactions":[],"source":"bench",'
    b'"subject":null,"system":"test"},"verdict":{"acceptance":null,"criteria":[],"features":[],"judge":%s,"rating":7.0}}'
)


def sample(number: int, night: str) -> tuple[str, bytes]:
    """Id and line of a made-up sample: 60 words of 7 letters that no compression makes small."""
    letters = hashlib.shake_128(b"%d" % number).hexdigest(210)
    words = [letters[at : at + 7] for at in range(0, 420, 7)]
    asked, answer = " ".join(words[:20]).encode(), " ".join(words[20:]).encode()
    name, day = letters[:32].encode(), night.encode()
    return letters[:32], _HEAD % (name, asked) + _TAIL % (answer, name, day, day, canonical_bytes(JUDGE))


def night_files(first: int, n_samples: int, night: str) -> Iterator[BlobSource]:
    """A night as the base branch has it: its shard, a page of its reading copy, its record."""
    lines = [line for _, line in sorted(sample(first + n, night) for n in range(n_samples))]
    shard = b"".join(line + b"\n" for line in lines)
    path = f"data/general/{night[:7]}/{night}.jsonl"
    yield path, [shard], len(shard)
    page = b"# Night\n\n" + b"".join(b"> " + line[-200:] + b"\n\n" for line in lines)
    yield f"review/{night}/01.md", [page], len(page)
    facts = {"files": {path: {"sha256": hashlib.sha256(shard).hexdigest(), "samples": n_samples}}, "night": night}
    record = orjson.dumps(facts)
    yield f"nights/{night}.json", [record], len(record)


def grow(root: Path, clone: Path, n_samples: int) -> None:
    """Adds nights to the base branch until it has so many samples, and pushes them together."""

    def write(store: Clone) -> None:
        base = parent = base_commit(store, CORPUS, store.heads())
        for number in range(len(store.entries(base, "nights")), n_samples // PER_NIGHT):
            night = (FIRST_NIGHT + timedelta(days=number)).isoformat()
            blobs = store.store(night_files(number * PER_NIGHT, PER_NIGHT, night))
            parent = store.commit(parent, blobs, f"night: {night}", night)
        if parent == base:
            return
        store._git("config", "pack.window", "0")  # noqa: SLF001 (looking for likeness among made-up words takes minutes)
        store.push(parent, CORPUS.branch, expected=base)
        for repository in (store, AllObjects(root / "corpus.git")):
            repository._git("-c", "pack.window=0", "gc", "--quiet")  # noqa: SLF001 (as git does from time to time)
        store._git("config", "--unset", "pack.window")  # noqa: SLF001

    on_corpus(CORPUS, root=root, clone=clone, operation=write)


def tonight(file: Path, first: int, night: str) -> Path:
    """A SAMPLES file."""
    with StageWriter(file, SAMPLES) as writer:
        for sample_id, line in sorted(sample(first + n, night) for n in range(TONIGHT)):
            writer.write({"id": sample_id, "expert": "general", "rating": 7.0, "line": line.decode()})
    return file


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what it gave."""
    started = time.perf_counter()
    found = run()
    return time.perf_counter() - started, found


def measure(folder: Path, n_samples: int) -> dict[str, float]:
    """One row of the table."""
    root, ours, theirs = folder / "project", folder / "project/var/clone.git", folder / "other/clone.git"
    shutil.rmtree(theirs, ignore_errors=True)
    grow_s, _ = timed(lambda: grow(root, ours, n_samples))
    remote = remote_of("corpus.git", root)
    clone_s, _ = timed(lambda: _fetch(Clone(remote, theirs), CORPUS.branch))
    cloned = _n_bytes(theirs)
    night = (FIRST_NIGHT + timedelta(days=n_samples)).isoformat()
    samples = tonight(folder / "samples.parquet", 10**9 + n_samples, night)
    record = {"settings_digest": "0" * 64, "steps": []}
    before, n_objects = _n_bytes(root / "corpus.git"), len(AllObjects(root / "corpus.git").everything())
    propose_s, done = timed(lambda: propose(samples, corpus=CORPUS, root=root, clone=ours, night=night, record=record))
    pushed = _n_bytes(root / "corpus.git") - before
    proposed_objects = len(AllObjects(root / "corpus.git").everything()) - n_objects
    again_s, again = timed(lambda: propose(samples, corpus=CORPUS, root=root, clone=ours, night=night, record=record))
    assert (done.state, again.state) == ("proposed", "unchanged")
    fetch_s, _ = timed(lambda: _fetch(Clone(remote, theirs), f"night/{night}"))
    changed = Clone(remote, theirs).changes(done.base, str(done.commit), "data")
    assert [change.path for change in changed] == [f"data/general/{night[:7]}/{night}.jsonl"], "only the new shard"
    settle_s, settled = timed(lambda: settle(night, corpus=CORPUS, root=root, clone=ours, now=f"{night}T12:00:00Z"))
    assert settled.state == "settled", settled
    return {
        "samples": n_samples,
        "corpus_mb": before / 1e6,
        "clone_mb": cloned / 1e6,
        "objects": proposed_objects,
        "settle_s": settle_s,
        "grow_s": grow_s,
        "propose_s": propose_s,
        "again_s": again_s,
        "fetch_s": fetch_s,
        "pushed_mb": pushed / 1e6,
        "clone_s": clone_s,
    }


def _fetch(store: Clone, branch: str) -> None:
    store.fetch({branch: store.heads()[branch]})


def _n_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    """Measures each size and prints a row at once."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("samples", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("-o", "--folder", type=Path, help="keep the corpus here, and go on from what is there")
    parser.add_argument("--make", action="store_true", help="only make the corpus in FOLDER")
    given = parser.parse_args()
    if given.make and not given.folder:
        parser.error("--make goes with --folder")
    if given.make:
        for n_samples in sorted(given.samples):
            grow(given.folder / "project", given.folder / "project/var/clone.git", n_samples)
        return
    columns = ("samples", "corpus_mb", "clone_mb", "clone_s", "propose_s", "again_s", "settle_s", "objects")
    columns += ("pushed_mb", "fetch_s", "grow_s")
    print("  ".join(f"{name:>10}" for name in columns))
    with tempfile.TemporaryDirectory(prefix="gristmill-growth-") as temporary:
        for n_samples in sorted(given.samples):
            row = measure(given.folder or Path(temporary), n_samples)
            print("  ".join(f"{row[name]:>10.2f}" if name != "samples" else f"{n_samples:>10,}" for name in columns))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
