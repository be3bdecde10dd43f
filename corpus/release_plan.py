"""What a release holds, computed from a commit of the corpus alone: which sample is in which split, in which file.

The release's commit is a child of the state of the corpus that it was made of, beside the base branch. Its tree is what
people download: shards in one folder a split (`data/train/`, `data/validation/`, `data/test/`), the dataset card with
its pictures, the records and decisions of the nights, and the manifest. Reading copies, contributions that nobody has
judged and a forge's own files are left out.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.clone import Clone
from corpus.objects import Entry
from corpus.release_rows import released_ids
from corpus.release_samples import Samples, Shard, bearing, read_samples, repeated, withdrawn_keys
from corpus.splits import NO_SPLIT, SplitRule, assign
from corpus.tombstones import TOMBSTONES, read_withdrawn
from schemas.errors import CorpusError, InputError
from schemas.release import SPLITS, Release, ReleaseFile, SplitCount

_KEPT_FOLDERS = ("nights", "decisions", "releases")
_KEPT_FILES = ("LICENSE", "CONTRIBUTING.md", ".gitattributes", "corpus.toml", TOMBSTONES)
PLAIN_FILE = "100644"

_PACKERS = 2
_PACKED_BYTES = 32 * 2**20
"""What each git packs at once. One packs 84 MB/s on a core, and a pack a batch makes 80 of a million samples."""

OnBytes = Callable[[int], None]
Part = tuple[str, bytes]
"""A path and its content."""


class Previous(NamedTuple):
    """The release before: its manifest and the digest of it."""

    release: Release
    sha256: str


@dataclass(frozen=True)
class Plan:
    """A release without its card and manifest.

    `splits` is by sample a number into `SPLITS`, `NO_SPLIT` for those left out. `blobs` and `files` are the shards of
    the splits and what is taken over from the corpus, `removed` what of the corpus's files is not.
    """

    samples: Samples
    splits: npt.NDArray[np.int8]
    groups: npt.NDArray[np.int64]
    previous: Previous | None
    left_out: Mapping[str, int]
    blobs: Mapping[str, str]
    files: tuple[ReleaseFile, ...]
    removed: tuple[str, ...]

    @property
    def is_in(self) -> npt.NDArray[np.bool_]:
        """Which samples are released."""
        return np.asarray(self.splits != NO_SPLIT, np.bool_)

    def counts(self) -> dict[str, SplitCount]:
        """How much each split has."""
        shards = [(file.path.split("/")[1], file) for file in self.files if file.path.startswith("data/")]
        found: dict[str, SplitCount] = {}
        for number, split in enumerate(SPLITS):
            own = [file for name, file in shards if name == split]
            n_groups = len(np.unique(self.groups[self.splits == number]))
            found[split] = SplitCount(sum(file.samples or 0 for file in own), sum(file.bytes for file in own), n_groups)
        return found


def plan(store: Clone, commit: str, rule: SplitRule, on_bytes: OnBytes = lambda n: None) -> Plan:
    """What a release of this commit holds; writes the shards of its splits into the clone.

    `on_bytes` is told of the bytes read, each shard twice.

    Raises:
        CorpusError: a line of the corpus is damaged, or the release before is not what its manifest says.
    """
    samples = read_samples(store, commit, on_bytes)
    previous = previous_release(store, commit)
    withdrawn = read_withdrawn(store, commit)
    named = withdrawn_keys(withdrawn.ids, withdrawn.conversation_ids, withdrawn.subjects)
    is_withdrawn = bearing(samples.facts, named)
    is_repeated = repeated(samples.facts.ids) & ~is_withdrawn
    without = is_withdrawn | is_repeated
    earlier = _earlier(store, previous, samples.facts.ids)
    assigned = assign(samples.ties(without), earlier, rule, without)
    splits = assigned.splits
    n_torn = int((splits == NO_SPLIT).sum() - without.sum())
    left_out = {"withdrawn": int(is_withdrawn.sum()), "repeated": int(is_repeated.sum()), "crosses_splits": n_torn}
    blobs, files = _cut(store, samples, splits, on_bytes)
    kept, removed = _taken_over(store, commit)
    for entry, (_, content) in zip(kept, store.blobs(entry.blob for entry in kept), strict=True):
        blobs[entry.path] = entry.blob
        files.append(ReleaseFile(entry.path, hashlib.sha256(content).hexdigest(), len(content)))
    return Plan(
        samples=samples,
        splits=splits,
        groups=assigned.groups,
        previous=previous,
        left_out={reason: n for reason, n in left_out.items() if n},
        blobs=blobs,
        files=tuple(sorted(files, key=lambda file: file.path)),
        removed=removed,
    )


def previous_release(store: Clone, commit: str) -> Previous | None:
    """The newest release that a state of the corpus knows; each names the one before it.

    Raises:
        CorpusError: a manifest is damaged, or two releases name the same one before them.
    """
    entries = [one for one in store.entries(commit, "releases") if one.path.endswith(".json")]
    found: dict[str, Previous] = {}
    for entry, (_, content) in zip(entries, store.blobs(one.blob for one in entries), strict=True):
        try:
            release = Release.from_content(content)
        except InputError as error:
            raise CorpusError(f"the corpus has a damaged manifest ({entry.path}): {error}; restore it there") from error
        found[release.tag] = Previous(release, hashlib.sha256(content).hexdigest())
    before = {one.release.previous["tag"] for one in found.values() if one.release.previous}
    newest = sorted(set(found) - before)
    if len(newest) > 1:
        raise CorpusError(
            f"the releases {' and '.join(newest)} do not know of each other, so a sample may have two splits; remove "
            "the manifest of one of them from releases/"
        )
    return found[newest[0]] if newest else None


def _earlier(store: Clone, previous: Previous | None, ids: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int8]:
    """The split that each sample had in the release before."""
    splits = np.full(len(ids), NO_SPLIT, np.int8)
    if previous is None or not len(ids):
        return splits
    tag = previous.release.tag
    commit = store.fetch_tag(tag)
    manifest = store.file(commit, manifest_path(tag))
    if manifest is None or hashlib.sha256(manifest).hexdigest() != previous.sha256:
        raise CorpusError(f"the tag {tag} is not where the release was: its manifest differs; restore the tag")
    order = np.argsort(ids)
    for split, found in released_ids(store, commit):
        wanted = np.array([bytes.fromhex(one.decode()) for one in found], "S16")
        places = np.searchsorted(ids, wanted, sorter=order)
        places = order[np.minimum(places, len(ids) - 1)]
        splits[places[ids[places] == wanted]] = SPLITS.index(split)
    return splits


def manifest_path(tag: str) -> str:
    """Where the corpus and the release keep a release's manifest."""
    return f"releases/{tag}.json"


