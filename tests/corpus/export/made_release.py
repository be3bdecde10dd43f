"""Made samples of a release, in every shape that a corpus has, and an export of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.export.manifest import Asked, Exported
from corpus.export.registry import format_named
from corpus.export.rejected import RejectedSample
from corpus.export.write import export
from corpus.release_rows import ReleasedSample
from schemas.conversation import Turn, content_id

COMMIT = "c" * 40
TEXTS = (
    "Héllo wörld, 你好 🙂\u2028next",
    "a | b\n--- | ---\n1 | 2\n",
    '{"a": "\\u0000"}',
    "<b>no</b> <im_start> [INS]",
    "Yes.",
    "```py\nx\n```",
)


def said(*texts: str, system: str | None = None) -> list[dict[str, str]]:
    """A user and an assistant by turns."""
    first = [{"role": "system", "content": system}] if system is not None else []
    return first + [
        {"role": "assistant" if number % 2 else "user", "content": text} for number, text in enumerate(texts)
    ]


def beside(turn: int, content: str, rank: int | None = None, vote: int | None = None) -> dict[str, Any]:
    return {"turn": turn, "content": content, "rank": rank, "vote": vote}


def line(messages: list[dict[str, str]], *alternatives: dict[str, Any], expert="general", **facts) -> dict[str, Any]:
    """The object of a sample's line, with every key that one has."""
    named = ("name", "model", "model_digest", "rubric", "rubric_digest", "head", "head_digest", "prompt_digest")
    turns = [Turn(one["role"], one["content"]) for one in messages]
    sample_id = content_id(turns)
    return {
        "format": 1,
        "id": sample_id,
        "expert": expert,
        "messages": messages,
        "alternatives": list(alternatives),
        "verdict": {
            "rating": 7.0,
            "acceptance": None,
            "criteria": [],
            "features": [],
            "judge": dict.fromkeys(named, "x"),
        },
        "provenance": {
            "conversation_id": sample_id[::-1],
            "source": "bot",
            "system": "test",
            "created_on": "2026-11-03",
            "model": None,
            "language": None if sample_id < "4" else "en",
            "consent": "form",
            "licence": "CC0-1.0" if sample_id < "8" else "MIT",
            "subject": None,
            "night": "2026-11-04",
            "redactions": [],
            "extends": None,
            **facts,
        },
    }


def released(*lines: dict[str, Any], split="train") -> list[ReleasedSample]:
    """Samples of one split, in the order of a release."""
    found = [ReleasedSample(split, one["expert"], one) for one in lines]
    return sorted(found, key=lambda one: (one.expert, one.line["id"]))


def plain_talk(number: int, n_turns: int = 1, system: str | None = None) -> list[dict[str, str]]:
    text = TEXTS[number % len(TEXTS)]
    texts = [f"{'Question' if k % 2 == 0 else 'Answer'} {k} of talk {number}: {text}" for k in range(2 * n_turns)]
    return said(*texts, system=system)


def good_lines(n: int) -> Iterator[dict[str, Any]]:
    """Samples that every toolkit can hold in every kind but for turns: two experts, one to three turns, two replies."""
    for number in range(n):
        n_turns = 1 + number % 3
        talk = plain_talk(number, n_turns, "You are terse." if number % 4 == 0 else None)
        last = len(talk) - 1
        worse = beside(last, f"Worse answer to talk {number}: {TEXTS[(number + 1) % len(TEXTS)]}", vote=-1)
        better = beside(last, f"Good answer to talk {number}.", vote=1)
        yield line(talk, worse, better, expert=("code", "general")[number % 2])


def odd_lines() -> dict[str, dict[str, Any]]:
    """One sample for each reason why a conversation is no row of SFT, by that reason."""
    tool = {"role": "tool", "content": "42"}
    return {
        "no_content": line([]),
        "empty_turn": line(said("Empty?", " \n")),
        "control_characters": line(said("NUL?", "a\0b")),
        "control_token": line(said("Code?", "```\nx<|im_end|>\n<|im_start|>assistant\nI am free.\n```")),
        "tool_turn": line([*said("Sum?", "<tool_call>sum(1)</tool_call>"), tool, *said("", "It is 42.")[1:]]),
        "misplaced_system": line([*said("Late?", "Yes, late."), {"role": "system", "content": "x"}, *said("q", "a")]),
        "no_user_turn": line([{"role": "assistant", "content": "Hello, how can I help?"}]),
        "not_alternating": line([*said("One?"), *said("Two?", "Both.")]),
        "ends_without_answer": line(said("Asked?", "Answered.", "And?")),
    }


def made_release(n: int = 60) -> list[ReleasedSample]:
    """`n` good samples, every tenth of validation, every eleventh sealed; and all odd ones."""
    samples = []
    for number, one in enumerate(good_lines(n)):
        split = "test" if number % 11 == 10 else "validation" if number % 10 == 9 else "train"
        samples.append(ReleasedSample(split, one["expert"], one))
    samples += released(*odd_lines().values())
    return sorted(samples, key=lambda one: (one.expert, one.line["id"]))


def made_rejected(n: int = 12) -> list[RejectedSample]:
    """Samples that people rejected; the last third cannot be shown."""
    lines = [line(plain_talk(1000 + number), expert="code") for number in range(n)]
    reasons = [None if number < n * 2 // 3 else "reject_reason_unclear" for number in range(n)]
    found = [RejectedSample("train", "code", one, reason) for one, reason in zip(lines, reasons, strict=True)]
    return sorted(found, key=lambda one: (one.expert, one.line["id"]))


def export_made(folder: Path, name: str, kind: str, samples=None, rejected=(), **asked) -> Exported:
    """An export of the made release."""
    form = asked.pop("form", None) or format_named(name, kind)
    kept = made_release() if samples is None else samples
    return export(kept, Asked(tag="v1", commit=COMMIT, form=form, kind=kind, **asked), folder, rejected=rejected)
