"""What a panel and a cascade have in common: their members, whose verdicts are kept and whose work is told apart.

A member's verdicts are kept under its own identity. A judge that was a member yesterday is not asked again today
because the panel has changed. A run that was killed asks an endpoint again only for what was under way and what came in
the last `STORE_PAID_EVERY_S`. Answers come in the order asked: one that waits for a slower one before it is under way.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from judges.step import CHUNK, Composed, MemberWork, Priced
from judges.verdicts import VerdictStore
from schemas.canonical import digest
from schemas.conversation import Turn, content_id
from schemas.errors import SettingsError
from schemas.verdict import Judge, JudgeIdentity, Unrated, Verdict

Conversations = Sequence[Sequence[Turn]]

STORE_EVERY_S, STORE_PAID_EVERY_S = 0.5, 0.1
"""Between two storings, when an answer comes. One takes 35 to 45 ms, of one verdict or ten (measured, even beside
100,000 others): 8 % of the time of a judge on this machine; with a server, 40 % of a thread that only waits for it."""

KINDS = ("panel", "cascade")
_RATING = "rating_"

HEADS_JOINED_BY = "+"
"""Between the digests of the members' heads in a composed identity."""


@runtime_checkable
class Closeable(Protocol):
    """A judge that holds a model or connections."""

    def close(self) -> None:
        """Lets them go."""
        ...


class Member:
    """A judge under a name: asked only for what is not in the store, and counted.

    `threshold` is the rating from which it votes to keep, None where nobody asks for its vote.
    """

    def __init__(self, name: str, judge: Judge, *, threshold: float | None = None) -> None:
        self.name, self.threshold = name, threshold
        self.inner = judge
        self._key = judge.identity.digest()
        self._store_every_s = STORE_PAID_EVERY_S if isinstance(judge, Priced) else STORE_EVERY_S
        self._store: VerdictStore | None = None
        self._sequence = 0
        self._counts: Counter[str] = Counter()
        self._seconds = 0.0

    @property
    def identity(self) -> JudgeIdentity:
        """Of the judge."""
        return self.inner.identity

    def __str__(self) -> str:
        """Name and model, as they stand in the model of a composed identity."""
        return f"{self.name} ({self.identity.model})"

    def remember(self, store: VerdictStore, sequence: int) -> None:
        """See `judges.step.Composed`."""
        self._store, self._sequence = store, sequence
        if isinstance(self.inner, Composed):
            self.inner.remember(store, sequence)

    def judge(self, conversations: Conversations) -> Generator[Verdict | Unrated, None, None]:
        """One verdict a conversation, in order. What came is stored, also when the caller stops early."""
        keys = [content_id(list(turns)) for turns in conversations]
        known = self._store.find(self._key, keys) if self._store and keys else {}
        missing = [turns for key, turns in zip(keys, conversations, strict=True) if key not in known]
        fresh = iter(self.inner.judge(missing) if missing else ())
        unstored: dict[str, Verdict] = {}
        stored_at = time.monotonic()
        try:
            for key in keys:
                result = known[key] if key in known else self._next(fresh)
                self._count(result, is_known=key in known)
                if isinstance(result, Verdict) and key not in known:
                    unstored[key] = result
                if time.monotonic() - stored_at >= self._store_every_s:
                    self._keep(unstored)
                    stored_at = time.monotonic()
                yield result
        finally:
            self._keep(unstored)

    def _next(self, fresh: Iterator[Verdict | Unrated]) -> Verdict | Unrated:
        started = time.monotonic()
        result = next(fresh)
        self._seconds += time.monotonic() - started
        return result

    def _count(self, result: Verdict | Unrated, *, is_known: bool) -> None:
        self._counts["asked"] += 1
        if is_known:
            self._counts["from_store"] += 1
        elif isinstance(result, Verdict):
            self._counts["judged"] += 1
            self._counts["tokens"] += result.n_tokens
        else:
            self._counts["unrated"] += 1

    def _keep(self, unstored: dict[str, Verdict]) -> None:
        if self._store:
            self._store.add(self._key, self._sequence, unstored)
        unstored.clear()

    def work(self) -> list[MemberWork]:
        """What it did, or what those did that it asks; `share` is left at 0 for the caller to fill."""
        if isinstance(self.inner, Composed):
            return [replace(one, name=f"{self.name}/{one.name}") for one in self.inner.work()]
        tokens = self._counts["tokens"]
        done = MemberWork(
            name=self.name,
            judge=self.identity,
            n_asked=self._counts["asked"],
            n_judged=self._counts["judged"],
            n_from_store=self._counts["from_store"],
            n_unrated=self._counts["unrated"],
            share=0.0,
            tokens=tokens,
            seconds=round(self._seconds, 3),
            cost=round(self.inner.price(tokens), 6) if isinstance(self.inner, Priced) else 0.0,
        )
        return [done]


