"""The contrast of the review page, computed from the properties that it uses."""

import re
from importlib.resources import files

import pytest


def palettes() -> dict[str, dict[str, str]]:
    css = files("corpus.page").joinpath("review.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    read = [dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in (light, dark)]
    assert read[0].keys() == read[1].keys()
    return {"light": read[0], "dark": read[1]}


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: the ratio of relative luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


GROUNDS = ("ground", "raised", "sunk")
TEXTS = [
    *[(ink, ground) for ink in ("ink", "quiet", "accent") for ground in GROUNDS],
    *[(ink, "ground") for ink in ("keep", "reject", "edit")],
    *[(ink, "raised") for ink in ("keep", "reject", "edit")],
    *[("ink", f"{verdict}-ground") for verdict in ("keep", "reject", "edit")],
    *[("accent", f"{verdict}-ground") for verdict in ("keep", "reject", "edit")],
    ("reject", "reject-ground"), ("on-fill", "keep"), ("mark-ink", "mark"),
]  # fmt: skip
EDGES = [("edge", "ground"), ("focus", "ground"), ("focus", "raised"), ("bar", "sunk"), ("bar", "ground")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("one", "other", "least"), [*[(*t, 4.5) for t in TEXTS], *[(*e, 3.0) for e in EDGES]])
def test_colours_can_be_told_apart(scheme, one, other, least):
    """WCAG AA: 4.5 to 1 for text, 3 to 1 for edges of controls, focus and bars."""
    colours = palettes()[scheme]
    assert contrast(colours[one], colours[other]) >= least
