"""screen: pulled conversations in; kept, dropped or held out, with personal data and secrets redacted.

The order: repairs (NUL characters, answers in a row, a greeting before the question), rules on the order of turns,
redaction of the whole tree, rules on the text as it would be published. The rules are documented in
corpus/screen_rules.toml, the redaction in corpus/redact.py. Rows keep their order; equal rows give equal bytes,
however many processes share the work.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from corpus.redact import NotRedactable, TooManyValues, redact
from corpus.rules import answers, structure, text
from corpus.rules.catalogue import Rule, check_names, rules
from corpus.rules.language import NO_LANGUAGE, language_of
from corpus.rules.repetition import repeated_lines, repeated_ngrams
from corpus.rules.talk import Talk
from corpus.screen_pool import in_processes, n_workers
from corpus.stage import Row, run_step
from corpus.words import word_hashes
from schemas.canonical import canonical_bytes
from schemas.conversation import Conversation, Turn, content_id
from schemas.outcome import Dropped, Held, Kept, Outcome, StepReport
from schemas.settings import ScreenSettings
from schemas.tables import PULLED, SCREENED

_TEXT_RULES: dict[str, Callable[[Talk, Rule], str | None]] = {
    "control_characters": text.control_characters,
    "chat_template": text.chat_template,
    "mojibake": text.mojibake,
    "error_text": answers.error_text,
    "refusal": answers.refusal,
    "boilerplate": answers.boilerplate,
    "truncated": answers.truncated,
    "markup": text.markup,
    "advert": answers.advert,
    "repeated_lines": lambda talk, rule: repeated_lines(talk.answers, rule),
    "repeated_ngrams": lambda talk, rule: repeated_ngrams(talk.answers, rule),
    "symbols": text.symbols,
    "word_length": text.word_length,
    "letters": text.letters,
}

Screened = tuple[Row | None, Outcome[None], Counter[str]]
"""The columns that a kept row gets (None for the others), the outcome without them, and counts for the report."""


def screen(
    source: Path,
    output: Path,
    settings: ScreenSettings,
    *,
    on_row: Callable[[], None] | None = None,
    n_processes: int | None = None,
) -> StepReport:
    """Writes the screened rows of a pulled table and gives the counts.

    Args:
        source: a stage file with the columns of PULLED.
        output: where the rows with the columns of SCREENED go; the others go beside it.
        settings: limits, languages and the rules to switch off.
        on_row: called after each row.
        n_processes: worker processes; None: one a core for large inputs, else none.

    Raises:
        InputError: the input is missing or lacks columns. CorpusError: the output cannot be written.
        SettingsError: a disabled rule does not exist.
    """
    check_names(settings.disabled_rules)
    facts: Counter[str] = Counter()

    def transform(rows: Iterator[Row]) -> Iterable[tuple[Row, Outcome[Row]]]:
        work = partial(screen_trees, settings=settings)
        n_used = n_workers(source) if n_processes is None else n_processes
        for row, (columns, outcome, counts) in in_processes(rows, work, killed, n_used):
            facts.update(counts)
            yield row, Kept({**row, **columns}) if columns is not None else outcome  # type: ignore[misc]

    return run_step(
        "screen",
        source,
        output,
        needs=PULLED,
        gives=SCREENED,
        transform=transform,
        facts=lambda: _facts(facts),
        on_row=on_row,
    )


def _facts(counts: Counter[str]) -> dict[str, Any]:
    """Repairs, redactions and rules by name, each sorted."""
    kinds: dict[str, dict[str, int]] = {"repairs": {}, "redactions": {}, "rules": {}}
    for name in sorted(name for name, n in counts.items() if n):
        kind, _, rest = name.partition(":")
        kinds[kind][rest] = counts[name]
    return kinds


def screen_trees(trees: list[str], settings: ScreenSettings) -> list[Screened]:
    """What becomes of each of some conversations."""
    return [screen_row(tree, settings) for tree in trees]


def killed() -> Screened:
    """What becomes of a conversation that kills the process which screens it, by the memory it takes."""
    return None, Held("failed_screen", "the process that screened it died"), Counter()


def screen_row(tree: str, settings: ScreenSettings) -> Screened:
    """What becomes of one conversation, given as the JSON of its tree. Never raises for what the tree holds."""
    counts: Counter[str] = Counter()
    try:
        columns, outcome = _screened(tree, settings, counts)
    except TooManyValues as error:
        columns, outcome = None, Held("too_many_secrets", f"more than {settings.max_redactions} values: {error}")
    except NotRedactable:
        columns, outcome = None, Held("unredactable", "passages were found again after every replacement")
    except Exception as error:  # promise 1: what could not be screened does not leave; the class name holds no text
        columns, outcome = None, Held("failed_screen", type(error).__name__)
    return columns, outcome, counts


def _screened(tree: str, settings: ScreenSettings, counts: Counter[str]) -> tuple[Row | None, Outcome[None]]:
    enabled = {name: rule for name, rule in rules().items() if name not in settings.disabled_rules}
    conversation = _cleaned(tree, counts)
    conversation, repairs = structure.repaired(conversation, enabled.get("beginning"))
    for name, n in repairs.items():
        counts[f"repairs:{name}"] += n
    for name, evidence in structure.structure_faults(conversation, settings):
        if name in enabled:
            return None, _dropped(enabled[name], evidence, counts)
    if "length_max" in enabled and (fault := _far_too_long(conversation.turns(), settings)):
        return None, _dropped(enabled["length_max"], fault, counts)
    redacted = redact(conversation, values_max=settings.max_redactions)
    for kind, n in redacted.counts.items():
        counts[f"redactions:{kind}"] += n
    return _judged(redacted.conversation, redacted.counts, enabled, settings, counts)


_ESCAPED_CONTROL = re.compile(r"\\u00(?:0[0-8bcef]|1[0-9a-f]|7f|[89][0-9a-f])|[\x7f-\x84\x86-\x9f]")


def _cleaned(tree: str, counts: Counter[str]) -> Conversation:
    r"""The conversation without NUL (databases refuse it, Open WebUI removes it) and stray control characters.

    A text of which they are more than the rule allows keeps them, for the rule to find.
    """
    plain = orjson.loads(tree)
    if _ESCAPED_CONTROL.search(tree) or "\\f" in tree or "\\b" in tree:
        plain = _without_controls(plain, counts)
    return Conversation.from_json(plain)


def _without_controls(value: Any, counts: Counter[str]) -> Any:
    if isinstance(value, str):
        cleaned = text.without_controls(value, rules()["control_characters"])
        counts["repairs:characters_removed"] += len(value) - len(cleaned)
        return cleaned
    if isinstance(value, list):
        return [_without_controls(item, counts) for item in value]
    if isinstance(value, dict):
        return {_without_controls(key, counts): _without_controls(item, counts) for key, item in value.items()}
    return value


_WORD_START = re.compile(r"\S+")


def _far_too_long(turns: list[Turn], settings: ScreenSettings) -> str | None:
    """Evidence that no redaction would bring the text below the limit: it is not worth reading in full.

    A placeholder is one word and replaces at least one, and not half of a text is ever replaced.
    """
    limit = 2 * settings.max_words
    if sum(len(turn.content) for turn in turns) <= 2 * limit:
        return None
    n_words = 0
    for turn in turns:
        for _ in _WORD_START.finditer(turn.content):
            n_words += 1
            if n_words > limit:
                return f"more than {limit} words, at most {settings.max_words}"
    return None


def _judged(
    conversation: Conversation,
    redactions: Counter[str],
    enabled: dict[str, Rule],
    settings: ScreenSettings,
    counts: Counter[str],
) -> tuple[Row | None, Outcome[None]]:
    """The verdict of the rules on the text as it would be published."""
    turns = conversation.turns()
    talk = Talk(turns)
    n_words = sum(len(hashes) for hashes in word_hashes([turn.content for turn in turns]))
    for name, evidence in _length_faults(n_words, settings):
        if name in enabled:
            return None, _dropped(enabled[name], evidence, counts)
    for name, look in _TEXT_RULES.items():
        if name in enabled and (found := look(talk, enabled[name])):
            return None, _dropped(enabled[name], found, counts)
    label, confidence = language_of(talk)
    rule = rules()["language_known"]
    language = label if label != NO_LANGUAGE and confidence >= rule.number("confidence_min") else None
    for name, evidence in _language_faults(talk, label, confidence, language, settings):
        if name in enabled:
            return None, _dropped(enabled[name], evidence, counts)
    columns = {
        "model": conversation.model(),
        "language": language,
        "consent": conversation.consent,
        "n_messages": len(turns),
        "n_branches": conversation.n_branches(),
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        "tree": canonical_bytes(conversation.to_json()).decode(),
        "content_id": content_id(turns),
        "n_words": n_words,
        "redactions": orjson.dumps(dict(sorted(redactions.items()))).decode(),
    }
    return columns, Kept(None)


def _dropped(rule: Rule, evidence: str, counts: Counter[str]) -> Dropped:
    counts[f"rules:{rule.name}"] += 1
    return Dropped(rule.reason, f"{rule.name}: {evidence}")


def _length_faults(n_words: int, settings: ScreenSettings) -> Iterator[structure.Found]:
    if n_words < settings.min_words:
        yield "length_min", f"{n_words} words, at least {settings.min_words}"
    if n_words > settings.max_words:
        yield "length_max", f"{n_words} words, at most {settings.max_words}"


def _language_faults(
    talk: Talk, label: str, confidence: float, language: str | None, settings: ScreenSettings
) -> Iterator[structure.Found]:
    known = rules()["language_known"]
    n_letters = sum(map(str.isalpha, talk.prose_text[:10_000]))
    is_noise = label == NO_LANGUAGE and confidence >= known.number("confidence_min")
    if (settings.languages and language is None) or (is_noise and n_letters >= known.number("letters_min")):
        yield "language_known", f"{label} with confidence {confidence:.2f}"
    if settings.languages and language is not None and language not in settings.languages:
        yield "language_wanted", f"{language} with confidence {confidence:.2f}"
