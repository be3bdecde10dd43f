"""A rating from cheap features: what the judge ships with until a head is trained on people's decisions.

A 135M model asked for a rating answers at chance, so its word is recorded but does not count here. What counts can be
read off the text (length up to what an answer needs, relevance, variety, loops, how it ends, refusals) and off the
likelihood of the assistant's words. Ordinary chats land between 6 and 9, curt ones around 4, junk below 3. It says
little about truth. Weights are data: judges/heads/cheap.toml.
"""

from __future__ import annotations

import math
import re
import tomllib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.canonical import digest
from schemas.conversation import Turn

DEFAULT_HEAD = Path(__file__).parent / "heads" / "cheap.toml"
ENOUGH_WORDS = 120
"""Words of an answer after which length is no merit any more (benchmarks/judge_agreement.py prints the quantiles of the
answers that people preferred)."""

_WORD = re.compile(r"\w+")
_REFUSAL = re.compile(
    r"\b(as an ai( language)? model|i('m| am) (sorry|unable|not able)|i can(no|')t (help|assist|do|provide|answer))",
    re.I,
)
_ABOUT_RATING = re.compile(
    r"\b(rat(e|ing|ed)|scor(e|ed|ing)|judge|evaluat(or|ion))\b.{0,60}\b(10|ten|perfect|highest|maximum)\b"
    r"|\b10\s*/\s*10\b|\b10 out of 10\b|<\|im_|\brating\s*:\s*\d",
    re.I | re.S,
)
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True)
class Head:
    """The weights of the scorer, with the digest that verdicts name."""

    name: str
    digest: str
    bias: float
    weights: Mapping[str, float]
    common_words: frozenset[str]


def load_head(path: Path = DEFAULT_HEAD) -> Head:
    """The weights in a TOML file."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    name = f"{table['id']}-{table['version']}"
    return Head(name, digest(table), table["bias"], table["weights"], frozenset(table["common_words"].split()))


def text_features(turns: Sequence[Turn], head: Head) -> dict[str, float]:
    """What can be read off the text, each between 0 and 1."""
    answers = [turn.content for turn in turns if turn.role == "assistant"]
    questions = [turn.content for turn in turns if turn.role == "user"]
    said = "\n".join(answers)
    words = _words(said)
    n_words = (len(words) - len(_UNSPACED.findall(said)) / 2) / max(1, len(answers))
    whole = "\n".join(turn.content for turn in turns if turn.role != "system")
    return {
        "answer_length": min(1.0, math.log1p(n_words) / math.log1p(ENOUGH_WORDS)),
        "relevance": _relevance("\n".join(questions), said, head.common_words),
        "variety": min(1.0, len(set(words)) / max(1.0, len(words) ** 0.8)),
        "compressible": _compressible(said),
        "ending": _ending(answers[-1] if answers else ""),
        "refusal": float(bool(_REFUSAL.search(said[:400]))),
        "about_rating": float(bool(_ABOUT_RATING.search(whole))),
        "shouting": min(1.0, 3 * sum(c.isupper() for c in said) / max(1, sum(c.isalpha() for c in said)))
        if said
        else 0.0,
    }


def _words(text: str) -> list[str]:
    """Lower-case words; of scripts without spaces each character."""
    return _WORD.findall(_UNSPACED.sub(lambda found: f" {found[0]} ", text.lower()))


def _relevance(question: str, answer: str, common: frozenset[str]) -> float:
    asked = {word[:6] for word in _words(question)[:400]} - common
    found = {word[:6] for word in _words(answer)}
    return min(1.0, 2 * len(asked & found) / max(4, min(len(asked), 24)))


def _compressible(text: str) -> float:
    """1 for ordinary prose (deflate leaves 40 % or more of 1 kB), 0 for a loop (under 10 %)."""
    raw = text.encode("utf-8", "replace")[:8000]
    if len(raw) < 200:
        return 1.0
    return min(1.0, max(0.0, (len(zlib.compress(raw, 6)) / len(raw) - 0.1) / 0.25))


def _ending(answer: str) -> float:
    last = answer.rstrip()
    if not last or last.count("```") % 2:
        return 0.0
    if last[-1] in ".!?:)]}`\"'»”’*|。！？…।؟" or len(last.splitlines()[-1]) < 60 and "\n" in last:
        return 1.0
    return 0.3


def likelihood_features(logprob: float) -> dict[str, float]:
    """Fluency from the mean log-likelihood a token: 0 at -5 (noise), 1 at -2 (plain prose); 0.5 where unknown."""
    return {"fluency": 0.5 if math.isnan(logprob) else min(1.0, max(0.0, (logprob + 5) / 3))}


def rate(features: Mapping[str, float], head: Head) -> float:
    """The rating from 1 to 10, with two decimals."""
    logit = head.bias + sum(weight * features[name] for name, weight in head.weights.items())
    return round(1 + 9 / (1 + math.exp(-logit)), 2)


def criteria(features: Mapping[str, float]) -> dict[str, float]:
    """Ratings from 1 to 10 by criterion of the rubric that ships, from the features that speak of it."""
    parts = {
        "relevance": (features["relevance"], 1 - features["refusal"]),
        "completeness": (features["answer_length"], features["ending"]),
        "form": (features["compressible"], features["variety"], features["fluency"]),
        "honesty": (1 - features["about_rating"],),
    }
    return {name: round(1 + 9 * sum(values) / len(values), 1) for name, values in parts.items()}
