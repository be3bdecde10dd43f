"""A sample's life in the corpus, and where the corpus stands: read from the repository alone, without local state."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from corpus.clone import Clone
from corpus.cut import parsed
from corpus.reissued import lost_signatures
from corpus.relatives import NIGHT_BRANCH, SHORTEST_ID, Family, Line, Place, lines_with, resolved, scope
from corpus.repository import base_commit, on_corpus
from corpus.retract import in_any_split, open_nights
from corpus.tombstones import read_tombstones
from schemas.release import SPLITS
from schemas.sample import Tombstone
from schemas.settings import CorpusSettings


@dataclass(frozen=True)
class Event:
    """Something that happened to a sample: `what` in one word, `at` as a date or an instant where it is known."""

    sample_id: str
    what: str
    at: str | None
    facts: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return {**asdict(self), "facts": dict(self.facts)}


@dataclass(frozen=True)
class OpenNight:
    """A proposal that waits for people. `n_decided` samples have a decision, `n_held` decisions contradict."""

    night: str
    commit: str
    n_samples: int
    n_decided: int
    n_held: int

    @property
    def n_undecided(self) -> int:
        """Samples about which nobody has written anything; merged as they are, they are kept."""
        return max(0, self.n_samples - self.n_decided)


@dataclass(frozen=True)
class Standing:
    """Where the corpus stands.

    `nights` are those of the base branch: `merged` by a person, or `settled`. `held` is settled night to its samples
    that wait for another vote. `release` is the last one: tag, commit and date; None before the first. `unsigned` are
    the tags of releases that lost their signatures to a purge.
    """

    head: str
    nights: Mapping[str, Literal["merged", "settled"]]
    n_nights: int
    n_samples: int
    open_nights: tuple[OpenNight, ...]
    held: Mapping[str, int]
    release: Mapping[str, str] | None
    n_releases: int
    unsigned: tuple[str, ...]
    n_tombstones: int
    last_retraction: str | None

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        nights = [{**asdict(one), "n_undecided": one.n_undecided} for one in self.open_nights]
        return {**asdict(self), "open_nights": nights}


def sample_life(
    identifier: str,
    *,
    known: Collection[tuple[str, str]] = (),
    corpus: CorpusSettings,
    root: Path,
    clone: Path,
) -> list[Event]:
    """What happened to the samples that an id means, in the order of time; empty when the corpus knows nothing of it.

    Args:
        identifier: of a sample or a conversation, at least its first eight characters; others mean nothing here.
        known: content id and conversation id of conversations that it means by what this machine knows.
        corpus: where the corpus is, and its base branch.
        root: the folder that a relative `corpus.remote` starts from.
        clone: our private bare clone.

    Raises:
        InputError: the id means several things. CorpusError: the corpus cannot be reached or read.
    """

    def look(store: Clone) -> list[Event]:
        heads = store.heads()
        if not heads:
            return []
        base = base_commit(store, corpus, heads)
        return _Life(store, Place(corpus.branch, base), open_nights(store, heads, base)).events(identifier, known)

    return on_corpus(corpus, root=root, clone=clone, operation=look)


class _Life:
    def __init__(self, store: Clone, base: Place, nights: Sequence[Place]) -> None:
        self._store, self._base, self._nights = store, base, nights
        self._places = [base, *nights]
        self._stones = read_tombstones(store, base.commit)

    def events(self, identifier: str, known: Collection[tuple[str, str]]) -> list[Event]:
        family = self._family(identifier, known)
        names = family.ids | family.conversation_ids
        lines = [
            line
            for line in (lines_with(self._store, self._places, names) if names else ())
            if line.id in family.ids or line.origin("conversation_id") in family.conversation_ids
        ]
        stones = [stone for stone in self._stones if _is_of(stone, family)]
        ids = family.ids | {line.id for line in lines} | {stone.sample_id for stone in stones if stone.sample_id}
        found = [event for sample_id in sorted(ids) for event in self._of(sample_id, lines)]
        found += [
            Event(stone.sample_id or "", "withdrawn", stone.withdrawn_at, {"reason": stone.reason}) for stone in stones
        ]
        return sorted(found, key=lambda event: (event.at or "", _ORDER.index(event.what)))

    def _family(self, identifier: str, known: Collection[tuple[str, str]]) -> Family:
        family = Family({one for one, _ in known}, conversation_ids={two for _, two in known})
        asked = identifier.strip().lower()
        if len(asked) >= SHORTEST_ID and set(asked) <= set("0123456789abcdef"):
            stones = [(stone.sample_id or "", stone.conversation_id or "") for stone in self._stones]
            more = resolved(self._store, self._places, asked, stones)
            family.ids |= more.ids
            family.conversation_ids |= more.conversation_ids
        return family

    def _of(self, sample_id: str, lines: Sequence[Line]) -> Iterator[Event]:
        own = [line for line in lines if line.id == sample_id]
        decisions = list(self._decisions(sample_id))
        nights = {str(line.origin("night")) for line in own} | {night for night, _ in decisions}
        where = own[0].path if own else None
        is_made = any(one.get("edited_id") == sample_id for _, one in decisions)
        is_replaced = any(one.get("edited_id") not in (None, sample_id) for _, one in decisions)
        for night in sorted(nights or self._nights_before(sample_id)):
            for event in self._night(sample_id, night, own, where):
                if event.what == "proposed" and is_made:
                    continue
                is_left = event.what == "left out" and is_replaced
                yield replace(event, what="replaced by an edit") if is_left else event
        for night, decision in decisions:
            facts = {key: decision.get(key) for key in ("reviewer", "verdict", "reason", "edited_id", "proposal")}
            facts = {key: value for key, value in facts.items() if value not in (None, "")}
            what = "made by an edit" if decision.get("edited_id") == sample_id else "decided"
            yield Event(sample_id, what, str(decision.get("decided_at")), {"night": night, **facts})
        yield from self._releases(sample_id, where)

    def _night(self, sample_id: str, night: str, own: Sequence[Line], where: str | None) -> Iterator[Event]:
        record = f"nights/{night}.json"
        heads = [place.commit for place in self._places]
        proposed = self._store.commits_touching([record], heads)
        if proposed:
            facts: dict[str, Any] = {"night": night, "commit": proposed[0].id, "shard": where}
            if own:
                verdict = own[0].sample.get("verdict")
                facts["rating"] = verdict.get("rating") if isinstance(verdict, dict) else None
                facts |= {key: own[0].origin(key) for key in ("source", "licence", "extends")}
            yield Event(sample_id, "proposed", proposed[0].author.at[:10], _filled(facts))
        merged = self._store.commits_of(self._base.commit, record)
        if merged:
            own_shards = f":(glob)data/*/*/{night}.jsonl"
            was_in = bool(self._store.containing(merged[0], [f'"id":"{sample_id}"'], own_shards))
            at = self._day(merged[0])
            yield Event(sample_id, "merged" if was_in else "left out", at, {"night": night, "commit": merged[0]})

    def _day(self, commit: str) -> str:
        parents = self._store.history(f"{commit}^", commit)
        return parents[-1].author.at[:10]

    def _decisions(self, sample_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Night and decision, each once: an open night has them on its branch."""
        seen = set()
        for place in self._places:
            for path in self._store.containing(place.commit, [sample_id], scope(place, "decisions")):
                for line in (self._store.file(place.commit, path) or b"").splitlines():
                    plain = parsed(line)
                    if plain and sample_id in (plain.get("sample_id"), plain.get("edited_id")) and line not in seen:
                        seen.add(line)
                        yield path.removeprefix("decisions/").removesuffix(".jsonl"), plain

    def _nights_before(self, sample_id: str) -> set[str]:
        """The nights of a sample that stands nowhere any more and that nobody decided on."""
        nights = set()
        for commit in self._store.commits_with(self._base.commit, sample_id, "data"):
            for path in self._store.containing(commit, [sample_id], "data"):
                nights.add(Path(path).stem)
        return nights

    def _releases(self, sample_id: str, where: str | None) -> Iterator[Event]:
        """`where` is the sample's shard, None when it is not known."""
        for tag in sorted(self._store.tags()):
            commit = self._store.fetch_tag(tag)
            if paths := self._store.containing(
                commit, [f'"id":"{sample_id}"'], in_any_split(where) if where else "data"
            ):
                facts = {"tag": tag, "split": _split_of(paths[0]), "commit": commit, "shard": paths[0]}
                yield Event(sample_id, "released", self._day(commit), _filled(facts))


