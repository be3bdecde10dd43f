"""Makes the head that ships, judges/heads/fitness.safetensors, from the labelled sets and from damage; and tries it.

    python -m benchmarks.default_head --keep FEATURES.npz            try it on held-out prompts, sets and operations
    python -m benchmarks.default_head --keep FEATURES.npz --write    and write the head: the same bytes each time

Trained on PandaLM's test set (majority of three), OpenAssistant's ranked siblings, HHH alignment, and the best answers
of these against themselves damaged. Reading them takes about half an hour on two cores; `--keep` keeps what was read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir

import numpy as np

from benchmarks.head_data import WITHIN, conversations, damaged_pairs, labelled_pairs
from benchmarks.labelled import Pair
from judges.embedded import EmbeddedJudge
from judges.features import COSINES, LIKELIHOODS, N_LAYERS, blocks
from judges.fit import Design, Shape, blank_head, prior_precision, regress, with_weights
from judges.head import DEFAULT_HEAD, Criterion, Head
from judges.measurement import Measurement
from judges.measures import ANSWER_FIGURES
from judges.models import embedded_model, sentence_model
from judges.rubric import load_rubric
from judges.trial import auc, calibration_bins, expected_calibration_error, wilson
from schemas.conversation import Turn

Turns = tuple[Turn, ...]
N_FOLDS = 10
WEIGHT = {"pandalm": 1.0, "oasst": 0.5, "hhh": 1.0, "damage": 0.05}
"""Of a pair. OpenAssistant's neighbours in rank are often nearly equal; ten kinds of damage count as one set."""
NOISE = {"damage": 0.01}
NOISE_OF_PEOPLE = 0.05
"""One PandaLM annotator decides against the two others in 3 % of what is not a tie; 0 was worse by 1 point there."""
PLAIN = ("relevance",)
"""Blocks that enter the score as they are, too: relevance is one number among thousands, and must not drown."""

BLOCK_WEIGHT = {"likelihood": 0.5, "text": 0.5, "relevance": 0.3, "last_18": 0.7}
SHAPE = Shape(
    blocks=blocks(576),
    block_weight={name: BLOCK_WEIGHT.get(name, 1.0) for name, _ in blocks(576)},
    n_landmarks=512,
    spread=1.2,
    stiffness_plain=0.5,
)

CRITERIA = {
    "relevance": ("elsewhere", "echo"),
    "completeness": ("cut", "refusal", "padded"),
    "clarity": ("loop", "shuffled", "contradiction"),
    "form": ("cut", "wrong_language"),
}
"""Each criterion says how unlike these kinds of damage an answer looks."""
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
    return Head("none", 0, nothing, nothing, half, half, np.zeros(0, np.int32), nothing, half, 1.0, 0.0)


@dataclass
class Material:
    """The pairs of each set, and what each conversation's score is linear in under an unfitted head."""

    sets: dict[str, list[Pair]]
    damage: list[Pair]
    blank: Head
    raw: dict[Turns, np.ndarray]

    def __post_init__(self) -> None:
        last = self.blank.similarities(np.stack([rows[-1] for rows in self.raw.values()]))
        self.last = dict(zip(self.raw, last, strict=True))

    def design(self, pairs: Sequence[Pair], name: str) -> Design:
        """The regression's data of pairs of one set; answers are compared by their last answer."""
        better, worse = (np.stack([self.last[getattr(p, side)] for p in pairs]) for side in ("better", "worse"))
        n = len(pairs)
        return Design.of_pairs(
            better, worse, weight=np.full(n, WEIGHT[name]), noise=np.full(n, NOISE.get(name, NOISE_OF_PEOPLE))
        )

    def fit(self, parts: Sequence[Design]) -> tuple[np.ndarray, np.ndarray]:
        """Weights and covariance from all parts."""
        design = parts[0]
        for part in parts[1:]:
            design = design + part
        return regress(design, np.zeros(design.rows.shape[1]), prior_precision(self.blank, SHAPE))


def gather(kept: Kept) -> Material:
    """Reads everything."""
    sets = labelled_pairs()
    labelled = [pair for pairs in sets.values() for pair in pairs]
    damage = damaged_pairs(labelled)
    talks = conversations([*labelled, *damage])
    raw = dict(zip(talks, kept.read(talks), strict=True))
    names = [name for name, n in SHAPE.blocks for _ in range(n)]
    plain = [i for i, name in enumerate(names) if name in PLAIN]
    rows = np.stack([raw[turns][-1] for turns in conversations(labelled)])
    return Material(sets, damage, blank_head(rows, SHAPE, head_id="fitness", version=1, plain=plain), raw)


def fold(pairs: Sequence[Pair]) -> np.ndarray:
    """The fold of each pair: by its prompt."""
    return np.array([int(pair.group, 16) % N_FOLDS for pair in pairs])


def absolute(material: Material, *, fold_out: int | None = None, without: str = "") -> Design:
    """Intact conversations as kept, damaged ones as rejected, each side with the same weight in all."""
    used = [
        p for p in material.damage if p.set_name not in (*WITHIN, without) and int(p.group, 16) % N_FOLDS != fold_out
    ]
    good = list({pair.group: pair.better for pair in used}.values())
    bad = [pair.worse for pair in used]
    rows = np.stack([material.last[turns] for turns in (*good, *bad)])
    target = np.concatenate([np.ones(len(good)), np.zeros(len(bad))])
    share = WEIGHT["damage"] * len(bad) / len(good)
    weight = np.concatenate([np.full(len(good), share), np.full(len(bad), WEIGHT["damage"])])
    return Design(rows, target, weight, np.full(len(rows), NOISE["damage"]))


