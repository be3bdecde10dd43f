"""The night's page: one HTML file that says what was kept, what was dropped and why. It works offline, from anywhere.

`build_report` gathers the facts, `render` writes them as HTML. The page holds no script and loads nothing: its content
security policy forbids both, and the text of conversations is shown by corpus/readable.py, which makes nothing live.
The same night gives the same bytes: no clock is read.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from corpus.charts import PATTERNS, meter
from corpus.gather import build_report
from corpus.night_facts import NightFacts
from corpus.page import wording
from corpus.page.view import NightView
from corpus.page.words import STEP_MEANINGS
from corpus.readable import headline, name
from corpus.stage import write_atomically
from schemas.verdict import RATING_MAX, RATING_MIN

__all__ = ["NightFacts", "build_report", "render", "write_report"]

_PAGE = Path(__file__).parent / "page"


def write_report(night_folder: Path, output: Path) -> Path:
    """Writes the page of a night and gives its path.

    Raises:
        InputError: there is no such night, or a file of it is damaged. CorpusError: the page cannot be written.
    """
    write_atomically(output, render(build_report(night_folder)).encode())
    return output


def render(facts: NightFacts) -> str:
    """The page as HTML."""
    style = Markup((_PAGE / "style.css").read_text(encoding="utf-8"))  # noqa: S704 (our own)
    return _template().render(facts=facts, page=NightView(facts), style=style)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "duration": wording.duration,
        "in_words": wording.in_words,
        "lower_first": wording.lower_first,
        "name": name,
        "number": wording.number,
        "or_dash": lambda n: wording.number(n) if n else "–",
        "percent": wording.percent,
        "rate": wording.rate,
        "rating": wording.rating_text,
        "sentence": wording.sentence,
        "title_line": lambda text: headline(text, 90),
        "upper_first": wording.upper_first,
    }
    environment.globals |= {
        "language_name": wording.language_name,
        "meanings": STEP_MEANINGS,
        "meter": meter,
        "patterns": PATTERNS,
        "rating_max": RATING_MAX,
        "rating_min": RATING_MIN,
    }
    return environment.get_template("night.html.j2")
