"""Labelled pairs: the same prompt, two answers, and which one people preferred; and real chats.

Sets (all Apache-2.0, found under GRISTMILL_SHARED/data/labelled, default ../shared beside the repository): PandaLM's
test set by majority of three annotators, OpenAssistant sibling answers by rank, HHH alignment. Ties are left out.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.real_chats import sharegpt_file
from schemas.conversation import Turn

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Pair:
    """`better` and `worse` are whole conversations that differ in the last answer; `group` keeps a prompt together."""

    set_name: str
    group: str
    better: tuple[Turn, ...]
    worse: tuple[Turn, ...]


def labelled_folder() -> Path | None:
    """Where the labelled sets are, None where they are not."""
    shared = Path(os.environ.get("GRISTMILL_SHARED") or ROOT.parent / "shared")
    folder = shared / "data" / "labelled"
    return folder if folder.is_dir() else None


def pandalm(folder: Path) -> Iterator[Pair]:
    """PandaLM test set: pairs on which at least two of three annotators prefer the same answer."""
    for item in json.loads((folder / "pandalm" / "testset-v1.json").read_text(encoding="utf-8")):
        votes = Counter(str(item[f"annotator{n}"]) for n in (1, 2, 3))
        label, n_votes = votes.most_common(1)[0]
        if n_votes >= 2 and label in ("1", "2"):
            prompt = "\n".join(text for text in (item["instruction"], item["input"]) if text.strip())
            better, worse = (str(item["response1"]), str(item["response2"]))[:: 1 if label == "1" else -1]
            yield make_pair("pandalm", (Turn("user", prompt),), better, worse)


def hhh(folder: Path) -> Iterator[Pair]:
    """HHH alignment: the chosen and the rejected answer of each item, cut out of its grading prompt."""
    for item in json.loads((folder / "hhh-alignment" / "hhh_alignment_eval.json").read_text(encoding="utf-8")):
        prompt, better = _graded(item["chosen_instruction"])
        _, worse = _graded(item["rejected_instruction"])
        yield make_pair("hhh", (Turn("user", prompt),), better, worse)


def _graded(text: str) -> tuple[str, str]:
    prompt, rest = text.split("###The instruction to evaluate:")[1].split("###Response to evaluate:")
    return prompt.strip(), rest.split("###Score Rubrics:")[0].strip()


def oasst(folder: Path) -> Iterator[Pair]:
    """OpenAssistant trees: every two ranked sibling answers to one prompt."""
    for line in (folder / "oasst-en-100" / "en_100_tree.jsonl").read_text(encoding="utf-8").splitlines():
        yield from _siblings(json.loads(line)["prompt"], ())


def _siblings(message: dict[str, Any], before: tuple[Turn, ...]) -> Iterator[Pair]:
    path = (*before, Turn("user" if message["role"] == "prompter" else "assistant", message["text"]))
    ranked = [reply for reply in message["replies"] if reply["role"] == "assistant" and reply.get("rank") is not None]
    ranked.sort(key=lambda reply: reply["rank"])
    for better, worse in itertools.combinations(ranked, 2):
        yield make_pair("oasst", path, better["text"], worse["text"])
    for reply in message["replies"]:
        yield from _siblings(reply, path)


def oasst_decisions(folder: Path) -> Iterator[tuple[tuple[Turn, ...], bool]]:
    """OpenAssistant trees as keep and reject: whole conversations, and whether people would keep them.

    Kept: what its raters put first of several. Rejected: what they put last, and whatever was deleted, failed its
    review, or is spam, toxic or of low quality to half of those who labelled it. (The hundred trees here have ranks and
    reviews, all passed, and no labels; the full export has them all.)
    """
    for line in (folder / "oasst-en-100" / "en_100_tree.jsonl").read_text(encoding="utf-8").splitlines():
        yield from tree_decisions(json.loads(line)["prompt"])


def tree_decisions(message: dict[str, Any], before: tuple[Turn, ...] = ()) -> Iterator[tuple[tuple[Turn, ...], bool]]:
    """The same of one tree, given its first message."""
    path = (*before, Turn("user" if message["role"] == "prompter" else "assistant", message["text"]))
    answers = [reply for reply in message["replies"] if reply["role"] == "assistant"]
    ranks = sorted(reply["rank"] for reply in answers if reply.get("rank") is not None)
    for reply in answers:
        is_ranked = len(ranks) > 1 and reply.get("rank") is not None
        if _is_refused(reply) or (is_ranked and reply["rank"] in (ranks[0], ranks[-1])):
            is_kept = not _is_refused(reply) and reply["rank"] == ranks[0]
            yield (*path, Turn("assistant", reply["text"])), is_kept
    for reply in message["replies"]:
        yield from tree_decisions(reply, path)


def _is_refused(reply: dict[str, Any]) -> bool:
    """Whether people threw a message out, or at least half of its labels speak against it."""
    said = {name: label["value"] for name, label in (reply.get("labels") or {}).items()}
    bad = max(said.get("spam", 0.0), said.get("toxicity", 0.0), 1.0 - said.get("quality", 1.0))
    return bool(reply.get("deleted")) or reply.get("review_result") is False or bad >= 0.5


def make_pair(name: str, prompt: tuple[Turn, ...], better: str, worse: str) -> Pair:
    """A pair of answers to one prompt; its group is the digest of the prompt's text."""
    group = sha256("\n".join(turn.content for turn in prompt).encode()).hexdigest()[:12]
    return Pair(name, group, (*prompt, Turn("assistant", better)), (*prompt, Turn("assistant", worse)))


def sample(pairs: Iterator[Pair], n: int) -> list[Pair]:
    """At most n pairs, chosen by the hash of their text: the same ones each time."""
    usable = [p for p in pairs if p.better != p.worse and all(t.content.strip() for t in (*p.better, *p.worse))]
    return sorted(usable, key=lambda pair: sha256(repr(pair).encode()).hexdigest())[:n]


def sharegpt_conversations(n: int, *, min_words: int = 20) -> list[tuple[Turn, ...]]:
    """The first n real chats that end with an answer of `min_words` at least; empty where the package is missing."""
    file = sharegpt_file()
    if file is None:
        return []
    with file.open(encoding="utf-8", errors="replace") as opened:
        text = opened.read(20_000 + 40_000 * n)  # a chat takes 7,000 characters on average
    return list(_whole_chats(text, n, min_words))


def _whole_chats(text: str, n: int, min_words: int) -> Iterator[tuple[Turn, ...]]:
    decoder, at, found = json.JSONDecoder(), text.index("[") + 1, 0
    while found < n:
        while text[at : at + 1] in (" ", ",", "\n", "\r", "\t"):
            at += 1
        try:
            record, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, IndexError):
            return
        roles = {"human": "user", "gpt": "assistant", "system": "system"}
        turns = tuple(Turn(roles[m["from"]], m["value"]) for m in record["conversations"] if m["from"] in roles)  # type: ignore[arg-type]
        if turns and turns[-1].role == "assistant" and len(turns[-1].content.split()) >= min_words:
            found += 1
            yield turns
