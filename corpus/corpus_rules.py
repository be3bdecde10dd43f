"""What a corpus says of itself in corpus.toml: which licences it takes, and what it counts as a duplicate."""

from __future__ import annotations

import tomllib
from typing import NamedTuple

from corpus.objects import Objects
from schemas.errors import CorpusError
from schemas.settings import DedupeSettings


class CorpusRules(NamedTuple):
    """The licences that a corpus allows, and from which similarity on two samples are the same to it."""

    licences: tuple[str, ...]
    jaccard_min: float


def corpus_rules(store: Objects, base: str) -> CorpusRules:
    """The rules of a commit of the corpus.

    Raises:
        CorpusError: it is no corpus, or its corpus.toml is damaged.
    """
    content = store.file(base, "corpus.toml")
    if content is None:
        raise CorpusError("the base is no corpus: it has no corpus.toml; name the corpus's own branch with --base")
    try:
        plain = tomllib.loads(content.decode())
        jaccard_min = float(plain.get("jaccard_min", DedupeSettings().jaccard_min))
        licences = tuple(str(one) for one in plain["licences"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"corpus.toml of the base cannot be read ({error!r:.100}); mend it there") from error
    if not 0 < jaccard_min <= 1:
        raise CorpusError(f"corpus.toml of the base has jaccard_min {jaccard_min}; it lies between 0 and 1")
    return CorpusRules(licences, jaccard_min)
