"""Export: the samples of a release as one toolkit's files, with a count and a reason for all that is left out."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

from corpus.export.card import card
from corpus.export.folder import MANIFEST, export_folder
from corpus.export.formats import ExportFacts
from corpus.export.manifest import Asked, Exported, Tally, exported_of, in_order, manifest
from corpus.export.rejected import RejectedSample
from corpus.export.rows import LeftOut, Released, Row, of_its_form, rejected_row, rows_of
from corpus.export.shards import LinesFile, Shards, WrittenFile
from corpus.stage import disk_errors
from schemas.canonical import canonical_bytes
from schemas.errors import CorpusError, InputError, nearest

LEFT_OUT = "left_out.jsonl"

SEALED = "sealed_holdout"
EXPORTED_SPLITS = ("train", "validation")


class NothingToExport(CorpusError):
    """A release has no row of a kind that the format can hold; `left_out` counts what it had, by reason."""

    def __init__(self, message: str, left_out: Mapping[str, int]) -> None:
        super().__init__(message)
        self.left_out = left_out


def export(
    kept: Iterable[Released],
    asked: Asked,
    folder: Path,
    *,
    rejected: Iterable[RejectedSample] = (),
    on_sample: Callable[[], None] = lambda: None,
) -> Exported:
    """Writes the export and says what it holds. Same samples, same bytes; memory does not grow with their number.

    Args:
        kept: the samples of the release, by expert, then by id.
        asked: what to write.
        folder: to write it to; it appears whole or not at all, and replaces an export of ours.
        rejected: for the kind "unpaired", the samples that people rejected, in the same order.
        on_sample: called after each sample, for a progress bar.

    Raises:
        InputError: the folder holds something else, or an expert is none of the release. CorpusError: a sample is not
            of its form or out of order, nothing is left to write, or the disk refuses.
    """
    with export_folder(folder) as root, ExitStack() as opened:
        writer = _Writer(root, asked, opened)
        experts: set[str] = set()
        both = _merged(_in_order(kept), _in_order(rejected))
        for sample, is_kept in both:
            experts.add(sample.expert)
            if not asked.experts or sample.expert in asked.experts:
                with of_its_form(sample):
                    for found in _found(sample, is_kept, asked):
                        writer.add(found)
            on_sample()
        _require_experts(asked, experts)
        return writer.finish()


def _require_experts(asked: Asked, known: AbstractSet[str]) -> None:
    for name in asked.experts:
        if name not in known:
            names = ", ".join(sorted(known - {""})) or "no samples"
            raise InputError(f"release {asked.tag} has no expert {name[:60]!a}{nearest(name, known)}; it has {names}")


def _found(sample: Released, is_kept: bool | None, asked: Asked) -> Iterator[Row | LeftOut]:
    """`is_kept` is None for a rejected sample that was kept at another time."""
    sample_id = sample.line["id"]
    if isinstance(sample, RejectedSample) and sample.why_not:
        yield LeftOut(sample_id, sample.why_not)
    elif sample.split == "test":
        yield LeftOut(sample_id, SEALED)
    elif sample.split not in EXPORTED_SPLITS:
        raise CorpusError(f"the release has a split {sample.split!a:.40}; this Gristmill knows train, validation, test")
    elif asked.withdrawn(sample.line):
        yield LeftOut(sample_id, "withdrawn")
    elif is_kept:
        yield from rows_of(sample, asked.kind, asked.form.rules, with_weak=asked.with_weak)
    elif is_kept is None:
        yield LeftOut(sample_id, "contradictory_signals")
    else:
        yield rejected_row(sample, asked.form.rules)


def _key(sample: Released) -> tuple[str, str]:
    return sample.expert, sample.line["id"]


def _in_order(samples: Iterable[Released]) -> Iterator[Released]:
    before: tuple[str, str] | None = None
    for sample in samples:
        key = _key(sample)
        if before is not None and key <= before:
            raise CorpusError(f"sample {key[1][:32]!a} of the release is out of order or there twice; release it again")
        before = key
        yield sample


def _merged(kept: Iterator[Released], rejected: Iterator[Released]) -> Iterator[tuple[Released, bool | None]]:
    streams = (((_key(one), 0, one) for one in kept), ((_key(one), 1, one) for one in rejected))
    last_kept: tuple[str, str] | None = None
    for key, is_rejected, sample in heapq.merge(*streams, key=lambda item: item[:2]):
        if not is_rejected:
            last_kept = key
            yield sample, True
        else:
            yield sample, None if key == last_kept else False


class _Writer:
    """Rows to shards, what is left out to its list, and the counts of both."""

    def __init__(self, root: Path, asked: Asked, opened: ExitStack) -> None:
        self._root, self._asked, self._opened = root, asked, opened
        self._shape = asked.form.shapes[asked.kind]
        self._refuse = asked.form.refusals.get(asked.kind)
        self._shards: dict[tuple[str, str], Shards] = {}
        self._tally = Tally()
        self._left = opened.enter_context(LinesFile(root, LEFT_OUT))

    def add(self, found: Row | LeftOut) -> None:
        self._tally.n_in += 1
        if isinstance(found, Row) and self._refuse and (reason := self._refuse(found)):
            found = LeftOut(found.sample_id, reason)
        if isinstance(found, LeftOut):
            self._leave_out(found)
            return
        self._tally.count(found)
        self._shards_of("tools" if found.has_tools else "default", found.split).add(self._shape(found))

    def _leave_out(self, found: LeftOut) -> None:
        self._tally.left_out[found.reason] += 1
        turn = {} if found.turn is None else {"turn": found.turn}
        self._left.write(canonical_bytes({"id": found.sample_id, "reason": found.reason, **turn}) + b"\n")

    def _shards_of(self, config: str, split: str) -> Shards:
        if (config, split) not in self._shards:
            schema = self._asked.form.columns[self._asked.kind] if self._asked.form.columns else None
            folder = "data" if config == "default" else config
            shards = Shards(self._root, self._asked.form, schema, folder=folder, split=split)
            self._shards[config, split] = self._opened.enter_context(shards)
        return self._shards[config, split]

    def finish(self) -> Exported:
        tally, form = self._tally, self._asked.form
        shards = {place: tuple(self._shards[place].finish()) for place in sorted(self._shards)}
        if not shards:
            why = ", ".join(f"{reason} {n}" for reason, n in sorted(tally.left_out.items())) or "it has no samples"
            raise NothingToExport(
                f"nothing of release {self._asked.tag} can be exported to {form.name} as {self._asked.kind} ({why}); "
                "ask for another --kind or another expert",
                in_order(tally.left_out),
            )
        facts = _facts(self._asked, tally, shards)
        files = [*(file for done in shards.values() for file in done), self._left.finish()]
        with disk_errors(self._root):
            texts = {"README.md": card(form, facts), **form.companions(facts)}
            files += [_write(self._root, path, text) for path, text in texts.items()]
            exported = exported_of(tally, facts, files, [*_split_warnings(facts), *form.warnings(facts)])
            (self._root / MANIFEST).write_bytes(manifest(self._asked, tally, exported))
        return exported


def _split_warnings(facts: ExportFacts) -> Iterator[str]:
    if not any(by_split.get("train") for by_split in facts.counts.values()):
        yield "no row is of the split train, so there is nothing to train on"


def _write(root: Path, path: str, text: str) -> WrittenFile:
    content = text.encode()
    (root / path).write_bytes(content)
    return WrittenFile(path, sha256(content).hexdigest(), len(content))


def _facts(asked: Asked, tally: Tally, shards: Mapping[tuple[str, str], tuple[WrittenFile, ...]]) -> ExportFacts:
    paths: dict[str, dict[str, list[str]]] = {}
    counts: dict[str, dict[str, int]] = {}
    for (config, split), files in shards.items():
        paths.setdefault(config, {})[split] = [file.path for file in files]
        counts.setdefault(config, {})[split] = sum(file.rows or 0 for file in files)
    return ExportFacts(
        tag=asked.tag,
        commit=asked.commit,
        kind=asked.kind,
        paths=paths,
        counts=counts,
        licences=in_order(tally.licences),
        languages=in_order(tally.languages),
        experts=in_order(tally.experts),
    )
