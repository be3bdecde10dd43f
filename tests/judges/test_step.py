"""The step: every row comes out once, and nothing is judged twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest

from judges.scripted import ScriptedJudge
from judges.step import CHUNK, JudgeStep
from judges.verdicts import VerdictStore
from schemas.conversation import Turn, content_id
from schemas.embedding import packed
from schemas.errors import JudgeError, SettingsError
from schemas.outcome import Held, Kept
from schemas.verdict import JudgeIdentity, Unrated, Verdict

IDENTITY = JudgeIdentity("counting", "m", "d", "r", "d")


class CountingJudge:
    """Rates by the number in the text; what says "silent" gets no answer. Counts what it was asked."""

    identity = IDENTITY

    def __init__(self) -> None:
        self.n_asked = 0

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        for turns in conversations:
            self.n_asked += 1
            if "silent" in turns[0].content:
                yield Unrated("unrated_no_reply", "nobody there", is_retryable=True)
            else:
                yield Verdict(float(turns[0].content.split()[-1]) % 9 + 1, IDENTITY, n_tokens=3, seconds=time.time())

    def price(self, n_tokens: int) -> float:
        return n_tokens * 2.0


def rows(texts: Sequence[str]) -> list[dict[str, object]]:
    made = []
    for text in texts:
        turns = [Turn("user", text), Turn("assistant", "yes")]
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        made.append({"content_id": content_id(turns), "messages": messages, "other": text})
    return made


def test_each_row_comes_out_once_in_order_with_its_own_verdict(tmp_path: Path) -> None:
    """In = kept + held, and a verdict never lands on a neighbour's row."""
    table = rows([f"silent {n}" if n % 10 == 3 else f"number {n}" for n in range(2 * CHUNK + 5)])
    step = JudgeStep(CountingJudge(), VerdictStore(tmp_path / "v.duckdb"), sequence=1)
    outcomes = list(step.rows(iter(table)))
    assert [row for row, _ in outcomes] == table
    for n, (row, outcome) in enumerate(outcomes):
        if n % 10 == 3:
            assert outcome == Held("unrated_for_now", "unrated_no_reply: nobody there")
        else:
            assert isinstance(outcome, Kept)
            assert outcome.value["rating"] == n % 9 + 1
            assert Verdict.from_json(orjson.loads(outcome.value["verdict"])).rating == n % 9 + 1
            assert outcome.value["other"] == row["other"]


def test_a_second_run_asks_only_for_what_was_not_rated(tmp_path: Path) -> None:
    """A second night costs no judge calls; what an endpoint did not answer is tried again."""
    table = rows(["number 4", "silent 1", "number 5"])
    store = VerdictStore(tmp_path / "v.duckdb")
    first, second = CountingJudge(), CountingJudge()
    step = JudgeStep(first, store, sequence=1)
    before = [outcome for _, outcome in step.rows(iter(table))]
    assert step.facts() | {"judge": "", "judge_seconds": 0} == {
        "n_judged": 2, "n_from_store": 0, "n_unrated": 1, "tokens": 6, "cost": 12.0, "judge": "", "judge_seconds": 0,
    }  # fmt: skip
    step = JudgeStep(second, store, sequence=2)
    assert [outcome for _, outcome in step.rows(iter(table))] == before
    assert (first.n_asked, second.n_asked) == (3, 1)
    assert step.facts()["n_from_store"] == 2


def test_what_a_later_night_took_over_is_not_judged_here(tmp_path: Path) -> None:
    """An earlier night that is run again must not propose what the later one answers for."""
    table = [{**row, "conversation_id": f"c{n}"} for n, row in enumerate(rows(["number 4", "number 5", "number 6"]))]
    judge = CountingJudge()
    step = JudgeStep(judge, VerdictStore(tmp_path / "v.duckdb"), elsewhere=["c1", "c9"])
    outcomes = [outcome for _, outcome in step.rows(table)]
    assert [type(outcome) for outcome in outcomes] == [Kept, Held, Kept]
    assert outcomes[1] == Held("unrated_for_now", "unrated_no_reply: a later night has taken it over")
    assert judge.n_asked == 2