def _split_of(shard: str) -> str | None:
    """The split that a release's shard is of: `data/<split>/<expert>/<month>/<night>.jsonl`."""
    parts = shard.split("/")
    return parts[1] if parts[1] in SPLITS and len(parts) == 5 else None


_ORDER = (
    *("proposed", "made by an edit", "decided", "merged", "left out", "replaced by an edit", "released", "withdrawn"),
)
"""Of what happened on the same day."""


def _is_of(stone: Tombstone, family: Family) -> bool:
    return stone.sample_id in family.ids or stone.conversation_id in family.conversation_ids


def _filled(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value is not None}


def standing(*, corpus: CorpusSettings, root: Path, clone: Path) -> Standing:
    """Where the corpus stands now. Raises: CorpusError: it cannot be reached or read."""

    def look(store: Clone) -> Standing:
        heads = store.heads()
        base = base_commit(store, corpus, heads)
        records = _records(store, base)
        stones = read_tombstones(store, base)
        releases = [entry.path for entry in store.entries(base, "releases") if entry.path.endswith(".json")]
        return Standing(
            head=base,
            nights={night: "settled" if _is_settled(record) else "merged" for night, record in sorted(records.items())},
            n_nights=len(records),
            n_samples=sum(map(_n_samples, records.values())),
            open_nights=tuple(_open_night(store, place) for place in open_nights(store, heads, base)),
            held={night: n for night, record in sorted(records.items()) if (n := _n_held(record))},
            release=_last_release(store, base, releases),
            n_releases=len(releases),
            unsigned=lost_signatures(store, base),
            n_tombstones=len(stones),
            last_retraction=max((stone.withdrawn_at for stone in stones), default=None),
        )

    return on_corpus(corpus, root=root, clone=clone, operation=look)


