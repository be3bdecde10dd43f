"""The stored tables: one row per conversation, each step adding columns; and the contracts they must satisfy.

Arrow schemas say what a stage file holds; Pandera contracts (on collected frames: on lazy ones Pandera checks only
names and types) say which values are allowed.
"""

from __future__ import annotations

import pyarrow as pa

_TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

PULLED = pa.schema(
    [
        pa.field("conversation_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # the source's name in the settings
        pa.field("system", pa.string(), nullable=False),  # the chat system: "openwebui", "sharegpt", ...
        pa.field("native_id", pa.string(), nullable=False),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        pa.field("model", pa.string()),
        pa.field("language", pa.string()),  # ISO 639-1, from the source until `screen` detects it
        pa.field("consent", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("subject", pa.string()),
        pa.field("n_messages", pa.int32(), nullable=False),  # of the active path
        pa.field("n_branches", pa.int32(), nullable=False),  # leaves of the tree
        pa.field("messages", _TURNS, nullable=False),  # the active path, flattened
        pa.field("tree", pa.string(), nullable=False),  # canonical JSON of Conversation.to_json()
    ]
)

# messages, tree, model and consent are redacted from here on.
SCREENED = pa.schema(
    [
        *PULLED,
        pa.field("content_id", pa.string(), nullable=False),  # of the redacted turns
        pa.field("n_words", pa.int32(), nullable=False),
        pa.field("redactions", pa.string(), nullable=False),  # JSON object: class -> count
    ]
)

DISTINCT = pa.schema(
    [
        *SCREENED,
        pa.field("n_duplicates", pa.int32(), nullable=False),  # of this night, folded into this row
        pa.field("extends", pa.string()),  # content id of an earlier, shorter record of the same conversation
    ]
)

JUDGED = pa.schema(
    [
        *DISTINCT,
        pa.field("rating", pa.float64(), nullable=False),  # 1 to 10
        pa.field("acceptance", pa.float64()),  # 0 to 1, null before a judge is calibrated
        pa.field("verdict", pa.string(), nullable=False),  # canonical JSON of Verdict.to_json()
    ]
)

SELECTED = pa.schema([*JUDGED, pa.field("expert", pa.string(), nullable=False)])

SAMPLES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("expert", pa.string(), nullable=False),
        pa.field("rating", pa.float64(), nullable=False),
        pa.field("line", pa.string(), nullable=False),  # the sample's canonical JSON without line end; sorted by id
        pa.field("notes", pa.string()),  # what reviewers are told besides: JSON of corpus.review_notes.ReviewNotes
    ]
)

# What a night took from earlier ones, where the judge gave no rating for now.
CARRIED = pa.schema(
    [
        pa.field("conversation_id", pa.string(), nullable=False),
        pa.field("content_id", pa.string(), nullable=False),  # as that night had it
        pa.field("night", pa.string(), nullable=False),  # where it waited
    ]
)

REJECTED = pa.schema(
    [
        pa.field("conversation_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("native_id", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # "dropped" or "held"
        pa.field("reason", pa.string(), nullable=False),
        pa.field("evidence", pa.string(), nullable=False),
    ]
)
