"""Gopher's measures of repetition (Rae et al. 2021, table A1), on words instead of characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from corpus.rules.catalogue import Rule
from corpus.words import Words, mix, word_hashes


def repeated_share(pieces: list[str]) -> tuple[float, float]:
    """The share of pieces that occurred before, and the share of characters that these have."""
    seen: set[str] = set()
    n_repeated = n_characters = 0
    for piece in pieces:
        if piece in seen:
            n_repeated += 1
            n_characters += len(piece)
        seen.add(piece)
    total = sum(map(len, pieces))
    return (n_repeated / len(pieces), n_characters / total) if total else (0.0, 0.0)


def repeated_lines(answers: list[str], rule: Rule) -> str | None:
    """Evidence that lines or paragraphs come again within answers, None where they do not."""
    for unit, separator in (("line", "\n"), ("paragraph", "\n\n")):
        split = [[p.strip() for p in answer.split(separator) if _says_something(p)] for answer in answers]
        counted = [pieces for pieces in split if len(pieces) >= rule.number(f"{unit}s_min")]
        if not counted:
            continue
        shares = [repeated_share(pieces) for pieces in counted]
        worst, worst_characters = max(share for share, _ in shares), max(share for _, share in shares)
        if worst > rule.number(f"{unit}_share_max") or worst_characters > rule.number(f"{unit}_characters_max"):
            return f"{worst:.2f} of an answer's {unit}s, {worst_characters:.2f} of their characters"
    return None


def _says_something(line: str) -> bool:
    """Whether a line has a letter or digit: rules, blank bullets and borders repeat by nature."""
    return any(character.isalnum() for character in line)


def repeated_ngrams(answers: list[str], rule: Rule) -> str | None:
    """Evidence that word sequences come again within an answer, None where they do not."""
    for hashes, answer in zip(word_hashes(answers), answers, strict=True):
        if len(hashes) >= rule.number("words_min"):
            scale = 1 if is_mostly_ascii(answer, len(hashes)) else 2
            if found := next(_excess(hashes, rule, scale), None):
                return found
    return None


def is_mostly_ascii(answer: str, n_words: int) -> bool:
    """Whether words have spaces between them: there is a space for every third word at least."""
    return answer.count(" ") + answer.count("\n") > n_words / 3


def _excess(hashes: Words, rule: Rule, scale: int) -> Iterator[str]:
    for n, share_max in enumerate(rule.values["top_share_max"], start=2):
        share = top_share(hashes, n * scale)
        if share > share_max:
            yield f"one sequence of {n * scale} words is {share:.2f} of an answer"
    for n, share_max in enumerate(rule.values["duplicate_share_max"], start=5):
        share = duplicate_share(hashes, n * scale)
        if share > share_max:
            yield f"sequences of {n * scale} words that come again are {share:.2f} of an answer"
        if share <= min(rule.values["duplicate_share_max"]):
            return  # longer sequences that come again lie within the shorter ones


def _ngrams(hashes: Words, n: int) -> Words:
    combined = np.zeros(max(0, len(hashes) - n + 1), np.uint64)
    for at in range(n):
        combined = mix(combined + hashes[at : at + len(combined)])
    return combined


def top_share(hashes: Words, n: int) -> float:
    """The share of words that the commonest sequence of n words covers, 0 when none comes twice."""
    grams = _ngrams(hashes, n)
    if len(grams) < 2:
        return 0.0
    most = (
        Counter(grams.tolist()).most_common(1)[0][1]
        if len(grams) < 64
        else int(np.unique(grams, return_counts=True)[1].max())
    )
    return min(1.0, most * n / len(hashes)) if most > 1 else 0.0


def duplicate_share(hashes: Words, n: int) -> float:
    """The share of words that lie in a sequence of n words which stood in the answer before."""
    grams = _ngrams(hashes, n)
    if not len(grams):
        return 0.0
    _, firsts = np.unique(grams, return_index=True)
    again = np.ones(len(grams), bool)
    again[firsts] = False
    covered = np.zeros(len(hashes) + 1, np.int64)
    np.add.at(covered, np.flatnonzero(again), 1)
    np.add.at(covered, np.flatnonzero(again) + n, -1)
    return float(np.count_nonzero(np.cumsum(covered[:-1])) / len(hashes))
