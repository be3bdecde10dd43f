"""Known damage: what makes a good conversation worse for certain, so that its label costs nobody anything.

Each operation takes a conversation that ends with an answer and another one of the same kind, and gives the damaged
turns; where it cannot be applied it gives them back unchanged. The same input gives the same damage.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from schemas.conversation import Turn

Turns = Sequence[Turn]
Operation = Callable[[Turns, Turns], tuple[Turn, ...]]

FILLER = (
    "It is worth keeping in mind that there are many things to consider here.",
    "As mentioned above, this is an important point that should not be forgotten.",
    "There are different views on this, and each of them has something to say for it.",
    "In general, it depends on the situation and on what one is looking for.",
    "All in all, this is a topic that many people find interesting.",
    "Of course there is much more that could be said about it.",
)
REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I'm not able to answer this question. Please ask somebody who knows about it.",
    "As an AI, I do not have the ability to do that. Is there anything else I can help you with?",
    "Unfortunately I don't have any information about this.",
)
FOREIGN = (
    "Das ist eine gute Frage, und die Antwort hängt davon ab, was man genau wissen möchte.",
    "Zuerst sollte man sich einen Überblick verschaffen und dann Schritt für Schritt vorgehen.",
    "C'est une question intéressante, mais la réponse dépend de plusieurs choses à la fois.",
    "Il faut d'abord regarder ce que l'on a, puis décider de ce que l'on veut faire.",
    "Es importante pensar en todo esto antes de tomar una decisión que luego no se puede cambiar.",
    "En resumen, cada caso es distinto y conviene preguntar a alguien que lo conozca bien.",
)
PROMISES = (
    "Sure! Here is what you asked for:",
    "Of course, I'd be happy to help you with that! Let me explain.",
    "Great question! The answer is as follows.",
    "Certainly. Below you will find a detailed answer, step by step.",
)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*\s*")
_NEGATIONS = (
    (r"\bis not\b", "is"), (r"\bare not\b", "are"), (r"\bcannot\b", "can"), (r"\bis\b", "is not"),
    (r"\bare\b", "are not"), (r"\bcan\b", "cannot"), (r"\bwas\b", "was not"), (r"\bwill\b", "will not"),
    (r"\bshould\b", "should not"), (r"\balways\b", "never"), (r"\bmore\b", "less"), (r"\bincrease", "decrease"),
    (r"\bhelps?\b", "hurts"), (r"\bfirst\b", "last"), (r"\bbefore\b", "after"),
)  # fmt: skip


def _random(turns: Turns) -> random.Random:
    return random.Random(sha256(repr([(t.role, t.content) for t in turns]).encode("utf-8", "surrogatepass")).digest())


def _with_answer(turns: Turns, content: str) -> tuple[Turn, ...]:
    return (*turns[:-1], replace(turns[-1], content=content)) if content.strip() else tuple(turns)


def _sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in _SENTENCE.findall(text) if sentence.strip()]


def cut(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """The answer ends after 25 to 75 % of its words, within a sentence."""
    words = turns[-1].content.split(" ")
    n = int(len(words) * _random(turns).uniform(0.25, 0.75))
    return _with_answer(turns, " ".join(words[:n]).rstrip(".!? \n")) if len(words) >= 8 else tuple(turns)


def elsewhere(turns: Turns, other: Turns) -> tuple[Turn, ...]:
    """The last answer of another conversation."""
    return _with_answer(turns, other[-1].content)


def padded(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """The answer's first sentence among filler that says nothing."""
    said = _sentences(turns[-1].content)
    filler = list(FILLER)
    _random(turns).shuffle(filler)
    return _with_answer(turns, " ".join([*filler[:2], *said[:1], *filler[2:]]))


