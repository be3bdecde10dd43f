"""What a judge says of a conversation, and who the judge was. Not judged is not bad: `Unrated` is its own type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Protocol

from schemas.canonical import digest
from schemas.conversation import Turn
from schemas.embedding import checked
from schemas.errors import InputError, nearest

RATING_MIN, RATING_MAX = 1.0, 10.0

_MAPPINGS = ("criteria", "features")


@dataclass(frozen=True)
class JudgeIdentity:
    """The maker of a verdict. Two verdicts can be compared only when all of this is equal.

    `name` is for people ("embedded", "endpoint", "scripted"); the digests are SHA-256 of the model file (or the
    endpoint's model name), the rubric file, the head's parameters and the prompt template.
    """

    name: str
    model: str
    model_digest: str
    rubric: str
    rubric_digest: str
    head: str = ""
    head_digest: str = ""
    prompt_digest: str = ""

    def digest(self) -> str:
        """The key under which this judge's verdicts are kept."""
        return digest(asdict(self))

    @classmethod
    def from_json(cls, plain: Any) -> JudgeIdentity:
        """The value that `asdict` wrote.

        Raises:
            InputError: a field is unknown, missing or no string.
        """
        found = _checked(plain, cls, "judge")
        for name, value in found.items():
            if not isinstance(value, str):
                raise InputError(f"the judge of a verdict has {name!r} = {value!r:.60}; it must be a string")
        return cls(**found)


@dataclass(frozen=True)
class Verdict:
    """A rating from 1 to 10 as expected value, and where it comes from.

    `acceptance` is the calibrated probability that a reviewer keeps the sample, None before a judge is calibrated;
    `uncertainty` is its standard deviation, 0 to 0.5, as far as the judge knows its own doubt, else None.
    `criteria` are ratings by criterion, 1 to 10. `features` are the measurements behind the rating. `n_tokens` and
    `seconds` are what it cost, `embedding` is what the conversation is about (schemas/embedding.py; empty where the
    judge has no sentence model); these three are kept locally and are not part of a sample.
    """

    rating: float
    judge: JudgeIdentity
    acceptance: float | None = None
    criteria: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)
    n_tokens: int = 0
    seconds: float = 0.0
    uncertainty: float | None = None
    embedding: str = ""

    def __post_init__(self) -> None:
        """Refuses ratings off the scale, NaN included."""
        if not RATING_MIN <= self.rating <= RATING_MAX:
            raise ValueError(f"a rating lies between {RATING_MIN} and {RATING_MAX}, not at {self.rating}")

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` turns back into an equal value."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Verdict:
        """The value that `to_json` wrote.

        Raises:
            InputError: a field is unknown, missing or of another type, or the rating is off the scale.
        """
        found = _checked(plain, cls, "verdict")
        judge = JudgeIdentity.from_json(found.pop("judge"))
        found["embedding"] = checked(found.get("embedding", ""))
        for name, value in found.items():
            if name == "embedding":
                continue
            values = value.values() if name in _MAPPINGS and isinstance(value, Mapping) else [value]
            if not all(_is_number(name, one) for one in values) or isinstance(value, Mapping) != (name in _MAPPINGS):
                raise InputError(f"a verdict has {name!r} = {value!r:.60}, which is not what a verdict holds there")
        try:
            return cls(judge=judge, **found)
        except ValueError as error:
            raise InputError(f"a verdict is not valid: {error}") from error


def _checked(plain: Any, kind: type[Verdict] | type[JudgeIdentity], what: str) -> dict[str, Any]:
    """The fields of a stored object, all known and the needed ones there."""
    if not isinstance(plain, Mapping):
        raise InputError(f"a {what} is {plain!r:.60}, not a JSON object; it was not written by Gristmill")
    known = {one.name: one.default is MISSING and one.default_factory is MISSING for one in fields(kind)}
    for name in plain:
        if name not in known:
            hint = nearest(str(name), known) or "; another version of Gristmill may have written it"
            raise InputError(f"a {what} has an unknown field {name!r:.60}{hint}")
    missing = [name for name, is_needed in known.items() if is_needed and name not in plain]
    if missing:
        raise InputError(f"a {what} lacks {', '.join(map(repr, missing))}; another version of Gristmill may read it")
    return dict(plain)


def _is_number(name: str, value: Any) -> bool:
    if value is None:
        return name in ("acceptance", "uncertainty")
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Unrated:
    """No verdict could be obtained, so the conversation is held, never scored low.

    `reason` is a code of `schemas.reasons`; `is_retryable` says that trying again on another night may help (an
    endpoint that was down).
    """

    reason: str
    evidence: str = ""
    is_retryable: bool = False


class Judge(Protocol):
    """Whatever rates conversations. Results come in the order of the input, one each."""

    @property
    def identity(self) -> JudgeIdentity:
        """Who is speaking."""
        ...

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        """One verdict a conversation, in order.

        The result for a conversation may depend on the others of the same call (batched arithmetic), so the caller
        keeps the grouping of its calls reproducible.
        """
        ...
