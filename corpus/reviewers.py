"""How far reviewers agree, and how many planted samples they saw through; from the corpus repository alone.

Agreement is Krippendorff's alpha for nominal data (K. Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011,
section C): 1 for perfect agreement, 0 for what chance gives, with any number of reviewers and missing votes. Only what
somebody said counts: a box left ticked may be a sample not read.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from corpus.bulk import BulkObjects
from corpus.clone import Clone
from corpus.decisions import decisions_path
from corpus.proposal import parsed_record
from corpus.propose import record_path
from corpus.repository import base_commit, on_corpus
from corpus.tally import votes_by_root
from schemas.decision import Decision, parse_decisions
from schemas.errors import CorpusError, InputError
from schemas.settings import CorpusSettings


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha over the units that at least two reviewers rated, and how many ratings it rests on.

    `value` is None without such a unit, and where all ratings are equal: nothing then tells agreement from habit.
    """

    value: float | None
    n_units: int
    n_ratings: int


@dataclass(frozen=True)
class Reviewer:
    """What a reviewer did.

    `n_votes` counts samples without honeypots. `n_honeypots` are those that they decided on, `n_hits` those of them
    decided as a careful reviewer does. `n_pairs` counts the other reviewers' votes on the same samples, `n_agreed` the
    equal ones.
    """

    reviewer: str
    n_votes: int
    n_honeypots: int
    n_hits: int
    n_pairs: int
    n_agreed: int


@dataclass(frozen=True)
class Agreement:
    """The reviewers of all settled nights, by name. `by_night` has the alpha of each night with a decision."""

    alpha: Alpha
    by_night: Mapping[str, Alpha]
    reviewers: tuple[Reviewer, ...]

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class SettledNight:
    """The votes of a settled night, one a reviewer and sample: unit to reviewer to verdict; honeypots apart."""

    night: str
    verdicts: Mapping[str, Mapping[str, str]]
    on_honeypots: Mapping[str, Mapping[str, str]]
    expected: Mapping[str, str]


def alpha(units: Iterable[Sequence[Hashable]]) -> Alpha:
    """Krippendorff's alpha for nominal values.

    Args:
        units: the ratings of each unit, one a reviewer who rated it, in any order.
    """
    pairable = [Counter(unit) for unit in units if len(unit) > 1]
    totals: Counter[Hashable] = sum(pairable, Counter())
    n = totals.total()
    by_chance = n * n - sum(count * count for count in totals.values())
    if not by_chance:
        return Alpha(None, len(pairable), n)
    observed = math.fsum(map(_disagreement, pairable))  # exact, so that the order of the units does not matter
    return Alpha(1.0 - (n - 1) * observed / by_chance, len(pairable), n)


def _disagreement(unit: Counter[Hashable]) -> float:
    """Ordered pairs of unequal ratings in a unit, each unit weighing as much as it has ratings."""
    n = unit.total()
    return (n * n - sum(count * count for count in unit.values())) / (n - 1)


def agreement(corpus: CorpusSettings, *, root: Path, clone: Path) -> Agreement:
    """The agreement of all reviewers on all settled nights of the base branch.

    Raises:
        CorpusError: a record or a line of decisions is damaged, or the corpus cannot be reached.
    """

    def read(store: Clone) -> Agreement:
        return agreement_of(list(settled_nights(store, base_commit(store, corpus, store.heads()))))

    return on_corpus(corpus, root=root, clone=clone, operation=read)


def settled_nights(store: BulkObjects, base: str) -> Iterator[SettledNight]:
    """The settled nights of a commit that somebody decided on, by date. Raises as `agreement`."""
    records = settled_records(store, base)
    found = store.ids([f"{base}:{decisions_path(night)}" for night in records])
    blobs = {night: blob for night, blob in zip(records, found, strict=True) if blob}
    for (night, _), (_, content) in zip(blobs.items(), store.blobs(blobs.values()), strict=True):
        try:
            decisions = parse_decisions(content, decisions_path(night))
        except InputError as error:
            raise CorpusError(f"the corpus has a damaged line of decisions: {error}; mend it there") from error
        yield _night(night, decisions, records[night])


def settled_records(store: BulkObjects, base: str) -> dict[str, Mapping[str, Any]]:
    """Night to what the record of each settled night says of its settling, by date."""
    entries = [one for one in store.entries(base, "nights") if one.path == record_path(one.path[7:-5])]
    nights = [one.path[7:-5] for one in entries]
    parsed = (
        parsed_record(content, night)
        for night, (_, content) in zip(nights, store.blobs(e.blob for e in entries), strict=True)
    )
    told = dict(zip(nights, (record.get("settled") for record in parsed), strict=True))
    return {night: settled for night, settled in sorted(told.items()) if isinstance(settled, dict)}


def _night(night: str, decisions: Sequence[Decision], settled: Mapping[str, Any]) -> SettledNight:
    planted = {one["id"]: one["expected"] for one in settled.get("planted", ())}
    made_of = {one.edited_id: one.sample_id for one in decisions if one.edited_id}
    roots = {one: _root(one, made_of) for one in {*made_of, *made_of.values(), *(d.sample_id for d in decisions)}}
    return SettledNight(
        night=night,
        verdicts=_verdicts((one for one in decisions if not one.is_honeypot), roots),
        on_honeypots=_verdicts((replace(one, is_honeypot=False) for one in decisions if one.is_honeypot), roots),
        expected=planted,
    )


def _root(sample_id: str, made_of: Mapping[str, str]) -> str:
    """The sample behind an edit, and behind that one's; the smallest id where they lead in a circle."""
    passed = [sample_id]
    while (before := made_of.get(passed[-1])) and before not in passed:
        passed.append(before)
    return min(passed) if before else passed[-1]


def _verdicts(decisions: Iterable[Decision], roots: Mapping[str, str]) -> dict[str, dict[str, str]]:
    by_root = votes_by_root(decisions, roots)
    return {root: {name: vote.verdict for name, vote in given.items()} for root, given in by_root.items()}


def agreement_of(nights: Sequence[SettledNight]) -> Agreement:
    """The agreement on these nights; a sample is a unit, a planted one is none."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for night in nights:
        for given in night.verdicts.values():
            for name, verdict in given.items():
                same = sum(other == verdict for other in given.values())
                counted[name].update(n_votes=1, n_pairs=len(given) - 1, n_agreed=same - 1)
        for planted, given in night.on_honeypots.items():
            for name, verdict in given.items():
                is_hit = (verdict == "reject") == (night.expected.get(planted) == "reject")
                counted[name].update(n_honeypots=1, n_hits=is_hit)
    fields = ("n_votes", "n_honeypots", "n_hits", "n_pairs", "n_agreed")
    return Agreement(
        alpha=alpha(unit for night in nights for unit in _units(night)),
        by_night={night.night: alpha(_units(night)) for night in nights},
        reviewers=tuple(Reviewer(name, **{key: counted[name][key] for key in fields}) for name in sorted(counted)),
    )


def _units(night: SettledNight) -> list[list[str]]:
    return [list(given.values()) for given in night.verdicts.values()]
