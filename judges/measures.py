"""What can be measured on a conversation's text without a model.

Each is between 0 and 1, is taken for every answer beside the question before it, and is averaged: half the last
answer, half the mean of all, because the last answer is what a cut or a derailment damages. Sentences that talk to
whoever rates are taken out before anything is measured, so that they can only lower a rating (`steering`), never raise
one by their length or their words.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.conversation import Turn

VERSION = 1
"""Of the features' definitions; part of the head's digest, so a change makes new verdicts."""

SATURATION_WORDS = 150
"""Answers stop gaining by length here; PandaLM's preferred answers have a median of 29 words, so most of what length
says about quality is said by then, and padding a long answer gains nothing."""

MAX_CHARACTERS = 20_000
"""Of one text that are measured, half from each end: bounds the time that one conversation can cost."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*\n*|\n+")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

_RATES = (
    r"rat(?:e|es|ed|ing|ings)|scor(?:e|es|ed|ing)|grad(?:e|es|ed|ing)|mark(?:s|ed)?|verdict|judg(?:e|es|ed|ing|e?ment)"
)
_RATER = r"judges?|raters?|graders?|reviewers?|evaluators?|annotators?|curators?|moderators?"
_TARGET = (
    r"(?:(?:this|the|our|my|these|that)\s+(?:\w+\s+){0,2}"
    r"(?:conversation|chat|dialog(?:ue)?|answer|repl(?:y|ies)|response|sample|example|exchange|transcript))"
)
_STEERING = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:10|ten)\s*(?:/|out\s+of|of)\s*(?:10|ten)\b",
        r"\b\d{1,3}\s*/\s*10\b",
        rf"\b(?:{_RATES})\b[^.!?\n]{{0,60}}\b{_TARGET}",
        rf"{_TARGET}[^.!?\n]{{0,60}}\b(?:{_RATES})\b",
        rf"\b(?:{_RATER})\b[^.!?\n]{{0,60}}\b(?:{_RATES}|give|assign|keep|accept|approve|select|perfect|highest|maximum|must|should)\b",
        rf"\b(?:dear|attention|note\s+to|hey|hello|hi|to)\s+(?:the\s+|all\s+|any\s+)?(?:{_RATER})\b",
        rf"\b(?:highest|maximum|max|top|perfect|full|best)\s+(?:possible\s+)?(?:{_RATES})\b",
        r"\b(?:give|award|assign|output|print|answer|reply|respond|return|say)\b[^.!?\n]{0,40}\b(?:10|ten)\b",
        rf"\b(?:{_RATES})\s*(?:is|of|:|=|to|at)\s*(?:a\s+)?[\"'*]*(?:10|ten|9|nine|perfect|maximum)\b",
        r"\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,40}\b(?:instructions?|rubrics?|rules|prompts?|criteria|guidelines|above|previous|prior)\b",
        r"\b(?:system\s+(?:override|prompt|message|note)|new\s+instructions?|end\s+of\s+(?:the\s+)?(?:conversation|chat|transcript))\b",
        r"\b(?:fine-?tuning|training)\s+(?:data|set|corpus|sample|example)s?\b[^.!?\n]{0,60}\b(?:perfect|ideal|excellent|suitable|best|high(?:est)?|must|include|keep|accept)\b",
        r"\b(?:perfect|ideal|excellent|suitable|best|include|keep|accept)\b[^.!?\n]{0,60}\b(?:fine-?tuning|training)\s+(?:data|set|corpus|samples?|examples?)\b",
        r"<\|[a-z_]+\|>|\[/?INST\]|<</?SYS>>",
    )
)
_FLATTERY = re.compile(
    r"\b(?:what\s+an?\s+(?:amazing|brilliant|excellent|fantastic|incredible|wonderful)\s+(?:question|idea)"
    r"|you(?:'|’)?(?:re|\s+are)\s+(?:so|absolutely|incredibly|truly)\s+(?:smart|brilliant|right|amazing|insightful)"
    r"|(?:great|excellent|brilliant|fantastic)\s+question)\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:i(?:'|’)?m\s+(?:very\s+)?sorry|i\s+apologi[sz]e|i\s+(?:can(?:'|’)?t|can\s*not|am\s+(?:unable|not\s+able)\s+to|won(?:'|’)?t)"
    r"|as\s+an?\s+(?:ai|artificial|large)\b|unfortunately,?\s+i|i\s+do(?:n(?:'|’)?t|\s+not)\s+(?:know|have|understand))",
    re.IGNORECASE,
)
_ENDING = re.compile(r"[.!?…:;)\]}\"'”’»`*_|>~。！？）」』\d]\s*$")
_COMMON = frozenset(
    [
        "about",
        "above",
        "after",
        "again",
        "also",
        "another",
        "because",
        "been",
        "before",
        "being",
        "between",
        "both",
        "could",
        "does",
        "doing",
        "down",
        "during",
        "each",
        "every",
        "example",
        "explain",
        "find",
        "following",
        "from",
        "further",
        "give",
        "given",
        "have",
        "having",
        "here",
        "into",
        "just",
        "know",
        "like",
        "list",
        "make",
        "many",
        "more",
        "most",
        "much",
        "need",
        "only",
        "other",
        "ourselves",
        "over",
        "please",
        "provide",
        "same",
        "sentence",
        "should",
        "show",
        "some",
        "such",
        "tell",
        "than",
        "that",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "under",
        "until",
        "using",
        "very",
        "want",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "will",
        "with",
        "would",
        "write",
        "your",
        "yourself",
    ]
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """An answer and the user's words before it, both without what talks to the rater."""

    question: str
    answer: str
    n_steering: int


def measure(turns: Sequence[Turn]) -> dict[str, float]:
    """The features by name, rounded to 4 digits; empty when nobody answers."""
    said = list(exchanges(turns))
    if not said:
        return {}
    measured = [measure_exchange(exchange) for exchange in said]
    names = measured[0]
    averaged = {n: 0.5 * measured[-1][n] + 0.5 * sum(m[n] for m in measured) / len(measured) for n in names}
    averaged["repeats_itself"] = max(m["repeats_itself"] for m in measured)
    averaged["steering"] = float(any(exchange.n_steering for exchange in said))
    averaged["answers_alike"] = _answers_alike([exchange.answer for exchange in said])
    return {name: round(value, 4) for name, value in sorted(averaged.items())}


def without_steering(text: str) -> tuple[str, int]:
    """A text without its sentences that talk to whoever rates it, and their number."""
    sentences = _SENTENCE.findall(text)
    kept = [sentence for sentence in sentences if not any(pattern.search(sentence) for pattern in _STEERING)]
    return "".join(kept), len(sentences) - len(kept)


def _bounded(text: str) -> str:
    half = MAX_CHARACTERS // 2
    return text if len(text) <= MAX_CHARACTERS else text[:half] + "\n" + text[-half:]


def exchanges(turns: Sequence[Turn]) -> Iterator[Exchange]:
    """Each answer with the turn before it, in order."""
    question, n_before = "", 0
    for turn in turns:
        text, n_steering = without_steering(_bounded(turn.content))
        if turn.role == "assistant":
            yield Exchange(question, text, n_before + n_steering)
            n_before = 0
        else:
            question, n_before = text, n_before + n_steering


def words(text: str) -> list[str]:
    """Words in lower case; scripts without spaces count a character as a word."""
    return [word for run in _WORD.findall(text.lower()) for word in (run if _WIDE.search(run) else [run])]


def _stems(tokens: Sequence[str]) -> list[str]:
    """Distinct content words, first five letters, in order: `explains` meets `explained`."""
    return list(
        dict.fromkeys(word[:5] for word in tokens if (len(word) > 3 and word not in _COMMON) or _WIDE.match(word))
    )


ANSWER_FIGURES = (
    "length", "is_thin", "on_topic", "new_words", "echoes_question", "repeats_itself", "refuses", "flatters", "is_cut",
    "is_structured", "debris",
)  # fmt: skip
"""The names of `measure_exchange`, in order."""


def measure_exchange(exchange: Exchange) -> Mapping[str, float]:
    """The figures of one answer, each between 0 and 1."""
    answer, question = words(exchange.answer), words(exchange.question)
    return {
        "length": min(len(answer), SATURATION_WORDS) / SATURATION_WORDS,
        "is_thin": max(0.0, 1 - len(answer) / 12),
        "on_topic": _on_topic(question, answer),
        "new_words": _new_words(question, answer),
        "echoes_question": _echo(question, answer),
        "repeats_itself": _repetition(exchange.answer, answer),
        "refuses": float(bool(_REFUSAL.search(exchange.answer[:200]))),
        "flatters": float(bool(_FLATTERY.search(exchange.answer[:200]))),
        "is_cut": float(_is_cut(exchange.answer, answer)),
        "is_structured": _structure(exchange.answer),
        "debris": _debris(exchange.answer),
    }


def _on_topic(question: Sequence[str], answer: Sequence[str]) -> float:
    """The share of the question's first 20 content words that the answer takes up; one half where there are none."""
    asked = _stems(question)[:20]
    said = set(_stems(answer))
    return sum(stem in said for stem in asked) / len(asked) if asked else 0.5


def _new_words(question: Sequence[str], answer: Sequence[str]) -> float:
    """The share of the answer's content words that the question lacks; an echo adds none."""
    said, asked = _stems(answer), set(_stems(question))
    return sum(stem not in asked for stem in said) / len(said) if said else 0.0


def _echo(question: Sequence[str], answer: Sequence[str]) -> float:
    asked, said = _runs(question, 4), list(_runs(answer, 4))
    return sum(run in asked for run in said) / len(said) if said else 0.0


def _runs(tokens: Sequence[str], n: int) -> dict[tuple[str, ...], None]:
    return dict.fromkeys(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def _repetition(text: str, tokens: Sequence[str]) -> float:
    """The share of word 4-grams that were said before, or what zlib saves beyond a factor of 4, whichever is more.

    Prose compresses by a factor of 2 to 3 with zlib; a loop by 10 and more.
    """
    n_runs = len(tokens) - 3
    repeated = 1 - len(_runs(tokens, 4)) / n_runs if n_runs > 0 else 0.0
    encoded = text.encode("utf-8", "replace")
    factor = len(encoded) / len(zlib.compress(encoded, 6)) if len(encoded) > 200 else 1.0
    return max(repeated, min(1.0, max(0.0, 1 - 4 / factor)))


def _is_cut(text: str, tokens: Sequence[str]) -> bool:
    """An odd number of code fences, or more than 12 words without an ending."""
    stripped = text.rstrip()
    return stripped.count("```") % 2 == 1 or (len(tokens) > 12 and not _ENDING.search(stripped))


def _structure(text: str) -> float:
    marks = len(re.findall(r"^\s*(?:[-*•]|\d+[.)])\s+\S|^#+\s|^```|\n\n", text, re.MULTILINE))
    return min(1.0, marks / 4)


def _debris(text: str) -> float:
    """The share of characters that no prose or code needs: controls, replacement characters, runs of one sign."""
    if not text:
        return 1.0
    odd = sum(
        len(run) for run in re.findall(r"[\x00-\x08\x0e-\x1f\ufffd]|&(?:nbsp|amp|lt|gt|quot);|([^\w\s])\1{5,}", text)
    )
    return min(1.0, 10 * odd / len(text))


def _answers_alike(answers: Sequence[str]) -> float:
    """The share of answers that say the same as another one."""
    return 1 - len({" ".join(words(answer)) for answer in answers}) / len(answers)
