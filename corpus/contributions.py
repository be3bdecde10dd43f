"""What people contributed by pull request, brought from the corpus to where `pull` reads it like any other log.

A contribution is merged into `contributions/` of the corpus unrated. The night pulls, screens and rates it and proposes
what is good; so the way into `data/` is one, whoever the conversations come from.
"""

from __future__ import annotations

import re
from pathlib import Path

from corpus.clone import Clone
from corpus.repository import base_commit, on_corpus
from corpus.stage import write_atomically
from schemas.settings import CorpusSettings, SourceSettings

SOURCE_NAME = "contributions"

_FILE = re.compile(r"contributions/(\d{4}-\d\d/[a-z0-9][a-z0-9-]{0,60}\.jsonl)")


def contributed_source(corpus: CorpusSettings, *, root: Path, clone: Path, folder: Path) -> SourceSettings | None:
    """The merged contributions as a source, None while there are none; each record names its consent and licence.

    Files are written once: what is merged is changed by nobody.

    Raises:
        CorpusError: the corpus cannot be reached or read.
    """

    def bring(store: Clone) -> None:
        for entry in store.entries(base_commit(store, corpus, store.heads()), SOURCE_NAME):
            found = _FILE.fullmatch(entry.path)
            if found and entry.mode == "100644" and not (folder / found[1]).exists():
                write_atomically(folder / found[1], store.blob(entry.blob))

    on_corpus(corpus, root=root, clone=clone, operation=bring)
    if not any(folder.glob("*/*.jsonl")):
        return None
    return SourceSettings(name=SOURCE_NAME, path=str(folder), type="openai-messages")
