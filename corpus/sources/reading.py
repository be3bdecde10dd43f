"""Reads one log file: its conversations as drafts, and what could not be read, each with its place, in their order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus.sources.chatgpt import with_user
from corpus.sources.decode import JsonObject
from corpus.sources.draft import Draft
from corpus.sources.fields import first_text
from corpus.sources.layout import Layout, find_layout
from corpus.sources.open_webui_db import read_database
from corpus.sources.opened import LogPart, OpenedLog, is_database, opened
from corpus.sources.problems import DamagedFile, NoContent, UnknownLog, UnreadableRecord
from corpus.sources.records import Item, Record, Unreadable, too_large
from corpus.sources.registry import OPEN_WEBUI, SourceType
from corpus.sources.values import ValueSplitter
from corpus.sources.window import Place

_LOG = logging.getLogger("gristmill.pull")

OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a place of a log: a draft, or the reason why there is none.

    `member` is the file inside an archive, or a database's table beside that of the chats. With `draft` None and
    `is_empty` the record is whole but holds no conversation; else it is unreadable.
    """

    place: Place
    type: SourceType | None
    draft: Draft | None = None
    reason: str = ""
    is_empty: bool = False
    excerpt: bytes = b""
    member: str = ""
    native_id: str = ""


@dataclass
class Reading:
    """One reading of a file; iterate over `found`, then look at the rest.

    Attributes:
        size: how many bytes of the file to read; what is appended meanwhile is left for the next time.
        wanted: the type, when the user named it.
        at: byte offset and line to go on from, where the last reading stopped; it counts only in JSON Lines.
        n_merged: records that are repeated in a longer one of the same log.
        n_items: what was read, whole or not.
        is_lines: whether the file can be read on from the end of its last line, once it has grown.
        has_resumed: whether it was read from `at` on.
        is_passing: whether the file could not be read for a reason that may pass, such as a lock or a permission.
    """

    file: Path
    size: int
    max_bytes: int
    wanted: SourceType | None = None
    at: tuple[int, int] | None = None
    on_bytes: OnBytes | None = None
    n_merged: int = 0
    n_items: int = 0
    is_lines: bool = False
    has_resumed: bool = False
    is_passing: bool = False

    def found(self) -> Iterator[Found]:
        """What the file holds, in its order.

        Raises:
            UnknownLog: it is no log of a known type.
        """
        try:
            if is_database(self.file):
                yield from self._database()
            else:
                with opened(self.file, self.size) as log:
                    yield from self._parts(log)
        except DamagedFile as error:
            self.n_items += 1
            self.is_passing = True
            yield Found(Place(0, self.size, 1), None, reason=str(error))

    def _database(self) -> Iterator[Found]:
        if self.wanted and self.wanted is not OPEN_WEBUI:
            raise UnknownLog(f"it is a database, which type {self.wanted.name} never is; leave --type away")
        for table, item, side in read_database(self.file, self.max_bytes):
            self.n_items += 1
            yield self._converted(item, OPEN_WEBUI, table, side)
        if self.on_bytes:
            self.on_bytes(self.size)

    def _parts(self, log: OpenedLog) -> Iterator[Found]:
        side, user = yield from self._side(log)
        unknown: list[UnknownLog] = []
        for part in log.parts:
            try:
                yield from self._part(part, side, user)
            except UnknownLog as error:
                unknown.append(error)
                if len(log.parts) > 1:
                    yield Found(Place(0, 0, 1), None, reason=str(error), member=part.member)
            except DamagedFile as error:
                self.n_items += 1
                yield Found(Place(0, 0, 1), None, reason=str(error), member=part.member)
        if unknown and len(unknown) == len(log.parts) == 1:
            raise unknown[0]

    def _part(self, part: LogPart, side: Mapping[str, list[JsonObject]], user: str | None) -> Iterator[Found]:
        layout = find_layout(part, self.wanted, self.max_bytes)
        if layout is None:
            return
        kind = layout.type
        self.is_lines = part.is_file and layout.framing == "lines" and kind is not None and kind.can_resume
        self.has_resumed = self.is_lines and self.at is not None
        counts = kind.select(self._records(part, layout)) if kind and kind.select else None
        items: Iterable[Item] = self._items(part, layout, self.on_bytes)
        for item in kind.regroup(items) if kind and kind.regroup else items:
            self.n_items += 1
            if counts and isinstance(item, Record) and not counts(item.value):
                self.n_merged += 1
                continue
            record = item.value if isinstance(item, Record) else {}
            found = self._converted(
                item, kind, part.member, side.get(first_text(record, "conversation_id", "id") or "", [])
            )
            draft = with_user(found.draft, user) if found.draft and user else found.draft
            yield found if draft is found.draft else Found(found.place, kind, draft, member=part.member)

    def _items(self, part: LogPart, layout: Layout, on_bytes: OnBytes | None = None) -> Iterator[Item]:
        return layout.items(part.window(at=self.at if self.is_lines else None, on_bytes=on_bytes), self.max_bytes)

    def _records(self, part: LogPart, layout: Layout) -> Iterator[JsonObject]:
        return (item.value for item in self._items(part, layout) if isinstance(item, Record))

    def _converted(self, item: Item, kind: SourceType | None, member: str, side: Sequence[JsonObject]) -> Found:
        if isinstance(item, Unreadable):
            return Found(item.place, kind, reason=item.reason, excerpt=item.excerpt, member=member)
        name = first_text(item.value, "id", "request_id") or ""
        if kind is None or not kind.recognise(item.value) and not kind.regroup:
            keys = ", ".join(repr(key[:30]) for key in list(item.value)[:8]) or "none"
            reason = f"it is no record of type {kind.name if kind else 'known'}; its keys: {keys}"
            return Found(item.place, kind, reason=reason, member=member)
        try:
            return Found(item.place, kind, kind.read(item.value, side), member=member)
        except UnreadableRecord as error:
            return Found(item.place, kind, reason=str(error), member=member, native_id=name)
        except NoContent as error:
            return Found(item.place, kind, reason=str(error), is_empty=True, member=member, native_id=name)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError, RecursionError) as error:
            # A record in a shape that nobody thought of is our fault, but costs only itself.
            _LOG.debug("%s: record at byte %d", self.file, item.place.offset, exc_info=True)
            reason = f"Gristmill failed on it, please report this: {type(error).__name__}: {error}"
            return Found(item.place, kind, reason=reason, member=member)

    def _side(self, log: OpenedLog) -> Generator[Found, None, tuple[dict[str, list[JsonObject]], str | None]]:
        """What cannot be read beside an archive's logs; returns its ratings by conversation, and its account."""
        feedback: dict[str, list[JsonObject]] = {}
        users: list[str | None] = []
        for name in ("message_feedback.json", "user.json"):
            for item in self._side_items(log, name):
                if isinstance(item, Unreadable):
                    yield Found(item.place, None, reason=item.reason, excerpt=item.excerpt, member=name)
                elif name == "user.json":
                    users.append(first_text(item.value, "id", "user_id"))
                elif conversation_id := first_text(item.value, "conversation_id"):
                    feedback.setdefault(conversation_id, []).append(item.value)
        return feedback, next(iter(users), None)

    def _side_items(self, log: OpenedLog, name: str) -> Iterator[Item]:
        """What is in a small member of an archive; a larger one is read as far as one record may be large."""
        if name not in log.side:
            return
        for item in ValueSplitter(log.side[name].window(), self.max_bytes, lambda value: True):
            if item.place.end > self.max_bytes:
                yield Unreadable(item.place, f"from here on it is not read: {too_large(self.max_bytes)}")
                return
            yield item