class ComposedJudge(ABC):
    """A judge made of members. Implements `schemas.verdict.Judge` and `judges.step.Composed`.

    Args:
        members: who is asked.
        kind: "panel" or "cascade".
        told: the members and the rule, for people.
        rule: all that decides a verdict besides the members' own; its digest is part of the identity.

    Raises:
        SettingsError: two members have one name, or are the same judge, which would then speak twice.
    """

    def __init__(self, members: Sequence[Member], *, kind: str, told: str, rule: Any) -> None:
        _refuse_twins(members, kind)
        self._members = tuple(members)
        self._identity = _identity(self._members, kind, told, rule)
        self._n_asked = 0

    @property
    def identity(self) -> JudgeIdentity:
        """Of the members and the rule together; the digest of the heads lists those of the members that have one."""
        return self._identity

    def judge(self, conversations: Conversations) -> Iterator[Verdict | Unrated]:
        """One verdict a conversation, in order; `judges.step.CHUNK` conversations are under way at once.

        Raises:
            JudgeError: a member cannot work at all, or the store cannot be used.
        """
        remaining = iter(conversations)
        while window := list(islice(remaining, CHUNK)):
            self._n_asked += len(window)
            yield from self._window(window)

    @abstractmethod
    def _window(self, conversations: Conversations) -> Iterator[Verdict | Unrated]:
        """One verdict a conversation, in order."""

    def remember(self, store: VerdictStore, sequence: int) -> None:
        """From now on members are asked only for what the store has no verdict of; it gets their new ones."""
        for member in self._members:
            member.remember(store, sequence)

    def work(self) -> list[MemberWork]:
        """What each judge did so far, in the order of the members."""
        total = max(1, self._n_asked)
        return [replace(one, share=round(one.n_asked / total, 4)) for member in self._members for one in member.work()]

    def close(self) -> None:
        """Closes the members."""
        for member in self._members:
            if isinstance(member.inner, Closeable):
                member.inner.close()


def all_of(member: Member, conversations: Conversations) -> list[Verdict | Unrated]:
    """What a member says of all of them."""
    with closing(member.judge(conversations)) as results:
        return list(results)


def ratings_by_name(verdicts: Mapping[str, Verdict]) -> dict[str, float]:
    """As features, `rating_small`: the ratings of members, and of those that a panel or cascade among them asked."""
    found: dict[str, float] = {}
    for name, verdict in verdicts.items():
        is_composed = verdict.judge.name in KINDS
        found |= {key: value for key, value in verdict.features.items() if is_composed and key.startswith(_RATING)}
        found[_RATING + name] = verdict.rating
    return found


def first_embedding(verdicts: Iterable[Verdict]) -> str:
    """That of the first judge that has one; which judge comes first does not change from night to night."""
    return next((one.embedding for one in verdicts if one.embedding), "")


def is_under_weather(result: Verdict | Unrated) -> bool:
    """Whether a judge gave no verdict for a reason that passes: its server was down, not this conversation too long.

    A reply without a rating is no weather: the same question at temperature 0 gets the same reply on another night.
    """
    return isinstance(result, Unrated) and result.is_retryable and result.reason != "unrated_bad_reply"


def _refuse_twins(members: Sequence[Member], kind: str) -> None:
    by_key: dict[str, str] = {}
    for member in members:
        for key in (member.name, member.identity.digest()):
            if key in by_key:
                raise SettingsError(
                    f"{by_key[key]!r} and {member.name!r} of a {kind} are the same judge, which would speak twice; "
                    "give one of them another model, rubric or script, or take it out of `members`"
                )
            by_key[key] = member.name


def _identity(members: Sequence[Member], kind: str, told: str, rule: Any) -> JudgeIdentity:
    identities = [member.identity for member in members]
    rubrics = dict.fromkeys((one.rubric, one.rubric_digest) for one in identities)
    is_one = len(rubrics) == 1
    return JudgeIdentity(
        name=kind,
        model=told,
        model_digest=digest([[member.name, member.identity.digest()] for member in members]),
        rubric=" + ".join(dict.fromkeys(name for name, _ in rubrics)),
        rubric_digest=identities[0].rubric_digest if is_one else digest([list(rubric) for rubric in rubrics]),
        head_digest=HEADS_JOINED_BY.join(one.head_digest for one in identities if one.head_digest),
        prompt_digest=digest(rule),
    )
