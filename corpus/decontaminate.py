"""decontaminate: distinct conversations become ones that share no long run of words with an evaluation set.

Training on the questions of a benchmark makes its score worthless, so a conversation that has 13 words in a row with a
named evaluation file is dropped: N = 13 as in GPT-3 (Brown et al. 2020, appendix C) and lm-evaluation-harness. An item
of 8 to 12 words is matched as a whole (8 is GPT-3's least N); shorter ones would match ordinary talk and are left out.
Words are those of `corpus.words`: lower case, no punctuation. Runs are looked up by 64-bit hashes, and a match counts
only when the words themselves agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from corpus.minhash import gram_hashes
from corpus.stage import Row, run_step
from corpus.words import Words, word_hashes, words
from schemas.errors import InputError, SettingsError
from schemas.outcome import Dropped, Kept, Outcome, StepReport
from schemas.settings import DecontaminateSettings
from schemas.tables import DISTINCT

RUN_WORDS = 13
SHORT_ITEM_WORDS = 8

_JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class _Text:
    """One text of an evaluation file and where its words are: `lines` by word, `units` as (first word, number)."""

    file: str
    text: str
    hashes: Words
    lines: npt.NDArray[np.int64]
    units: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Runs:
    """Runs of `n_words` words: sorted unique hashes, and for each the number of its text and its first word there."""

    n_words: int
    hashes: Words
    texts: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class EvaluationText:
    """All evaluation text that the settings name, ready to be looked up."""

    files: tuple[str, ...]
    texts: tuple[_Text, ...]
    runs: tuple[_Runs, ...]

    @property
    def n_items(self) -> int:
        """The number of lines or JSON strings that are long enough to be matched."""
        return sum(n >= SHORT_ITEM_WORDS for text in self.texts for _, n in text.units)

    def find(self, said: str) -> str | None:
        """`file line 7` of the evaluation text with which `said` shares its earliest run, None where it shares none."""
        (hashes,) = word_hashes([said])
        met = sorted((at, number, place) for number, runs in enumerate(self.runs) for at, place in _meet(runs, hashes))
        if not met:
            return None
        told = words(said)
        for at, number, place in met:
            runs = self.runs[number]
            text, start = self.texts[runs.texts[place]], int(runs.starts[place])
            if words(text.text)[start : start + runs.n_words] == told[at : at + runs.n_words]:
                return f"{text.file} line {text.lines[start]}"
        return None


def _meet(runs: _Runs, hashes: Words) -> list[tuple[int, int]]:
    """Where runs of this text have the hash of an evaluation run, and which one it is."""
    grams = gram_hashes(hashes, runs.n_words)
    places = np.minimum(np.searchsorted(runs.hashes, grams), len(runs.hashes) - 1)
    at = np.flatnonzero(runs.hashes[places] == grams)
    return list(zip(at.tolist(), places[at].tolist(), strict=True))


def decontaminate(
    source: Path,
    output: Path,
    settings: DecontaminateSettings,
    *,
    root: Path,
    on_row: Callable[[], None] | None = None,
) -> StepReport:
    """Writes the rows of a distinct table that hold no evaluation text, in their order, and gives the counts.

    The settings' paths are relative to `root`. The facts: `evaluation_sets` (files) and `evaluation_items`; with no
    path set, everything passes and the first is 0.

    Raises:
        SettingsError: a path names no file. InputError: a file cannot be read, or the input lacks columns.
        CorpusError: the output cannot be written.
    """
    text = read_evaluation_text(settings.paths, root)
    facts = {"evaluation_sets": len(text.files), "evaluation_items": text.n_items}
    return run_step(
        "decontaminate",
        source,
        output,
        needs=DISTINCT,
        gives=DISTINCT,
        transform=partial(_judged, text),
        facts=lambda: facts,
        on_row=on_row,
    )


def _judged(text: EvaluationText, rows: Iterable[Row]) -> Iterator[tuple[Row, Outcome[Row]]]:
    for row in rows:
        said = "\n".join(message["content"] or "" for message in row["messages"])
        place = text.find(said) if text.runs else None
        yield row, Kept(row) if place is None else Dropped("evaluation_text", place)


def read_evaluation_text(paths: Sequence[str], root: Path) -> EvaluationText:
    """The evaluation text of these files and globs, relative to `root`.

    In a `.jsonl` file each string value of a line is an item, at any depth; keys are not. In any other file each line
    is an item, and runs of 13 words also go on over line ends, as prose is wrapped.

    Raises:
        SettingsError: a path or glob names no file. InputError: a file is not UTF-8, or a line is not JSON.
    """
    files = _files(paths, root)
    texts = [text for name, path in files for text in _read(name, path)]
    runs = [_runs(texts, n_words) for n_words in range(SHORT_ITEM_WORDS, RUN_WORDS + 1)]
    return EvaluationText(tuple(name for name, _ in files), tuple(texts), tuple(one for one in runs if len(one.hashes)))


def _files(paths: Sequence[str], root: Path) -> list[tuple[str, Path]]:
    """(name as in the settings or as found by the glob, path), each file once, in the order of the names."""
    found: dict[str, Path] = {}
    for named in paths:
        files = [path for path in _matching(named, root) if path.is_file()]
        if not files:
            raise SettingsError(
                f"[decontaminate] paths names {named!r}, but there is no such file in {root}; correct the path, or "
                "take it out"
            )
        found |= {_shown(path, root): path for path in files}
    return sorted(found.items())


def _matching(named: str, root: Path) -> list[Path]:
    exact = root / named
    if exact.exists() or not any(sign in named for sign in "*?["):
        return [exact]
    anchor = Path(named).anchor
    return sorted(Path(anchor).glob(str(Path(named).relative_to(anchor))) if anchor else root.glob(named))


def _shown(path: Path, root: Path) -> str:
    resolved, base = path.resolve(), root.resolve()
    return resolved.relative_to(base).as_posix() if resolved.is_relative_to(base) else resolved.as_posix()


def _read(name: str, path: Path) -> Iterator[_Text]:
    try:
        content = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the evaluation file {path} cannot be read as UTF-8 text: {error}") from error
    lines = content.split("\n")
    if path.suffix.lower() not in _JSON_LINES:
        yield _prose(name, lines)
        return
    parsed = ((number, _parsed(path, number, line)) for number, line in enumerate(lines, 1) if line.strip())
    strings = [(number, text) for number, value in parsed for text in _strings(value)]
    for (number, text), hashes in zip(strings, word_hashes([text for _, text in strings]), strict=True):
        yield _Text(name, text, hashes, np.full(len(hashes), number), ((0, len(hashes)),))


def _parsed(path: Path, number: int, line: str) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path} line {number} is not JSON: {error}; repair it, or name the file .txt") from error


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _prose(name: str, lines: list[str]) -> _Text:
    by_line = word_hashes(lines)
    counts = [len(one) for one in by_line]
    firsts = [0, *accumulate(counts)]
    hashes = np.concatenate(by_line)
    return _Text(
        name,
        "\n".join(lines),
        hashes,
        np.repeat(np.arange(1, len(lines) + 1), counts),
        tuple(zip(firsts, counts, strict=False)),
    )


def _runs(texts: Sequence[_Text], n_words: int) -> _Runs:
    """Every run of `RUN_WORDS` words; of fewer words those that are a whole item."""
    hashes, numbers, starts = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number, text in enumerate(texts):
        at = np.array([first for first, count in text.units if count == n_words], np.int64)
        if n_words == RUN_WORDS:
            at = np.arange(len(text.hashes) - n_words + 1)
        if len(at):
            hashes.append(gram_hashes(text.hashes, n_words)[at])
            numbers.append(np.full(len(at), number))
            starts.append(at)
    unique, first = np.unique(np.concatenate(hashes), return_index=True)
    return _Runs(n_words, unique, np.concatenate(numbers)[first], np.concatenate(starts)[first])
