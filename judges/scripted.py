"""A judge that reads its ratings from a file: for dry runs and for tests of what comes after judging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from schemas.canonical import file_digest
from schemas.conversation import Turn, content_id
from schemas.errors import SettingsError
from schemas.verdict import JudgeIdentity, Unrated, Verdict

NOBODY = JudgeIdentity("scripted", "", "", "", "")


class ScriptedJudge:
    """Gives each conversation the rating that a JSONL file has for its content id; others are unrated.

    A line is `{"content_id": "...", "rating": 7.5}`; the content id `"*"` stands for all that are not named.

    Raises:
        SettingsError: the file is missing, or a line is not of this form.
    """

    def __init__(self, script: Path) -> None:
        self._ratings: dict[str, float] = {}
        try:
            lines = script.read_bytes().splitlines()
        except OSError as error:
            raise SettingsError(f"the script {script} cannot be read: {error.strerror}; check judge.script") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entry = orjson.loads(line)
                rating = Verdict(float(entry["rating"]), NOBODY).rating  # refuses ratings off the scale
                self._ratings[str(entry["content_id"])] = rating
            except (ValueError, KeyError, TypeError) as error:
                form = '{"content_id": "...", "rating": 7.5}'
                raise SettingsError(f"{script}, line {number}: not of the form {form}, rating 1 to 10") from error
        self._identity = JudgeIdentity("scripted", script.name, file_digest(script), "none", "")

    @property
    def identity(self) -> JudgeIdentity:
        """The script by name and digest."""
        return self._identity

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        """One verdict a conversation, in order; `unrated_scripted` where the file names none."""
        for turns in conversations:
            rating = self._ratings.get(content_id(list(turns)), self._ratings.get("*"))
            yield Unrated("unrated_scripted") if rating is None else Verdict(rating, self.identity)
