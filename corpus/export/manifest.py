"""What an export was asked for and what became of it: `export.json`, written last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from corpus.export.folder import MANIFEST, MARK, VERSION
from corpus.export.formats import ExportFacts, Format
from corpus.export.rows import Kind, Row
from corpus.export.shards import WrittenFile
from schemas.errors import InputError


@dataclass(frozen=True)
class Asked:
    """What is to be exported: a release, by its tag and commit; a kind of rows in a format.

    `experts`: of these alone (empty: of all). `with_weak`: see `corpus.export.preferences`. `withdrawn`: says of a
    sample's line whether it was withdrawn since the release.
    """

    tag: str
    commit: str
    form: Format
    kind: Kind
    experts: tuple[str, ...] = ()
    with_weak: bool = False
    withdrawn: Callable[[Mapping[str, Any]], bool] = lambda line: False  # noqa: ARG005


@dataclass(frozen=True)
class Exported:
    """What was written: n_in = written + the sum of left_out.

    `counts` are rows by split; `labels` and `signals` rows by label and by what a preference rests on.
    """

    n_in: int
    written: int
    left_out: Mapping[str, int]
    counts: Mapping[str, int]
    labels: Mapping[str, int]
    signals: Mapping[str, int]
    files: tuple[WrittenFile, ...]
    warnings: tuple[str, ...]


@dataclass
class Tally:
    """The counts of an export under way."""

    n_in: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    signals: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    experts: Counter[str] = field(default_factory=Counter)

    def count(self, row: Row) -> None:
        """Counts a row that is written."""
        self.licences[row.provenance["licence"] or "unknown"] += 1
        self.languages[row.provenance["language"] or "unknown"] += 1
        self.experts[row.expert] += 1
        if row.label is not None:
            self.labels["good" if row.label else "bad"] += 1
        if row.signal is not None:
            self.signals[row.signal] += 1


def in_order(counts: Counter[str]) -> dict[str, int]:
    """The counts by name, for equal bytes."""
    return dict(sorted(counts.items()))


def exported_of(tally: Tally, facts: ExportFacts, files: Iterable[WrittenFile], warnings: Iterable[str]) -> Exported:
    """The outcome; that nothing vanished is asserted."""
    splits: Counter[str] = Counter()
    for by_split in facts.counts.values():
        splits.update(by_split)
    assert tally.n_in == splits.total() + tally.left_out.total()
    return Exported(
        n_in=tally.n_in,
        written=splits.total(),
        left_out=in_order(tally.left_out),
        counts=in_order(splits),
        labels=in_order(tally.labels),
        signals=in_order(tally.signals),
        files=tuple(sorted(files, key=lambda file: file.path)),
        warnings=tuple(warnings),
    )


def manifest(asked: Asked, tally: Tally, exported: Exported) -> bytes:
    """The bytes of export.json: no time, no machine, so that equal exports are equal files."""
    plain = {
        MARK: VERSION,
        "release": {"tag": asked.tag, "commit": asked.commit},
        "format": asked.form.name,
        "kind": asked.kind,
        "asked": {"experts": sorted(asked.experts), "weak": asked.with_weak},
        "in": exported.n_in,
        "written": exported.written,
        "left_out": exported.left_out,
        "splits": exported.counts,
        "labels": exported.labels,
        "signals": exported.signals,
        "experts": in_order(tally.experts),
        "licences": in_order(tally.licences),
        "text": "unchanged",
        "files": [asdict(file) for file in exported.files],
    }
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an export.

    Raises:
        InputError: the folder holds no export.
    """
    try:
        found = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(f"{folder} holds no export ({error}); `gristmill export` makes one") from error
    assert isinstance(found, dict)
    return found
