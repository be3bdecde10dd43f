"""The release behind a tag."""

from __future__ import annotations

from corpus.clone import Clone
from corpus.release_plan import manifest_path
from schemas.errors import CorpusError, InputError, nearest
from schemas.release import Release, tag_problem


def released(store: Clone, tag: str) -> tuple[str, Release]:
    """The commit of a release, brought here, and its manifest.

    Raises:
        InputError: this cannot be a tag. CorpusError: there is no such release, or its manifest cannot be read.
    """
    if problem := tag_problem(tag):
        raise InputError(f"{tag[:120]!a} cannot be a release: its name {problem}")
    tags = store.tags()
    if tag not in tags:
        known = f"it has {', '.join(sorted(tags)[:10])}" if tags else "it has none; `gristmill release` makes one"
        raise CorpusError(f"the corpus has no release {tag}{nearest(tag, tags)}; {known}")
    commit = store.fetch_tag(tag)
    content = store.file(commit, manifest_path(tag))
    if content is None:
        raise CorpusError(f"the tag {tag} is no release: its commit has no {manifest_path(tag)}; name another tag")
    try:
        return commit, Release.from_content(content)
    except InputError as error:
        raise CorpusError(f"the manifest of release {tag} cannot be read: {error}") from error
