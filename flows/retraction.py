"""A whole retraction: in the corpus, in its history, in what this machine keeps; and what is left to people."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from corpus.local_traces import LocalTraces, Trace, find_local, records_of
from corpus.passages import Passages
from corpus.purge import Purged, purge
from corpus.retract import Retraction, Withdrawal, retract
from corpus.seen import Seen
from flows.nights import only_one
from flows.settings_file import Project
from flows.stores import clone, picks_of, verdicts_of
from schemas.errors import CorpusError


def retract_and_clean(
    project: Project,
    identifier: str | None,
    *,
    subjects: tuple[str, ...] = (),
    reason: str,
    at: str,
    with_purge: bool = False,
    backup: Path | None = None,
) -> dict[str, Any]:
    """Withdraws what an id or a contributor's pseudonyms mean, and says what was done and what is left to do.

    Gives `retraction`, `purge` (None without), `local`, `local_state`, `experts` and `to_do`, as JSON. Every part can
    be repeated: a call that was killed is completed by the same call.

    Raises:
        InputError: the id means nothing or several. CorpusError: git, the remote or the disk refused.
    """
    with only_one(project):
        local = find_local(project.nights, prefix=(identifier or "").strip().lower(), subjects=subjects)
        asked = Withdrawal(reason, at, identifier, subjects, tuple(local))
        place: dict[str, Any] = {"corpus": project.settings.corpus, "root": project.root, "clone": clone(project)}
        done = retract(asked, **place)
        if (project.var / "seen.sqlite").exists():
            with Seen(project.var / "seen.sqlite") as seen:
                seen.forget(done.ids)
        verdicts_of(project).forget(done.ids)
        with picks_of(project) as picks:
            picks.forget(done.ids)
        traces = LocalTraces(project.var, done.ids, done.conversation_ids, done.releases)
        found: dict[Path, Trace] = {}

        def clean(passages: Passages, common: Collection[bytes]) -> None:
            traces.also(passages, common)
            found.update((trace.path, trace) for trace in traces.remove())

        purged = None
        if with_purge:
            more: dict[str, Any] = {"settings": project.settings.release, "backup": backup, "before_push": clean}
            try:
                purged = purge(done.ids, done.conversation_ids, **place, at=at, **more)
            except CorpusError as error:
                gone = ", ".join(str(path) for path in sorted(found))
                raise CorpusError(f"{error}; the text is gone from {gone} already" if found else str(error)) from error
        else:
            found.update((trace.path, trace) for trace in traces.found())
        experts = [name for name, _ in records_of(project.var, "experts", done.releases)]
    return {
        "retraction": done.to_json(),
        "purge": purged.to_json() if purged else None,
        "local": [found[path].to_json() for path in sorted(found)],
        "local_state": "cleaned" if purged else "still holds it",
        "experts": experts,
        "to_do": [
            *_after_retraction(done, purged, bool(found), experts),
            *(_after_purge(purged, list(found.values())) if purged else []),
        ],
    }


def _after_retraction(done: Retraction, purged: Purged | None, has_local: bool, experts: list[str]) -> Iterator[str]:
    if done.state == "withdrawn" and done.subjects and not done.ids:
        yield "nothing of this contributor is known here: if the name was mistyped, withdraw the right one, too"
    if purged is None and (has_local or (done.state == "withdrawn" and done.ids)):
        yield "the text is still in git's history and in local files: the same command with --purge --yes removes it"
    if done.releases:
        tags = ", ".join(done.releases)
        yield f"tell who uses {tags} that it has withdrawn samples, and cut a new release"
        yield f"delete exports of {tags} outside this var/, on other machines, too; `gristmill export` makes new ones"
    if experts:
        yield f"train {', '.join(experts)} anew on a release without it"
    if done.state == "withdrawn" and done.ids:
        yield "the chat system's own log still holds it: delete it there, too; its tombstone keeps it from being read"


def _after_purge(purged: Purged, found: Sequence[Trace]) -> Iterator[str]:
    for trace in found:
        if trace.how == "left":
            yield f"{trace.path} holds the text and is another program's: stop what uses it and delete it"
    if purged.refs:
        yield "every clone and fork has the old history (var/clone.git elsewhere, too): delete it and clone anew"
        yield "never merge or push an old clone: what was purged would be back"
        yield "open pull requests and work on old commits are void: open them again from the new branches"
    if purged.foreign_refs:
        n = len(purged.foreign_refs)
        yield f"{n} refs are the forge's own ({purged.foreign_refs[0]}, ...) and may lead to the old history: ask its support to remove them"  # noqa: E501
    if not purged.is_remote_clean:
        yield "the remote keeps unreachable objects for a while: ask whoever runs it for `git gc --prune=now` and for its caches"  # noqa: E501
    if purged.reissued:
        yield f"the digests that others noted of {', '.join(purged.reissued)} are void: tell them the new ones"
    for tag, why in purged.unsigned.items():
        yield f"{tag} is not signed ({why}): once the key can sign, `gristmill release {tag}` signs it"
    if purged.sharing:
        n = len(purged.sharing)
        yield f"{n} samples that stay say the same in part; read them: {', '.join(purged.sharing[:5])}"
    if purged.backup:
        yield f"{purged.backup} holds the old history with the text; delete it when it is no longer needed"
