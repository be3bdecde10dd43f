"""The formats by name; a new one is a module and a line here."""

from __future__ import annotations

from corpus.export.axolotl_rows import AXOLOTL
from corpus.export.formats import Format
from corpus.export.huggingface_rows import JSON_LINES, PARQUET
from corpus.export.llamafactory_rows import LLAMAFACTORY
from corpus.export.openai_rows import OPENAI
from corpus.export.openrlhf_rows import OPENRLHF
from corpus.export.rows import KINDS, Kind
from corpus.export.torchtune_rows import TORCHTUNE
from corpus.export.trl_rows import TRL
from corpus.export.unsloth_rows import UNSLOTH
from corpus.export.verl_rows import VERL
from schemas.errors import InputError, nearest

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (TRL, AXOLOTL, LLAMAFACTORY, TORCHTUNE, UNSLOTH, OPENRLHF, VERL, OPENAI, PARQUET, JSON_LINES)
}


def format_named(name: str, kind: Kind) -> Format:
    """The format of this name, which has rows of this kind.

    Raises:
        InputError: there is none, or it has no such rows.
    """
    if name not in FORMATS:
        raise InputError(f"no such format {name!r}{nearest(name, FORMATS)}; `gristmill export --list` shows them")
    if kind not in FORMATS[name].shapes:
        kinds = ", ".join(one for one in KINDS if one in FORMATS[name].shapes)
        raise InputError(f"{name} has no rows of kind {kind!r}; it has {kinds}")
    return FORMATS[name]
