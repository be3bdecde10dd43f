"""judge: each row of a table gets a verdict, from the store where this judge gave one on an earlier night.

Batched arithmetic can make a verdict depend on its neighbours in the batch, and a night that was killed must end in the
same verdicts when it runs again. So the rows without an earlier verdict are cut, in the order of the table, into chunks
of a fixed number; a chunk is judged and stored as a whole, or taken from the store as a whole.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from judges.verdicts import VerdictStore
from schemas.canonical import canonical_bytes
from schemas.conversation import Turn
from schemas.outcome import Held, Kept, Outcome
from schemas.verdict import Judge, Unrated, Verdict

Row = dict[str, Any]

CHUNK = 32
"""Conversations judged and stored together: what a kill costs at most (seconds), and enough to fill a batch."""
AFTER_ALL_NIGHTS = 2**31 - 1
"""The sequence number of a run outside a night: it knows what nights have judged, and they nothing of it."""


class JudgeStep:
    """Judges rows; afterwards `facts` says how much was judged and what it cost.

    `sequence` is the number of the night in the project.
    """

    def __init__(self, judge: Judge, store: VerdictStore, *, sequence: int = AFTER_ALL_NIGHTS) -> None:
        self._judge, self._store, self._sequence = judge, store, sequence
        self._key = judge.identity.digest()
        self._counts: Counter[str] = Counter()
        self._seconds = 0.0
        self._cost = 0.0

    def rows(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Outcome[Row]]]:
        """Each row with its outcome, in order: kept with `rating`, `acceptance` and `verdict`, or held unrated.

        Rows hold `content_id` and `messages` (`{"role", "content"}`); a few chunks are in memory at once.
        """
        waiting: list[Row] = []
        known: dict[str, Verdict] = {}
        for some in _cut(rows, CHUNK):
            known |= self._earlier(some)
            for row in some:
                waiting.append(row)
                if sum(row["content_id"] not in known for row in waiting) == CHUNK:
                    yield from self._judged(waiting, known)
                    waiting, known = (
                        [],
                        {key: known[key] for key in known if key not in {r["content_id"] for r in waiting}},
                    )
        yield from self._judged(waiting, known)

    def facts(self) -> Mapping[str, Any]:
        """Counts (`n_judged`, `n_from_store`, `n_unrated`), `tokens`, `judge_seconds`, `cost`, who judged."""
        names = ("n_judged", "n_from_store", "n_unrated", "tokens")
        return {
            **{name: self._counts[name] for name in names},
            "judge_seconds": round(self._seconds, 3),
            "judge": vars(self._judge.identity),
        }

    def _earlier(self, rows: Sequence[Row]) -> dict[str, Verdict]:
        found = self._store.find(self._key, [row["content_id"] for row in rows])
        return {key: verdict for key, (sequence, verdict) in found.items() if sequence < self._sequence}

    def _judged(self, rows: Sequence[Row], known: Mapping[str, Verdict]) -> Iterator[tuple[Row, Outcome[Row]]]:
        new = [row for row in rows if row["content_id"] not in known]
        verdicts = {**known, **self._chunk(new)} if new else known
        for row in rows:
            self._counts["n_from_store"] += row["content_id"] in known
            yield row, _outcome(row, verdicts[row["content_id"]])

    def _chunk(self, rows: Sequence[Row]) -> dict[str, Verdict | Unrated]:
        ids = [row["content_id"] for row in rows]
        stored = self._store.find(self._key, ids)
        if len(stored) == len(ids) and all(sequence == self._sequence for sequence, _ in stored.values()):
            self._counts["n_from_store"] += len(ids)
            return {key: verdict for key, (_, verdict) in stored.items()}
        started = time.monotonic()
        turns = [[Turn(turn["role"], turn["content"]) for turn in row["messages"]] for row in rows]
        results = dict(zip(ids, self._judge.judge(turns), strict=True))
        self._seconds += time.monotonic() - started
        rated = {key: result for key, result in results.items() if isinstance(result, Verdict)}
        self._counts["n_judged"] += len(rated)
        self._counts["n_unrated"] += len(results) - len(rated)
        self._counts["tokens"] += sum(verdict.n_tokens for verdict in rated.values())
        self._store.add(self._key, self._sequence, rated)
        return results


def _outcome(row: Row, result: Verdict | Unrated) -> Outcome[Row]:
    if isinstance(result, Unrated):
        return Held(result.reason, result.evidence)
    verdict = canonical_bytes(result.to_json()).decode()
    return Kept({**row, "rating": result.rating, "acceptance": result.acceptance, "verdict": verdict})


def _cut(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
