"""retract: a sample, a conversation or a contributor is withdrawn by one commit on the base branch.

The lines leave their shards and the passages the reading copies; `tombstones.jsonl` keeps them from returning; each
open night that has them gets a commit of its own. Idempotent: every part looks at what is there, so a retraction that
was killed, or lost a race, is completed by the same call. The text stays in the history until it is purged
(corpus/purge.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from corpus.clone import Clone
from corpus.leaving import SaidText, text_of, without
from corpus.local_traces import LocalConversation
from corpus.relatives import NIGHT_BRANCH, Family, Place, resolved, with_relatives
from corpus.repository import base_commit, on_corpus
from corpus.tombstones import TOMBSTONES, mark_of, marks_of, read_tombstones
from schemas.errors import InputError
from schemas.sample import Tombstone
from schemas.settings import CorpusSettings


@dataclass(frozen=True)
class Withdrawal:
    """What is asked: an id (at least 8 characters), or pseudonyms of one contributor; `reason` becomes public.

    `local` are conversations of this machine that are meant.
    """

    reason: str
    at: str
    identifier: str | None = None
    subjects: tuple[str, ...] = ()
    local: tuple[LocalConversation, ...] = ()


@dataclass(frozen=True)
class NightRetraction:
    """The commit that took it out of an open night."""

    branch: str
    commit: str
    n_lines: int


@dataclass(frozen=True)
class Retraction:
    """What was withdrawn.

    `state` is "unchanged" when there was nothing left to do. `ids` are all samples, `n_lines` those that left the base
    branch with this commit, `commit` the base branch's now. `releases` are the tags whose samples had one of them.
    """

    state: Literal["withdrawn", "unchanged"]
    ids: tuple[str, ...]
    conversation_ids: tuple[str, ...]
    subjects: tuple[str, ...]
    commit: str
    n_lines: int
    nights: tuple[NightRetraction, ...]
    releases: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)


def retract(asked: Withdrawal, *, corpus: CorpusSettings, root: Path, clone: Path) -> Retraction:
    """Withdraws, and gives what was withdrawn; a second call changes nothing.

    Args:
        asked: what, and why.
        corpus: where the corpus is, and its base branch.
        root: the folder that a relative `corpus.remote` starts from.
        clone: our private bare clone.

    Raises:
        InputError: the id means nothing or several; the reason cannot be published. CorpusError: git or the remote
            refused; the same call goes on.
    """
    _check(asked)
    return on_corpus(corpus, root=root, clone=clone, operation=lambda store: _retract(store, corpus, asked))


def _check(asked: Withdrawal) -> None:
    Tombstone("0" * 32, asked.reason.strip(), asked.at)  # raises what is wrong with the reason
    if not asked.identifier and not asked.subjects:
        raise InputError("nothing was named: give the id of a sample or a conversation, or a contributor")


def _retract(store: Clone, corpus: CorpusSettings, asked: Withdrawal) -> Retraction:
    heads = store.heads()
    base = base_commit(store, corpus, heads)
    nights = open_nights(store, heads, base)
    places = [Place(corpus.branch, base), *nights]
    known = read_tombstones(store, base)
    family = with_relatives(store, places, _family(store, places, asked, known))
    texts = list(_texts(store, base, family, asked))
    _refuse_quotation(asked.reason, texts)
    stones = _new_stones(family, texts, asked, known)
    new_base, n_lines = _commit_base(store, places[0], family, texts, stones, asked)
    if new_base != base:
        store.push(new_base, corpus.branch, expected=base)
    changed = [one for place in nights if (one := _commit_night(store, place, family, texts, asked))]
    return Retraction(
        state="withdrawn" if new_base != base or changed else "unchanged",
        ids=tuple(sorted(family.all_ids)),
        conversation_ids=tuple(sorted(family.conversation_ids)),
        subjects=tuple(sorted(family.subjects)),
        commit=new_base,
        n_lines=n_lines,
        nights=tuple(changed),
        releases=tuple(releases_with(store, family.all_ids, {line.path for line in family.lines})),
    )


def open_nights(store: Clone, heads: Mapping[str, str], base: str) -> list[Place]:
    """The nights' branches that have something which the base branch lacks, fetched, by name."""
    named = {branch: commit for branch, commit in heads.items() if branch.startswith(NIGHT_BRANCH)}
    store.fetch(named)
    return [Place(branch, commit) for branch, commit in sorted(named.items()) if store.commits_since(base, commit)]


