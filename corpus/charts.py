"""Pictures of counts as inline SVG: no script, no font, no file of their own.

Horizontal places are percentages and heights are pixels, so a chart fills any width while its text keeps its size.
Colours are classes that the page's style defines for light and dark; a pattern or a label says the same as a
colour. Each bar has a `<title>` (what a pointer or a screen reader gets), each chart a title and a description with
its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

_TOP, _PLOT, _BOTTOM = 40, 180, 26
"""Pixels of a histogram above its bars (marker and counts), of its highest bar, and below (the scale)."""

_DENSE = 12
"""With more bars than this a phone (360 pixels) has no room for the count over each: 360 / 12 = 30 pixels a label."""

_LEAST_PIXELS = 2
"""Height of the bar of a count above 0, however small its part."""


@dataclass(frozen=True)
class Column:
    """A bar of a histogram: the first `n_marked` of `n` are drawn strong. `tick` stands under its left edge."""

    name: str
    n: int
    n_marked: int = 0
    tick: str = ""


@dataclass(frozen=True)
class Marker:
    """A vertical line at `share` (0 to 1) of the width."""

    share: float
    label: str


@dataclass(frozen=True)
class Segment:
    """A part of a horizontal bar; `style` is a class of the page: kept, dropped, held or passed."""

    name: str
    n: int
    style: str


def histogram(
    identifier: str,
    title: str,
    columns: Sequence[Column],
    *,
    marked: str,
    marker: Marker | None = None,
    last_tick: str = "",
) -> Markup:
    """Bars of equal width over a scale; `marked` says what the strong part is ("proposed").

    `identifier` is unique on the page. The highest bar fills the height.
    """
    highest = max((column.n for column in columns), default=0) or 1
    width = 100 / max(len(columns), 1)
    parts = [_column(column, n * width, width, highest, marked) for n, column in enumerate(columns)]
    floor = _TOP + _PLOT
    parts.append(Markup('<line class="axis" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(floor))
    if last_tick:
        parts.append(_tick(100, last_tick, "end"))
    if marker:
        parts.append(_marker(marker))
    description = "; ".join(_says(column, marked) for column in columns if column.n)
    dense = " dense" if len(columns) > _DENSE else ""
    return _svg(identifier, title, description, f"histogram{dense}", floor + _BOTTOM, parts)


def _says(column: Column, marked: str) -> str:
    extra = f", {column.n_marked:,} {marked}" if column.n_marked else ""
    return f"{column.name}: {column.n:,}{extra}"


def _column(column: Column, x: float, width: float, highest: int, marked: str) -> Markup:
    high = _pixels(column.n, highest)
    strong = min(_pixels(column.n_marked, highest), high)
    left, wide, floor = x + width * 0.06, width * 0.88, _TOP + _PLOT
    parts = [
        Markup("<g><title>{}</title>").format(_says(column, marked)),
        # the whole height answers the pointer: a bar of two pixels is hard to meet
        _rectangle("touch", x, width, 0, floor),
        _rectangle("passed", left, wide, floor - high, high - strong),
        _rectangle("kept", left, wide, floor - strong, strong),
    ]
    if column.n:
        count = Markup('<text class="count" x="{:.3f}%" y="{}" text-anchor="middle">{:,}</text>')
        parts.append(count.format(x + width / 2, floor - high - 5, column.n))
    if column.tick:
        parts.append(_tick(x, column.tick, "start" if x == 0 else "middle"))
    return Markup("").join([*parts, Markup("</g>")])


def _pixels(n: int, highest: int) -> int:
    return max(round(_PLOT * n / highest), _LEAST_PIXELS) if n else 0


def _rectangle(style: str, x: float, width: float, y: int, height: int) -> Markup:
    if not height:
        return Markup("")
    shape = Markup('<rect class="{}" x="{:.3f}%" width="{:.3f}%" y="{}" height="{}"/>')
    return shape.format(style, x, width, y, height)


def _tick(x: float, label: str, anchor: str) -> Markup:
    shape = Markup('<text class="tick" x="{:.3f}%" y="{}" text-anchor="{}">{}</text>')
    return shape.format(x, _TOP + _PLOT + 18, anchor, label)


def _marker(marker: Marker) -> Markup:
    x = 100 * min(max(marker.share, 0), 1)
    anchor, offset = ("end", -6) if x > 50 else ("start", 6)  # towards the middle, where there is room
    line = Markup('<line class="marker" x1="{0:.3f}%" x2="{0:.3f}%" y1="0" y2="{1}"/>').format(x, _TOP + _PLOT)
    text = Markup('<text class="marker-label" x="{:.3f}%" dx="{}" y="12" text-anchor="{}">{}</text>')
    return line + text.format(x, offset, anchor, marker.label)


def bar(identifier: str, title: str, segments: Iterable[Segment], whole: int) -> Markup:
    """One horizontal bar whose segments are parts of `whole`; what is left over stays empty."""
    shown = [segment for segment in segments if segment.n]
    parts, x = [], 0.0
    for segment in shown:
        width = 100 * segment.n / max(whole, 1)
        shape = Markup('<rect class="{}" x="{:.3f}%" width="{:.3f}%" y="0" height="100%"><title>{}</title></rect>')
        parts.append(shape.format(segment.style, x, max(width, 0.3), f"{segment.n:,} {segment.name}"))
        x += width
    description = ", ".join(f"{segment.n:,} {segment.name}" for segment in shown) or "none"
    return _svg(identifier, title, description, "bar", 16, parts)


def meter(title: str, value: float, low: float, high: float) -> Markup:
    """A small bar for a value on a scale, hidden from screen readers: the number stands beside it as text."""
    share = 100 * (min(max(value, low), high) - low) / (high - low)
    return Markup(
        '<svg class="meter" width="72" height="8" aria-hidden="true"><title>{}</title><rect class="track" width="100%" '
        'height="100%" rx="2"/><rect class="kept" width="{:.1f}%" height="100%" rx="2"/></svg>'
    ).format(title, share)


def _svg(identifier: str, title: str, description: str, style: str, height: int, parts: Sequence[Markup]) -> Markup:
    head = Markup(
        '<svg class="{4}" id="{0}" role="img" aria-labelledby="{0}-t {0}-d" width="100%" height="{3}">'
        '<title id="{0}-t">{1}</title><desc id="{0}-d">{2}</desc>'
    )
    return head.format(identifier, title, description, height, style) + Markup("").join(parts) + Markup("</svg>")


PATTERNS = Markup(
    '<svg class="patterns" width="0" height="0" aria-hidden="true"><defs>'
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="hatch-ground" width="6" height="6"/><rect class="hatch-line" width="3" height="6"/></pattern>'
    "</defs></svg>"
)
"""Stands once on the page; what is held is hatched, so it differs from the rest without colour."""
