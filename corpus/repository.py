"""The corpus repository: created from its template, and what the night needs to know of it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson

from corpus.clone import Clone, with_clone
from corpus.objects import FileChange
from corpus.remote import remote_of
from corpus.tombstones import read_withdrawn
from schemas.errors import CorpusError, nearest
from schemas.sample import FORMAT_VERSION
from schemas.settings import CorpusSettings

T = TypeVar("T")

TEMPLATE = Path(__file__).parent / "template"
TEMPLATE_DAY = "2026-01-01"
"""The date of the first commit, the same everywhere: a corpus begins with the same commit id on every machine."""


def on_corpus(corpus: CorpusSettings, *, root: Path, clone: Path, operation: Callable[[Clone], T]) -> T:
    """What `operation` returns, see `corpus.clone.with_clone`; `root` is where a relative `corpus.remote` starts."""
    return with_clone(remote_of(corpus.remote, root, corpus.token_env), clone, operation)


def init_corpus(corpus: CorpusSettings, *, root: Path, clone: Path) -> str:
    """The commit of the corpus's base branch; an absent or empty repository is first created from the template.

    Idempotent. `clone` is the place of our private bare clone.

    Raises:
        CorpusError: the repository cannot be reached or written, or holds something else than a corpus.
    """
    return on_corpus(corpus, root=root, clone=clone, operation=lambda store: base_commit(store, corpus, store.heads()))


def base_commit(store: Clone, corpus: CorpusSettings, heads: Mapping[str, str]) -> str:
    """The commit of the base branch, fetched and found to be a corpus. Raises as `init_corpus`."""
    if not heads:
        created = store.commit(None, store.store(template_files(corpus)), "corpus: begin", TEMPLATE_DAY)
        store.push(created, corpus.branch, expected=None)
        heads = {corpus.branch: created}
    if corpus.branch not in heads:
        raise CorpusError(
            f"{store.remote} has no branch {corpus.branch!r}{nearest(corpus.branch, heads)}; it has "
            f"{', '.join(sorted(heads)[:10])}. Set corpus.branch to the one that nights are merged into"
        )
    store.fetch({corpus.branch: heads[corpus.branch]})
    _check_format(store, heads[corpus.branch])
    return heads[corpus.branch]


def _check_format(store: Clone, base: str) -> None:
    described = store.file(base, "corpus.toml")
    if described is None:
        raise CorpusError(
            f"{store.remote} is no corpus: it has no corpus.toml. Name an empty repository in corpus.remote; "
            "it is filled at the first use"
        )
    try:
        version = tomllib.loads(described.decode())["format"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise CorpusError(f"corpus.toml of {store.remote} cannot be read ({error!r}); mend it and run again") from error
    if isinstance(version, int) and version < FORMAT_VERSION:
        raise CorpusError(
            f"{store.remote} has corpus format {version}, this Gristmill writes {FORMAT_VERSION}; `gristmill migrate` "
            "brings it there and loses nothing"
        )
    if version != FORMAT_VERSION:
        raise CorpusError(
            f"{store.remote} has corpus format {version!r}, this Gristmill writes {FORMAT_VERSION}: a newer one wrote "
            "it. Update Gristmill (in its folder: `git pull && make setup`), then run the same command again"
        )


def template_files(corpus: CorpusSettings) -> Iterator[tuple[str, list[bytes], int]]:
    """The files of a new corpus; line ends are ours whatever the checkout made of them."""
    for file in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        content = file.read_bytes().replace(b"\r\n", b"\n")
        for mark, value in ((b"@LICENCES@", list(corpus.licences)), (b"@GRISTMILL@", corpus.gristmill)):
            content = content.replace(mark, orjson.dumps(value))
        yield file.relative_to(TEMPLATE).as_posix(), [content], len(content)


def corpus_head(corpus: CorpusSettings, *, root: Path, clone: Path) -> str:
    """The commit of an existing corpus's base branch; creates nothing at the remote.

    Raises:
        CorpusError: there is no corpus yet, or it cannot be reached or read.
    """

    def look(store: Clone) -> str:
        heads = store.heads()
        if not heads:
            raise CorpusError(f"{store.remote} is empty; `gristmill init` creates the corpus there")
        return base_commit(store, corpus, heads)

    remote = remote_of(corpus.remote, root)
    if remote.path is not None and not remote.path.exists():
        raise CorpusError(f"{remote} does not exist; `gristmill init` creates the corpus there")
    return on_corpus(corpus, root=root, clone=clone, operation=look)


def tombstones(corpus: CorpusSettings, *, root: Path, clone: Path) -> set[str]:
    """The ids that were withdrawn and must not return.

    Raises:
        CorpusError: a line of tombstones.jsonl cannot be read, or as `init_corpus`.
    """

    def read(store: Clone) -> frozenset[str]:
        return read_withdrawn(store, base_commit(store, corpus, store.heads())).ids

    return set(on_corpus(corpus, root=root, clone=clone, operation=read))


def accepted_lines(corpus: CorpusSettings, *, since: str | None, root: Path, clone: Path) -> Iterator[dict[str, Any]]:
    """The samples that the base branch holds now and did not hold at the commit `since`, parsed, shard by shard.

    Only shards that changed are read. A `since` that is None, or no longer part of the corpus, gives all samples.

    Raises:
        CorpusError: a line cannot be read, or as `init_corpus`.
    """

    def look(store: Clone) -> list[FileChange]:
        base = base_commit(store, corpus, store.heads())
        return store.changes(since if since and store.has_commit(since) else None, base, "data")

    def blob(name: str | None) -> list[bytes]:
        if name is None:
            return []
        return on_corpus(corpus, root=root, clone=clone, operation=lambda store: store.blob(name)).splitlines()

    for change in on_corpus(corpus, root=root, clone=clone, operation=look):
        known = set(blob(change.old))
        for number, line in enumerate(blob(change.new), 1):
            if line and line not in known:
                yield _parsed(line, f"{change.path}, line {number}", "id")


def _parsed(line: bytes, place: str, needs: str) -> dict[str, Any]:
    """The JSON object of a line, which must have a text under the key `needs`."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise CorpusError(f"the corpus has a damaged line ({place}): {error}; mend it there") from error
    if not isinstance(value, dict) or not isinstance(value.get(needs), str):
        raise CorpusError(f"the corpus has a line without {needs!r} ({place}); mend it there")
    return value
