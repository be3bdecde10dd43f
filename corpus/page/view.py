"""What the page's template asks for beyond the facts: sentences about them, and pictures of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from markupsafe import Markup

from corpus.charts import Column, Marker, Segment, bar, histogram, meter
from corpus.night_facts import Bin, Cluster, HeldGroup, NightFacts, ShownConversation, ShownTurn
from corpus.page.wording import count, duration, language_name, power_of_two, sentence, were
from corpus.page.words import MONTHS, NEXT_STEPS, SOURCE_REASONS
from corpus.readable import headline, name, rendered
from schemas.outcome import StepReport
from schemas.verdict import RATING_MAX, RATING_MIN

_OPEN_TURNS = 4
"""Turns that an opened conversation shows at once, two questions and their answers; the rest is folded."""

_LISTED_REASONS, _LISTED_ROWS = 6, 8
"""What a list shows before it says "and n more": a list longer than a hand's breadth is not looked at."""


class NightView:
    """What the template asks for beyond the facts: sentences and pictures."""

    def __init__(self, facts: NightFacts) -> None:
        self._facts = facts
        self.proposed = int((facts.proposal or {}).get("n_samples") or 0) if facts.proposal else facts.n_picked
        self.is_complete = facts.proposal is not None

    @property
    def name(self) -> str:
        """The date as people write it, else the folder's name."""
        try:
            day = date.fromisoformat(self._facts.night)
        except ValueError:
            return self._facts.night
        return f"{day.day} {MONTHS[day.month - 1]} {day.year}"

    @property
    def summary(self) -> str:
        """The night in one sentence."""
        facts = self._facts
        if not facts.steps:
            return "The night has begun; no step has ended yet."
        if not facts.n_read:
            return "Nothing new was in the logs."
        rest = [f"{facts.n_dropped:,} {were(facts.n_dropped)} dropped"] if facts.n_dropped else []
        rest += [f"{facts.n_held:,} {'is' if facts.n_held == 1 else 'are'} held for a person"] if facts.n_held else []
        end = f"; {' and '.join(rest)}" if rest else ""
        if self.is_complete:
            return f"Of {count(facts.n_read)}, {self.proposed:,} {were(self.proposed)} proposed{end}."
        last = facts.steps[-1].step
        return f"Of {count(facts.n_read)}, {facts.n_picked:,} have come through {last} so far{end}."

    @property
    def pull_request(self) -> str | None:
        """Where the night is reviewed on a forge, None without one."""
        url = str(((self._facts.proposal or {}).get("pull_request") or {}).get("url") or "")
        return url if url.startswith(("https://", "http://")) else None

    @property
    def is_pending(self) -> bool:
        """Whether the forge could not be asked when the night ended."""
        return bool((self._facts.proposal or {}).get("pull_request_pending"))

    @property
    def whole(self) -> Markup:
        """The night as one bar."""
        segments = [
            Segment("proposed" if self.is_complete else "still on the road", self.proposed, "kept"),
            Segment("held for a person", self._facts.n_held, "held"),
            Segment("dropped", self._facts.n_dropped, "passed"),
        ]
        return bar("whole", "What became of the night's conversations", segments, self._facts.n_read)

    def funnel(self) -> Iterator[dict[str, Any]]:
        """A row for each complete step: its bar against all that was read, and the reasons that stopped some."""
        for step in self._facts.steps:
            dropped, held = sum(step.dropped.values()), sum(step.held.values())
            segments = [
                Segment("went on", step.kept, "kept"),
                Segment("held", held, "held"),
                Segment("dropped", dropped, "passed"),
            ]
            title = f"{step.step}: {step.n_in:,} in"
            picture = bar(f"funnel-{step.step}", title, segments, self._facts.n_read)
            reasons = _reasons(step)
            yield {
                "step": step,
                "bar": picture,
                "reasons": reasons[:_LISTED_REASONS],
                "more": reasons[_LISTED_REASONS:],
            }

    @property
    def does_not_add_up(self) -> bool:
        """Whether a step is older than what is before it: the night is being run again."""
        steps = self._facts.steps
        return any(before.kept != after.n_in for before, after in zip(steps, steps[1:], strict=False))

    def waiting(self) -> list[dict[str, Any]]:
        """What is held, by reason; by source, too, where the remedy is the source's."""
        groups: dict[tuple[str, str], list[HeldGroup]] = {}
        for group in self._facts.held:
            source = group.source if group.reason in SOURCE_REASONS else ""
            groups.setdefault((group.reason, source), []).append(group)
        return [_waiting(reason, found) for (reason, _), found in groups.items()]

    def ratings(self) -> Markup:
        """The histogram of ratings with the threshold."""
        facts = self._facts
        columns = [_rating_column(one) for one in facts.ratings]
        marker = None
        if facts.threshold is not None:
            share = (facts.threshold - RATING_MIN) / (RATING_MAX - RATING_MIN)
            marker = Marker(share, f"threshold {facts.threshold:g}")
        return histogram(
            "ratings", "Ratings from 1 to 10", columns, marked="picked", marker=marker, last_tick=f"{RATING_MAX:g}"
        )

    def lengths(self) -> Markup:
        """The histogram of lengths in words, each bar twice as long as the one before."""
        found = self._facts.lengths
        every = -(-len(found) // _LISTED_ROWS)  # a phone has room for eight labels
        ticks = ["" if at % every or at > len(found) - every else power_of_two(one.low) for at, one in enumerate(found)]
        columns = [
            Column(f"{one.low:,.0f} to {one.high - 1:,.0f} words", one.n, one.n_picked, tick)
            for one, tick in zip(found, ticks, strict=True)
        ]
        last = power_of_two(found[-1].high)
        return histogram("lengths", "Words of a conversation", columns, marked="picked", last_tick=last)

    def languages(self) -> list[dict[str, Any]]:
        """The commonest languages, the others taken together."""
        found = self._facts.languages
        shown = [(language_name(one.name), one.n, one.n_picked) for one in found[:_LISTED_ROWS]]
        if rest := found[_LISTED_ROWS:]:
            name = f"{len(rest)} other{'s' if len(rest) > 1 else ''}"
            shown.append((name, sum(one.n for one in rest), sum(one.n_picked for one in rest)))
        largest = max((n for _, n, _ in shown), default=1)
        return [
            {"name": name, "n": n, "n_picked": picked, "bar": _pair(f"language-{at}", name, n, picked, largest)}
            for at, (name, n, picked) in enumerate(shown)
        ]

    def steps_cost(self) -> list[dict[str, Any]]:
        """Seconds of each step beside the slowest."""
        steps = self._facts.steps
        slowest = max((step.seconds for step in steps), default=0) or 1
        return [
            {
                "step": step,
                "rate": step.n_in / step.seconds if step.seconds else None,
                "bar": meter(f"{step.step}: {duration(step.seconds)}", step.seconds, 0, slowest),
            }
            for step in steps
        ]

    @property
    def judge_cost(self) -> str:
        """One sentence on the judge's work, "" when it left no figures."""
        n_judged, n_known, n_tokens, cost = (
            self._facts.fact("judge", name) for name in ("n_judged", "n_from_store", "tokens", "cost")
        )
        parts = []
        if n_judged is not None:
            parts.append(f"The judge read {count(n_judged)}{self._reading_speed(n_tokens)}")
        if n_known:
            parts.append(f"{'knew' if parts else 'The judge knew'} {n_known:,} from earlier nights")
        money = f"; at the price in the settings that is {cost:,.4f}" if cost else ""
        return " and ".join(parts) + money + "." if parts else ""

    @property
    def disagreement(self) -> str:
        """One sentence on how far the members of a panel are apart, "" without a panel."""
        found = self._facts.disagreement
        if found is None:
            return ""
        held = f"; {found.n_held:,} more {were(found.n_held)} held for it" if found.n_held else ""
        return (
            f"The judges disagree by a standard deviation of {found.median:.2f} points in the median and of more than "
            f"{found.tenth_largest:.2f} on a tenth of these conversations{held}."
        )

    def _reading_speed(self, n_tokens: int | None) -> str:
        if not n_tokens:
            return ""
        report = self._facts.step("judge")
        seconds = self._facts.fact("judge", "judge_seconds") or (report.seconds if report else 0)
        return f" ({n_tokens:,} tokens" + (f", {n_tokens / seconds:,.0f} a second)" if seconds else ")")

    @property
    def judge_note(self) -> str:
        """What is measured of the judge's agreement with people, in the judge's words."""
        return str(
            self._facts.fact("judge", "judge_note")
            or "How well these ratings agree with people was not measured. "
            "Take them as an order to look in, not as grades."
        )

    @property
    def failed_sources(self) -> list[str]:
        """Sources that could not be read at all."""
        return [str(name) for name in self._facts.fact("pull", "failed_sources") or []]

    @property
    def missing_paths(self) -> list[str]:
        """Paths of the settings that no file matches."""
        return [str(path) for path in self._facts.fact("pull", "missing") or []]

    def how_alike(self, cluster: Cluster) -> str:
        """How the repeats of a cluster were recognised."""
        words = ", ".join(f"{n} {kind}" for kind, n in sorted(cluster.n_by_kind.items()))
        if cluster.jaccard is None:
            return words
        low, high = (f"{value:.2f}" for value in cluster.jaccard)
        return f"{words}; similarity {low}" + (f" to {high}" if high != low else "")

    def turns(self, talk: ShownConversation) -> tuple[Sequence[ShownTurn], Sequence[ShownTurn]]:
        """The turns shown at once and those folded; a fold of one turn is not worth a click."""
        at = _OPEN_TURNS if len(talk.head) > _OPEN_TURNS + 1 else len(talk.head)
        return talk.head[:at], talk.head[at:]

    def left_out(self, talk: ShownConversation) -> str:
        """What of a long conversation is not on the page, "" when all is."""
        shown = (*talk.head, *([talk.last] if talk.last else []))
        n_turns = talk.n_turns - len(shown)
        n_characters = talk.n_characters - sum(turn.n_characters for turn in shown)
        return f"{n_turns:,} turns with {n_characters:,} characters are not shown" if n_turns else ""

    def title(self, talk: ShownConversation) -> Markup:
        """What the user says first, as one line."""
        first = next((turn for turn in talk.head if turn.role == "user"), None)
        return (headline(first.content, 110) if first else None) or Markup("(no words)")

    def text(self, turn: ShownTurn) -> Markup:
        """A turn's text as safe HTML."""
        return rendered(turn.content)

    def language_attribute(self, talk: ShownConversation) -> str:
        """The conversation's language for `lang`, "" when it is not a code."""
        return talk.language if re.fullmatch(r"[a-z]{2,3}", talk.language) else ""


def _waiting(reason: str, groups: Sequence[HeldGroup]) -> dict[str, Any]:
    names = list(dict.fromkeys(group.source for group in groups))
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    remedy = Markup(NEXT_STEPS.get(reason, NEXT_STEPS[""]))  # noqa: S704 (our own words)
    return {
        "n": sum(group.n for group in groups),
        "sources": ", ".join(names[:3]) + rest,
        "why": sentence(reason, is_short=True),
        "remedy": remedy.format(source=name(groups[0].source), example=groups[0].example_id),
    }


def _reasons(step: StepReport) -> list[tuple[str, int, str]]:
    """(code, conversations, dropped or held), the commonest first."""
    both: list[tuple[Mapping[str, int], str]] = [(step.held, "held"), (step.dropped, "dropped")]
    found = [(code, n, status) for counts, status in both for code, n in counts.items() if n]
    return sorted(found, key=lambda one: (-one[1], one[0], one[2]))


def _rating_column(one: Bin) -> Column:
    tick = f"{one.low:g}" if one.low == int(one.low) else ""
    return Column(f"{one.low:g} to {one.high:g}", one.n, one.n_picked, tick)


def _pair(identifier: str, name: str, n: int, n_picked: int, whole: int) -> Markup:
    segments = [Segment("picked", n_picked, "kept"), Segment("not picked", n - n_picked, "passed")]
    return bar(identifier, name, segments, whole)
