"""Small logs of known systems, and a pull of them that checks what must always hold."""

import gzip
import json
from pathlib import Path

from corpus.pull import pull
from corpus.stage import read_report, read_rows, rejects_path
from schemas.conversation import Conversation
from schemas.settings import SourceSettings

KEY = b"a key of sixteen bytes"


def sharegpt(n: int, text: str = "Why is the sky blue?") -> dict:
    turns = [{"from": "human", "value": f"{text} ({n})"}, {"from": "gpt", "value": "Because blue light scatters most."}]
    return {"id": f"row_{n}", "conversations": turns}


def openai(n: int, **more) -> dict:
    messages = [{"role": "user", "content": f"Question {n}?"}, {"role": "assistant", "content": "Answer."}]
    return {"id": f"chat-{n}", "messages": messages, **more}


def lines(*records: dict) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def run(folder: Path, *paths: str, is_night: bool = False, licences=(), type=None, **terms):
    sources = [SourceSettings(name=f"s{n}", path=path, type=type, **terms) for n, path in enumerate(paths)]
    output = folder / "out" / "pulled.parquet"
    report = pull(
        sources,
        output,
        root=folder,
        subject_key=KEY,
        max_record_mb=1,
        licences=licences,
        hold_unconsented=is_night,
    )
    assert read_report(output) == report or read_report(output).to_json() == report.to_json()
    rows = list(read_rows(output))
    rejects = list(read_rows(rejects_path(output)))
    assert report.n_in == len(rows) + len(rejects)
    for row in rows:
        conversation = Conversation.from_json(json.loads(row["tree"]))
        assert conversation.id == row["conversation_id"]
        assert [{"role": turn.role, "content": turn.content} for turn in conversation.turns()] == row["messages"]
    return report, rows, rejects


def quarantine(folder: Path) -> list[dict]:
    file = folder / "out" / "pulled.quarantine.jsonl"
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def chatgpt(n: int) -> dict:
    def node(key, parent, role, text):
        content = {"content_type": "text", "parts": [text]}
        return {"id": key, "parent": parent, "children": [], "message": {"author": {"role": role}, "content": content}}

    mapping = {"u": node("u", None, "user", f"Hello {n}"), "a": node("a", "u", "assistant", "Hi!")}
    return {"conversation_id": f"c{n}", "mapping": mapping, "current_node": "a", "create_time": 1793525400.5}


_whole = [
    lines(openai(1), openai(2)),
    json.dumps([sharegpt(n) for n in range(3)]).encode(),
    json.dumps([chatgpt(1)]).encode(),
]

_whole += [gzip.compress(lines(openai(1))), json.dumps({"data": [sharegpt(1)]}, indent=1).encode()]