def test_another_judge_judges_anew(tmp_path: Path) -> None:
    """A verdict is the word of one judge; a changed rubric or head must not inherit it."""
    store, table = VerdictStore(tmp_path / "v.duckdb"), rows(["number 4"])
    list(JudgeStep(CountingJudge(), store).rows(table))
    other = CountingJudge()
    other.identity = JudgeIdentity("counting", "m", "d", "another rubric", "e")  # type: ignore[misc]
    list(JudgeStep(other, store).rows(table))
    assert other.n_asked == 1


def test_what_is_withdrawn_leaves_nothing_in_the_store(tmp_path: Path) -> None:
    """Neither what was said of it nor what it was about, whoever judged: not even in the file's unused parts."""
    file = tmp_path / "it's v.duckdb"
    store = VerdictStore(file)
    texts = {f"chat {n}": packed("ab" * 8, np.random.default_rng(n).normal(size=384)) for n in range(300)}
    for judge in ("one", "two"):
        store.add(judge, 1, {key: Verdict(5.0, IDENTITY, embedding=text) for key, text in texts.items()})
    gone = texts["chat 7"].partition(":")[2].encode()
    assert gone in file.read_bytes()
    assert store.forget(["chat 7", "never seen"]) == 2
    assert store.find("one", ["chat 7"]) == {}
    assert store.find("two", ["chat 8"])["chat 8"].embedding == texts["chat 8"]
    assert gone not in b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert store.forget([]) == 0
    assert len(store.find("one", list(texts))) == 299


def test_a_row_table_is_read_as_a_stream(tmp_path: Path) -> None:
    """A night may hold more conversations than memory does."""
    taken = 0

    def endless() -> Iterator[dict[str, object]]:
        nonlocal taken
        while True:
            taken += 1
            yield rows([f"number {taken}"])[0]

    stream = JudgeStep(CountingJudge(), VerdictStore(tmp_path / "v.duckdb")).rows(endless())
    for _ in range(CHUNK + 1):
        next(stream)
    assert taken == 2 * CHUNK


def test_what_was_stored_survives_a_kill(tmp_path: Path) -> None:
    """Kill -9 in the middle of writing leaves a store that opens and holds whole transactions."""
    file = tmp_path / "v.duckdb"
    program = f"""
import sys; sys.path[:0] = {sys.path!r}
from pathlib import Path
from judges.verdicts import VerdictStore
from schemas.verdict import JudgeIdentity, Verdict
store, judge, n = VerdictStore(Path({str(file)!r})), JudgeIdentity("j", "", "", "", ""), 0
while True:
    store.add("j", 1, {{f"{{n}}-{{i}}": Verdict(5.0, judge) for i in range(4)}})
    n += 1
    print(n, flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    told = [int(child.stdout.readline()) for _ in range(5)]
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    n = told[-1]
    found = VerdictStore(file).find("j", [f"{k}-{i}" for k in range(n + 50) for i in range(4)])
    assert len(found) >= 4 * n
    assert len(found) % 4 == 0


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    """It can be deleted: verdicts are made again."""
    file = tmp_path / "v.duckdb"
    file.write_bytes(b"this is no database" * 1000)
    with pytest.raises(JudgeError, match="delete it"):
        VerdictStore(file).find("j", ["x"])


def test_the_scripted_judge_says_what_its_file_says(tmp_path: Path) -> None:
    """Dry runs and tests need known ratings; who is not named is unrated, not low."""
    table = rows(["number 1", "number 2"])
    script = tmp_path / "ratings.jsonl"
    script.write_text(f'{{"content_id": "{table[0]["content_id"]}", "rating": 8}}\n\n')
    outcomes = [o for _, o in JudgeStep(ScriptedJudge(script), VerdictStore(tmp_path / "v.duckdb")).rows(table)]
    assert isinstance(outcomes[0], Kept)
    assert outcomes[0].value["rating"] == 8
    assert outcomes[1] == Held("unrated_scripted")


@pytest.mark.parametrize("line", ["{", '{"content_id": "a"}', '{"content_id": "a", "rating": 11}', "[]"])
def test_a_wrong_line_of_a_script_is_named(tmp_path: Path, line: str) -> None:
    """With its number, so it can be found."""
    script = tmp_path / "ratings.jsonl"
    script.write_text('{"content_id": "*", "rating": 5}\n' + line)
    with pytest.raises(SettingsError, match="line 2"):
        ScriptedJudge(script)
