"""Where a project's heads are kept: `var/judge/<reading>/` with the heads that ever spoke and a record of each round.

The record of a round is written last, by renaming, and says which head is champion and which is shadow after it: there
is no second place that could disagree, and a round that was killed never was. Nothing is ever overwritten, so every
head named in a verdict can be loaded as long as the folder is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from judges.head import Head, load_head
from judges.measured import reading_key
from schemas.canonical import canonical_bytes
from schemas.errors import JudgeError
from schemas.verdict import JudgeIdentity

State = Literal["promoted", "refused", "too_few", "nothing_new"]


@dataclass(frozen=True)
class JudgeRound:
    """One round of the judge's learning.

    `promoted`: the challenger was better and is champion now. `refused`: it was not shown to be better. `too_few`:
    there are not enough decisions. `nothing_new`: they are those of the last round. Only the first two are recorded.
    `lessons` is the digest of what was learned from and tested on; `champion` and `shadow` are digests of heads after
    the round (shadow "" before the first promotion); `duel` is `judges.duel.Duel.to_json`.
    """

    state: State
    message: str
    number: int = 0
    lessons: str = ""
    n_decided: int = 0
    n_learned: int = 0
    n_unmeasured: int = 0
    champion: str = ""
    shadow: str = ""
    challenger: str = ""
    challenger_name: str = ""
    confidence: float = 0.0
    duel: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)


class HeadRegistry:
    """The heads of one reading; heads of another model stand apart, because they cannot read its measurements."""

    def __init__(self, folder: Path, identity: JudgeIdentity) -> None:
        self.folder = folder / reading_key(identity)

    def rounds(self) -> list[JudgeRound]:
        """All recorded rounds, the first one first.

        Raises:
            JudgeError: a record is damaged.
        """
        return [_read(path) for path in self._records()]

    def last_round(self) -> JudgeRound | None:
        """The latest recorded round. Raises as `rounds`."""
        records = self._records()
        return _read(records[-1]) if records else None

    def champion(self) -> Head | None:
        """The head that judges; None as long as none was promoted, and the one that ships does. Raises as `head`."""
        last = self.last_round()
        return self.head(last.champion) if last else None

    def shadow(self) -> Head | None:
        """The champion before this one; None before the first promotion. Raises as `head`."""
        last = self.last_round()
        return self.head(last.shadow) if last and last.shadow else None

    def head(self, digest: str) -> Head | None:
        """A head that was champion or shadow; None when it is not here, as the one that ships.

        Raises:
            JudgeError: its file is damaged.
        """
        path = self._head_path(digest)
        if not path.exists():
            return None
        head = load_head(path)
        if head.digest() != digest:
            raise JudgeError(f"{path} is not the head that its name says; delete it, and the one that ships judges")
        return head

    def standing(self, digest: str) -> str:
        """How a promoted head last fared on decisions that it never learned from, in sentences; "" for other heads.

        Raises:
            JudgeError: a record is damaged.
        """
        reign = [played for played in self.rounds() if played.champion == digest]
        if not reign or reign[0].state != "promoted":
            return ""
        side = reign[-1].duel["challenger" if len(reign) == 1 else "champion"] or {"n": 0}
        if not side["n"]:
            return ""
        low, high = side["share_interval"]
        return (
            f"It learned from {reign[0].n_learned} decisions of reviewers. Of {side['n']} others, which it never saw, "
            f"{side['n_agreed']} were as it had expected (95 % interval {low:.0%} to {high:.0%})."
        )

    def record(self, played: JudgeRound, heads: Iterable[Head], assessments: Iterable[Mapping[str, Any]]) -> None:
        """Keeps a round: first the heads, then what each said of the frozen part, last the record.

        Raises:
            JudgeError: the folder cannot be written.
        """
        try:
            for head in heads:
                if not self._head_path(digest := head.digest()).exists():
                    head.save(self._head_path(digest))
            stem = f"{played.number:04}"
            lines = b"".join(canonical_bytes(dict(line)) + b"\n" for line in assessments)
            _write(self._rounds / f"{stem}.assessments.jsonl", lines)
            _write(self._rounds / f"{stem}.json", orjson.dumps(played.to_json(), option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise JudgeError(f"cannot write {self.folder}: {error.strerror}; free space or allow writing") from error

    @property
    def _rounds(self) -> Path:
        return self.folder / "rounds"

    def _records(self) -> list[Path]:
        return sorted(path for path in self._rounds.glob("*.json") if path.stem.isdigit())

    def _head_path(self, digest: str) -> Path:
        return self.folder / "heads" / f"{digest}.safetensors"


def _read(path: Path) -> JudgeRound:
    try:
        return JudgeRound(**orjson.loads(path.read_bytes()))
    except (OSError, orjson.JSONDecodeError, TypeError) as error:
        raise JudgeError(f"the record {path} is damaged ({error}); delete it, and the round is played again") from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
