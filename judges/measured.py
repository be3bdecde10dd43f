"""Measurements of conversations that people decided on, kept so that no round reads them again.

One safetensors file a conversation (about 12 kB an answer), written to a temporary name and renamed, under the key of
the reading that made it: another model or another way of reading measures afresh.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from judges.measurement import Measurement
from schemas.canonical import digest
from schemas.conversation import Turn
from schemas.errors import JudgeError
from schemas.verdict import JudgeIdentity, Unrated


@runtime_checkable
class Measures(Protocol):
    """A judge whose head can be exchanged: what it measures is kept apart from what it says of it."""

    @property
    def identity(self) -> JudgeIdentity:
        """Who is speaking."""
        ...

    def measure(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Measurement | Unrated]:
        """One measurement a conversation, in order."""
        ...


def reading_key(identity: JudgeIdentity) -> str:
    """Names all that decides a measurement: model and prompt, not the rubric's words or the head."""
    return digest([identity.name, identity.model_digest, identity.prompt_digest])[:16]


class MeasuredConversations:
    """Measurements by content id in a folder, made by the judge where they are missing.

    Raises:
        JudgeError: the folder cannot be written, or the judge cannot work.
    """

    def __init__(self, folder: Path, judge: Measures) -> None:
        self._folder = folder / reading_key(judge.identity)
        self._judge = judge

    def of(self, conversations: Mapping[str, Sequence[Turn]]) -> dict[str, Measurement]:
        """The measurements by content id; those that the judge cannot read are left out."""
        found = {name: known for name in conversations if (known := self._known(name))}
        missing = [name for name in conversations if name not in found]
        for name, made in zip(missing, self._judge.measure([conversations[name] for name in missing]), strict=True):
            if isinstance(made, Measurement):
                self._keep(name, made)
                found[name] = made
        return found

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.safetensors"

    def _known(self, name: str) -> Measurement | None:
        """None also for a damaged file: it is made again."""
        try:
            with safe_open(self._path(name), "np") as opened:
                rest = json.loads(opened.metadata()["measurement"])
                return Measurement(rest["scalars"], opened.get_tensor("vector"), rest["n_tokens"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return None

    def _keep(self, name: str, made: Measurement) -> None:
        path = self._path(name)
        rest = {"scalars": dict(made.scalars), "n_tokens": made.n_tokens}
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(save({"vector": made.vector}, {"measurement": json.dumps(rest, sort_keys=True)}))
            temporary.replace(path)
        except OSError as error:
            raise JudgeError(f"cannot write {path}: {error.strerror}; free space or allow writing there") from error
