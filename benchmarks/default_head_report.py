"""How the default head does on prompts, sets and kinds of damage that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.head_data import conversations
from benchmarks.head_material import N_FOLDS, Material, Scores, Turns, fold, scored
from benchmarks.labelled import Pair, labelled_folder, oasst_decisions
from judges.head import INTACT, Head
from judges.trial import auc, calibration_bins, expected_calibration_error, wilson


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
    if folder := labelled_folder():
        decided = [one for one in oasst_decisions(folder) if one[0] in scores]
        kept, rejected = (
            [total(scores[turns]) for turns, is_kept in decided if is_kept is way] for way in (True, False)
        )
        print(f"oasst: AUC of {len(kept)} kept against {len(rejected)} rejected {auc(kept, rejected):.3f}")
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
