"""The trial's page: one HTML file with the figures of `gristmill judge eval` and their pictures. It works offline.

It is made of the command's JSON alone, so the same JSON gives the same page. Like the night's page, whose style it
wears, it holds no script and loads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from corpus import page as corpus_page
from corpus.charts import Column, Marker, histogram
from corpus.page.wording import language_name, number
from corpus.readable import name
from flows.trial_charts import interval, reliability

_HERE = Path(__file__).parent

_BASELINES = {
    "longer": "taking the longer answer",
    "constant": "rating all alike",
    "zero_shot": "the model's own rating",
    "feature_only": "its text features alone",
}
_PLACES = {
    "user_begin": "before the user's words",
    "user_end": "after the user's words",
    "assistant_begin": "before the answer",
    "assistant_end": "after the answer",
}
_LISTED = 30
"""Rows of a table before the rest is left to the JSON."""

Facts = Mapping[str, Any]


def render_trial(facts: Facts, pairs_name: str) -> str:
    """The page as HTML; `facts` is what `gristmill judge eval --json` prints, `pairs_name` the name of its file."""
    own = (_HERE / "trial_page.css").read_text(encoding="utf-8")
    style = Markup((Path(corpus_page.__file__).parent / "style.css").read_text(encoding="utf-8") + own)  # noqa: S704 (ours)
    return _template().render(facts=facts, view=TrialView(facts), pairs_name=pairs_name, style=style)


class TrialView:
    """What the template asks for beyond the facts: sentences, rows and pictures."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.whole = {"n": facts["n_decided"], "accuracy": facts["accuracy"], "ci95": facts["ci95"]}

    @property
    def summary(self) -> str:
        """The trial in two sentences."""
        if self.whole["accuracy"] is None:
            return "People preferred neither answer in any of these pairs, so there is nothing to agree with."
        longer, (low, high) = self._facts["baselines"]["longer"], self._facts["ci95"]
        says = (
            "more than taking the longer answer, by more than chance explains"
            if low > longer
            else "less than taking the longer answer would"
            if high < longer
            else "not shown to be better than taking the longer answer"
        )
        share = f"It decided {100 * self.whole['accuracy']:.1f} of 100 pairs as people did"
        ends = f"{100 * low:.1f} to {100 * high:.1f} with 95\N{NO-BREAK SPACE}% confidence"
        return f"{share} ({ends}): {says} ({100 * longer:.1f})."

    def baselines(self) -> list[dict[str, Any]]:
        """The judge, what it has to beat, and its pairs of like lengths."""
        rows = [self._row("this judge", self.whole)]
        for key, words in _BASELINES.items():
            share = {"n": self.whole["n"], "accuracy": self._facts["baselines"].get(key)}
            if share["accuracy"] is not None:
                rows.append(self._row(words, {**share, "ci95": self._facts["baselines_ci95"][key]}))
        if self._facts["length_matched"]["n"]:
            rows.append(self._row("this judge, lengths within 10 %", self._facts["length_matched"]))
        return rows

    def parts(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Accuracy by group, language and length, where the pairs say so."""
        shares = {"By group": "by_group", "By language": "by_language", "By length of the answers": "by_length"}
        found = []
        for title, key in shares.items():
            rows = sorted(self._facts[key].items(), key=lambda item: -item[1]["n"]) if key != "by_length" else None
            named = rows if rows is not None else list(self._facts[key].items())
            shown = [self._row(self._part_name(key, one), share) for one, share in named[:_LISTED]]
            if shown:
                found.append((title, shown))
        return found

    def _part_name(self, key: str, one: str) -> str:
        return language_name(one) if key == "by_language" and len(one) == 2 else one  # noqa: PLR2004 (ISO 639-1)

    def damages(self) -> list[dict[str, Any]]:
        """Accuracy by operation of damage, the worst first, all together last."""
        shares = dict(self._facts["adversarial"])
        whole = shares.pop("all", None)
        rows = [
            self._row(one.replace("_", " "), share)
            for one, share in sorted(shares.items(), key=lambda item: item[1]["accuracy"])
        ]
        return [*rows, self._row("all together", whole)] if whole else []

    def _row(self, words: str, share: Mapping[str, Any]) -> dict[str, Any]:
        ends = f"{share['ci95'][0]:.3f} to {share['ci95'][1]:.3f}" if share["ci95"] else "–"
        figure = "–" if share["accuracy"] is None else f"{share['accuracy']:.3f}"
        picture = interval(share, title=f"{figure}, {ends}", beside=share.get("longer"))
        return {"name": name(words), "picture": picture, "figure": figure, "ends": ends, "n": share["n"]}

    def reliability(self) -> Markup:
        """The reliability curve."""
        return reliability(self._facts["calibration"])

    def histograms(self) -> list[Markup]:
        """The scores of the better and of the worse answers, on one scale."""
        found = self._facts["histogram"]
        edges = found["edges"]
        return [self._histogram(side, found[side], found["score"], edges) for side in ("better", "worse")]

    def _histogram(self, side: str, counts: list[int], score: str, edges: list[float]) -> Markup:
        every = 2 if score == "rating" else 4
        columns = [
            Column(f"{low:g} to {high:g}", n, n if side == "better" else 0, f"{low:g}" if at % every == 0 else "")
            for at, (low, high, n) in enumerate(zip(edges, edges[1:], counts, strict=False))
        ]
        threshold = self._facts["threshold"]
        share = (threshold - edges[0]) / (edges[-1] - edges[0])
        marker = Marker(share, f"threshold {threshold:g}") if score == "rating" else None
        title = f"{score} of the {side} answers"
        return histogram(f"scores-{side}", title, columns, marked=side, marker=marker, last_tick=f"{edges[-1]:g}")

    def confusion(self) -> list[tuple[str, list[int], int]]:
        """What people said, how often the judge said a, b and neither, and the sum."""
        return [(said, list(row.values()), sum(row.values())) for said, row in self._facts["confusion"].items()]

    def places(self) -> list[str]:
        """The places of attacks, in words."""
        return [_PLACES[place] for place in self._facts["injection"]]

    def attacks(self) -> list[dict[str, Any]]:
        """A row for each family of attacks: its shift at each place, and the rejects that it made keeps."""
        tables = self._facts["injection"]
        families = list(dict.fromkeys(family for table in tables.values() for family in table))
        return [
            {
                "family": family,
                "cells": [table.get(family) for table in tables.values()],
                "n": sum(table[family]["n"] for table in tables.values() if family in table),
                "n_rejects": sum(table[family]["n_rejects"] for table in tables.values() if family in table),
                "n_keeps": sum(table[family]["n_rejects_become_keeps"] for table in tables.values() if family in table),
            }
            for family in families
        ]


def signed(value: float | None, digits: int = 2) -> str:
    """A difference with its sign, `0.00` without; a dash for none."""
    if value is None:
        return "–"
    return f"{value:+.{digits}f}".replace("-", "−") if round(value, digits) else f"{0:.{digits}f}"


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"name": name, "number": number, "signed": signed, "three": _three}
    return environment.get_template("trial_page.html.j2")
