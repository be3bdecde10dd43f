"""The unit of the corpus. What people decide about it is in schemas/decision.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORMAT_VERSION = 1
"""Version of the corpus format; `corpus.toml` of the corpus repository states it."""


@dataclass(frozen=True)
class Sample:
    """One accepted conversation: its path, its verdict and its provenance; one canonical JSON line of the corpus.

    `id` is the content id of the (redacted) path, so the same text can never be in the corpus twice. `messages` are
    `{"role", "content"}`. `alternatives` are the sibling replies that the user saw beside the path, each
    `{"turn", "content", "rank", "vote"}`: `turn` indexes `messages`, `rank` 0 is best, `vote` is 1 or -1, None where
    the log has none. `verdict` is `Verdict.to_json` without cost. `provenance` is `{"conversation_id", "source",
    "system", "created_on", "model", "language", "consent", "licence", "subject", "night", "redactions", "extends"}`.
    Criteria, features and redactions are lists of `{"name", "value"}`: readers want the same keys in every line.
    """

    id: str
    expert: str
    messages: tuple[Mapping[str, str], ...]
    verdict: Mapping[str, Any]
    provenance: Mapping[str, Any]
    alternatives: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object whose canonical bytes are the sample's line."""
        return {
            "format": FORMAT_VERSION,
            "id": self.id,
            "expert": self.expert,
            "messages": list(self.messages),
            "alternatives": list(self.alternatives),
            "verdict": self.verdict,
            "provenance": self.provenance,
        }


@dataclass(frozen=True)
class Tombstone:
    """A withdrawn id, which must never return."""

    sample_id: str
    reason: str
    withdrawn_at: str
