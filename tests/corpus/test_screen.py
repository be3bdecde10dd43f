"""screen: every rule finds what it is for and lets sound conversations pass, in many languages; nothing gets lost."""

import os
import signal
import time
from collections import Counter
from dataclasses import replace

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.rules.catalogue import rules
from corpus.rules.repetition import duplicate_share, top_share
from corpus.rules.talk import code_blocks, prose_of
from corpus.screen import killed, screen, screen_row
from corpus.screen_pool import in_processes
from corpus.stage import StageWriter, rejects_path
from corpus.words import word_hashes
from schemas.canonical import canonical_bytes
from schemas.contracts import failures, stage_contracts
from schemas.conversation import Conversation, Feedback, Message, Part, Source, content_id
from schemas.errors import InputError, SettingsError
from schemas.outcome import Dropped, Held, Kept
from schemas.reasons import REASONS
from schemas.settings import ScreenSettings
from schemas.tables import PULLED

DEFAULTS = ScreenSettings()
QUESTION = "How do I keep basil alive on the window sill through a dark winter?"
ANSWER = (
    "Basil wants light above all. Put it on the brightest sill, turn it every few days, and water it from below when "
    "the soil feels dry. Cut the tips often, so that it branches instead of flowering."
)


def message(number, role, text, parent=None, **facts):
    parts = (Part("text", text),) if isinstance(text, str) else tuple(text)
    parent = parent if parent is not None else (str(number - 1) if number else None)
    return Message(str(number), parent, role, parts, **facts)


def talk(*turns, native_id="1"):
    """A conversation of (role, text) or of texts of user and assistant in turn."""
    spoken = [t if isinstance(t, tuple) else ("assistant" if n % 2 else "user", t) for n, t in enumerate(turns)]
    messages = tuple(message(n, role, text) for n, (role, text) in enumerate(spoken))
    return Conversation(Source("bot", "test", native_id), messages, messages[-1].id)


def outcome(conversation, **given):
    return screen_row(canonical_bytes(conversation.to_json()).decode(), ScreenSettings(**given))[1]


def reason(conversation, **given):
    found = outcome(conversation, **given)
    return None if isinstance(found, Kept) else found.reason


def kept(conversation, **given):
    columns, found, _ = screen_row(canonical_bytes(conversation.to_json()).decode(), ScreenSettings(**given))
    assert isinstance(found, Kept), found
    return columns


LONG_LINE = " ".join(f"word{n} and more of it" for n in range(12))
LOOP = "The best way to learn is to practise every day. " * 24
BAD = {
    "user_turn": talk(("system", "Be kind to everyone who comes here to talk."), ("assistant", ANSWER)),
    "assistant_turn": talk(QUESTION),
    "empty_turn": talk(QUESTION, "   "),
    "answered": talk(QUESTION, ANSWER, "And in summer, when it is hot?"),
    "system_first": talk(("user", QUESTION), ("system", "Be brief."), ("assistant", ANSWER)),
    "beginning": talk(("assistant", ANSWER + " " + ANSWER), ("user", QUESTION), ("assistant", ANSWER)),
    "alternating": talk(("user", QUESTION), ("user", "hello?"), ("assistant", ANSWER)),
    "finished": Conversation(
        Source("bot", "test", "1"), (message(0, "user", QUESTION), message(1, "assistant", ANSWER, status="error")), "1"
    ),
    "turns": talk(*[QUESTION, ANSWER] * 101),
    "length_min": talk("ok", "OK, fine!"),
    "length_max": talk(QUESTION, "many words " * 10_001 + "."),
    "control_characters": talk(QUESTION, ANSWER + "\x1b[31m\x08\x08\x07"),
    "chat_template": talk(QUESTION, ANSWER + "<|im" + "_end|>"),
    "mojibake": talk(
        "Why donâ€™t my cafÃ© notes print?", "Itâ€™s an encoding problem: the fileâ€™s UTF-8 is â€œreadâ€\x9d."
    ),
    "error_text": talk(QUESTION, "Too many requests in 1 hour. Try again later."),
    "refusal": talk(QUESTION, "I'm sorry, but I can't assist with that request."),
    "boilerplate": talk("hi there, I have a question about my bike", "Hello! How can I help you today?"),
    "truncated": talk(QUESTION, "Basil wants light above all, and so it should stand on the brightest sill of the"),
    "markup": talk(
        QUESTION, "<div class='wrap'><table border=0><tr><td>&nbsp;</td><td><b>Hello</b></td></tr></table></div>" * 3
    ),
    "advert": talk(
        QUESTION, "LIMITED OFFER!!! 70% OFF today only! Click www.vita.example/deal and use code WINTER70. BUY NOW!!!"
    ),
    "repeated_lines": talk(QUESTION, "- Use strong passwords here\n" * 30 + "- Be careful."),
    "repeated_ngrams": talk(QUESTION, LOOP),
    "symbols": talk(QUESTION, " ".join(f"{word} ... # and" for word in ANSWER.split()) + "."),
    "word_length": talk(
        QUESTION, " ".join("mLCws0TbzkF7JlT9fqpXr05MTIxVM5iktG3bFsDqPIvv6tWrnDp" + str(n) for n in range(60)) + "."
    ),
    "letters": talk("convert this", "0000 0101 2222 3333 4444 5555 6666 7777 8888 9999 1010 1212."),
    "language_known": talk("asdkjfh aslkdjfh qwpoeiru zxmcnv", "qwpoeiru zxmcnv asdkjfh aslkdjfh weoriu zmxncb."),
}


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


