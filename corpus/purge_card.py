"""The dataset card of a release that a purge issues again: its numbers are those of the files as they are now.

`datasets` refuses a folder whose front matter promises other numbers of samples than its files have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

REISSUED_NOTE = (
    "**Issued again: samples were withdrawn and taken out of the history. The figures in this text are those of the "
    "first issue; the manifest and the sizes that programs read are those of today.**"
)

_CONFIGURATION = re.compile(r'- config_name: (".*")')
_SPLIT = re.compile(r"  - name: (\w+)")
_NUMBER = re.compile(r"    (num_bytes|num_examples): \d+")
_OF_MANIFEST = {"num_bytes": "bytes", "num_examples": "samples"}


def reissued_card(card: bytes, files: Sequence[Mapping[str, Any]]) -> bytes:
    """A release's README.md with the sizes that its manifest's `files` say; what is no card stays as it is."""
    parts = card.decode("utf-8", "surrogateescape").split("\n---\n", 1)
    if len(parts) < 2 or not parts[0].startswith("---\n"):
        return card
    front = "\n".join(_counted(parts[0].split("\n"), files))
    text = parts[1]
    if REISSUED_NOTE not in text:
        text = re.sub(r"(?m)^(# .*)$", lambda found: f"{found[1]}\n\n{REISSUED_NOTE}", text, count=1)
    return f"{front}\n---\n{text}".encode("utf-8", "surrogateescape")


def _counted(lines: Iterable[str], files: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of the front matter; numbers stand behind the configuration and the split that they are of."""
    configuration, split = "default", ""
    for line in lines:
        if found := _CONFIGURATION.fullmatch(line):
            configuration = str(orjson.loads(found[1]))
        elif found := _SPLIT.fullmatch(line):
            split = found[1]
        if found := _NUMBER.fullmatch(line):
            folder = f"data/{split}/" + ("" if configuration == "default" else f"{configuration}/")
            own = [one for one in files if str(one.get("path", "")).startswith(folder)]
            line = f"    {found[1]}: {sum(one.get(_OF_MANIFEST[found[1]]) or 0 for one in own)}"
        yield line
