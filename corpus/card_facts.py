"""What a dataset card says of a release, as plain values, all of them from the repository at one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import orjson

from corpus.clone import Clone
from corpus.decisions import decided_at
from corpus.release_plan import Plan
from corpus.reviewers import Agreement, agreement_of, settled_nights
from corpus.splits import SplitRule
from schemas.decision import DecidedSample
from schemas.release import SPLITS, Split, SplitCount

NEWEST_NIGHTS = 20
"""Nights with decisions that the judge's agreement is measured on: each costs a look through the history."""

RATING_STEP = 0.5


@dataclass(frozen=True)
class JudgeAgreement:
    """The judge beside people, on samples that they decided on with a majority.

    `auc` is how often a sample that people kept was rated above one that they did not (0.5 by chance), None where they
    kept all or none.
    """

    n_nights: int
    n_kept: int
    n_rejected: int
    auc: float | None


class Part(NamedTuple):
    """What one expert has in one split."""

    samples: int
    bytes: int


@dataclass(frozen=True)
class CardFacts:
    """The numbers of a card. `by_expert` is expert to split to its part; counts are of released samples."""

    tag: str
    released_on: str
    corpus_commit: str
    rule: SplitRule
    nights: tuple[str, str, int]
    counts: Mapping[str, SplitCount]
    by_expert: Mapping[str, Mapping[Split, Part]]
    left_out: Mapping[str, int]
    largest_group: int
    languages: Mapping[str, int]
    licences: Mapping[str, int]
    sources: Mapping[str, int]
    models: Mapping[str, int]
    judges: tuple[tuple[Mapping[str, str], int], ...]
    ratings: tuple[int, ...]
    words: Mapping[int, int]
    n_words: int
    n_messages: int
    judge_agreement: JudgeAgreement
    reviewers: Agreement

    @property
    def n_samples(self) -> int:
        """The samples of all splits."""
        return sum(count.samples for count in self.counts.values())


def card_facts(store: Clone, commit: str, tag: str, released_on: str, rule: SplitRule, planned: Plan) -> CardFacts:
    """The facts of a planned release. Raises: CorpusError: a line of decisions is damaged."""
    samples, is_in = planned.samples, planned.is_in
    facts = samples.facts
    nights = sorted({shard.night for shard in samples.shards if is_in[shard.samples].any()})
    sizes = np.unique(planned.groups[is_in], return_counts=True)[1]
    judges = samples.counts("judge", is_in)
    return CardFacts(
        tag=tag,
        released_on=released_on,
        corpus_commit=commit,
        rule=rule,
        nights=(nights[0], nights[-1], len(nights)),
        counts=planned.counts(),
        by_expert=_by_expert(planned),
        left_out=planned.left_out,
        largest_group=int(sizes.max(initial=0)),
        languages=samples.counts("language", is_in),
        licences=samples.counts("licence", is_in),
        sources=samples.counts("source", is_in),
        models=samples.counts("model", is_in),
        judges=tuple((orjson.loads(judge), n) for judge, n in judges.items()),
        ratings=_ratings(facts.ratings[is_in]),
        words=_words(facts.n_words[is_in]),
        n_words=int(facts.n_words[is_in].sum(dtype=np.int64)),
        n_messages=int(facts.n_messages[is_in].sum(dtype=np.int64)),
        judge_agreement=_judge_agreement(store, commit),
        reviewers=agreement_of(list(settled_nights(store, commit))),
    )


def _by_expert(planned: Plan) -> dict[str, dict[Split, Part]]:
    files = [file for file in planned.files if file.path.startswith("data/")]
    shards = [(file.path.split("/")[1], file.path.split("/")[2], file) for file in files]
    found: dict[str, dict[Split, Part]] = {}
    for expert in sorted({expert for _, expert, _ in shards}):
        for split in SPLITS:
            own = [file for name, of, file in shards if (name, of) == (split, expert)]
            part = Part(sum(file.samples or 0 for file in own), sum(file.bytes for file in own))
            found.setdefault(expert, {})[split] = part
    return found


def _ratings(ratings: np.ndarray) -> tuple[int, ...]:
    """Samples by half a point from 1 to 10; the last bin has 10 itself, too."""
    counts, _ = np.histogram(np.clip(ratings, 1, 10), bins=np.arange(1, 10 + RATING_STEP, RATING_STEP))
    return tuple(counts.tolist())


def _words(n_words: np.ndarray) -> dict[int, int]:
    """Samples by words: from each power of two to below the next, without gaps."""
    exponents = np.log2(np.maximum(n_words, 1)).astype(np.int64)
    counts = np.bincount(exponents).tolist() if len(exponents) else []
    first = next((n for n, count in enumerate(counts) if count), 0)
    return {2**n: count for n, count in enumerate(counts) if n >= first}


def _judge_agreement(store: Clone, commit: str) -> JudgeAgreement:
    decided = decided_at(store, commit, newest=NEWEST_NIGHTS).samples
    kept = [one for one in decided if one.is_kept is True]
    rejected = [one for one in decided if one.is_kept is False]
    nights = {one.night for one in decided}
    return JudgeAgreement(len(nights), len(kept), len(rejected), _auc(kept, rejected))


def _auc(kept: Sequence[DecidedSample], rejected: Sequence[DecidedSample]) -> float | None:
    """The share of pairs (kept, rejected) in which the kept one is rated higher; a tie counts half."""
    if not kept or not rejected:
        return None
    high = np.array([one.rating for one in kept])
    low = np.sort([one.rating for one in rejected])
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.sum() / (2 * len(high) * len(low)))
