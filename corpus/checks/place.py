"""Where a change is: a checkout, a bare repository, or an address, with its base and head found."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from corpus.bulk import BulkObjects
from corpus.clone import Clone, with_clone
from corpus.objects import Damaged
from corpus.remote import is_partial, refusal, remote_of
from schemas.errors import CorpusError, InputError, SettingsError, nearest

_MAIN = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


@dataclass(frozen=True)
class ChangePlace:
    """A repository and the two commits between which a change lies; `n_bytes` are those of the base's samples."""

    store: BulkObjects
    base_name: str
    base: str
    head_name: str
    head: str
    n_bytes: int


@contextmanager
def open_place(where: str, base: str | None, head: str | None) -> Iterator[ChangePlace]:
    """The change that is meant; what is brought from an address is gone afterwards.

    Args:
        where: a folder with a repository, or the address of one.
        base: a branch, tag or commit; None: the main branch.
        head: the same; None: what is checked out. An address has branches only, and both must be named.

    Raises:
        InputError: there is no repository, no such commit, or not the whole history. SettingsError: it is one of
            something else. CorpusError: git refuses.
    """
    try:
        if Path(where).exists():
            yield _placed(BulkObjects(_repository(Path(where))), base, head)
            return
        with tempfile.TemporaryDirectory(prefix="gristmill-check-") as folder:
            names = (base or "main", head)
            if head is None:
                raise InputError(f"--head is needed with {where}: the branch of {where} that is to be checked")
            clone = Path(folder) / "clone.git"
            with_clone(remote_of(where, Path.cwd()), clone, lambda store: _fetched(store, [names[0], head]))
            yield _placed(BulkObjects(clone), f"refs/corpus/{names[0]}", f"refs/corpus/{head}")
    except Damaged as damage:
        if is_partial(str(damage)):
            raise refusal(f"reading {where}", str(damage)) from damage
        raise CorpusError(f"{where} cannot be read: {damage}; run `git fsck` there, or clone it anew") from damage


def _repository(path: Path) -> Path:
    """The folder that git keeps its objects in."""
    whole = path.resolve()  # git is run in the folder itself
    for folder in (whole, *whole.parents):
        if (folder / "objects").is_dir() and (folder / "refs").is_dir():
            return folder
        git = folder / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            return (folder / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()).resolve()
    raise InputError(f"{path} is no git repository; name the checkout of the corpus, or its address")


def _fetched(store: Clone, names: Sequence[str]) -> None:
    heads = store.heads()
    for name in names:
        if name not in heads:
            raise InputError(f"{store.remote} has no branch {name!r}{nearest(name, heads)}")
    store.fetch({name: heads[name] for name in names})


def _placed(store: BulkObjects, base: str | None, head: str | None) -> ChangePlace:
    base_name, base_commit = _commit(store, [base] if base else _MAIN, "--base")
    head_name, head_commit = _commit(store, [head or "HEAD"], "--head")
    if (store.path / "shallow").exists():
        raise InputError(f"{store.path} has a part of the history only; run `git fetch --unshallow` there")
    if store.blob_id(base_commit, "corpus.toml") is None:
        raise SettingsError(
            f"{store.path} is no corpus: {base_name} has no corpus.toml. Run this in a checkout of the corpus or name "
            "one; --base names the branch that the change is meant for"
        )
    store.complete(base_commit, head_commit)
    entries = [one for folder in ("data", "contributions") for one in store.entries(base_commit, folder)]
    shown = base_name.removeprefix("refs/corpus/"), head_name.removeprefix("refs/corpus/")
    return ChangePlace(store, shown[0], base_commit, shown[1], head_commit, sum(one.n_bytes for one in entries))


def _commit(store: BulkObjects, names: Sequence[str], option: str) -> tuple[str, str]:
    for name in names:
        if any(not character.isprintable() or character in "\n\r" for character in name) or name.startswith("-"):
            raise InputError(f"{option} {name!a} is no name of a commit")
        (found,) = store.ids([f"{name}^{{commit}}"], "commit")
        if found:
            return name, found
    asked = " or ".join(names)
    raise InputError(f"{store.path} has no commit {asked}; name one with {option} (fetch it first)")
