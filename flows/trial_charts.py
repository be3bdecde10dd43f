"""Pictures of a trial as inline SVG: an interval on a scale, and the reliability curve.

As in corpus/charts.py, places across are percentages and heights are pixels, colours are classes of the page's style,
and each picture says its numbers in a title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

_HEIGHT, _MIDDLE = 20, 10
_TOP, _PLOT, _LEFT = 12, 240, 9.0
"""Of the reliability curve: pixels above it and of its height, and per cent of the width for the scale's labels."""

_HALF = 0.5
"""Of two answers the preferred one has a probability of one half at least: where the curve begins."""


def interval(share: Mapping[str, Any], *, title: str, beside: float | None = None) -> Markup:
    """A share from 0 to 1 with its interval; a line at one half, and a hollow tick where something `beside` lies."""
    parts = [_line("scale", 0, 1, _MIDDLE), _upright("half", 0.5, 3, _HEIGHT - 3)]
    if share["ci95"]:
        parts.append(_line("range", share["ci95"][0], share["ci95"][1], _MIDDLE))
    if beside is not None:
        parts.append(_upright("beside", beside, 1, _HEIGHT - 1))
    if share["accuracy"] is not None:
        parts.append(_point("point", 100 * share["accuracy"], _MIDDLE, 5))
    head = Markup('<svg class="interval" width="100%" height="{}" role="img"><title>{}</title>')
    return head.format(_HEIGHT, title) + Markup("").join(parts) + Markup("</svg>")


def reliability(bins: Sequence[Mapping[str, Any]]) -> Markup:
    """How often the judge was right, by how sure it was; `bins` are the trial's, of which the upper half is drawn."""
    shown = [one for one in bins if one["mean_probability"] >= _HALF]
    parts = [*_grid(), *(_bin(one) for one in shown)]
    says = "; ".join(f"{_percent(one['mean_probability'])} sure, {_percent(one['share'])} right" for one in shown)
    head = Markup(
        '<svg class="reliability histogram" id="reliability" role="img" aria-labelledby="reliability-t reliability-d" '
        'width="100%" height="{}"><title id="reliability-t">How often it was right, by how sure it was</title>'
        '<desc id="reliability-d">{}</desc>'
    )
    return head.format(_TOP + _PLOT + 44, says) + Markup("").join(parts) + Markup("</svg>")


def _grid() -> list[Markup]:
    parts = []
    for part in (0, 0.25, 0.5, 0.75, 1):
        y = _down(part)
        parts.append(Markup('<line class="grid" x1="{}%" x2="100%" y1="{}" y2="{}"/>').format(_LEFT, y, y))
        label = Markup('<text x="{}%" y="{}" dx="-8" text-anchor="end">{}</text>')
        parts.append(label.format(_LEFT, y + 4, _percent(part)))
    ends = (_across(_HALF), _across(1.0), _down(_HALF), _down(1.0))
    parts.append(Markup('<line class="marker" x1="{}%" x2="{}%" y1="{}" y2="{}"/>').format(*ends))
    for part in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        label = Markup('<text x="{}%" y="{}" text-anchor="{}">{}</text>')
        parts.append(label.format(_across(part), _down(0) + 20, "end" if part == 1 else "middle", _percent(part)))
    return parts


def _bin(one: Mapping[str, Any]) -> Markup:
    x, (low, high) = _across(one["mean_probability"]), one["ci95"]
    says = f"{one['n']:,} pairs, {_percent(one['mean_probability'])} sure: {_percent(one['share'])} right"
    count = Markup('<text class="count" x="{:.2f}%" y="{}" text-anchor="middle">{:,}</text>')
    parts = [
        Markup("<g><title>{}</title>").format(says),
        Markup('<line class="range" x1="{0:.2f}%" x2="{0:.2f}%" y1="{1}" y2="{2}"/>').format(
            x, _down(low), _down(high)
        ),
        _point("point", x, _down(one["share"]), 6),
        count.format(x, _down(0) + 38, one["n"]),
    ]
    return Markup("").join([*parts, Markup("</g>")])


def _across(probability: float) -> float:
    return round(_LEFT + (100 - _LEFT) * (probability - _HALF) / (1 - _HALF), 2)


def _down(share: float) -> int:
    return round(_TOP + _PLOT * (1 - share))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _line(style: str, low: float, high: float, y: int) -> Markup:
    shape = Markup('<line class="{}" x1="{:.2f}%" x2="{:.2f}%" y1="{}" y2="{}"/>')
    return shape.format(style, 100 * low, 100 * high, y, y)


def _upright(style: str, at: float, y1: int, y2: int) -> Markup:
    shape = Markup('<line class="{0}" x1="{1:.2f}%" x2="{1:.2f}%" y1="{2}" y2="{3}"/>')
    return shape.format(style, 100 * at, y1, y2)


def _point(style: str, x: float, y: int, radius: int) -> Markup:
    return Markup('<circle class="{}" cx="{:.2f}%" cy="{}" r="{}"/>').format(style, x, y, radius)