def _records(store: Clone, commit: str) -> dict[str, Any]:
    """The nights' records by night; one that cannot be read counts nothing."""
    entries = {entry.blob: Path(entry.path).stem for entry in store.entries(commit, "nights")}
    return {entries[blob]: parsed(content) or {} for blob, content in store.blobs(entries)}


def _n_samples(record: Mapping[str, Any]) -> int:
    """The samples of a night, as settled where it was settled; those made to test reviewers are none."""
    settled = record.get("settled")
    files = (settled if isinstance(settled, dict) else record).get("files")
    facts = files.values() if isinstance(files, dict) else ()
    n_lines: int = sum(one["samples"] for one in facts if isinstance(one, dict) and isinstance(one.get("samples"), int))
    tests = record.get("honeypots") if not isinstance(settled, dict) else None
    return n_lines - (int(tests.get("n", 0)) if isinstance(tests, dict) else 0)


def _is_settled(record: Mapping[str, Any]) -> bool:
    return isinstance(record.get("settled"), dict)


def _n_held(record: Mapping[str, Any]) -> int:
    settled = record.get("settled")
    held = settled.get("held") if isinstance(settled, dict) else None
    return held if isinstance(held, int) else 0


def _open_night(store: Clone, place: Place) -> OpenNight:
    night = place.branch.removeprefix(NIGHT_BRANCH)
    record = parsed(store.file(place.commit, f"nights/{night}.json") or b"") or {}
    said: dict[str, set[str]] = {}
    for line in (store.file(place.commit, f"decisions/{night}.jsonl") or b"").splitlines():
        plain = parsed(line) or {}
        said.setdefault(str(plain.get("sample_id")), set()).add(str(plain.get("verdict")))
    n_held = sum({"keep", "reject"} <= verdicts for verdicts in said.values())
    return OpenNight(night, place.commit, _n_samples(record), len(said), n_held)


def _last_release(store: Clone, base: str, paths: Sequence[str]) -> dict[str, str] | None:
    commits = store.commits_of(base, *paths) if paths else []
    if not commits:
        return None
    last = commits[-1]
    changed = {path for path in paths if store.blob_id(last, path) != store.blob_id(f"{last}^", path)}
    if not changed:
        return None
    made = store.history(f"{last}^", last)[-1].author.at
    return {"tag": Path(max(changed)).stem, "commit": last, "released_on": made[:10]}


__all__ = ["Event", "OpenNight", "Standing", "sample_life", "standing"]
