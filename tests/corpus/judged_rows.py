"""Rows of the stage tables for tests: real conversations made small, with every column filled."""

import json
from datetime import UTC, datetime
from pathlib import Path

import orjson

from corpus.stage import StageWriter
from schemas.canonical import canonical_bytes, short_id
from schemas.conversation import Conversation, Feedback, Message, Part, Source, content_id
from schemas.tables import JUDGED, SELECTED
from schemas.verdict import JudgeIdentity, Verdict

JUDGE = JudgeIdentity("scripted", "none", "0" * 64, "fitness 1", "1" * 64)


def message(name, parent, role, text, **facts):
    return Message(name, parent, role, (Part("text", text),), **facts)


def conversation(*texts, native_id="n", siblings=(), feedback=()):
    """A path of user and assistant in turn; `siblings` are further messages."""
    path = [
        message(str(n), str(n - 1) if n else None, "assistant" if n % 2 else "user", text)
        for n, text in enumerate(texts)
    ]
    return Conversation(
        source=Source("bot", "test", native_id),
        messages=(*path, *siblings),
        active_leaf=path[-1].id,
        feedback=tuple(feedback),
    )


def row(talk=None, *, rating=7.0, number=0, **columns):
    """A SELECTED row (which is a JUDGED row with `expert`)."""
    talk = talk or conversation(f"What is {number} plus {number}?", f"It is {2 * number}.", native_id=str(number))
    turns = talk.turns()
    said = {"criteria": {"clarity": rating}, "features": {"n_words": 5}, "n_tokens": 9, "seconds": 0.5}
    verdict = Verdict(rating, JUDGE, columns.get("acceptance"), **said)
    return {
        "conversation_id": talk.id,
        "source": "bot",
        "system": "test",
        "native_id": talk.source.native_id,
        "created_at": datetime(2026, 11, 3, 22, 15, tzinfo=UTC),
        "model": "small",
        "language": "en",
        "consent": "form",
        "licence": "CC0-1.0",
        "subject": None,
        "n_messages": len(turns),
        "n_branches": talk.n_branches(),
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        "tree": canonical_bytes(talk.to_json()).decode(),
        "content_id": content_id(turns),
        "n_words": 8,
        "redactions": json.dumps({"email": 1}),
        "n_duplicates": 0,
        "extends": None,
        "rating": rating,
        "acceptance": None,
        "verdict": canonical_bytes(verdict.to_json()).decode(),
        "expert": "general",
        **columns,
    }


def write(path: Path, rows, schema=JUDGED) -> Path:
    with StageWriter(path, schema) as writer:
        for one in rows:
            writer.write(one)
    return path


def write_selected(path: Path, rows) -> Path:
    return write(path, rows, SELECTED)


__all__ = ["Feedback", "conversation", "message", "orjson", "row", "short_id", "write", "write_selected"]
