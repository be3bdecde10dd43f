#!/usr/bin/env python3
"""Write examples/logs/ and examples/planted.json from examples/conversations/.

The conversations are Markdown files that a person can read and edit.  A file
begins with `to: a, b` (the logs its conversations may go to); then come the
conversations:

    # conversation: rice-on-the-hob
    plant: pii            (optional keys, one a line)
    ## user
    How much water for a cup of rice?
    ## assistant, first try
    (an answer that the user had regenerated: a sibling of the next one)
    ## assistant
    ...

Other headings: `## system`, `## thinking` (belongs to the next answer),
`## call NAME` and `## result NAME` (tool use), `## assistant, rank 1` (OASST).
`planting.toml` beside them says which conversations are copied, how they are
changed and where the copies go.

Nothing is random.  Every choice (day, time, user, model, id, log) comes from the
SHA-256 of a conversation's name, so that running this again gives the same
bytes and a new conversation moves no other.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from making.chatgpt import chatgpt
from making.conversation import Conversation, Row
from making.gateway import gateway
from making.lists import sharegpt, support_bot
from making.litellm import litellm
from making.oasst import oasst
from making.open_webui import open_webui
from making.planting import with_copies
from making.reading import read_markdown

HERE = Path(__file__).resolve().parent

WRITERS: dict[str, tuple[Callable[[Conversation], tuple[str, Any]], str]] = {
    "support-bot": (support_bot, "support-bot/{day}.jsonl"),
    "damaged": (support_bot, "support-bot/2026-11-03-damaged.jsonl"),
    "gateway": (gateway, "gateway/{day}.jsonl"),
    "open-webui": (open_webui, "open-webui/chat-export.json"),
    "chatgpt": (chatgpt, "chatgpt/conversations.json"),
    "sharegpt": (sharegpt, "sharegpt/shared.json"),
    "oasst": (oasst, "oasst/trees.jsonl"),
    "litellm": (litellm, "litellm/spend.jsonl"),
}
"""By log: what makes its native id and its row (LiteLLM: its rows), and the file below logs/."""

Files = dict[str, list[tuple[Conversation, str, Any]]]
"""By file: conversation, native id, row."""


def main() -> None:
    files = logged(conversations())
    shutil.rmtree(HERE / "logs", ignore_errors=True)
    for name, entries in files.items():
        write(HERE / "logs" / name, text_of(name, [row for *_, row in entries]))
        if "damaged" in name:
            entries.pop()  # its last row is cut and cannot be read
    summary = summary_of(files)
    write(HERE / "planted.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    for name, count in summary["files"].items():
        print(f"{count:4}  {name}")
    kinds = ", ".join(f"{kind} {count}" for kind, count in summary["kinds"].items())
    print(f"{summary['conversations']:4}  in all; {kinds}")


def conversations() -> list[Conversation]:
    """All that is written in conversations/, with the copies."""
    folder = HERE / "conversations"
    found = [c for path in sorted(folder.glob("*.md")) for c in read_markdown(path)]
    twice = [slug for slug, n in Counter(c.slug for c in found).items() if n > 1]
    if twice:
        raise SystemExit(f"two conversations of one name: {twice}")
    return with_copies(found, tomllib.loads((folder / "planting.toml").read_text("utf-8")))


def logged(found: list[Conversation]) -> Files:
    """The rows of all logs, in the order of time."""
    files: Files = {}
    for c in sorted(found, key=lambda c: (c.start, c.name)):
        if any(n.call for n in c.nodes) and c.to not in ("support-bot", "chatgpt"):
            raise SystemExit(f"{c.slug}: {c.to} has no tool calls here")
        if c.to == "litellm" and c.nodes[-1].role != "assistant":
            raise SystemExit(f"{c.slug}: litellm logs answers only")
        native, row = WRITERS[c.to][0](c)
        files.setdefault(file_of(c), []).append((c, native, row))
    return files


def file_of(c: Conversation) -> str:
    return WRITERS[c.to][1].format(day=c.start.strftime("%Y-%m-%d"))


def text_of(name: str, rows: list[Any]) -> str:
    if name.endswith(".json"):
        return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    if "damaged" in name:
        return damaged(rows)
    if "litellm" in name:
        rows = sorted((call for calls in rows for call in calls), key=lambda call: (call["endTime"], call["id"]))
    return "".join(line(row) + "\n" for row in rows)


def line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False)


def damaged(rows: list[Row]) -> str:
    """Good rows with the four kinds of damage that a log can have."""
    lines = [line(row) for row in rows]
    # lines 3, 5, 6 and 8 of the file
    lines.insert(2, lines[0][: len(lines[0]) // 3] + ' <<< disk full, 12 lines lost >>> "}')
    lines.insert(4, "")
    lines.insert(5, '"log rotated"')
    lines[-1] = lines[-1][: len(lines[-1]) * 2 // 3]
    return "\n".join(lines)  # and no line end after the last one


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))


def summary_of(files: Files) -> Row:
    """The content of planted.json."""
    native = {c.name: key for entries in files.values() for c, key, _ in entries}
    planted = [fact(c, name, native) for name, entries in sorted(files.items()) for c, *_ in entries if c.planted]
    counts = {"logs/" + name: len(entries) for name, entries in sorted(files.items())}
    return {
        "conversations": sum(counts.values()),
        "files": counts,
        "kinds": dict(sorted(Counter(one["kind"] for one in planted).items())),
        "damaged": {
            "file": "logs/support-bot/2026-11-03-damaged.jsonl",
            "invalid_line": 3,
            "blank_line": 5,
            "bare_string_line": 6,
            "truncated_last_line": 8,
            "good_conversations": 4,
        },
        "planted": planted,
    }


def fact(c: Conversation, file: str, native: dict[str, str]) -> Row:
    """What was planted in a conversation."""
    found = {"id": native[c.name], "file": "logs/" + file, "name": c.slug, **c.planted}
    if "of" in found:
        original = found["of"]
        found["of"] = native[original.name]
        found["of_file"] = "logs/" + file_of(original)
    if "lang" in c.keys:
        found["lang"] = c.keys["lang"]
    return found


if __name__ == "__main__":
    main()