def test_a_rule_that_does_not_exist_is_refused_with_the_nearest_name(tmp_path):
    """A typing error must not silently leave a rule on."""
    with pytest.raises(SettingsError, match="did you mean 'refusal'"):
        screen(
            written(tmp_path, [talk(QUESTION, ANSWER)]),
            tmp_path / "out.parquet",
            ScreenSettings(disabled_rules=["refusl"]),
        )


GOOD = {
    "en": talk(QUESTION, ANSWER),
    "de": talk(
        "Wie macht man Kartoffelsalat, der nicht trocken wird?",
        "Festkochende Kartoffeln, warme Brühe und Geduld; das Öl kommt zuletzt.",
    ),
    "fr": talk(
        "Pourquoi laisser reposer la pâte à crêpes ?",
        "L'amidon de la farine a besoin de temps pour absorber le lait, et le gluten se relâche.",
    ),
    "es": talk(
        "¿Por qué pican los mosquitos más de noche?",
        "Porque hay menos viento y más humedad, y porque el olor de la piel los guía mejor.",
    ),
    "it": talk(
        "Perché la pasta si cuoce in molta acqua?",
        "Perché l'amido si diluisce, la temperatura resta alta e la pasta non si attacca.",
    ),
    "pt": talk(
        "Como guardo o pão para não endurecer?",
        "Num saco de pano dentro de uma caixa fechada; no frigorífico endurece mais depressa.",
    ),
    "nl": talk(
        "Hoe houd ik mijn fietsketting schoon?",
        "Veeg hem na elke natte rit af en smeer hem spaarzaam; te veel olie trekt vuil aan.",
    ),
    "pl": talk(
        "Dlaczego chleb na zakwasie dłużej jest świeży?",
        "Kwasy zakwasu spowalniają czerstwienie skrobi i hamują rozwój pleśni.",
    ),
    "ru": talk(
        "Почему небо голубое днём, а красное на закате?",
        "Воздух рассеивает синий свет сильнее красного, а на закате путь света длиннее.",
    ),
    "zh": talk(
        "为什么发酵面团要放在温暖的地方？", "酵母在二十五到三十度之间最活跃，温度太低面团发得慢，太高会有酸味。"
    ),
    "ja": talk(
        "お米を研ぐのはなぜですか。",
        "表面に残った糠を落として、におい​を防ぎ、ふっくら炊き上げるためです。三回ほどで十分です。",
    ),
    "ko": talk(
        "김치는 왜 냉장고에서 보관하나요?", "낮은 온도에서는 발효가 천천히 진행되어 맛이 오래 유지되기 때문입니다."
    ),
    "ar": talk("لماذا يجب نقع الحمص قبل الطبخ؟", "لأن النقع يليّن الحبوب ويقلّل وقت الطبخ ويجعل الهضم أسهل بكثير."),
    "hi": talk("दाल को पकाने से पहले क्यों भिगोते हैं?", "भिगोने से दाल जल्दी पकती है, नरम होती है और पचाने में आसान हो जाती है।"),
    "th": talk("ทำไมต้องแช่ข้าวเหนียวก่อนนึ่ง", "เพราะข้าวเหนียวต้องดูดน้ำก่อน เมื่อนึ่งแล้วจะสุกทั่วและนุ่ม ไม่แข็งตรงกลาง"),
    "tr": talk("Nohut neden geceden ıslatılır?", "Islatılan nohut daha çabuk pişer, yumuşar ve mideyi daha az yorar."),
}


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


