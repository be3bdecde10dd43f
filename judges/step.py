"""judge: each row of a table gets a verdict, from the store where this judge gave one before.

A judge rates each conversation by itself, so a night that is killed and run again takes from the store what was judged
before the kill, judges the rest, and ends in the same verdicts. What could not be rated is not stored: it is tried
again when the night is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from judges.verdicts import VerdictStore
from schemas.canonical import canonical_bytes
from schemas.conversation import Turn
from schemas.outcome import Held, Kept, Outcome
from schemas.verdict import Judge, Unrated, Verdict

Row = dict[str, Any]

CHUNK = 64
"""Rows in memory at once, and verdicts stored at once: what a kill costs is at most the judging of so many."""

AFTER_ALL_NIGHTS = 2**31 - 1
"""The sequence number of a run outside a night."""


@runtime_checkable
class Priced(Protocol):
    """A judge that costs money."""

    def price(self, n_tokens: int) -> float:
        """What so many tokens cost."""
        ...


class JudgeStep:
    """Judges rows; afterwards `facts` says how much was judged and what it cost.

    `sequence` is the number of the night in the project; it is kept with the verdicts that the night adds.
    """

    def __init__(self, judge: Judge, store: VerdictStore, *, sequence: int = AFTER_ALL_NIGHTS) -> None:
        self._judge, self._store, self._sequence = judge, store, sequence
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
            results = self._results(chunk)
            for row in chunk:
                yield row, _outcome(row, results[row["content_id"]])

    def facts(self) -> Mapping[str, Any]:
        """Counts (`n_judged`, `n_from_store`, `n_unrated`), what judging took, and the judge's identity.

        `tokens` were computed by this run; `judge_seconds` is its wall time; `cost` in the settings' currency.
        """
        tokens = self._counts["tokens"]
        return {
            **{name: self._counts[name] for name in ("n_judged", "n_from_store", "n_unrated", "tokens")},
            "judge_seconds": round(self._seconds, 3),
            "cost": round(self._judge.price(tokens), 6) if isinstance(self._judge, Priced) else 0.0,
            "judge": asdict(self._judge.identity),
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
    if isinstance(result, Unrated):
        return Held(result.reason, result.evidence)
    verdict = canonical_bytes(replace(result, seconds=0.0).to_json()).decode()
    return Kept({**row, "rating": result.rating, "acceptance": result.acceptance, "verdict": verdict})
