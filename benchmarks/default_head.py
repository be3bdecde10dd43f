"""Makes the head that ships, judges/heads/fitness.safetensors, from the labelled sets and from damage; and tries it.

    python -m benchmarks.default_head --keep FEATURES.npz            try it on held-out prompts, sets and operations
    python -m benchmarks.default_head --keep FEATURES.npz --write    and write the head: the same bytes each time

Trained on PandaLM's test set (majority of three), OpenAssistant's ranked siblings, HHH alignment, and the best answers
of these against themselves damaged. Reading them takes about half an hour on two cores; `--keep` keeps what was read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir

import numpy as np

from benchmarks.head_data import conversations, damaged_pairs, labelled_pairs
from benchmarks.labelled import Pair
from judges.embedded import EmbeddedJudge
from judges.features import N_LAYERS, blocks
from judges.fit import Design, Shape, at_known_level, blank_head, prior_precision, regress, with_intact, with_weights
from judges.head import DEFAULT_HEAD, INTACT, Criterion, Head
from judges.measurement import COSINES, LIKELIHOODS, Measurement
from judges.measures import ANSWER_FIGURES
from judges.models import embedded_model, sentence_model
from judges.rubric import load_rubric
from judges.trial import auc, calibration_bins, expected_calibration_error, wilson
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

CRITERIA = {
    "relevance": ("elsewhere", "derailed", "echo"),
    "completeness": ("cut", "refusal", "padded", "vague", "promised"),
    "clarity": ("loop", "stuck", "shuffled", "contradiction", "gaps", "garbled"),
    "form": ("cut", "wrong_language", "garbled", "both_voices"),
}
"""Each criterion says how unlike these kinds of damage an answer looks."""
DOUBT_ABOUT_DAMAGE = 0.3
"""Standard deviation of the weight of damage in calibrated log-odds: reviewers may mind it more or less."""

HONESTY = Criterion(("steering", "flatters"), (-6.0, -2.0), 3.0)
"""By hand: the labelled sets say nothing of conversations that talk to their judge."""
FIGURES = (*LIKELIHOODS, *COSINES, *ANSWER_FIGURES)


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


def calibrated(head: Head, material: Material, scores: Scores) -> Head:
    """Slope from the people's held-out pairs, weight of damage and offset from held-out conversations.

    Half of the weight is on answers that people preferred, four tenths on damaged ones, the rest on those that lost: an
    answer beside a better one may still be good data.
    """
    labelled = [pair for pairs in material.sets.values() for pair in pairs]
    people = np.array([scores[pair.better][0] - scores[pair.worse][0] for pair in labelled])
    share = np.array([WEIGHT[pair.set_name] for pair in labelled])
    slope = _logistic_fit(people[:, None], np.ones(len(people)), share, np.zeros(len(people)))[0]
    groups = ([p.better for p in labelled], [p.worse for p in labelled], [p.worse for p in material.damage])
    values = np.array([scores[turns] for group in groups for turns in group])
    target = np.concatenate([np.full(len(g), y) for g, y in zip(groups, (1.0, 0.0, 0.0), strict=True)])
    weight = np.concatenate([np.full(len(g), w / len(g)) for g, w in zip(groups, (0.5, 0.1, 0.4), strict=True)])
    x = np.stack([values[:, 1], np.ones(len(values))], axis=1)
    damage, offset = _logistic_fit(x, target, weight * len(values), slope * values[:, 0])
    weights, covariance = head.weights.copy(), head.covariance.copy()
    weights[INTACT] = damage / slope
    covariance[INTACT, INTACT] = (DOUBT_ABOUT_DAMAGE / slope) ** 2
    slope, offset = round(float(slope), 4), round(float(offset), 4)
    made = replace(head, weights=weights, covariance=covariance, slope=slope, offset=offset)
    rows = np.stack([head.conversation(material.raw[turns]) for turns in conversations(labelled)])
    rows[:, INTACT] = 0.0  # the doubt about damage is set, not learned
    return at_known_level(made, rows)


def _logistic_fit(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, base: np.ndarray, ridge: float = 1e-6
) -> np.ndarray:
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ beta + base, -40, 40)))
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + ridge * np.eye(x.shape[1])
        beta = beta + np.clip(np.linalg.solve(curvature, x.T @ (weight * (y - p)) - ridge * beta), -3, 3)
    return beta


def criteria(material: Material) -> dict[str, Criterion]:
    """A logistic model for each criterion: intact answers against those that its kinds of damage made."""
    n = len(FIGURES)
    good = np.stack([material.raw[p.better][-1][-n:] for p in {p.group: p for p in material.damage}.values()])
    found = {}
    for name, kinds in CRITERIA.items():
        bad = np.stack([material.raw[p.worse][-1][-n:] for p in material.damage if p.set_name in kinds])
        x = np.concatenate([good, bad]).astype(np.float64)
        centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
        z = np.concatenate([(x - centre) / scale, np.ones((len(x), 1))], axis=1)
        weight = np.concatenate([np.full(len(good), 0.5 / len(good)), np.full(len(bad), 0.5 / len(bad))]) * len(x)
        beta = _logistic_fit(z, np.r_[np.ones(len(good)), np.zeros(len(bad))], weight, np.zeros(len(x)), ridge=10.0)
        weights = tuple(round(float(w), 4) for w in beta[:-1] / scale)
        found[name] = Criterion(FIGURES, weights, round(float(beta[-1] - centre @ (beta[:-1] / scale)), 4))
    return {**found, "honesty": HONESTY}


def line(name: str, margins: np.ndarray) -> None:
    """Prints the share of pairs decided as people did, with its interval."""
    right = float((margins > 0).sum() + 0.5 * (margins == 0).sum())
    low, high = wilson(right, len(margins))
    print(f"  {name:<44}{right / len(margins):.3f} [{low:.3f}, {high:.3f}]  n = {len(margins)}")


def _n_words(turns: Turns) -> int:
    return len(turns[-1].content.split())


def report(material: Material, scores: Scores, shipped: Head) -> None:
    """Prints how heads do where they were not trained; the weight of damage is that of the head that ships."""
    damage = float(shipped.weights[INTACT])

    def total(found: tuple[float, float]) -> float:
        return found[0] + damage * found[1]

    def margins(pairs: Sequence[Pair], found: Scores) -> np.ndarray:
        return np.array([total(found[pair.better]) - total(found[pair.worse]) for pair in pairs])

    for name, pairs in material.sets.items():
        lengths = np.array([(_n_words(p.better), _n_words(p.worse)) for p in pairs])
        matched = np.abs(lengths[:, 0] - lengths[:, 1]) < 0.1 * lengths.max(axis=1)
        known = margins(pairs, scores)
        unseen = scored(material.fit(without=name), conversations(pairs), material.raw)
        print(f"{name}: share of pairs decided as people did")
        line("the longer answer", (lengths[:, 0] - lengths[:, 1]).astype(float))
        line("this head, held-out prompts", known)
        line("this head, lengths within 10 %", known[matched])
        line("this head, never trained on the set", margins(pairs, unseen))
        line("this head, never trained, lengths within 10 %", margins(pairs, unseen)[matched])
        bins = calibration_bins(1 / (1 + np.exp(-shipped.slope * known)))
        print(f"  calibration error of the pair's probability {expected_calibration_error(bins):.3f}")
    print("damage: pairs in which the intact one wins, and AUC, held-out prompts; the same for held-out kinds")
    good = list({pair.better for pair in material.damage})
    found = []
    for kind in dict.fromkeys(pair.set_name for pair in material.damage):
        pairs = [pair for pair in material.damage if pair.set_name == kind]
        row = [_damage_line(pairs, good, scores, total)]
        row.append(_damage_line(pairs, good, _kind_held_out(material, kind, pairs), total))
        found.append([*row[0], *row[1]])
        print(f"  {kind:<20}" + "   ".join(f"{value:.3f}" for value in found[-1]))
    print(f"  {'mean':<20}" + "   ".join(f"{value:.3f}" for value in np.mean(found, axis=0)))


def _damage_line(
    pairs: Sequence[Pair], good: Sequence[Turns], scores: Scores, total: Callable[[tuple[float, float]], float]
) -> tuple[float, float]:
    wins = np.mean([total(scores[pair.better]) > total(scores[pair.worse]) for pair in pairs])
    fine = [total(scores[turns]) for turns in good if turns in scores]
    return float(wins), auc(fine, [total(scores[pair.worse]) for pair in pairs]) or 0.0


def _kind_held_out(material: Material, kind: str, pairs: Sequence[Pair]) -> Scores:
    """Of the pairs of a kind of damage, by heads that saw neither the kind nor the prompts: half of them at a time."""
    scores: Scores = {}
    for half in (range(0, N_FOLDS, 2), range(1, N_FOLDS, 2)):
        talks = conversations([pair for pair in pairs if fold(pair) in half])
        scores |= scored(material.fit(fold_out=half, without=kind), talks, material.raw)
    return scores


def main() -> int:
    """Reads, fits, tries, and writes if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="file (.npz) that keeps what was read")
    parser.add_argument("--write", action="store_true", help=f"write {DEFAULT_HEAD}")
    asked = parser.parse_args()
    if not labelled_pairs():
        print("skipped: the labelled sets are not here; set GRISTMILL_SHARED to the folder that holds data/labelled")
        return 0
    material = gather(Kept(asked.keep))
    scores = held_out(material)
    head = calibrated(replace(material.fit(), criteria=criteria(material)), material, scores)
    if asked.write:
        head.save(DEFAULT_HEAD)
    report(material, scores, head)
    calibration = f"slope {head.slope}, offset {head.offset}, damage {head.weights[INTACT]:.2f}"
    print(f"{head.name} {head.digest()[:12]}: {calibration}, {len(head.to_bytes())} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
