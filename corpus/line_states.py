"""What a line of a shard is: a sample as it was proposed, what somebody made of one, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from corpus.checks.text_file import LINE_BYTES_MAX, has_duplicate_key
from corpus.edits import edited_line
from corpus.proposal import Proposal, origin_of
from schemas.errors import InputError

_CHANGEABLE = ("id", "messages", "alternatives")
"""What an edit changes of a sample; the rest of its line is not for people to change."""


@dataclass(frozen=True)
class LineState:
    """A line, read against the proposal.

    `root` is the proposed sample that it is or was made of, None when it is of none. `edited_id` is the id of an edit,
    `line` its canonical line. `problem` says what keeps the line from being taken.
    """

    root: str | None
    edited_id: str | None = None
    line: bytes | None = None
    problem: str | None = None


class LineReader:
    """Reads the lines of one night's shards; each different line once."""

    def __init__(self, proposal: Proposal) -> None:
        self._proposal = proposal
        self._known = {one.line: LineState(sample_id) for sample_id, one in proposal.lines.items()}
        self.edits: dict[str, LineState] = {}

    def read(self, line: bytes) -> LineState:
        """What the line (without line end) is; edits are kept in `edits` by their id."""
        if line not in self._known:
            state = self._known[line] = self._read(line)
            if state.edited_id:
                self.edits.setdefault(state.edited_id, state)
        return self._known[line]

    def proposed(self, root: str) -> bytes:
        """A sample's line as it was proposed."""
        return self._proposal.lines[root].line

    def _read(self, line: bytes) -> LineState:
        if len(line) > LINE_BYTES_MAX:
            return LineState(None, problem=f"has {len(line):,} bytes, and {LINE_BYTES_MAX:,} are allowed")
        try:
            sample = orjson.loads(line)
        except orjson.JSONDecodeError:
            return LineState(None, problem="is not JSON")
        if not isinstance(sample, dict) or not isinstance(sample.get("messages"), list):
            return LineState(None, problem="is no sample")
        if has_duplicate_key(line):
            return LineState(None, problem="names a key twice")
        roots = self._roots(sample)
        if len(roots) != 1:
            return LineState(None, problem="is a sample that was not proposed" if not roots else "may be either of two")
        return self._compared(roots[0], sample)

    def _roots(self, sample: dict[str, Any]) -> tuple[str, ...]:
        sample_id = sample.get("id")
        if isinstance(sample_id, str) and sample_id in self._proposal.lines:
            return (sample_id,)
        return self._proposal.by_origin.get(origin_of(sample), ())

    def _compared(self, root: str, sample: dict[str, Any]) -> LineState:
        proposed = self._proposal.lines[root]
        original = proposed.sample()
        if sample == original:
            return LineState(root)
        if _rest(sample) != _rest(original):
            return LineState(root, problem="was changed elsewhere than in its messages")
        if sample["messages"] == original["messages"]:
            return LineState(root, problem="was changed elsewhere than in its messages")
        try:
            edited_id, line = edited_line(proposed.line, sample["messages"])
        except InputError as error:
            return LineState(root, problem=f"is no edit: {error}")
        return LineState(root, edited_id, line)


def _rest(sample: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sample.items() if key not in _CHANGEABLE}
