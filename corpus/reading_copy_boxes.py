"""The ballot boxes of a page of the reading copy, set anew."""

from __future__ import annotations

import re
from collections.abc import Collection

_BOX = re.compile(r"^- \[[ xX]\] keep `([0-9a-f]{32})`", re.MULTILINE)


def with_boxes(text: str, ticked: Collection[str]) -> str:
    """The page with the boxes of these samples ticked and all others not."""
    return _BOX.sub(lambda box: f"- [{'x' if box[1] in ticked else ' '}] keep `{box[1]}`", text)


def unticked(text: str) -> str:
    """The page with no box ticked, which is the same however people voted."""
    return with_boxes(text.replace("\r\n", "\n"), ())
