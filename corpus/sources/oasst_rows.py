"""The OpenAssistant export of flat rows, one message a row with `parent_id`: puts the trees together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from corpus.sources import oasst
from corpus.sources.decode import JsonObject
from corpus.sources.draft import Draft
from corpus.sources.fields import as_text
from corpus.sources.records import Item, Record
from corpus.sources.window import Place


def recognise(record: JsonObject) -> bool:
    """Whether it is a tree, or one message of a tree."""
    return oasst.recognise(record) or ("message_tree_id" in record and "message_id" in record and "role" in record)


def regroup(items: Iterable[Item]) -> Iterator[Item]:
    """The items, with neighbouring messages of one tree as one record; the exports keep a tree's messages together."""
    rows: list[Record] = []
    for item in items:
        is_row = isinstance(item, Record) and not oasst.recognise(item.value) and recognise(item.value)
        if rows and not (is_row and isinstance(item, Record) and _tree_id(item) == _tree_id(rows[0])):
            yield _joined(rows)
            rows = []
        if is_row and isinstance(item, Record):
            rows.append(item)
        else:
            yield item
    if rows:
        yield _joined(rows)


def _tree_id(row: Record) -> str | None:
    return as_text(row.value.get("message_tree_id"))


def _joined(rows: list[Record]) -> Record:
    first, last = rows[0].place, rows[-1].place
    facts = {key: rows[0].value.get(key) for key in ("message_tree_id", "tree_state")}
    value = {**facts, "rows": [row.value for row in rows]}
    return Record(value, Place(first.offset, last.end, first.line))


def read(record: JsonObject) -> Draft:
    """The conversation of a tree, or of the rows that `regroup` joined; a row that stands alone is a tree of one."""
    if oasst.recognise(record):
        return oasst.read(record)
    rows = record.get("rows", [record])
    return oasst.draft_of_nodes(record, [(row, as_text(row.get("parent_id"))) for row in rows])
