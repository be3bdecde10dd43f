"""What the default head is made from: features of all conversations, heads fitted to a part of them, their scores."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir

import numpy as np

from benchmarks.head_data import conversations, damaged_pairs, labelled_pairs
from benchmarks.labelled import Pair
from judges.embedded import EmbeddedJudge
from judges.features import N_LAYERS, blocks
from judges.fit import Design, Shape, blank_head, prior_precision, regress, with_intact, with_weights
from judges.head import INTACT, Head
from judges.measurement import Measurement
from judges.models import embedded_model, sentence_model
from judges.rubric import load_rubric
from schemas.conversation import Turn

Turns = tuple[Turn, ...]
N_FOLDS = 10
WEIGHT = {"pandalm": 1.0, "oasst": 0.5, "hhh": 1.0}
"""Of a pair. OpenAssistant's neighbours in rank are often nearly equal."""
NOISE_OF_PEOPLE = 0.05
"""One PandaLM annotator decides against the two others in 3 % of what is not a tie; 0 was worse by 1 point there."""
BLOCK_WEIGHT = {"likelihood": 0.5, "text": 0.5, "relevance": 0.3, "last_18": 0.7}
SHAPE = Shape(
    blocks=blocks(576),
    block_weight={name: BLOCK_WEIGHT.get(name, 1.0) for name, _ in blocks(576)},
    n_landmarks=512,
    spread=1.2,
    stiffness=1.0,
)


class Kept:
    """Features of conversations by the digest of their text, in a file between runs; rounded to half precision."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._rows: dict[str, np.ndarray] = {}
        if file and file.exists():
            stored = np.load(file)
            ends = np.cumsum(stored["n"])
            self._rows = dict(zip(stored["keys"].tolist(), np.split(stored["rows"], ends[:-1]), strict=True))

    def read(self, asked: Sequence[Turns]) -> list[np.ndarray]:
        """The features of each conversation, shape (answers, w)."""
        keys = [sha256(repr(tuple(turns)).encode()).hexdigest() for turns in asked]
        missing = {key: turns for key, turns in zip(keys, asked, strict=True) if key not in self._rows}
        if missing:
            self._measure(missing)
        return [self._rows[key].astype(np.float32) for key in keys]

    def _measure(self, missing: Mapping[str, Turns]) -> None:
        cache = Path(gettempdir()) / "gristmill-bench-models"
        judge = EmbeddedJudge(
            embedded_model(cache, n_layers=N_LAYERS), sentence_model(cache), load_rubric(), _nothing_known()
        )
        for n, (key, found) in enumerate(zip(missing, judge.measure(list(missing.values())), strict=True)):
            assert isinstance(found, Measurement), found
            self._rows[key] = found.vector.astype(np.float16)
            print(f"\rread {n + 1} of {len(missing)}", end="", file=sys.stderr)
        judge.close()
        if self._file:
            np.savez(
                self._file,
                keys=np.array(list(self._rows)),
                rows=np.concatenate(list(self._rows.values())),
                n=np.array([len(rows) for rows in self._rows.values()]),
            )


def _nothing_known() -> Head:
    """A head for reading alone."""
    nothing = np.zeros(0, np.float32)
    half = np.zeros((0, 0), np.float16)
    return Head("none", 0, nothing, nothing, half, half, np.zeros(0, np.int32), nothing, half, nothing, 1.0, 0.0)


@dataclass
class Material:
    """The pairs of each set, and what each answer's score is linear in under an unfitted head."""

    sets: dict[str, list[Pair]]
    damage: list[Pair]
    blank: Head
    raw: dict[Turns, np.ndarray]

    def __post_init__(self) -> None:
        last = self.blank.similarities(np.stack([rows[-1] for rows in self.raw.values()]))
        last[:, INTACT] = 0.0  # what people prefer is learned without it
        self.last = dict(zip(self.raw, last, strict=True))

    def design(self, name: str, *, fold_out: Collection[int] = ()) -> Design:
        """The regression's data of pairs of one set; answers are compared by their last answer."""
        pairs = [pair for pair in self.sets[name] if fold(pair) not in fold_out]
        better, worse = (np.stack([self.last[getattr(p, side)] for p in pairs]) for side in ("better", "worse"))
        n = len(pairs)
        return Design.of_pairs(better, worse, weight=np.full(n, WEIGHT[name]), noise=np.full(n, NOISE_OF_PEOPLE))

    def fit(self, *, fold_out: Collection[int] = (), without: str = "") -> Head:
        """A head from all that is neither in a fold of prompts nor of a set or a kind of damage."""
        parts = [self.design(name, fold_out=fold_out) for name in self.sets if name != without]
        design = parts[0]
        for part in parts[1:]:
            design = design + part
        weights, covariance = regress(design, np.zeros(design.rows.shape[1]), prior_precision(self.blank, SHAPE))
        head = with_weights(self.blank, weights, covariance)
        return with_intact(head, *self._answers(fold_out, without))

    def _answers(self, fold_out: Collection[int], without: str) -> tuple[np.ndarray, np.ndarray]:
        """Every answer of the labelled conversations, and those answers that damage has changed."""
        labelled = [pair for pairs in self.sets.values() for pair in pairs if fold(pair) not in fold_out]
        sound = np.concatenate([self.raw[turns] for turns in conversations(labelled)])
        used = [pair for pair in self.damage if fold(pair) not in fold_out and pair.set_name != without]
        return sound, np.concatenate([self.raw[pair.worse][changed(pair)] for pair in used])


def changed(pair: Pair) -> np.ndarray:
    """Which answers of the damaged conversation are not those of the intact one."""
    answers = [[turn.content for turn in turns if turn.role == "assistant"] for turns in (pair.better, pair.worse)]
    return np.array([before != after for before, after in zip(*answers, strict=True)])


def gather(kept: Kept) -> Material:
    """Reads everything."""
    sets = labelled_pairs()
    labelled = [pair for pairs in sets.values() for pair in pairs]
    damage = damaged_pairs(labelled)
    talks = conversations([*labelled, *damage])
    raw = dict(zip(talks, kept.read(talks), strict=True))
    rows = np.stack([raw[turns][-1] for turns in conversations(labelled)])
    return Material(sets, damage, blank_head(rows, SHAPE, head_id="fitness", version=1, plain=()), raw)


def fold(pair: Pair) -> int:
    """The fold of a pair: by its prompt."""
    return int(pair.group, 16) % N_FOLDS


Scores = dict[Turns, tuple[float, float]]
"""By conversation: the score without the figure of damage, and that figure (the logarithm of a probability)."""


def scored(head: Head, talks: Sequence[Turns], raw: Mapping[Turns, np.ndarray]) -> Scores:
    """What a head says, before it is calibrated."""
    found = {}
    for turns in talks:
        row = head.conversation(raw[turns])
        figure, row[INTACT] = float(row[INTACT]), 0.0
        found[turns] = float(row @ head.weights), figure
    return found


def held_out(material: Material) -> Scores:
    """Of every conversation, by heads that never saw its prompt."""
    pairs = [*(pair for pairs in material.sets.values() for pair in pairs), *material.damage]
    scores: Scores = {}
    for number in range(N_FOLDS):
        talks = conversations([pair for pair in pairs if fold(pair) == number])
        scores |= scored(material.fit(fold_out=(number,)), talks, material.raw)
    return scores
