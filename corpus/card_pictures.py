"""The pictures of a dataset card: SVG files that a forge shows, made of the same counts as the card's tables."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from corpus.charts import Column, histogram

_WIDTH = 720
"""Pixels: what a forge's page has for a picture in a README."""

_MARGIN = 16
_ROW, _BAR, _LABEL, _COUNT = 26, 16, 120, 90
"""Pixels of a row of a bar chart: its height, its bar's, and the room for label and count beside the bar."""

_LABEL_CHARACTERS = 18

_STYLE = Markup(
    "<style>text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.tick,.count{fill:#57606a;"
    "font-size:11px}.dense .count{font-size:9px}.touch{fill:none}.kept{fill:#2f6f4f}.passed{fill:#2f6f4f}"
    ".axis{stroke:#57606a}</style>"
)
"""Text of 7:1 and 6:1 against white, bars of 6:1 (WCAG asks 4.5:1 and 3:1). The ground is white in dark themes, too."""


def columns_picture(identifier: str, title: str, columns: Sequence[Column], last_tick: str) -> bytes:
    """A histogram as an SVG file."""
    chart = histogram(identifier, title, columns, marked="", last_tick=last_tick)
    height = 246  # of `histogram`
    inner = Markup('<svg x="{}" y="34" width="{}" height="{}">{}</svg>').format(
        _MARGIN, _WIDTH - 2 * _MARGIN, height, chart
    )
    return _file(title, inner, height + 44)


def bars_picture(title: str, counts: Sequence[tuple[str, int]]) -> bytes:
    """Horizontal bars, one a count, as an SVG file; labels are anybody's text and are escaped."""
    highest = max((n for _, n in counts), default=1)
    left, room = _MARGIN + _LABEL, _WIDTH - 2 * _MARGIN - _LABEL - _COUNT
    rows = []
    for number, (label, n) in enumerate(counts):
        y, width = 44 + number * _ROW, max(2, round(room * n / highest))
        row = Markup(
            '<g><title>{0}: {1:,}</title><text x="{2}" y="{3}" text-anchor="end">{4}</text>'
            '<rect class="kept" x="{5}" y="{6}" width="{7}" height="{8}" rx="2"/>'
            '<text class="count" x="{9}" y="{3}">{1:,}</text></g>'
        )
        shown = label if len(label) <= _LABEL_CHARACTERS else label[: _LABEL_CHARACTERS - 1] + "…"
        rows.append(row.format(label, n, left - 8, y + 13, shown, left, y, width, _BAR, left + width + 8))
    return _file(title, Markup("").join(rows), 44 + len(counts) * _ROW + _MARGIN)


def _file(title: str, inner: Markup, height: int) -> bytes:
    whole = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {0} {1}" width="{0}" height="{1}">'
        '<title>{2}</title>{3}<rect width="{0}" height="{1}" rx="6" fill="#fff"/>'
        '<text class="title" x="{4}" y="24">{2}</text>{5}</svg>\n'
    )
    return str(whole.format(_WIDTH, height, title, _STYLE, _MARGIN, inner)).encode()
