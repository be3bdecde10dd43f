"""One log file as pull sees it: of which source, on which terms, and what its records become."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from corpus.sources.draft import Draft
from corpus.sources.reading import Found
from corpus.sources.registry import SourceType
from corpus.sources.timestamps import moment_of
from schemas.canonical import canonical_bytes
from schemas.conversation import Conversation, Source
from schemas.outcome import Held
from schemas.settings import SourceSettings


@dataclass(frozen=True)
class Terms:
    """What holds for all sources; fields as the arguments of `pull`."""

    root: Path
    subject_key: bytes
    max_record_bytes: int
    licences: tuple[str, ...]
    is_night: bool

    def subject(self, system: str, user: str | None) -> str | None:
        """The pseudonym of a user: 128 bits of a keyed digest, so that it cannot be found by trying all names."""
        if not user:
            return None
        return hmac.new(self.subject_key, f"{system}\0{user}".encode(), sha256).hexdigest()[:32]

    def objection(self, conversation: Conversation) -> Held | None:
        """Why a conversation must wait for a person."""
        if not self.is_night:
            return None
        if not conversation.consent:
            return Held("no_consent")
        if not conversation.licence:
            return Held("no_licence")
        if self.licences and conversation.licence not in self.licences:
            return Held("licence_not_allowed", conversation.licence)
        return None


@dataclass(frozen=True)
class LogFile:
    """A file of a source. `label` is how it is shown, `source_key` names the source as it is configured."""

    path: Path
    label: str
    source: SourceSettings
    source_key: str
    wanted: SourceType | None
    terms: Terms

    def conversation(self, draft: Draft, kind: SourceType, file_digest: str) -> Conversation:
        """The conversation of a draft; what the record itself states about consent and licence comes first."""
        return Conversation(
            source=Source(self.source.name, kind.system, draft.native_id, draft.format_version, file_digest),
            messages=draft.messages,
            active_leaf=draft.active_leaf,
            created_at=draft.created_at,
            title=draft.title,
            language=draft.language,
            feedback=draft.feedback,
            consent=None if draft.is_refused else draft.consent or self.source.consent or None,
            licence=draft.licence or self.source.licence or None,
            subject=self.terms.subject(kind.system, draft.user),
        )

    def place(self, found: Found) -> str:
        """Where something stands, for a person: file, member of the archive, line and byte."""
        member = f":{found.member}" if found.member else ""
        return f"{self.label}{member}, line {found.place.line}, byte {found.place.offset}"

    def quarantined(self, found: Found) -> dict[str, Any]:
        """The quarantine's entry about an unreadable record."""
        return {
            "source": self.source.name,
            "file": self.label,
            "member": found.member or None,
            "type": found.type.name if found.type else None,
            "line": found.place.line,
            "offset": found.place.offset,
            "end": found.place.end,
            "reason": found.reason,
            "excerpt": found.excerpt.decode("utf-8", "backslashreplace"),
        }


def pulled_row(conversation: Conversation) -> dict[str, Any]:
    """The row of table PULLED.

    Raises:
        TypeError: the tree cannot be written as canonical JSON. InputError: the active path has no beginning.
    """
    turns = conversation.turns()
    return {
        "conversation_id": conversation.id,
        "source": conversation.source.name,
        "system": conversation.source.system,
        "native_id": conversation.source.native_id,
        "created_at": moment_of(conversation.created_at),
        "model": conversation.model(),
        "language": conversation.language,
        "consent": conversation.consent,
        "licence": conversation.licence,
        "subject": conversation.subject,
        "n_messages": len(turns),
        "n_branches": conversation.n_branches(),
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        "tree": canonical_bytes(conversation.to_json()).decode(),
    }