def loop(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """The beginning of the answer, 6 to 20 words, over and over."""
    draw = _random(turns)
    words = turns[-1].content.split()[: draw.randint(6, 20)]
    return _with_answer(turns, " ".join(words * draw.randint(5, 12)))


def refusal(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """A stock phrase that refuses."""
    return _with_answer(turns, _random(turns).choice(REFUSALS))


def contradiction(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """The answer, then its first two sentences again with their sense turned round."""
    said = _sentences(turns[-1].content)[:2]
    turned = []
    for sentence in said:
        for pattern, instead in _NEGATIONS:
            changed, n = re.subn(pattern, instead, sentence, count=1)
            if n:
                turned.append(changed)
                break
    return _with_answer(turns, f"{turns[-1].content} {' '.join(turned)}") if turned else tuple(turns)


def shuffled(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """The words of each sentence and the sentences themselves in another order."""
    draw, said = _random(turns), []
    for sentence in _sentences(turns[-1].content):
        words = sentence.split()
        draw.shuffle(words)
        said.append(" ".join(words))
    draw.shuffle(said)
    return _with_answer(turns, " ".join(said)) if len(turns[-1].content.split()) >= 6 else tuple(turns)


def wrong_language(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """Phrases in another language, about nothing."""
    draw = _random(turns)
    begin = draw.choice((0, 2, 4))
    return _with_answer(turns, " ".join(FOREIGN[begin : begin + 2] * draw.randint(1, 2)))


def echo(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """The question back, as a statement."""
    asked = next((turn.content for turn in reversed(turns[:-1]) if turn.role == "user"), "")
    return _with_answer(turns, f"You asked: {asked}") if asked else tuple(turns)


def derailed(turns: Turns, other: Turns) -> tuple[Turn, ...]:
    """The first half of the answer, then the second half of another one."""
    own, strange = turns[-1].content.split(" "), other[-1].content.split(" ")
    joined = [*own[: max(3, len(own) // 2)], *strange[len(strange) // 2 :]]
    return _with_answer(turns, " ".join(joined)) if len(own) >= 8 else tuple(turns)


def gaps(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """A third of the words is missing."""
    draw, words = _random(turns), turns[-1].content.split(" ")
    return _with_answer(turns, " ".join(word for word in words if draw.random() > 1 / 3))


def stuck(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """The answer, then its last sentence 4 to 9 times more."""
    said = _sentences(turns[-1].content)
    return _with_answer(turns, " ".join([turns[-1].content, *said[-1:] * _random(turns).randint(4, 9)]))


def vague(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """Filler alone: three to six sentences that would fit any question."""
    draw, filler = _random(turns), list(FILLER)
    draw.shuffle(filler)
    return _with_answer(turns, " ".join(filler[: draw.randint(3, len(filler))]))


def promised(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """The announcement of an answer that does not come."""
    return _with_answer(turns, _random(turns).choice(PROMISES))


def garbled(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """In every other word two neighbouring letters have changed places, and some have become other signs."""
    draw = _random(turns)
    words = [_garbled(word, draw) if draw.random() < 0.5 else word for word in turns[-1].content.split(" ")]
    return _with_answer(turns, " ".join(words))


def _garbled(word: str, draw: random.Random) -> str:
    if len(word) < 3:
        return word
    at = draw.randrange(len(word) - 1)
    sign = draw.choice("#@~^") if draw.random() < 0.2 else word[at]
    return word[:at] + word[at + 1] + sign + word[at + 2 :]


def both_voices(turns: Turns, other: Turns) -> tuple[Turn, ...]:
    """The answer goes on with the user's next words and an answer to them, which nobody said."""
    asked = next((turn.content for turn in other if turn.role == "user"), "")
    return (
        _with_answer(turns, f"{turns[-1].content}\n\nUser: {asked}\nAssistant: {other[-1].content}")
        if asked
        else tuple(turns)
    )


def swapped(turns: Turns, _: Turns) -> tuple[Turn, ...]:
    """Two answers of the same conversation change places."""
    answers = [i for i, turn in enumerate(turns) if turn.role == "assistant"]
    if len(answers) < 2:
        return tuple(turns)
    first, second = _random(turns).sample(answers, 2)
    changed = list(turns)
    changed[first], changed[second] = turns[second], turns[first]
    return tuple(changed)


def elsewhere_within(turns: Turns, other: Turns) -> tuple[Turn, ...]:
    """An answer of another conversation in place of one before the last."""
    answers = [i for i, turn in enumerate(turns) if turn.role == "assistant"][:-1]
    if not answers:
        return tuple(turns)
    changed, place = list(turns), _random(turns).choice(answers)
    changed[place] = replace(turns[place], content=other[-1].content)
    return tuple(changed)


OPERATIONS: Mapping[str, Operation] = {
    "cut": cut, "elsewhere": elsewhere, "padded": padded, "loop": loop, "refusal": refusal,
    "contradiction": contradiction, "shuffled": shuffled, "wrong_language": wrong_language, "echo": echo,
    "derailed": derailed, "gaps": gaps, "stuck": stuck, "vague": vague, "promised": promised, "garbled": garbled,
    "both_voices": both_voices, "swapped": swapped, "elsewhere_within": elsewhere_within,
}  # fmt: skip
