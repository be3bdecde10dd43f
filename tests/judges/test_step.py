"""judge on rows: nothing is judged twice, and a kill changes no verdict."""

from collections.abc import Iterator, Sequence

import pytest

from judges.scripted import ScriptedJudge
from judges.step import CHUNK, JudgeStep
from judges.verdicts import VerdictStore
from schemas.conversation import Turn, content_id
from schemas.errors import JudgeError
from schemas.outcome import Held, Kept
from schemas.verdict import JudgeIdentity, Unrated, Verdict


class CallOrderJudge:
    """A judge whose verdict depends on the place in the call, as batched arithmetic may; it counts its calls."""

    identity = JudgeIdentity("order", "m", "d", "r", "rd")

    def __init__(self) -> None:
        self.calls: list[int] = []

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        self.calls.append(len(conversations))
        for place, _ in enumerate(conversations):
            yield Verdict(1 + place / 10, self.identity)


def row(number: int) -> dict:
    messages = [{"role": "user", "content": f"question {number}"}, {"role": "assistant", "content": "answer"}]
    turns = [Turn(m["role"], m["content"]) for m in messages]
    return {"conversation_id": str(number), "content_id": content_id(turns), "messages": messages}


ROWS = [row(number) for number in range(2 * CHUNK + 5)]


def ratings(step: JudgeStep, rows: list[dict]) -> list[float]:
    return [outcome.value["rating"] for _, outcome in step.rows(rows) if isinstance(outcome, Kept)]


def test_a_night_that_was_killed_ends_in_the_same_verdicts(tmp_path):
    """A chunk cut short is judged again as a whole; complete chunks are taken from the store."""
    whole = ratings(JudgeStep(CallOrderJudge(), VerdictStore(tmp_path / "a"), sequence=1), ROWS)
    store = VerdictStore(tmp_path / "b")
    killed = JudgeStep(CallOrderJudge(), store, sequence=1).rows(ROWS)
    for _ in range(CHUNK + 3):
        next(killed)
    killed.close()
    judge = CallOrderJudge()
    assert ratings(JudgeStep(judge, store, sequence=1), ROWS) == whole
    assert sum(judge.calls) < len(ROWS)


def test_a_later_night_judges_only_what_is_new(tmp_path):
    """Verdicts are kept and looked up: cost follows the new data."""
    store = VerdictStore(tmp_path / "v")
    first = ratings(JudgeStep(CallOrderJudge(), store, sequence=1), ROWS)
    judge = CallOrderJudge()
    step = JudgeStep(judge, store, sequence=2)
    assert ratings(step, [*ROWS, row(10**6)])[:-1] == first
    assert judge.calls == [1]
    assert step.facts()["n_from_store"] == len(ROWS)


def test_another_judge_judges_anew(tmp_path):
    """A verdict names its maker; a new rubric or model invalidates exactly what it made."""
    store = VerdictStore(tmp_path / "v")
    ratings(JudgeStep(CallOrderJudge(), store, sequence=1), ROWS[:3])
    script = tmp_path / "script.jsonl"
    script.write_text('{"content_id": "*", "rating": 5}\n')
    assert ratings(JudgeStep(ScriptedJudge(script), store, sequence=2), ROWS[:3]) == [5, 5, 5]


def test_not_judged_is_held_and_never_a_low_score(tmp_path):
    """An exception that turns into 0 is data corruption."""
    script = tmp_path / "script.jsonl"
    script.write_text("")
    step = JudgeStep(ScriptedJudge(script), VerdictStore(tmp_path / "v"), sequence=1)
    assert [outcome for _, outcome in step.rows(ROWS[:2])] == [Held("unrated_scripted")] * 2


def test_a_damaged_store_is_named_with_its_remedy(tmp_path):
    """It holds nothing that cannot be made again."""
    (tmp_path / "v").write_bytes(b"not a database at all" * 100)
    with pytest.raises(JudgeError, match="delete it"):
        VerdictStore(tmp_path / "v").find("j", ["x"])
