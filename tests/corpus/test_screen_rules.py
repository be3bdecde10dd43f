"""screen's rules: each finds what it is for and lets sound conversations pass, in many languages."""

import time

import pytest

from corpus.rules.catalogue import rules
from corpus.rules.repetition import duplicate_share, top_share
from corpus.rules.talk import code_blocks, prose_of
from corpus.screen import screen_row
from corpus.words import word_hashes
from schemas.canonical import canonical_bytes
from schemas.outcome import Dropped, Kept
from schemas.reasons import REASONS
from schemas.settings import ScreenSettings
from tests.corpus.screened_talks import ANSWER, BAD, GOOD, QUESTION, kept, outcome, reason, talk


@pytest.mark.parametrize("name", BAD)
def test_each_rule_drops_what_it_is_for(name):
    """A rule that never finds anything is worse than none: people rely on it."""
    found = outcome(BAD[name])
    assert isinstance(found, Dropped)
    assert (found.reason, found.evidence.split(":")[0]) == (rules()[name].reason, name)


@pytest.mark.parametrize("name", BAD)
def test_each_rule_can_be_switched_off(name):
    """Somebody wants these conversations, and `disabled_rules` names the rule that the evidence names."""
    found = outcome(BAD[name], disabled_rules=[name])
    assert isinstance(found, Kept) or found.evidence.split(":")[0] != name


def test_every_rule_has_a_reason_a_sentence_and_a_source():
    """The night's page prints them, and a threshold without a source is a guess."""
    assert set(rules()) == {*BAD, "language_wanted"}
    for rule in rules().values():
        assert rule.reason in REASONS
        assert rule.says.endswith(".")
        assert rule.source


@pytest.mark.parametrize("language", GOOD)
def test_sound_conversations_pass_in_every_language_and_are_recognised(language):
    """Rules made for English web pages must not throw away the rest of the world."""
    assert kept(GOOD[language])["language"] == language
    assert reason(GOOD[language], languages=[language]) is None
    other = "en" if language != "en" else "de"
    assert reason(GOOD[language], languages=[other]) == "language_not_wanted"


SOUND_ANSWERS = [
    "Eat these:\n\n- apples\n- pears\n- plums and every other kind of fruit that grows on trees in your garden at home",
    "Use a loop:\n\n```python\nfor n in range(3):\n    print(n)\n    print(n)\n    print(n)\n    print(n)\n```",
    "| a | b |\n|---|---|\n| 1 | 2 |\n| 1 | 2 |\n\nThat is the table you asked for, with every value written twice.",
    "Roses are red,\nViolets are blue,\nThe chorus is back,\nThe verse comes, too,\nRoses are red,\nViolets are blue",
    "The result is 12 * 12 = 144, then 144 / 6 = 24, and 24 - 4 = 20; so x = 20, y = 4, z = 2 and the sum is 26.",
    "As an AI language model, I don't have personal opinions, but here are some points for and against each of them: "
    "the violin is small and cheap to rent, the recorder is easier to begin with and needs no tuning at all.",
    "The tokens `<|im"
    + "_end|>` and `[IN"
    + "ST]` mark turns:\n\n```\n<|im"
    + "_start|>user\n```\n\nLeave them out of your text.",
    "The page said \"I'm sorry, but I can't assist with that request\", so the filter was triggered by a word.",
    'Use `<div class="a">` for the box:\n\n```html\n<div><div><div><div><div></div></div></div></div></div>\n```',
    "A summer campaign could say: free shipping on every order until Sunday, with a code for readers of the letter.",
    "See https://docs.python.org/3/library/itertools.html for the functions that give combinations and permutations",
    "Café, naïve, Zürich, São Paulo, Łódź: accents are fine. The price is 5 € ± 10 %, that’s “cheap” – isn’t it…",
    "# Plan\n\n## Week 1\n\n### Day 1\n\nWalk for half an hour.\n\n### Day 2\n\nRest, and stretch in the evening.",
    "Error 404 means that the server is reached but has no such page; check the path, and look for capitals in it. "
    "If that is right, see whether the file was deployed, and whether the web server may read the folder it lies in.",
]


