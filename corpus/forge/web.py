"""Addresses: the pages that forges name, and the project that a remote means."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import StringConstraints

WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[\x21-\x7e]+$", max_length=500)]
"""An address that is safe to print and to click."""

_SCP_LIKE = re.compile(r"^(?:[^@/]+@)?[^/:]+:(?P<path>.+)$")


def project_of(address: str, forge_url: str) -> str | None:
    """`owner/name` of a git address, or None when it has none.

    From an https address, the folder that the forge itself lies in is taken away.
    """
    parts = urlsplit(address)
    if parts.scheme in ("https", "http", "ssh", "git+ssh"):
        path = parts.path
        folder = urlsplit(forge_url).path.rstrip("/")
        if parts.scheme in ("https", "http") and folder and path.startswith(f"{folder}/"):
            path = path[len(folder) :]
    elif found := _SCP_LIKE.match(address):
        path = found["path"]
    else:
        return None
    project = path.strip("/").removesuffix(".git")
    return project if re.fullmatch(r"[\w.-]+(/[\w.-]+)+", project) else None
