"""Whether the next release is due: how many samples the base branch has that no release has yet.

Only shards that changed since the last release are read, so the cost follows the new data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from corpus.clone import Clone
from corpus.objects import FileChange
from corpus.release_plan import previous_release
from corpus.release_samples import SHARD
from corpus.repository import base_commit, on_corpus
from corpus.tombstones import Withdrawn, read_withdrawn
from schemas.errors import CorpusError
from schemas.settings import CorpusSettings


@dataclass(frozen=True)
class Due:
    """What has come together since the last release.

    `n_new` counts samples that are in no release, not withdrawn, and of nights that are settled: what is held and the
    planted samples of a night are not on the base branch any more then. `since` is the tag of the last release.
    `tag` is the name that the next one gets; None while the corpus has no sample.
    """

    n_new: int
    since: str | None
    tag: str | None

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)


def due(
    corpus: CorpusSettings, *, root: Path, clone: Path, pattern: str, unsettled: Collection[str] = frozenset()
) -> Due:
    """What the next release would add, and its name.

    Args:
        corpus: where the corpus is.
        root: the folder that relative paths start from.
        clone: our private bare clone.
        pattern: the name, with `{night}` for the newest night and `{number}` for the number of releases, this one too.
            A name that is taken is followed by .2, .3 and so on. It follows from the corpus alone.
        unsettled: nights whose samples do not count yet.

    Raises:
        CorpusError: the corpus cannot be reached, or a line or manifest of it is damaged.
    """

    def look(store: Clone) -> Due:
        base = base_commit(store, corpus, store.heads())
        last = previous_release(store, base)
        since = last.release.corpus_commit if last else None
        changes = store.changes(since if since and store.has_commit(since) else None, base, "data")
        n_new = _new_samples(store, changes, read_withdrawn(store, base), unsettled)
        return Due(n_new, last.release.tag if last else None, _tag(store, base, pattern))

    return on_corpus(corpus, root=root, clone=clone, operation=look)


def _new_samples(store: Clone, changes: Iterable[FileChange], withdrawn: Withdrawn, unsettled: Collection[str]) -> int:
    n_new = 0
    for change in changes:
        place = SHARD.fullmatch(change.path)
        if place is None or change.new is None or place["night"] in unsettled:
            continue
        known = _ids(store, change.old, change.path, withdrawn) if change.old else frozenset()
        n_new += len(_ids(store, change.new, change.path, withdrawn) - known)
    return n_new


def _ids(store: Clone, blob: str, path: str, withdrawn: Withdrawn) -> frozenset[str]:
    """The ids of a shard's samples that may be released."""
    found = []
    for number, line in enumerate(store.blob(blob).splitlines(), 1):
        try:
            plain = orjson.loads(line)
            origin = plain["provenance"]
            is_out = withdrawn.named(plain["id"], origin["conversation_id"], origin["subject"])
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise CorpusError(
                f"the corpus has a damaged line ({path}, line {number}): {type(error).__name__}; mend it there"
            ) from error
        if not is_out:
            found.append(plain["id"])
    return frozenset(found)


def _tag(store: Clone, base: str, pattern: str) -> str | None:
    """The first name by the pattern that is free, as tag and as manifest."""
    places = (SHARD.fullmatch(entry.path) for entry in store.entries(base, "data"))
    nights = [place["night"] for place in places if place]
    if not nights:
        return None
    manifests = {
        entry.path.removeprefix("releases/").removesuffix(".json")
        for entry in store.entries(base, "releases")
        if entry.path.endswith(".json")
    }
    name = pattern.replace("{night}", max(nights)).replace("{number}", str(len(manifests) + 1))
    taken = manifests | set(store.tags())
    names = (name if number == 1 else f"{name}.{number}" for number in range(1, len(taken) + 2))
    return next(one for one in names if one not in taken)