def test_stray_control_characters_are_removed_and_counted():
    """Text pasted from a terminal or a PDF has a few; Open WebUI removes NUL itself."""
    tree = canonical_bytes(talk(QUESTION + "\0\0", ANSWER + "\x1b\0").to_json()).decode()
    columns, found, counts = screen_row(tree, DEFAULTS)
    assert isinstance(found, Kept)
    assert columns["messages"][0]["content"] == QUESTION
    assert "\\u0000" not in columns["tree"]
    assert counts["repairs:characters_removed"] == 4


def test_a_greeting_before_the_question_is_hidden_and_kept_in_the_tree():
    """Support bots speak first; trainers want the user to."""
    columns = kept(talk(("assistant", "Welcome! What can I do?"), ("user", QUESTION), ("assistant", ANSWER)))
    assert [turn["role"] for turn in columns["messages"]] == ["user", "assistant"]
    assert len(orjson.loads(columns["tree"])["messages"]) == 3


def test_two_answers_in_a_row_are_joined_with_their_children_and_feedback():
    """Some logs write "let me look that up" and the tool call as two messages."""
    parts = [Part("tool_call", data={"id": "a", "name": "look", "arguments": "{}"})]
    messages = (
        message(0, "user", QUESTION),
        message(1, "assistant", "Let me look that up."),
        message(2, "assistant", parts),
        message(3, "tool", [Part("tool_result", "light", {"call_id": "a", "name": "look", "is_error": False})]),
        message(4, "assistant", ANSWER),
    )
    feedback = (Feedback("thumb", 1.0, "human", message_id="2"),)
    columns = kept(Conversation(Source("bot", "test", "1"), messages, "4", feedback=feedback))
    assert [turn["role"] for turn in columns["messages"]] == ["user", "assistant", "tool", "assistant"]
    tree = Conversation.from_json(orjson.loads(columns["tree"]))
    assert tree.messages[1].text().startswith("Let me look that up.\n<tool_call>look")
    assert tree.feedback[0].message_id == "1"


def test_answers_with_siblings_are_not_joined():
    """Joining would move a sibling under another parent, which makes it an answer to something else."""
    messages = (
        *talk(("user", QUESTION), ("assistant", "One."), ("assistant", ANSWER)).messages,
        message(9, "assistant", "Two.", "1"),
    )
    assert reason(Conversation(Source("bot", "test", "1"), messages, "2")) == "not_alternating"


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


def test_a_kept_row_is_redacted_in_messages_and_tree_and_has_their_ids():
    """Downstream publishes messages and siblings, and refuses a row in which the two differ."""
    mail, name = "m.holloway@ceramics.example", "Margaret Holloway"
    first = talk(f"This is about my order. My name is {name}, {mail}. {QUESTION}", f"Dear {name},\n\n{ANSWER}")
    sibling = message(7, "assistant", f"{ANSWER} I wrote to {mail}.", "0")
    columns = kept(Conversation(first.source, (*first.messages, sibling), "1", title=f"Order of {name}"))
    everything = orjson.dumps({key: columns[key] for key in columns}).decode()
    assert mail not in everything and "Holloway" not in everything
    tree = Conversation.from_json(orjson.loads(columns["tree"]))
    assert [{"role": turn.role, "content": turn.content} for turn in tree.turns()] == columns["messages"]
    assert columns["content_id"] == content_id(tree.turns())
    assert orjson.loads(columns["redactions"]) == {"EMAIL": 2, "PERSON": 3}


def test_too_much_to_redact_is_held_for_a_person():
    """A customer list belongs to nobody's training data without a look."""
    rows = ", ".join(f"customer{n}@mail.example" for n in range(5))
    found = outcome(talk(f"Sort these: {rows}", ANSWER), max_redactions=4)
    assert found == Held("too_many_secrets", "more than 4 values: EMAIL 5")


@pytest.mark.parametrize("tree", ["{}", "not json", '{"messages": []}', '"\\ud800"'])
def test_what_cannot_be_screened_is_held_with_the_errors_name_alone(tree):
    """Promise 1: nothing leaves unscreened; and an error's message could quote the text."""
    columns, found, _ = screen_row(tree, DEFAULTS)
    assert columns is None
    assert isinstance(found, Held)
    assert found.reason == "failed_screen"
    assert found.evidence.isidentifier()


def test_a_broken_path_is_held():
    """Cyclic parents are hostile or damaged; neither may stop the night."""
    messages = (message(0, "user", QUESTION, "1"), message(1, "assistant", ANSWER, "0"))
    assert outcome(Conversation(Source("b", "t", "1"), messages, "1")) == Held("failed_screen", "InputError")


