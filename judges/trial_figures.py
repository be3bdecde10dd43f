"""What a trial says: agreement with people, its interval and its baselines, from labelled pairs and their verdicts.

Ties are left out of all figures but `kappa_with_ties` and `confusion`; what could not be rated is counted
(`n_unrated`) and left out, since not judged is not bad.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from judges import trial
from judges.measures import words
from judges.trial import Share, rounded
from judges.trial_pairs import LABELS, TrialPair
from schemas.conversation import Turn
from schemas.errors import JudgeError
from schemas.verdict import RATING_MAX, RATING_MIN, Unrated, Verdict

Turns = tuple[Turn, ...]
Verdicts = Mapping[Turns, Verdict | Unrated]

ZERO_SHOT, FEATURE_ONLY = "lm_rating", "feature_only"
"""Names of the features of a verdict that the baselines of the same names rate by: the model's own rating, and what the
judge would say from its plain text features alone."""


def margin(one: Verdict, other: Verdict) -> float:
    """By how much the judge prefers one: in log odds of acceptance where both have it, else in rating."""
    if one.acceptance is None or other.acceptance is None:
        return one.rating - other.rating
    return float(trial.logit(one.acceptance) - trial.logit(other.acceptance))


class Figures:
    """The figures of the pairs themselves.

    Args:
        pairs: as labelled.
        verdicts: of both conversations of each pair.

    Raises:
        JudgeError: no pair could be rated.
    """

    def __init__(self, pairs: Sequence[TrialPair], verdicts: Verdicts) -> None:
        self._n = len(pairs)
        self._rated: list[tuple[TrialPair, Verdict, Verdict]] = []
        reasons: dict[str, str] = {}
        for pair in pairs:
            a, b = verdicts[pair.conversation("a")], verdicts[pair.conversation("b")]
            if isinstance(a, Verdict) and isinstance(b, Verdict):
                self._rated.append((pair, a, b))
            else:
                reasons |= {one.reason: one.evidence for one in (a, b) if isinstance(one, Unrated)}
        if not self._rated:
            listed = "; ".join(f"{reason} {evidence}".strip() for reason, evidence in sorted(reasons.items()))
            raise JudgeError(f"none of {len(pairs)} pairs could be rated ({listed}); try `gristmill doctor`")
        self._decided = [
            (pair, *((a, b) if pair.label == "a" else (b, a))) for pair, a, b in self._rated if pair.label != "tie"
        ]
        self._margins = [margin(better, worse) for _, better, worse in self._decided]
        lengths = [_lengths(pair) for pair, *_ in self._decided]
        self._n_words = [(a + b) / 2 for a, b in lengths]
        self._longer = [float(better - worse) for better, worse in lengths]
        self._is_matched = [trial.is_length_matched(*both) for both in lengths]

    def to_json(self) -> dict[str, Any]:
        """`accuracy`, `ci95`, `kappa`, `auc`, `ece` and `baselines` are of the pairs that are no ties.

        `kappa`: Cohen's, on a or b; `kappa_with_ties`: on a, b or tie, where the judge says tie if it rates both alike.
        `auc`: of the margin, see `judges.trial.auc_of_margins`; `auc_answers`: of the better answers' score against the
        worse ones' over all prompts. `ece`: of the pair probability, None where the judge gives no acceptance;
        `ece_by_chance` is what perfect calibration would show on so many pairs.
        """
        whole = Share.of(self._margins).to_json()
        bins = self._bins()
        return {
            "n": self._n,
            "n_decided": whole["n"],
            "n_ties": sum(pair.label == "tie" for pair, *_ in self._rated),
            "n_unrated": self._n - len(self._rated),
            "accuracy": whole["accuracy"],
            "ci95": whole["ci95"],
            "kappa": _figure(self._kappa(has_ties=False)),
            "kappa_with_ties": _figure(self._kappa(has_ties=True)),
            "auc": _figure(trial.auc_of_margins(self._margins)),
            "auc_answers": _figure(trial.auc(*self._scores())),
            "ece": _figure(trial.expected_calibration_error(bins)),
            "ece_by_chance": _figure(trial.calibration_error_by_chance(bins)),
            **self._baselines(),
            "length_matched": self._length_matched(),
            "by_group": self._by([pair.group for pair, *_ in self._decided]),
            "by_language": self._by([pair.language for pair, *_ in self._decided]),
            "by_length": self._by_length(),
            "confusion": trial.confusion(*self._said(has_ties=True), LABELS),
            "calibration": [one.to_json() for one in bins],
            "histogram": self._histogram(),
        }

    @property
    def _has_acceptance(self) -> bool:
        return all(v.acceptance is not None for _, *both in self._decided for v in both)

    def _scores(self) -> tuple[list[float], list[float]]:
        """Of the better and of the worse answers: acceptance where every verdict has it, else rating."""
        return tuple(
            [float((v.acceptance if self._has_acceptance else v.rating) or 0.0) for v in side]
            for side in ([row[1] for row in self._decided], [row[2] for row in self._decided])
        )  # type: ignore[return-value]

    def _bins(self) -> list[trial.Bin]:
        if not self._decided or not self._has_acceptance:
            return []
        return trial.calibration_bins(trial.pair_probability(*self._scores()))

    def _said(self, *, has_ties: bool) -> tuple[list[str], list[str]]:
        rows = [row for row in self._rated if has_ties or row[0].label != "tie"]
        signs = [int(np.sign(margin(a, b))) for _, a, b in rows]
        return [pair.label for pair, *_ in rows], [{1: "a", -1: "b", 0: "tie"}[sign] for sign in signs]

    def _kappa(self, *, has_ties: bool) -> float | None:
        return trial.cohens_kappa(*self._said(has_ties=has_ties))

    def _baselines(self) -> dict[str, Any]:
        """Accuracies: `constant` rates all alike, so all is undecided; the last two are features of the verdicts."""
        margins = {
            "longer": self._longer,
            "constant": [0.0] * len(self._decided),
            "zero_shot": self._feature_margins(ZERO_SHOT),
            "feature_only": self._feature_margins(FEATURE_ONLY),
        }
        shares = {name: Share.of(values or []).to_json() for name, values in margins.items()}
        return {
            "baselines": {name: share["accuracy"] for name, share in shares.items()},
            "baselines_ci95": {name: share["ci95"] for name, share in shares.items()},
        }

    def _feature_margins(self, name: str) -> list[float] | None:
        """None where a verdict lacks the feature."""
        both = [(better.features.get(name), worse.features.get(name)) for _, better, worse in self._decided]
        found = [a - b for a, b in both if a is not None and b is not None]
        return found if len(found) == len(both) else None

    def _length_matched(self) -> dict[str, Any]:
        pairs = zip(self._margins, self._is_matched, strict=True)
        return Share.of(one for one, is_matched in pairs if is_matched).to_json()

    def _by(self, names: Sequence[str]) -> dict[str, Any]:
        """In alphabetical order, pairs without a name as `unstated`; empty where no pair has one."""
        if not any(names):
            return {}
        found = trial.shares_by([name or "unstated" for name in names], self._margins, self._longer)
        return dict(sorted(found.items()))

    def _by_length(self) -> dict[str, Any]:
        """The shortest third first."""
        names = trial.thirds(self._n_words)
        found = trial.shares_by(names, self._margins, self._longer)
        order = [name for _, name in sorted(zip(self._n_words, names, strict=True))]
        return {name: found[name] for name in dict.fromkeys(order)}

    def _histogram(self) -> dict[str, Any]:
        low, high = (0.0, 1.0) if self._has_acceptance else (RATING_MIN, RATING_MAX)
        edges = rounded(np.linspace(low, high, 19 if high > 1 else 21))
        better, worse = (trial.histogram(side, edges) for side in self._scores())
        name = "acceptance" if self._has_acceptance else "rating"
        return {"score": name, "edges": edges, "better": better, "worse": worse}


def _lengths(pair: TrialPair) -> tuple[int, int]:
    """Words of the better and the worse answer; scripts without spaces count a character as a word."""
    a, b = len(words(pair.a)), len(words(pair.b))
    return (b, a) if pair.label == "b" else (a, b)


def _figure(value: float | None) -> float | None:
    return trial.or_none(lambda x: round(x, 4), value)


def order_figures(pairs: Sequence[TrialPair], first: Verdicts, again: Verdicts) -> dict[str, Any]:
    """What judging once more in swapped order says.

    `order_consistency` is the share of pairs with the same decision (a, b or undecided), `retest_spread` the largest
    and the mean difference of a conversation's two ratings.

    A judge that sees each answer alone cannot know the order, but what it computes may depend on what else is in the
    batch, and a server may answer differently each time.
    """
    same, seen = [], set()
    for pair in pairs:
        a, b = pair.conversation("a"), pair.conversation("b")
        decisions = [
            np.sign(margin(one, other))
            for by in (first, again)
            if isinstance(one := by[a], Verdict) and isinstance(other := by[b], Verdict)
        ]
        seen |= {a, b}
        if len(decisions) == 2:
            same.append(bool(decisions[0] == decisions[1]))
    both = [(first[turns], again[turns]) for turns in seen]
    differences = sorted(
        abs(one.rating - two.rating) for one, two in both if isinstance(one, Verdict) and isinstance(two, Verdict)
    )
    spread = rounded((differences[-1], sum(differences) / len(differences))) if differences else (None, None)
    return {
        "order_consistency": round(sum(same) / len(same), 4) if same else None,
        "n_judged_again": len(same),
        "retest_spread": {"n": len(differences), "largest": spread[0], "mean": spread[1]},
    }


def adversarial_figures(damaged: Sequence[tuple[str, Turns, Turns]], verdicts: Verdicts) -> dict[str, Any]:
    """By operation the share of better answers that are scored above themselves damaged; `all` is over everything."""
    margins: dict[str, list[float]] = {}
    for name, good, poor in damaged:
        one, other = verdicts[good], verdicts[poor]
        if isinstance(one, Verdict) and isinstance(other, Verdict):
            margins.setdefault(name, []).append(margin(one, other))
    if not margins:
        return {}
    every = [value for values in margins.values() for value in values]
    return {name: Share.of(values).to_json() for name, values in {**margins, "all": every}.items()}
