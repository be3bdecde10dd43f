"""Conversations that screen must drop, each for one rule, and sound ones in many languages."""

from corpus.screen import screen_row
from schemas.canonical import canonical_bytes
from schemas.conversation import Conversation, Message, Part, Source
from schemas.outcome import Kept
from schemas.settings import ScreenSettings

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
