"""A release: an immutable state of the corpus with a manifest, `releases/<tag>.json`, that says what it rests on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any, Literal, get_args

import orjson

from schemas.errors import InputError, nearest

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
"""`test` is the sealed holdout: measured on, never trained on, never exported for training."""

FORMAT_VERSION = 1

_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
RESERVED_TAGS = frozenset(("verify", "reissued"))
"""Names that mean something else: a subcommand, and a file beside the manifests."""


@dataclass(frozen=True)
class ReleaseFile:
    """A file by its path, SHA-256 and size; `samples` is its number of lines, None for what is no shard."""

    path: str
    sha256: str
    bytes: int
    samples: int | None = None


@dataclass(frozen=True)
class SplitCount:
    """How much of a release is in one split."""

    samples: int
    bytes: int
    groups: int


@dataclass(frozen=True)
class Release:
    """What a release rests on, and what it holds.

    `tag` names it; `released_on` is the date that its commit bears. `corpus_commit` is the state of the corpus that
    it was made of. `previous` is the release before it (`tag`, `sha256` of its manifest), None for the first: samples
    keep the split that they had there. `rule` says how samples are split, `counts` how many each split has and
    `left_out` how many have none, by reason. `judges` are the makers of the verdicts, each with its number of
    `samples`. `code` is what made the release. `sources` are the shards of the corpus, `files` all files of the
    release but the manifest itself, both by path.

    Raises:
        InputError: a field is not of its form.
    """

    tag: str
    released_on: str
    corpus_commit: str
    previous: Mapping[str, str] | None
    rule: Mapping[str, Any]
    counts: Mapping[str, SplitCount]
    left_out: Mapping[str, int]
    judges: tuple[Mapping[str, Any], ...]
    code: Mapping[str, str]
    sources: tuple[ReleaseFile, ...]
    files: tuple[ReleaseFile, ...]
    format: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        """Refuses what is not of the form, whoever made it."""
        if problem := _problem(self):
            raise InputError(f"not a release: {problem}")

    @property
    def n_samples(self) -> int:
        """The samples of all splits."""
        return sum(count.samples for count in self.counts.values())

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` turns back into an equal value; files that are no shards have no `samples`."""
        plain = asdict(self)
        for name in ("sources", "files"):
            plain[name] = [{k: v for k, v in one.items() if v is not None} for one in plain[name]]
        return plain

    def content(self) -> bytes:
        """The bytes of its manifest."""
        return orjson.dumps(
            self.to_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        )

    @classmethod
    def from_content(cls, content: bytes) -> Release:
        """The release in a manifest's bytes.

        Raises:
            InputError: it is no JSON object, lacks a key, has an unknown one, or a wrong value.
        """
        try:
            return cls.from_json(orjson.loads(content))
        except orjson.JSONDecodeError as error:
            raise InputError(f"not a release: not JSON ({error})") from error

    @classmethod
    def from_json(cls, plain: Any) -> Release:
        """The release in a parsed manifest. Raises as `from_content`."""
        known = [one.name for one in fields(cls)]
        if not isinstance(plain, dict):
            raise InputError("not a release: it is no JSON object")
        for key in plain:
            if key not in known:
                raise InputError(f"not a release: it has an unknown key {key[:40]!a}{nearest(key, known)}")
        if missing := [name for name in known if name not in plain]:
            raise InputError(f"not a release: it lacks {', '.join(missing)}")
        try:
            return cls(**{
                **plain,
                "counts": {split: SplitCount(**count) for split, count in plain["counts"].items()},
                "judges": tuple(plain["judges"]),
                "sources": tuple(ReleaseFile(**one) for one in plain["sources"]),
                "files": tuple(ReleaseFile(**one) for one in plain["files"]),
            })  # fmt: skip
        except (TypeError, AttributeError) as error:
            raise InputError(f"not a release: {error!r:.120}") from error


def tag_problem(tag: str) -> str | None:
    """What is wrong with a name for a release, None when nothing is.

    It becomes a git tag and a file name on every system, so the rule is narrower than git's: letters, digits, dots,
    dashes, underscores and plus signs, beginning with a letter or digit.
    """
    if not isinstance(tag, str) or not _TAG.fullmatch(tag):
        return (
            "is at most 100 letters, digits, dots, dashes, underscores and plus signs, beginning with a letter or digit"
        )
    if ".." in tag or tag.endswith((".", ".lock", ".json")):
        return "has no two dots in a row and does not end with a dot, .lock or .json"
    return f"is not {tag!r}, which means something else" if tag.lower() in RESERVED_TAGS else None


def _problem(release: Release) -> str | None:
    """The first thing that is wrong, None when nothing is."""
    if release.format != FORMAT_VERSION:
        return f"format is {release.format!r:.40}; this version of Gristmill reads {FORMAT_VERSION}"
    if problem := tag_problem(release.tag):
        return f"a tag {problem}"
    if not isinstance(release.released_on, str) or not _is_date(release.released_on):
        return "released_on must be a date such as 2026-11-04"
    if not isinstance(release.corpus_commit, str) or not _COMMIT.fullmatch(release.corpus_commit):
        return "corpus_commit must be the id of a commit"
    for name, kind in (("rule", dict), ("counts", dict), ("left_out", dict), ("code", dict)):
        if not isinstance(getattr(release, name), kind):
            return f"{name} must be an object"
    if release.previous is not None and set(release.previous) != {"tag", "sha256"}:
        return "previous must have tag and sha256, or be null"
    if tuple(sorted(release.counts)) != tuple(sorted(SPLITS)):
        return f"counts must have {', '.join(SPLITS)}"
    return next((found for one in (*release.sources, *release.files) if (found := _file_problem(one))), None)


def _file_problem(file: ReleaseFile) -> str | None:
    parts = file.path.split("/") if isinstance(file.path, str) else [""]
    if any(part in ("", ".", "..") for part in parts):
        return "a path of a file leads out of the repository"
    if not isinstance(file.sha256, str) or not _DIGEST.fullmatch(file.sha256):
        return "a file's sha256 must be 64 hexadecimal characters"
    numbers = (file.bytes, 0 if file.samples is None else file.samples)
    return None if all(type(n) is int and n >= 0 for n in numbers) else "a file's bytes and samples must be counts"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