def signature_path(tag: str) -> str:
    """Where the corpus keeps the detached signature of a manifest."""
    return f"{manifest_path(tag)}.sig"


def _taken_over(store: Clone, commit: str) -> tuple[list[Entry], tuple[str, ...]]:
    """The files of the corpus that a release has, too, and the names in its root that a release has not."""
    kept, removed = [], set()
    for entry in store.entries(commit):
        root = entry.path.split("/")[0]
        if entry.path in _KEPT_FILES or (root in _KEPT_FOLDERS and root != entry.path):
            if entry.mode != PLAIN_FILE:
                raise CorpusError(f"{entry.path[:120]!a} of the corpus is no plain file; remove it there")
            kept.append(entry)
        else:
            removed.add(root)
    return kept, tuple(sorted(removed))


# The shards of the splits.


def _cut(
    store: Clone, samples: Samples, splits: npt.NDArray[np.int8], on_bytes: OnBytes
) -> tuple[dict[str, str], list[ReleaseFile]]:
    """Writes each shard once for each split that it has samples of; one that is all of one split is taken as it is."""
    files: list[ReleaseFile] = []
    blobs: dict[str, str] = {}
    mixed = []
    for shard in samples.shards:
        present = np.unique(splits[shard.samples])
        if len(present) == 1 and present[0] != NO_SPLIT:
            path = _path(shard, int(present[0]))
            blobs[path] = shard.blob
            files.append(ReleaseFile(path, shard.sha256, shard.n_bytes, shard.n_samples))
            on_bytes(shard.n_bytes)
        elif len(present):
            mixed.append(shard)
    return blobs | _stored(store, _parts(store, mixed, splits, files, on_bytes)), files


def _stored(store: Clone, parts: Iterator[Part]) -> dict[str, str]:
    """Path to blob of all parts; git packs some while the next are read."""
    blobs: dict[str, str] = {}
    waiting: deque[Future[dict[str, str]]] = deque()
    with ThreadPoolExecutor(_PACKERS) as packers:
        for batch in _batches(parts):
            waiting.append(
                packers.submit(store.store, [(path, [part], len(part)) for path, part in batch], is_quick=True)
            )
            if len(waiting) > _PACKERS:
                blobs |= waiting.popleft().result()
        for future in waiting:
            blobs |= future.result()
    return blobs


def _batches(parts: Iterator[Part]) -> Iterator[list[Part]]:
    batch: list[Part] = []
    for part in parts:
        batch.append(part)
        if sum(len(content) for _, content in batch) >= _PACKED_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _parts(
    store: Clone, shards: list[Shard], splits: npt.NDArray[np.int8], files: list[ReleaseFile], on_bytes: OnBytes
) -> Iterator[Part]:
    contents = store.blobs(shard.blob for shard in shards)
    for shard, (_, content) in zip(shards, contents, strict=True):
        lines = np.array(content.removesuffix(b"\n").split(b"\n"), object)
        own = splits[shard.samples]
        for number in np.unique(own[own != NO_SPLIT]).tolist():
            chosen = lines[own == number]
            part = b"\n".join([*chosen, b""])
            path = _path(shard, number)
            files.append(ReleaseFile(path, hashlib.sha256(part).hexdigest(), len(part), len(chosen)))
            yield path, part
        on_bytes(len(content))


def _path(shard: Shard, number: int) -> str:
    return f"data/{SPLITS[number]}/{shard.path.removeprefix('data/')}"


def code_facts() -> dict[str, str]:
    """What made the release: name, version, and a digest over the sources of `schemas` and `corpus`."""
    from importlib.metadata import version  # noqa: PLC0415 (reads the installed packages)

    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for file in sorted(path for name in ("schemas", "corpus") for path in (root / name).rglob("*.py")):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return {"name": "gristmill", "version": version("gristmill"), "sha256": digest.hexdigest()}
