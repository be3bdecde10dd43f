"""The rows of each kind, free of any toolkit: what is learned from a sample, and what of it is left out and why.

The kinds, and what one candidate row is, so that in = written + left out:

- **sft**: a sample; the conversation as it stands.
- **preference**, **reward**: each reply that stood beside the path's, as the rejected one of a pair (which is whose,
  corpus/export/preferences.py says); a sample without such a reply is one candidate that is left out.
- **unpaired**: a sample's last reply, with the label true, because people kept the sample; each reply beside the path
  with the label of its vote; and the last reply of a sample that people rejected, with the label false.
- **prompt**: a sample; the conversation without its last reply, which becomes the reference.

No text is changed: no turn is trimmed, merged or normalised, so a row says what its sample says, or is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

from corpus.export.preferences import Pair, pairs
from corpus.export.talk_rules import TalkRules, reply_problem, talk_problem
from schemas.errors import CorpusError

Kind = Literal["sft", "preference", "unpaired", "prompt", "reward"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Messages = Sequence[Mapping[str, str]]


class Released(Protocol):
    """What is read of a sample of a release, see `corpus.release_rows.ReleasedSample`."""

    @property
    def split(self) -> str:
        """Which part of the release it is of: "train", "validation" or the sealed "test"."""

    @property
    def expert(self) -> str:
        """The expert that is to learn from it."""

    @property
    def line(self) -> Mapping[str, Any]:
        """The parsed object of its line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to learn from.

    `prompt` are the messages before the reply, `{"role", "content"}` with text in both; `reply` is what the assistant
    says then (None only where a conversation ends without an answer), `rejected` a worse reply to the same prompt,
    `label` whether the reply is good. `signal` says what a preference rests on: "vote", "rank", or the weak "branch".
    """

    sample_id: str
    expert: str
    split: str
    prompt: Messages
    reply: str | None
    provenance: Mapping[str, Any]
    rejected: str | None = None
    label: bool | None = None
    signal: str | None = None

    @property
    def messages(self) -> list[Mapping[str, str]]:
        """The prompt, and the reply if there is one."""
        return [*self.prompt, *self.completion]

    @property
    def completion(self) -> list[Mapping[str, str]]:
        """The reply as a list of one message."""
        return [] if self.reply is None else [assistant(self.reply)]

    @property
    def worse(self) -> list[Mapping[str, str]]:
        """The rejected reply as a list of one message."""
        return [] if self.rejected is None else [assistant(self.rejected)]

    @property
    def has_tools(self) -> bool:
        """Whether a tool speaks in it."""
        return any(message["role"] == "tool" for message in self.prompt)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What became no row: a sample, or the reply beside its message `turn`; `reason` is of schemas/reasons.py."""

    sample_id: str
    reason: str
    turn: int | None = None


def assistant(content: str) -> dict[str, str]:
    """A message of the assistant."""
    return {"role": "assistant", "content": content}


def rows_of(sample: Released, kind: Kind, rules: TalkRules, *, with_weak: bool = False) -> Iterator[Row | LeftOut]:
    """The rows of a sample that people kept, and what is left out of it; at least one of the two.

    Args:
        sample: of a release.
        kind: of rows.
        rules: what the toolkit can hold.
        with_weak: whether a reply that nobody rated counts as worse than the one that the user went on with.

    Raises:
        CorpusError: a reply stands beside no message of the assistant. Read a line within `of_its_form`.
    """
    if kind != "sft":  # a prompt is answered, so it must be one
        rules = replace(rules, can_end_anyhow=False)
    yield from _MAKERS[kind](sample, rules, with_weak)


@contextmanager
def of_its_form(sample: Released) -> Iterator[None]:
    """Turns what a sample's missing keys and wrong types raise into a CorpusError that names the sample."""
    try:
        yield
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise CorpusError(
            f"sample {str(sample.line.get('id'))[:32]!a} of the release is not of its form ({type(error).__name__}); "
            "`gristmill check` names the file and line"
        ) from error


def rejected_row(sample: Released, rules: TalkRules) -> Row | LeftOut:
    """The last reply of a sample that people rejected, with the label false."""
    return next(iter(_whole(sample, replace(rules, can_end_anyhow=False), label=False)))


def _sft(sample: Released, rules: TalkRules, with_weak: bool) -> Iterator[Row | LeftOut]:  # noqa: ARG001
    yield from _whole(sample, rules)


