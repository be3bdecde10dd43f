"""judge: each row of a table gets a verdict, from the store where this judge gave one before.

A judge rates each conversation by itself, so a night that is killed and run again takes from the store what was judged
before the kill, judges the rest, and ends in the same verdicts. What could not be rated is not stored. Where trying
again may help it is held under a reason of its own, by which the next night finds it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from judges.verdicts import VerdictStore
from schemas.canonical import canonical_bytes
from schemas.conversation import Turn
from schemas.outcome import Held, Kept, Outcome
from schemas.reasons import UNRATED_FOR_NOW
from schemas.verdict import Judge, JudgeIdentity, Unrated, Verdict

Row = dict[str, Any]

CHUNK = 64
"""Rows in memory at once, and verdicts stored at once: what a kill costs is at most the judging of so many."""

AFTER_ALL_NIGHTS = 2**31 - 1
"""The sequence number of a run outside a night."""


_TAKEN = Unrated("unrated_no_reply", "a later night has taken it over", is_retryable=True)


@runtime_checkable
class Priced(Protocol):
    """A judge that costs money."""

    def price(self, n_tokens: int) -> float:
        """What so many tokens cost."""
        ...


@dataclass(frozen=True)
class MemberWork:
    """What a judge among others did in a run; n_asked = n_judged + n_from_store + n_unrated.

    `n_asked` conversations were put to it, the `share` of all that were put to the judges together; `tokens` and `cost`
    are of those it judged now, `seconds` is how long it was waited for. `name` is that of the settings, `jury/small`
    for a member of a member.
    """

    name: str
    judge: JudgeIdentity
    n_asked: int
    n_judged: int
    n_from_store: int
    n_unrated: int
    share: float
    tokens: int
    seconds: float
    cost: float


@runtime_checkable
class Composed(Protocol):
    """A judge that asks others. Their verdicts are kept, too, so that another panel need not ask them again."""

    def remember(self, store: VerdictStore, sequence: int) -> None:
        """From now on members are asked only for what the store has no verdict of; it gets their new ones."""
        ...

    def work(self) -> Sequence[MemberWork]:
        """What each judge did so far; those that ask others are told by these."""
        ...


class JudgeStep:
    """Judges rows; afterwards `facts` says how much was judged and what it cost.

    `sequence` is the number of the night in the project; it is kept with the verdicts that the night adds. `elsewhere`
    are ids of conversations that a later night has taken over, when an earlier one is run again: they stay held.
    """

    def __init__(
        self, judge: Judge, store: VerdictStore, *, sequence: int = AFTER_ALL_NIGHTS, elsewhere: Collection[str] = ()
    ) -> None:
        self._judge, self._store, self._sequence = judge, store, sequence
        self._elsewhere = frozenset(elsewhere)
        if isinstance(judge, Composed):
            judge.remember(store, sequence)
        self._key = judge.identity.digest()
        self._counts: Counter[str] = Counter()
        self._seconds = 0.0

    def rows(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Outcome[Row]]]:
        """Each row with its outcome, in order: kept with `rating`, `acceptance` and `verdict`, or held unrated.

        Rows hold `content_id` and `messages` (`{"role", "content"}`); `CHUNK` rows are in memory at once. `verdict` is
        canonical JSON of `Verdict.to_json` with `seconds` 0: time is not the same in two runs, tables are.

        Raises:
            JudgeError: the judge cannot work at all, or the store cannot be used.
        """
        remaining = iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            taken = [bool(self._elsewhere) and row["conversation_id"] in self._elsewhere for row in chunk]
            results = self._results([row for row, is_taken in zip(chunk, taken, strict=True) if not is_taken])
            for row, is_taken in zip(chunk, taken, strict=True):
                yield row, _outcome(row, _TAKEN if is_taken else results[row["content_id"]])

    def facts(self) -> Mapping[str, Any]:
        """Counts (`n_judged`, `n_from_store`, `n_unrated`), what judging took, and the judge's identity.

        `tokens` were computed by this run; `judge_seconds` is its wall time; `cost` in the settings' currency. Of
        judges that were asked by another one, `members` has the `MemberWork`.
        """
        members = self._judge.work() if isinstance(self._judge, Composed) else ()
        tokens = sum(one.tokens for one in members) if members else self._counts["tokens"]
        cost = self._judge.price(tokens) if isinstance(self._judge, Priced) else sum(one.cost for one in members)
        return {
            **{name: self._counts[name] for name in ("n_judged", "n_from_store", "n_unrated")},
            "tokens": tokens,
            "judge_seconds": round(self._seconds, 3),
            "cost": round(float(cost), 6),
            "judge": asdict(self._judge.identity),
            **({"members": [asdict(one) for one in members]} if members else {}),
        }

    def _results(self, rows: Sequence[Row]) -> Mapping[str, Verdict | Unrated]:
        known = self._store.find(self._key, [row["content_id"] for row in rows])
        self._counts["n_from_store"] += sum(row["content_id"] in known for row in rows)
        missing = {row["content_id"]: row["messages"] for row in rows if row["content_id"] not in known}
        return {**known, **self._judged(missing)}

    def _judged(self, messages: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Verdict | Unrated]:
        if not messages:
            return {}
        started = time.monotonic()
        conversations = [[Turn(turn["role"], turn["content"]) for turn in turns] for turns in messages.values()]
        results = dict(zip(messages, self._judge.judge(conversations), strict=True))
        self._seconds += time.monotonic() - started
        rated = {key: result for key, result in results.items() if isinstance(result, Verdict)}
        self._store.add(self._key, self._sequence, rated)
        self._counts["n_judged"] += len(rated)
        self._counts["n_unrated"] += len(results) - len(rated)
        self._counts["tokens"] += sum(verdict.n_tokens for verdict in rated.values())
        return results


def _outcome(row: Row, result: Verdict | Unrated) -> Outcome[Row]:
    if isinstance(result, Unrated) and result.is_retryable:
        return Held(UNRATED_FOR_NOW, f"{result.reason}: {result.evidence}")
    if isinstance(result, Unrated):
        return Held(result.reason, result.evidence)
    verdict = canonical_bytes(replace(result, seconds=0.0).to_json()).decode()
    return Kept({**row, "rating": result.rating, "acceptance": result.acceptance, "verdict": verdict})
