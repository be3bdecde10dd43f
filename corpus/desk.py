"""The review desk: a night's samples for one reviewer to read and decide on, and the way back into the corpus.

A decision is on this machine's disk at once and in the corpus when it is saved: one commit under the reviewer's name,
pushed only onto the branch that it was made for. A save that cannot reach the corpus loses nothing; the next one
brings it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from corpus.clone import Clone
from corpus.desk_journal import Ballot, Journal
from corpus.desk_night import DeskNight, DeskSample, Known, read_night
from corpus.desk_place import Place, Reviewer, last_seen, open_branch
from corpus.desk_save import Saved, commit_ballots, decision_of, latest
from corpus.nearest import Neighbour, Neighbourhood
from corpus.objects import Author
from corpus.propose import branch_of
from corpus.remote import Unreachable
from schemas.decision import Choice, Decision
from schemas.errors import InputError

NEIGHBOURS = 3
"""Samples shown beside one: more are not compared, they are browsed."""


@dataclass(frozen=True)
class Progress:
    """How far the reviewer is. `n_unsaved` decisions are on this machine only."""

    n_samples: int
    n_decided: int
    n_kept: int
    n_rejected: int
    n_edited: int
    n_unsaved: int


class Desk:
    """One reviewer's work on one night. Its methods may be called from several threads."""

    def __init__(self, place: Place, night: str, reviewer: Reviewer, *, folder: Path, clock: Callable[[], str]) -> None:
        """Opens the night's branch; where the corpus does not answer, as this machine last saw it (`problem` says why).

        Args:
            place: where the corpus is.
            night: the date.
            reviewer: who decides.
            folder: where decisions are kept until they are saved.
            clock: gives the time, ISO 8601 UTC to the second.

        Raises:
            CorpusError: the night is not open for review, the corpus cannot be reached, or another process has this
                night open for this reviewer (`corpus.desk_journal.Held`).
        """
        self.place, self.reviewer, self._clock = place, reviewer, clock
        self.problem: str | None = None
        self._known: Known = {}
        self._state, self._saving = threading.RLock(), threading.Lock()
        self._neighbourhood: Neighbourhood | None = None
        self._texts: list[str] | None = None
        self.journal = Journal(folder / night / f"{reviewer.pseudonym}.jsonl")
        try:
            self.night = place.work(lambda store: self._read(store, night))
        except BaseException:
            self.journal.close()
            raise
        self._numbers = _numbered(self.night)
        self._undo = self._undoable()

    # Reading.

    def _read(self, store: Clone, night: str) -> DeskNight:
        try:
            base, tip = open_branch(store, self.place.corpus, night)
        except Unreachable as error:
            seen = last_seen(store, self.place.corpus, night)
            if seen is None:
                raise
            (base, tip), self.problem = seen, str(error)
        return read_night(store, base, tip, night, self.reviewer.pseudonym, self._known)

    def _take(self, night: DeskNight) -> None:
        """Goes on with the night as it is on the branch now."""
        numbers = _numbered(night)
        if numbers != self._numbers:
            self._neighbourhood = self._texts = None
        self.night, self._numbers = night, numbers

    def sample(self, sample_id: str) -> DeskSample:
        """The sample of an id. Raises: InputError: the night has no such sample."""
        if sample_id not in self._numbers:
            raise InputError(
                "this sample is no longer part of the night: somebody replaced or removed it; load the page again"
            )
        return self.night.samples[self._numbers[sample_id]]

    def ballot(self, sample_id: str) -> Ballot | None:
        """What the reviewer says of a sample now, saved or not; None where nothing was said or it was withdrawn."""
        with self._state:
            pending = latest(self.journal.ballots).get(sample_id) if self.journal.ballots else None
            ballot = pending or self._saved(sample_id)
            return ballot if ballot and ballot.verdict else None

    def ballots(self) -> dict[str, Ballot]:
        """What the reviewer says now, by sample."""
        with self._state:
            saved = {one: ballot for one in self.night.mine if (ballot := self._saved(one))}
            said = saved | latest(self.journal.ballots)
            return {one: ballot for one, ballot in said.items() if ballot.verdict and one in self._numbers}

    def _saved(self, sample_id: str) -> Ballot | None:
        """The decision that the corpus has, as a ballot."""
        decision = self.night.mine.get(sample_id)
        if decision is None:
            return None
        line = self.night.lines.get(decision.edited_id or "")
        messages = tuple(_messages(line.line)) if line else None
        if decision.verdict == "edit" and messages is None:
            return None  # its text left the branch: there is nothing of the edit to show or to keep
        return Ballot(sample_id, decision.verdict, decision.decided_at, decision.reason, messages)

    def unsaved(self) -> set[str]:
        """The samples of which the corpus does not know yet what the reviewer says."""
        with self._state:
            return {
                one
                for one, ballot in latest(self.journal.ballots).items()
                if ballot.says() != (saved.says() if (saved := self._saved(one)) else (None, "", None))
            }

    def others(self, sample_id: str) -> tuple[Decision, ...]:
        """What other reviewers decided; nothing before this reviewer has: nobody is to lean on others."""
        with self._state:
            return self.night.others.get(sample_id, ()) if self.ballot(sample_id) else ()

    def progress(self) -> Progress:
        """How far the reviewer is."""
        with self._state:
            verdicts = [ballot.verdict for ballot in self.ballots().values()]
            counts = (verdicts.count("keep"), verdicts.count("reject"), verdicts.count("edit"))
            return Progress(len(self.night.samples), len(verdicts), *counts, len(self.unsaved()))

    def search(self, text: str) -> list[str]:
        """The samples in which all words of `text` occur, in reading order; a sample is found by its id, too."""
        words = text.casefold().split()
        with self._state:
            if self._texts is None:
                self._texts = [f"{_text(one)}\n{one.id}".casefold() for one in self.night.samples]
            texts, samples = self._texts, self.night.samples
        return [one.id for one, said in zip(samples, texts, strict=True) if all(word in said for word in words)]

    def neighbours(self, sample_id: str) -> list[tuple[DeskSample, Neighbour]]:
        """The samples of the night that are most like this one, the likest first."""
        number = self._numbers[self.sample(sample_id).id]
        with self._state:
            if self._neighbourhood is None:
                self._neighbourhood = Neighbourhood([_text(one) for one in self.night.samples])
            return [(self.night.samples[one.number], one) for one in self._neighbourhood.nearest(number, NEIGHBOURS)]

    # Deciding.

    def decide(
        self,
        sample_id: str,
        verdict: Choice | None,
        *,
        reason: str = "",
        messages: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        """Keeps a decision on this machine; None withdraws it.

        Raises:
            InputError: there is no such sample, the reason is not plain text, or `messages` are no edit of it.
            CorpusError: this machine's disk refuses.
        """
        with self._state:
            sample = self.sample(sample_id)
            before = self.ballot(sample_id)
            if verdict is None and sample_id in self.night.unwritten:
                raise InputError(
                    "you rejected this with git, by its box or its line: tick or restore it there, or keep it here"
                )
            edit = tuple(messages or ()) if verdict == "edit" else None
            ballot = Ballot(sample_id, verdict, self._later(sample_id), reason.strip(), edit)
            decision_of(ballot, sample.line, night=self.night.night, reviewer=self.reviewer.pseudonym)
            self.journal.add(ballot)
            self._undo.append(before or Ballot(sample_id, None, ballot.decided_at))

    def undo(self) -> str | None:
        """Takes the last decision back, a saved one too, and gives its sample; None when there is none."""
        with self._state:
            while self._undo:
                before = self._undo.pop()
                if before.sample_id in self._numbers:
                    at = self._later(before.sample_id)
                    self.journal.add(Ballot(before.sample_id, before.verdict, at, before.reason, before.messages))
                    return before.sample_id
            return None

    def _undoable(self) -> list[Ballot]:
        """What was said before each decision of an earlier session, so that these can be undone, too."""
        said: dict[str, Ballot] = {}
        before = []
        for ballot in self.journal.ballots:
            nothing = Ballot(ballot.sample_id, None, ballot.decided_at)
            before.append(said.get(ballot.sample_id) or self._saved(ballot.sample_id) or nothing)
            said[ballot.sample_id] = ballot
        return before

    def _later(self, sample_id: str) -> str:
        """The time, or a second after what was said last of the sample: a later decision replaces an earlier one."""
        now = self._clock()
        said = [one.decided_at for one in self.journal.ballots if one.sample_id == sample_id]
        saved = self.night.mine.get(sample_id)
        last = max([*said, *([saved.decided_at] if saved else [])], default="")
        if now > last:
            return now
        return f"{datetime.fromisoformat(last) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"

    # Saving.

    def save(self) -> Saved:
        """Brings every decision into the corpus: one commit, pushed; nothing when it has them all.

        Raises:
            CorpusError: the corpus cannot be reached, refuses, or the night is merged meanwhile; all decisions stay
                on this machine.
        """
        with self._saving:
            with self._state:
                ballots = latest(self.journal.ballots)
                n_ballots = len(self.journal.ballots)
            author = Author(self.reviewer.name, self.reviewer.email, self._clock())
            saved, night = self.place.work(lambda store: self._pushed(store, ballots, author))
            with self._state:
                self._take(night)
                self.journal.forget(n_ballots)
            return saved

    def _pushed(self, store: Clone, ballots: Mapping[str, Ballot], author: Author) -> tuple[Saved, DeskNight]:
        base, tip = open_branch(store, self.place.corpus, self.night.night)
        now = read_night(store, base, tip, self.night.night, self.reviewer.pseudonym, self._known)
        saved = commit_ballots(store, now, ballots, author)
        if saved.commit is None:
            return saved, now
        store.push(saved.commit, branch_of(now.night), expected=tip)
        return saved, read_night(store, base, saved.commit, now.night, self.reviewer.pseudonym, self._known)

    def close(self) -> None:
        """Lets another process open the night; what is not saved stays on this machine."""
        self.journal.close()


def _numbered(night: DeskNight) -> dict[str, int]:
    return {sample.id: number for number, sample in enumerate(night.samples)}


def _messages(line: bytes) -> list[dict[str, str]]:
    return [{"role": m["role"], "content": m["content"]} for m in orjson.loads(line)["messages"]]


def _text(sample: DeskSample) -> str:
    """What is said in a sample, all of it."""
    said: list[Any] = [message["content"] for message in sample.parsed()["messages"]]
    return "\n".join(said)
