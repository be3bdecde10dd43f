"""The next round's order: the manifest that a trainer gets with an export, and what may be written to start one.

The manifest has no time and no place in it, so the same release gives the same bytes on every machine; a receiver
elsewhere makes the export itself from the tag (`gristmill export`) and finds the same digests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import urlsplit

import orjson

from schemas.errors import InputError, nearest
from schemas.release import tag_problem

FORMAT_VERSION = 1

COMMAND_PLACES = ("export", "exports", "tag", "manifest")
TAG_PLACES = ("night", "number")

_PLACE = re.compile(r"\{([A-Za-z_]+)\}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class RoundManifest:
    """What a round of fine-tuning is to learn from.

    `tag` and `commit` name the release, `release_sha256` is the digest of its manifest, `released_on` its date.
    `counts` has the samples of each split, `experts` those of each expert by split, the sealed holdout left out.
    `judges` are the makers of the verdicts, `settings` is the digest of the settings. `exports` are objects with
    `format`, `kind`, `folder` (relative to the exports' folder), `rows` by split, `left_out` by reason, and `files`:
    path within the folder, `sha256` and `bytes` of each. One without rows has no files.

    Raises:
        InputError: a field is not of its form.
    """

    tag: str
    commit: str
    released_on: str
    release_sha256: str
    counts: Mapping[str, int]
    experts: Mapping[str, Mapping[str, int]]
    judges: tuple[Mapping[str, Any], ...]
    settings: str
    exports: tuple[Mapping[str, Any], ...]
    format: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        """Refuses what is not of the form, whoever made it."""
        if problem := _problem(self):
            raise InputError(f"not a round's manifest: {problem}")

    def content(self) -> bytes:
        """Its bytes, which are signed and posted."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_content(cls, content: bytes) -> RoundManifest:
        """The manifest in these bytes.

        Raises:
            InputError: it is no JSON object, lacks a key, has an unknown one, or a wrong value.
        """
        try:
            plain = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise InputError(f"not a round's manifest: not JSON ({error})") from error
        known = [one.name for one in fields(cls)]
        if not isinstance(plain, dict) or set(plain) != set(known):
            raise InputError(f"not a round's manifest: it has not the keys {', '.join(known)}")
        if not isinstance(plain["judges"], list) or not isinstance(plain["exports"], list):
            raise InputError("not a round's manifest: judges and exports must be lists")
        return cls(**{**plain, "judges": tuple(plain["judges"]), "exports": tuple(plain["exports"])})


def _problem(one: RoundManifest) -> str | None:
    if one.format != FORMAT_VERSION:
        return f"format is {one.format!r:.40}; this version of Gristmill reads {FORMAT_VERSION}"
    if problem := tag_problem(one.tag):
        return f"a tag {problem}"
    if not isinstance(one.commit, str) or not _COMMIT.fullmatch(one.commit):
        return "commit must be the id of a commit"
    if not all(isinstance(found, str) and _DIGEST.fullmatch(found) for found in (one.release_sha256, one.settings)):
        return "release_sha256 and settings must be 64 hexadecimal characters"
    return next((found for export in one.exports if (found := _export_problem(export))), None)


def _export_problem(export: Any) -> str | None:
    if not isinstance(export, Mapping) or not isinstance(export.get("files"), (list, tuple)):
        return "an export must be an object with files"
    for file in export["files"]:
        path = file.get("path") if isinstance(file, Mapping) else None
        if not isinstance(path, str) or any(part in ("", ".", "..") for part in path.split("/")):
            return "a path of an export's file leads out of its folder"
        if not _DIGEST.fullmatch(str(file.get("sha256"))):
            return "a file's sha256 must be 64 hexadecimal characters"
    return None


def placeholder_problems(key: str, texts: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """A sentence for each `{word}` in these texts that nothing is filled in for."""
    names = tuple(known)
    for name in sorted({name for text in texts for name in _PLACE.findall(text)} - set(names)):
        places = ", ".join(f"{{{one}}}" for one in names)
        yield f"{key} has {{{name}}}, for which nothing is filled in{nearest(name, names)}; there are {places}"


def webhook_problems(url: str) -> Iterator[str]:
    """What is wrong with the address that a round is posted to; nothing when it can be used.

    Plain http is allowed: what is posted is signed, and says nothing that the corpus does not.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield "release.webhook_url is no address; write it as https://train.example.org/rounds"
        return
    if parts.username is not None or parts.password is not None:
        yield "release.webhook_url has a user or password in it; leave it out, release.webhook_secret_env signs instead"
    elif not host or parts.scheme not in ("https", "http") or parts.fragment or re.search(r"\s", url):
        yield f"release.webhook_url is {url!r:.80}; write an address such as https://train.example.org/rounds"