def _family(store: Clone, places: Sequence[Place], asked: Withdrawal, known: Sequence[Tombstone]) -> Family:
    """What was named, before its relatives."""
    if asked.subjects:
        own = {one.conversation_id for one in asked.local}
        family = Family(
            {one.content_id for one in asked.local if one.content_id},
            conversation_ids=own,
            subjects=set(asked.subjects),
        )
        _join_known(family, known)
        return family
    assert asked.identifier is not None
    here = [(one.content_id or "", one.conversation_id) for one in asked.local]
    here += [(stone.sample_id or "", stone.conversation_id or "") for stone in known]
    family = resolved(store, places, asked.identifier, here)
    if not family.ids and not family.conversation_ids:
        raise InputError(
            f"no sample or conversation {asked.identifier!r} in the corpus, in an open night or on this machine; "
            "ids are in the reading copy and in `gristmill explain`"
        )
    for one in asked.local:
        if one.content_id in family.ids or one.conversation_id in family.conversation_ids:
            family.ids |= {one.content_id} if one.content_id else set()
            family.conversation_ids.add(one.conversation_id)
    _join_known(family, known)
    return family


def _join_known(family: Family, known: Sequence[Tombstone]) -> None:
    """Adds what was withdrawn by the same call before: those tombstones bear the same instant and reason."""
    calls = {
        (stone.withdrawn_at, stone.reason)
        for stone in known
        if stone.conversation_id in family.conversation_ids
        or stone.sample_id in family.ids
        or stone.subject in family.subjects
    }
    for stone in known:
        if (stone.withdrawn_at, stone.reason) in calls:
            family.ids |= {stone.sample_id} if stone.sample_id else set()
            family.conversation_ids |= {stone.conversation_id} if stone.conversation_id else set()
            family.subjects |= {stone.subject} if stone.subject else set()


def _texts(store: Clone, base: str, family: Family, asked: Withdrawal) -> Iterator[SaidText]:
    """The text of each sample that can be found: where it stands now, else where it stood, else on this machine."""
    found: set[str] = set()
    for line in family.lines:
        if line.id not in found and (text := text_of(line.sample)):
            found.add(line.id)
            yield text
    for one in asked.local:
        if one.content_id and one.content_id in family.all_ids - found:
            found.add(one.content_id)
            yield SaidText(one.content_id, one.conversation_id, one.messages)
    for sample in samples_before(store, base, family.all_ids - found):
        if sample["id"] not in found and (text := text_of(sample)):
            found.add(str(sample["id"]))
            yield text


def samples_before(store: Clone, head: str, ids: Collection[str]) -> Iterator[Mapping[str, Any]]:
    """Samples that stand in the history of a branch and no longer on it; costs its decisions and those nights."""
    nights = set()
    for path in store.containing(head, ids, "decisions") if ids else []:
        nights.add(path.removeprefix("decisions/").removesuffix(".jsonl"))
    missing = set(ids)
    for night in sorted(nights):
        for _, content in store.blobs([one.new for one in store.versions(head, f"data/*/{night[:7]}/{night}.jsonl")]):
            for line in content.splitlines() if missing else ():
                if any(one.encode() in line for one in missing):
                    sample = orjson.loads(line)
                    if sample.get("id") in missing:
                        missing.remove(sample["id"])
                        yield sample


def _refuse_quotation(reason: str, texts: Sequence[SaidText]) -> None:
    told = reason.strip()
    if len(told) >= 12 and any(told in said for text in texts for said in text.said()):
        raise InputError("the reason quotes the conversation, and it becomes public; write another one")


