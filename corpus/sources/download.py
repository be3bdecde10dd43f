"""A log at an address: fetched into a folder, and from then on a file like any other."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx

from schemas.errors import CorpusError, InputError

CHUNK_BYTES = 1 << 20
TIMEOUT = httpx.Timeout(60, connect=10)
"""Seconds without a byte until we give up; a download as a whole may take as long as it takes."""

MAX_REDIRECTS = 5


def is_address(name: str) -> bool:
    """Whether a source is named by an address and not by a path."""
    return re.match(r"[a-z][a-z0-9+.-]*://", name, re.IGNORECASE) is not None


def download(address: str, folder: Path, on_bytes: Callable[[int], None] | None = None) -> Path:
    """The file that an http or https address gives, in `folder`, under a name that follows from the address.

    It is asked for anew each time, and replaces the earlier one only when it has come whole.

    Raises:
        InputError: the address is of another kind, does not answer, or refuses.
        CorpusError: the file cannot be written.
    """
    if _parts(address).scheme.lower() not in ("http", "https"):
        raise InputError(f"{shown_address(address)}: only http and https addresses are read; or name a file")
    file = folder / _name(address)
    part = file.with_name(f".{file.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _fetch(address, part, on_bytes)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kind = type(error).__name__
        raise InputError(f"{shown_address(address)} could not be read ({kind}); try again, or name a file") from error
    except OSError as error:
        raise CorpusError(f"{file} cannot be written ({error.strerror}); make room and try again") from error
    return file


def _fetch(address: str, part: Path, on_bytes: Callable[[int], None] | None) -> None:
    with part.open("wb") as written, _client().stream("GET", address) as answer:
        if answer.status_code != httpx.codes.OK:
            raise InputError(f"{shown_address(address)} answers {answer.status_code}; a browser may show why")
        for chunk in answer.iter_bytes(CHUNK_BYTES):
            written.write(chunk)
            if on_bytes:
                on_bytes(len(chunk))


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise InputError(f"what was named is no address ({error}); or name a file") from error


def shown_address(address: str) -> str:
    """The address without user, password and query, which may be secrets."""
    parts = _parts(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _client() -> httpx.Client:
    return httpx.Client(timeout=TIMEOUT, follow_redirects=True, max_redirects=MAX_REDIRECTS)


def _name(address: str) -> str:
    """Digest and the last part of the path, as far as it is plain: two addresses never share a file."""
    last = re.sub(r"[^A-Za-z0-9._-]+", "-", urlsplit(address).path.rsplit("/", 1)[-1])[-60:].lstrip(".-")
    return f"{sha256(address.encode()).hexdigest()[:16]}-{last or 'log'}"