def held_out(material: Material) -> tuple[dict[str, np.ndarray], dict[Turns, float]]:
    """Margins of all pairs, and scores of all conversations, by heads that never saw the pair's prompt."""
    sets = {**material.sets, "damage": [p for p in material.damage if p.set_name not in WITHIN]}
    designs = {name: material.design(pairs, name) for name, pairs in sets.items()}
    margins = {name: np.zeros(len(pairs)) for name, pairs in sets.items()}
    scores: dict[Turns, float] = {}
    for number in range(N_FOLDS):
        parts = [designs[name].part(fold(pairs) != number) for name, pairs in sets.items()]
        weights, _ = material.fit([*parts, absolute(material, fold_out=number)])
        head = replace(material.blank, weights=weights.astype(np.float32))
        for name, pairs in sets.items():
            margins[name][fold(pairs) == number] = designs[name].rows[fold(pairs) == number] @ weights
        for pair in [*(p for pairs in material.sets.values() for p in pairs), *material.damage]:
            if int(pair.group, 16) % N_FOLDS == number:
                for turns in (pair.better, pair.worse):
                    if turns not in scores:
                        scores[turns] = float(head.conversation(material.raw[turns]) @ weights)
    return margins, scores


def calibrated(
    head: Head, material: Material, margins: Mapping[str, np.ndarray], scores: Mapping[Turns, float]
) -> Head:
    """Slope from the people's held-out pairs, offset from held-out answers.

    Half of the weight is on answers that people preferred, a quarter each on those that lost and on damaged ones.
    """
    people = np.concatenate([margins[name] for name in material.sets])
    slope = _logistic_fit(people[:, None], np.ones(len(people)), np.ones(len(people)), np.zeros(len(people)))[0]
    labelled = [pair for pairs in material.sets.values() for pair in pairs]
    groups = ([p.better for p in labelled], [p.worse for p in labelled], [p.worse for p in material.damage])
    values = np.concatenate([[scores[t] for t in group] for group in groups])
    target = np.concatenate([np.full(len(g), y) for g, y in zip(groups, (1.0, 0.0, 0.0), strict=True)])
    weight = np.concatenate([np.full(len(g), w / len(g)) for g, w in zip(groups, (0.5, 0.25, 0.25), strict=True)])
    offset = _logistic_fit(np.ones((len(values), 1)), target, weight * len(values), slope * values)[0]
    return replace(head, slope=round(float(slope), 4), offset=round(float(offset), 4))


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


def report(material: Material, margins: Mapping[str, np.ndarray], scores: Mapping[Turns, float], slope: float) -> None:
    """Prints how the head does where it was not trained."""
    for name, pairs in material.sets.items():
        lengths = np.array([(_n_words(p.better), _n_words(p.worse)) for p in pairs])
        matched = np.abs(lengths[:, 0] - lengths[:, 1]) < 0.1 * lengths.max(axis=1)
        print(f"{name}: share of pairs decided as people did")
        line("the longer answer", (lengths[:, 0] - lengths[:, 1]).astype(float))
        line("this head, held-out prompts", margins[name])
        line("this head, lengths within 10 %", margins[name][matched])
        others = [material.design(p, n) for n, p in material.sets.items() if n != name]
        weights, _ = material.fit([*others, _damage(material, ""), absolute(material)])
        line("this head, never trained on the set", material.design(pairs, name).rows @ weights)
        p = 1 / (1 + np.exp(-slope * margins[name]))
        bins = calibration_bins(p)
        print(f"  calibration error of the pair's probability {expected_calibration_error(bins):.3f}")
    everything = [material.design(pairs, name) for name, pairs in material.sets.items()]
    found = []
    print("damage: share of pairs in which the intact answer wins (held-out prompts; held-out kind of damage)")
    at = [p.set_name for p in material.damage if p.set_name not in WITHIN]
    for kind in dict.fromkeys(at):
        weights, _ = material.fit([*everything, _damage(material, kind), absolute(material, without=kind)])
        pairs = [p for p in material.damage if p.set_name == kind]
        unseen = material.design(pairs, "damage").rows @ weights > 0
        found.append(unseen.mean())
        print(f"  {kind:<20}{(margins['damage'][np.array(at) == kind] > 0).mean():.3f}   {unseen.mean():.3f}")
    print(f"  mean over held-out kinds {np.mean(found):.3f}")
    good = [scores[turns] for turns in {p.better for p in material.damage}]
    print("conversations, intact against damaged, AUC of the conversation's score, held-out prompts")
    for kind in dict.fromkeys(p.set_name for p in material.damage):
        print(f"  {kind:<20}{auc(good, [scores[p.worse] for p in material.damage if p.set_name == kind]):.3f}")


def _damage(material: Material, without: str) -> Design:
    return material.design([p for p in material.damage if p.set_name not in (*WITHIN, without)], "damage")


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
    margins, scores = held_out(material)
    parts = [material.design(pairs, name) for name, pairs in material.sets.items()]
    head = with_weights(material.blank, *material.fit([*parts, _damage(material, ""), absolute(material)]))
    head = calibrated(replace(head, criteria=criteria(material)), material, margins, scores)
    if asked.write:
        head.save(DEFAULT_HEAD)
    report(material, margins, scores, head.slope)
    print(f"{head.name} {head.digest()[:12]}: slope {head.slope}, offset {head.offset}, {len(head.to_bytes())} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