def _new_stones(
    family: Family, texts: Sequence[SaidText], asked: Withdrawal, known: Sequence[Tombstone]
) -> list[Tombstone]:
    """The tombstones that are still to be written."""
    reason = asked.reason.strip()
    said = {text.sample_id: text for text in texts}
    stones = [_stone(sample_id, said.get(sample_id), family, asked) for sample_id in sorted(family.all_ids)]
    named = {stone.conversation_id for stone in [*stones, *known]}
    stones += [
        Tombstone(None, reason, asked.at, conversation_id=one)
        for one in sorted(family.conversation_ids)
        if one not in named
    ]
    stones += [Tombstone(None, reason, asked.at, subject=one) for one in sorted(family.subjects)]
    written = {_key(stone) for stone in known}
    return [stone for stone in stones if _key(stone) not in written]


def _key(stone: Tombstone) -> tuple[str | None, ...]:
    """What a tombstone names: its sample before all."""
    return (stone.sample_id,) if stone.sample_id else (None, stone.conversation_id, stone.subject)


def _stone(sample_id: str, text: SaidText | None, family: Family, asked: Withdrawal) -> Tombstone:
    """A part's tombstone has no `end`: others may begin as it does and go on otherwise."""
    marks = marks_of(mark_of(text.messages, sample_id)) if text else {}
    if sample_id in family.parts:
        marks.pop("end", None)
    return Tombstone(sample_id, asked.reason.strip(), asked.at, text.conversation_id if text else None, **marks)


def _commit_base(
    store: Clone,
    place: Place,
    family: Family,
    texts: Sequence[SaidText],
    stones: Sequence[Tombstone],
    asked: Withdrawal,
) -> tuple[str, int]:
    """The base branch's new commit, or its present one when nothing is left to do, and how many lines left it."""
    left = without(store, place.commit, family.all_ids, texts)
    files = left.files
    if stones:
        before = store.file(place.commit, TOMBSTONES) or b""
        separator = b"" if not before or before.endswith(b"\n") else b"\n"
        files[TOMBSTONES] = before + separator + b"".join(stone.line() for stone in stones)
    if not files:
        return place.commit, 0
    title = f"retract: {len(stones)} tombstones, {left.n_lines} samples leave"
    return _commit(store, place, files, title, asked), left.n_lines


def _commit_night(
    store: Clone, place: Place, family: Family, texts: Sequence[SaidText], asked: Withdrawal
) -> NightRetraction | None:
    night = place.branch.removeprefix(NIGHT_BRANCH)
    left = without(store, place.commit, family.all_ids, texts, night=night)
    if not left.files:
        return None
    commit = _commit(store, place, left.files, f"retract: {left.n_lines} samples leave this night", asked)
    store.push(commit, place.branch, expected=place.commit)
    return NightRetraction(place.branch, commit, left.n_lines)


def _commit(store: Clone, place: Place, files: Mapping[str, bytes], title: str, asked: Withdrawal) -> str:
    blobs = store.store((path, [content], len(content)) for path, content in sorted(files.items()))
    body = f"{title}\n\nWhat was withdrawn is named by its id in {TOMBSTONES} and must not return.\n"
    return store.commit(place.commit, blobs, body, asked.at[:10])


def releases_with(store: Clone, ids: Collection[str], shards: Collection[str]) -> Iterator[str]:
    """The tags of the releases that have one of these samples, by name.

    Any tag counts whose commit has such a line: a release is what people took, with or without a manifest. `shards` are
    where the samples stand; empty when that is not known any more.
    """
    places = [in_any_split(path) for path in sorted(shards)] or ["data"]
    for tag in sorted(store.tags()) if ids else ():
        if store.containing(store.fetch_tag(tag), ids, *places):
            yield tag


def in_any_split(shard: str) -> str:
    """A shard of the corpus as a pattern that finds it in releases, too, which have it below `data/<split>/`."""
    return f":(glob)data/**/{shard.removeprefix('data/')}"