@pytest.mark.parametrize("answer", SOUND_ANSWERS, ids=lambda answer: answer[:25])
def test_sound_answers_of_unusual_form_pass(answer):
    """Lists, code, tables, verse, sums and talk about refusals, tags and errors are what people want models for."""
    assert reason(talk("Could you please explain this to me in a few sentences?", answer)) is None


REFUSALS = [
    "As an AI language model, I cannot have personal feelings, so I am unable to write a poem.",
    "I apologize, but my knowledge cutoff is September 2021 and I don't have access to real-time information.",
    "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
    "Je suis désolé, mais je ne peux pas vous aider avec cette demande.",
    "Lo siento, pero no puedo ayudarte con esa petición de hoy.",
    "抱歉，作为一个人工智能语言模型，我无法回答这个问题。",
    "К сожалению, я не могу помочь с этой просьбой сегодня.",
]


@pytest.mark.parametrize("answer", REFUSALS)
def test_refusals_are_found_in_many_languages_but_only_as_the_last_answer(answer):
    """One refusal on the way, overcome by a better question, is part of a sound conversation."""
    assert reason(talk(QUESTION, answer)) == "refusal"
    assert reason(talk(QUESTION, answer, "What about basil in a pot, then?", ANSWER)) is None


def test_a_refusal_in_the_users_text_is_no_refusal():
    """People paste what other models said."""
    assert reason(talk("A bot said: I'm sorry, but I can't assist with that request. Why?", ANSWER)) is None


def test_code_is_left_out_of_prose_and_an_open_block_is_seen():
    """Code repeats, has symbols and ends anywhere."""
    assert prose_of("a\n```py\nx\n```\nb `c` d\n| e |\n").split() == ["a", "b", "d"]
    assert code_blocks("````\n```\nx\n````\ny") == ([(0, 15)], False)
    assert code_blocks("a\n```\nx")[1]
    assert reason(talk(QUESTION, "Here it is:\n\n```bash\nfind . -name '*.JPG'")) == "truncated_answer"


@pytest.mark.parametrize(
    "unit", ["<tool_call>", "```\n", "`a", "<a ", "|a\n", "# ", "...", "a\n", "I'm sorry, but ", "&lt;", "漢字"]
)
def test_hostile_answers_take_time_in_proportion_to_their_length(unit):
    """One message of 30 MB must not stop a night: four times the text may take eight times as long, not sixteen."""
    trees = [canonical_bytes(talk(QUESTION, (unit * n)[: 3 * n]).to_json()).decode() for n in (20_000, 80_000)]
    short, long = (_seconds(tree) for tree in trees)
    assert long < 8 * max(short, 0.05)


def _seconds(tree):
    started = time.process_time()
    screen_row(tree, ScreenSettings(max_words=10**6))
    return time.process_time() - started


def test_shares_of_repetition_are_those_of_arithmetic():
    """The thresholds mean something only if the shares do."""
    (hashes,) = word_hashes(["a b c d a b c d x y"])
    assert top_share(hashes, 2) == pytest.approx(4 / 10)
    assert duplicate_share(hashes, 4) == pytest.approx(4 / 10)
    assert duplicate_share(hashes, 5) == 0
    assert top_share(hashes[:1], 2) == duplicate_share(hashes[:1], 5) == 0


def test_the_length_counts_what_is_published_and_characters_of_unspaced_scripts():
    """`n_words` is what select and the page show."""
    assert kept(talk(QUESTION, ANSWER))["n_words"] == len(word_hashes([f"{QUESTION} {ANSWER}"])[0])
    assert reason(talk("a b c d", "e f g."), min_words=8) == "too_short"
    assert reason(talk("a b c d", "e f g h."), min_words=8, disabled_rules=["language_known"]) is None