def row(conversation, number=0):
    turns = conversation.turns() if conversation.active_leaf else []
    return {
        "conversation_id": f"{number:032x}",
        "source": "bot",
        "system": "test",
        "native_id": str(number),
        "created_at": None,
        "model": None,
        "language": None,
        "consent": "form",
        "licence": "CC0-1.0",
        "subject": None,
        "n_messages": len(turns),
        "n_branches": conversation.n_branches(),
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        "tree": canonical_bytes(conversation.to_json()).decode(),
    }


def written(folder, conversations):
    path = folder / "pulled.parquet"
    with StageWriter(path, PULLED) as writer:
        for number, conversation in enumerate(conversations):
            writer.write(row(conversation, number))
    return path


ALL = [*BAD.values(), *GOOD.values()]


def test_rows_keep_their_order_and_add_up_and_satisfy_the_contract(tmp_path):
    """The law: in = kept + dropped + held, and the next step reads what this one wrote."""
    source, output, calls = written(tmp_path, ALL), tmp_path / "screened.parquet", []
    report = screen(source, output, DEFAULTS, on_row=lambda: calls.append(1))
    assert (report.n_in, report.kept, sum(report.dropped.values())) == (len(ALL), len(GOOD), len(BAD))
    assert len(calls) == len(ALL)
    assert report.facts["rules"] == dict.fromkeys(sorted(BAD), 1)
    frame = pl.read_parquet(output)
    assert failures(frame, stage_contracts()["screened"]) == []
    assert frame["native_id"].to_list() == [str(len(BAD) + n) for n in range(len(GOOD))]
    rejected = pl.read_parquet(rejects_path(output))
    assert Counter(rejected["reason"]) == Counter(report.dropped)


def test_model_and_consent_of_a_row_are_redacted_like_its_tree(tmp_path):
    """They go into the public sample from the row's own columns."""
    answer = replace(message(1, "assistant", ANSWER, "0"), model="/home/jroe/m.gguf")
    conversation = Conversation(
        Source("b", "t", "1"), (message(0, "user", QUESTION), answer), "1", consent="by jane.roe@mail.example"
    )
    source = written(tmp_path, [conversation])
    screen(source, tmp_path / "screened.parquet", DEFAULTS)
    (kept,) = pl.read_parquet(tmp_path / "screened.parquet").to_dicts()
    assert (kept["model"], kept["consent"]) == ("/home/[USERNAME_1]/m.gguf", "by [EMAIL_1]")
    assert orjson.loads(kept["redactions"]) == {"EMAIL": 1, "USERNAME": 1}


def test_worker_processes_give_the_same_bytes(tmp_path):
    """Same inputs, same bytes, on one core and on two."""
    source = written(tmp_path, ALL * 3)
    outputs = [tmp_path / f"{n}.parquet" for n in (1, 2)]
    reports = [screen(source, output, DEFAULTS, n_processes=n) for n, output in enumerate(outputs, start=1)]
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert rejects_path(outputs[0]).read_bytes() == rejects_path(outputs[1]).read_bytes()
    assert reports[0].facts == reports[1].facts


def deadly(trees):
    """Work that one conversation kills: stands for a message that exhausts memory."""
    if any("kill me" in tree for tree in trees):
        os.kill(os.getpid(), signal.SIGKILL)
    return [(None, Kept(None), Counter()) for _ in trees]


def test_a_worker_that_is_killed_loses_no_row():
    """The system kills a process that takes too much memory; the conversation that did it is held, the rest goes on."""
    rows = [{"number": n, "tree": "kill me" if n == 70 else "fine"} for n in range(150)]
    done = list(in_processes(iter(rows), deadly, killed, 2))
    assert [row["number"] for row, _ in done] == list(range(150))
    assert [row["number"] for row, result in done if isinstance(result[1], Held)] == [70]


def test_input_of_another_step_is_refused(tmp_path):
    """The message names what is missing and what to run."""
    with pytest.raises(InputError, match="does not exist"):
        screen(tmp_path / "nothing.parquet", tmp_path / "out.parquet", DEFAULTS)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text(max_size=60)),
        min_size=1,
        max_size=6,
    )
)
def test_every_conversation_has_exactly_one_outcome(turns):
    """Whatever people and programs write, it is kept, dropped or held, and a kept one has a question and an answer."""
    columns, found, _ = screen_row(canonical_bytes(talk(*turns).to_json()).decode(), ScreenSettings(min_words=0))
    assert isinstance(found, Dropped) or (isinstance(found, Kept) and columns is not None), found
    if columns:
        roles = [turn["role"] for turn in columns["messages"]]
        assert "user" in roles
        assert roles[-1] == "assistant"