def _whole(sample: Released, rules: TalkRules, label: bool | None = None) -> Iterator[Row | LeftOut]:
    line = sample.line
    messages = line["messages"]
    reason = talk_problem(messages, rules)
    is_answered = not reason and messages[-1]["role"] == "assistant"
    if not is_answered and not rules.can_end_anyhow:
        reason = reason or "ends_without_answer"
    if reason:
        yield LeftOut(line["id"], reason)
    elif is_answered:
        yield _row(sample, messages[:-1], messages[-1]["content"], label=label)
    else:
        yield _row(sample, messages, None)


def _prompts(sample: Released, rules: TalkRules, with_weak: bool) -> Iterator[Row | LeftOut]:  # noqa: ARG001
    line = sample.line
    messages = line["messages"]
    is_answered = bool(messages) and messages[-1]["role"] == "assistant"
    prompt = messages[:-1] if is_answered else messages
    if reason := talk_problem(messages, rules) or _prompt_problem(prompt, rules):
        yield LeftOut(line["id"], reason)
    else:
        yield _row(sample, prompt, messages[-1]["content"] if is_answered else None)


def _preferences(sample: Released, rules: TalkRules, with_weak: bool) -> Iterator[Row | LeftOut]:
    line = sample.line
    messages = line["messages"]
    if not line["alternatives"]:
        yield LeftOut(line["id"], "no_alternative")
    for turn, found in pairs(messages, line["alternatives"], with_weak=with_weak):
        reason = found if isinstance(found, str) else _pair_problem(messages[:turn], found, rules)
        if isinstance(found, Pair) and not reason:
            yield _row(sample, messages[:turn], found.chosen, rejected=found.rejected, signal=found.signal)
        else:
            yield LeftOut(line["id"], str(reason), turn)


def _unpaired(sample: Released, rules: TalkRules, with_weak: bool) -> Iterator[Row | LeftOut]:  # noqa: ARG001
    line = sample.line
    yield from _whole(sample, rules, label=True)
    labels = _labels(line["messages"], line["alternatives"])
    for one in line["alternatives"]:
        turn, vote, prompt = one["turn"], one["vote"], line["messages"][: one["turn"]]
        reason = _prompt_problem(prompt, rules) or reply_problem(one["content"], rules)
        if vote is not None and len(labels[turn, one["content"].strip()]) > 1:
            reason = reason or "contradictory_signals"
        if vote is None or reason:
            yield LeftOut(line["id"], reason or "no_vote", turn)
        else:
            yield _row(sample, prompt, one["content"], label=vote > 0, signal="vote")


def _labels(messages: Messages, alternatives: Iterable[Mapping[str, Any]]) -> Mapping[tuple[int, str], set[bool]]:
    """What is said of each reply, by its turn and text: that the last in the path is good, because people kept it."""
    labels: defaultdict[tuple[int, str], set[bool]] = defaultdict(set)
    if messages:
        labels[len(messages) - 1, messages[-1]["content"].strip()].add(True)
    for one in alternatives:
        if one["vote"] is not None:
            labels[one["turn"], one["content"].strip()].add(one["vote"] > 0)
    return labels


def _pair_problem(prompt: Messages, pair: Pair, rules: TalkRules) -> str | None:
    reason = _prompt_problem(prompt, rules) or reply_problem(pair.chosen, rules)
    reason = reason or reply_problem(pair.rejected, rules)
    # Templates trim: replies that differ in outer white space alone are one reply to a trainer.
    return reason or ("same_reply" if pair.chosen.strip() == pair.rejected.strip() else None)


def _prompt_problem(prompt: Messages, rules: TalkRules) -> str | None:
    reason = talk_problem(prompt, rules)
    if reason:
        return reason
    asks = ("user", "tool") if rules.can_have_tools else ("user",)
    return None if prompt[-1]["role"] in asks else "not_alternating"


def _row(sample: Released, prompt: Messages, reply: str | None, **more: Any) -> Row:
    line = sample.line
    return Row(line["id"], sample.expert, sample.split, prompt, reply, line["provenance"], **more)


_Maker = Callable[[Released, TalkRules, bool], Iterable[Row | LeftOut]]

_MAKERS: Mapping[Kind, _Maker] = {
    "sft": _sft,
    "preference": _preferences,
    "unpaired": _unpaired,
    "prompt": _prompts,
    "reward": _preferences,
}
