"""The decisions as a chat-format fine-tuning set that teaches a language model to answer the rubric's question.

A line is `{"messages": [system, user, assistant]}` as every trainer of chat models reads it: the system message is the
rubric, the user's the fenced conversation and the question, just as judges/endpoint.py asks it, and the assistant's the
answer: the rating, then the reviewers' words where they gave any. So any model can be fine-tuned to be the judge behind
an endpoint. Lessons of the frozen part are never among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from judges.endpoint import user_text
from judges.lessons import Lesson
from judges.rubric import Rubric
from schemas.canonical import canonical_bytes

KEPT, MENDED, REJECTED = 9, 4, 2
"""What is kept, what a reviewer found worth mending, and what is rejected, of 10.

The ends of the scale stay free for what is better or worse than a yes and a no; 5 is the rubric's word for mediocre,
and an original that had to be mended is below it.
"""

MAX_REASON = 300
"""Characters of a reviewer's words: two or three sentences."""


def sft_lines(found: Iterable[Lesson], rubric: Rubric) -> Iterator[bytes]:
    """One canonical JSON line a lesson that is not frozen, in the order given."""
    for lesson in found:
        if not lesson.is_frozen:
            yield canonical_bytes({"messages": list(_messages(lesson, rubric))}) + b"\n"


def _messages(lesson: Lesson, rubric: Rubric) -> Iterator[dict[str, Any]]:
    yield {"role": "system", "content": rubric.system_text()}
    yield {"role": "user", "content": user_text(lesson.turns, rubric)}
    yield {"role": "assistant", "content": answer(lesson)}


def rating_of(lesson: Lesson) -> int:
    """1 to 10: between `REJECTED` (or `MENDED`, if a reviewer edited it) and `KEPT` by the share who keep it."""
    low = MENDED if lesson.is_mended else REJECTED
    return round(low + (KEPT - low) * lesson.keep)


def answer(lesson: Lesson) -> str:
    """What the model is to say: `Rating: 2`, and on the next lines the reviewers' words, if they gave any.

    The rating stands first, because an endpoint judge reads only the first tokens of a reply.
    """
    words = [_one_line(reason) for reason in lesson.reasons]
    said = [f"Reason: {reason}" for reason in dict.fromkeys(words) if reason]
    return "\n".join([f"Rating: {rating_of(lesson)}", *said])


def _one_line(reason: str) -> str:
    """A reviewer's words without line breaks and control tokens; numbers become "n": only one rating is said."""
    text = re.sub(r"<\|[^|<>]{0,40}\|>|\[/?INST\]|</?s>", " ", reason)
    return re.sub(r"\d[\d.,]*", "n", " ".join(text.split()))[:MAX_REASON].strip()
