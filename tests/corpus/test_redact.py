"""redact: what is found, what is let be, and that nothing of it is left anywhere.

Values that look like secrets are put together at run time, so that no file of the repository holds one.
"""

import re
import time
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.redact import TooManyValues, redact
from corpus.redaction.finding import PLACEHOLDER, Finding, lowered, settled
from corpus.redaction.recognise import recognise
from schemas.canonical import canonical_bytes
from schemas.conversation import Conversation, Feedback, Message, Part, Source

HEX_32 = "7f3c9b1e5a6d4820" + "b1c7e9f2a3d4c5b6"


def talk(*texts, title=None, feedback=()):
    messages = tuple(
        Message(str(n), str(n - 1) if n else None, "assistant" if n % 2 else "user", (Part("text", text),))
        for n, text in enumerate(texts)
    )
    return Conversation(Source("bot", "test", "1"), messages, messages[-1].id, title=title, feedback=feedback)


def texts_of(redacted):
    return [turn.content for turn in redacted.conversation.turns()]


def redacted_text(text):
    return texts_of(redact(talk(text)))[0]


FOUND = [
    ("EMAIL", "write to jane.roe@mail.example please", "jane.roe@mail.example"),
    ("EMAIL", "<Zoë.Ortuño@büro.example>", "Zoë.Ortuño@büro.example"),
    ("EMAIL", "from marlene\\_zamora@mail.example to", "zamora@mail.example"),
    ("SECRET", "Username: robot\nPassword:\n  Opend00r5", "Opend00r5"),
    ("PHONE", "my number is 020 7946 0958", "020 7946 0958"),
    ("PHONE", "call +49 30 23125 088 tomorrow", "+49 30 23125 088"),
    ("PHONE", "(555) 555-0142 is the office", "(555) 555-0142"),
    ("PHONE", "tel. 06 39 98 12 34", "06 39 98 12 34"),
    ("PHONE", "微信/电话 138 0013 8000", "138 0013 8000"),
    ("IBAN", "IBAN DE89 3704 0044 0532 0130 00 until Friday", "DE89 3704 0044 0532 0130 00"),
    ("IBAN", "GB82WEST12345698765432.", "GB82WEST12345698765432"),
    ("CARD", "card 4111 1111 1111 1111 exp 09/28", "4111 1111 1111 1111"),
    ("CARD", "Amex 3782 822463 10005", "3782 822463 10005"),
    ("IP", "from 203.0.113.77: refused", "203.0.113.77"),
    ("IP", "v6 is 2001:db8:85a3::8a2e:370:7334.", "2001:db8:85a3::8a2e:370:7334"),
    ("MAC", "lease to 00:00:5E:00:53:AF", "00:00:5E:00:53:AF"),
    ("NATIONAL_ID", "SSN 078-05-1120", "078-05-1120"),
    ("NATIONAL_ID", "NI number QQ 12 34 56 C", "QQ 12 34 56 C"),
    ("NATIONAL_ID", "DNI 12345678Z", "12345678Z"),
    ("NATIONAL_ID", "CPF 111.444.777-35", "111.444.777-35"),
    ("NATIONAL_ID", "n° de sécurité sociale 2 55 08 14 168 025 38", "2 55 08 14 168 025 38"),
    ("NATIONAL_ID", "PESEL 44051401359", "44051401359"),
    ("NATIONAL_ID", "BSN 111222333", "111222333"),
    ("WALLET", "send to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("WALLET", "eth 0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe", "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe"),
    ("BIRTH_DATE", "Date of birth: 17 March 1958", "17 March 1958"),
    ("BIRTH_DATE", "Elspeth, born 17/03/1958, asthma", "17/03/1958"),
    ("ADDRESS", "I live at 14 Larkspur Close, Wexley WX7 4QT", "14 Larkspur Close"),
    ("ADDRESS", "wohnt Lindenstraße 27, 10969 Berlin", "Lindenstraße 27"),
    ("ADDRESS", "ul. Kwiatowa 8/12, Poznań", "ul. Kwiatowa 8/12"),
    ("ADDRESS", "12 rue des Lilas, Lyon", "12 rue des Lilas"),
    ("USERNAME", 'File "/home/mdijkgraaf/app/main.py", line 3', "mdijkgraaf"),
    ("USERNAME", r"C:\Users\Mathias\AppData", "Mathias"),
    ("PERSON", "My name is Margaret Holloway. I want", "Margaret Holloway"),
    ("PERSON", "ich heiße Sabine Körner und", "Sabine Körner"),
    ("PERSON", "меня зовут Анна Петрова, мне", "Анна Петрова"),
    ("PERSON", "你好，我叫王小明，今年", "王小明"),
    ("PERSON", "my daughter Matilda has head lice", "Matilda"),
    ("PERSON", "Dear Mrs Oyelaran,\n\nshe is ill", "Oyelaran"),
    ("PERSON", "See you.\n\nKind regards,\nCaroline Ashdown", "Caroline Ashdown"),
    ("PERSON", "Jürgen Waldmann, IBAN DE89 3704 0044 0532 0130 00", "Jürgen Waldmann"),
    ("PERSON", "Henrik Sandvold <henrik.sandvold@nordlys.example>", "Henrik Sandvold"),
    ("SECRET", "key " + "AKIA" + "IOSFODNN7EXAMPLE", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("SECRET", "ghp" + "_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"),
    ("SECRET", "sk-" + "proj-" + "Xi8tdMjHV6pmbBbwilTeT3Blbk", "Xi8tdMjHV6pmbBbwilTeT3Blbk"),
    ("SECRET", "sk" + "_live_" + "ReTllpYQYfIZu2Jnf2lAPFjD", "ReTllpYQYfIZu2Jnf2lAPFjD"),
    ("SECRET", "Authorization: Bearer " + HEX_32, HEX_32),
    ("SECRET", 'api_key = "' + HEX_32 + '"', HEX_32),
    ("SECRET", "APP_SECRET_KEY=" + HEX_32, HEX_32),
    ("SECRET", "password = Tr0ub4dor&" + "3-mill", "Tr0ub4dor&3-mill"),
    ("SECRET", "login admin, password: Millrace-Admin-" + "0417. Then", "Millrace-Admin-0417"),
    ("SECRET", "ssid Pfefferminz password Blaubeerkuchen!" + "77", "Blaubeerkuchen!77"),
    ("SECRET", "postgres://shop:hunter-brook-" + "42@db.internal/shop", "hunter-brook-42"),
    ("SECRET", "Uid=report;Pwd=Zq8!vinegar-" + "plum;Encrypt=no;", "Zq8!vinegar-plum"),
    (
        "SECRET",
        "-----BEGIN " + "PRIVATE KEY-----\nMIIBVgIBADANBgkqhkiG9w0B\n-----END " + "PRIVATE KEY-----",
        "MIIBVgIB",
    ),
    (
        "SECRET",
        "token eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJleGFtcGxlIn0." + "ZXhhbXBsZS1zaWc",
        "eyJzdWIiOiJleGFtcGxlIn0",
    ),
]


@pytest.mark.parametrize(("kind", "text", "value"), FOUND, ids=lambda v: v[:30] if isinstance(v, str) else None)
def test_a_planted_value_is_replaced_by_a_placeholder_of_its_kind(kind, text, value):
    """A public branch is publication: what is planted must not come out."""
    said = redacted_text(text)
    assert value not in said
    assert f"[{kind}_1]" in said


LEFT_ALONE = [
    "The year 1969, the sum 1,234,567.89 and pi 3.14159265358979 are numbers.",
    "Order 4111111111111112 fails the checksum; timestamp 1700000000000, id 1234567890123.",
    "127.0.0.1, 192.168.1.10, 10.0.0.0/8, ::1 and 8.8.8.8 are nobody's; version 10.2.30.4 neither.",
    "std::vector<int> a::b; at 12:30:45 on 2024-01-31; color #aabbcc; icon@2x.png; @decorator",
    "user@example.com, your_email@example.org and john.doe@example.com are for documentation.",
    "password = os.environ['PASSWORD']; token = get_token(); secret: ${SECRET}; api_key = YOUR_API_KEY",
    "The password must be changed. My secret is that I like tokens. Enter your password: ********",
    "<input type='password' name='password' required> const token = user.accessToken;",
    "A tokenizer turns text into tokens: token_count = 512, max_tokens=2048, num_tokens: 4096.",
    "I am French and I'm Working on it. This is Great News. Dear Sir or Madam, Dear Hiring Manager,",
    "Einstein was born on 14 March 1879 in Ulm; Ada Lovelace (born 10 December 1815) wrote programs.",
    "The 9 Supreme Court justices; 123 Main Street in the example; /home/user/app and /Users/Shared.",
    "Wie heißt die Hauptstadt? Quel est le numéro 12345 ? 今天是2024年5月1日。",
    "kpasswd_server = kdc.mail.example:464, publicKeyToken=31bf3856ad364e35, docker --password-stdin 4835.ecr.test",
    "sqrt(81000000 + 16000000), from 07/2012 - 09/2012 09/2010, rows 026 027 028 029 030, gem (= 7.0.4.2)",
    "from New York to Los Angeles with Monte Carlo methods; call foo(1234567) and f(x) = 2x + 1000000",
    "UUID 123e4567-e89b-12d3-a456-426614174000, sha256 " + "0" * 64 + ", commit 9fceb02d0ae598e95dc970b7",
    "ISBN 978-3-16-148410-0, DOI 10.1000/182, RFC 5321, phone model 12345678, 2001 - 2010 - 2020",
]


@pytest.mark.parametrize("text", LEFT_ALONE, ids=lambda text: text[:30])
def test_ordinary_text_and_code_stay_as_they_are(text):
    """Every false find damages a sample, and numbers and code are most of what people talk about with a model."""
    assert redacted_text(text) == text


def test_equal_values_get_one_placeholder_through_turns_siblings_title_and_feedback():
    """Who is who must stay clear, and the title and the answers not taken are published or kept, too."""
    mail, number = "jane.roe@mail.example", "4111 1111 1111 1111"
    conversation = talk(
        f"I am at {mail}, card {number}", f"{mail.upper()} noted", f"no, joe@mail.example or {mail}?", "ok"
    )
    sibling = Message("s", "0", "assistant", (Part("text", f"4111111111111111 of {mail}"),))
    hidden = Message("h", None, "user", (Part("reasoning", f"mail is {mail}"),), weight=0.0)
    conversation = Conversation(
        conversation.source,
        (*conversation.messages, sibling, hidden),
        "3",
        title=f"Card of {mail}",
        feedback=(Feedback("comment", f"{mail} is me", "human"),),
    )
    result = redact(conversation)
    assert texts_of(result) == [
        "I am at [EMAIL_1], card [CARD_1]",
        "[EMAIL_1] noted",
        "no, [EMAIL_2] or [EMAIL_1]?",
        "ok",
    ]
    assert result.conversation.messages[4].text() == "[CARD_1] of [EMAIL_1]"
    assert result.conversation.title == "Card of [EMAIL_1]"
    assert result.conversation.feedback[0].value == "[EMAIL_1] is me"
    assert mail not in canonical_bytes(result.conversation.to_json()).decode().lower()
    assert result.counts == {"EMAIL": 8, "CARD": 2}
    assert result.n_values == 3


def test_what_the_log_says_of_models_and_consent_is_read_too():
    """Both are published with a sample: a model may be a path below somebody's home, a consent name who gave it."""
    conversation = talk("Write to jane.roe@mail.example, please.", "I shall.")
    answer = replace(conversation.messages[1], model="/home/jroe/models/small.gguf")
    conversation = replace(
        conversation,
        messages=(conversation.messages[0], answer),
        consent="Signed by Jane Roe, jane.roe@mail.example, +49 30 23125 088, form of 2026-01",
    )
    result = redact(conversation).conversation
    assert result.model() == "/home/[USERNAME_1]/models/small.gguf"
    assert result.consent == "Signed by [PERSON_1], [EMAIL_1], [PHONE_1], form of 2026-01"


@pytest.mark.parametrize(
    "model",
    ["gpt-4o-2024-08-06", "claude-3-5-sonnet-20241022", "ft:gpt-3.5-turbo-0125:org::9ABCdef1", "qwen3:8b-q4_K_M"],
)
def test_names_of_models_stay(model):
    """Version numbers and dates in them are nobody's."""
    conversation = talk("Hello", "Hello")
    answer = replace(conversation.messages[1], model=model)
    assert redact(replace(conversation, messages=(conversation.messages[0], answer))).conversation.model() == model


def test_tool_calls_are_read_in_any_form_and_their_arguments_stay_json():
    """Arguments come as JSON, as JSON in a string, with numbers that are no strings, and with context in their keys."""
    password = "Hunter!" + "22brook"
    inside = orjson.dumps({"card": 4111111111111111, "password": password, "n": 3}).decode()
    parts = (
        Part("tool_call", data={"id": "a", "name": "pay", "arguments": inside}),
        Part("tool_call", data={"id": "b", "name": "mail", "arguments": {"to": ["x.y@z.example"], "x.y@z.example": 1}}),
        Part("tool_result", f"paid with {password}", {"call_id": "a", "name": "pay", "is_error": False}),
        Part("unknown", data={"raw": {"deep": [{"ip": "203.0.113.77"}]}}),
    )
    conversation = Conversation(Source("b", "t", "1"), (Message("0", None, "assistant", parts),), "0")
    result = redact(conversation).conversation
    first, second, third, fourth = result.messages[0].parts
    assert orjson.loads(first.data["arguments"]) == {"card": "[CARD_1]", "password": "[SECRET_1]", "n": 3}
    assert second.data["arguments"] == {"to": ["[EMAIL_1]"], "[EMAIL_1]": 1}
    assert third.text == "paid with [SECRET_1]"
    assert fourth.data["raw"]["deep"][0]["ip"] == "[IP_1]"


def test_a_value_with_context_in_one_place_is_replaced_where_it_has_none():
    """A password repeated in the answer has no word beside it there, and a first name no surname."""
    secret = "Blaubeerkuchen!" + "77"
    first, second = texts_of(
        redact(talk(f"I am Margaret Holloway, password {secret}", f"Thank you, Margaret: P:{secret};; for M. Holloway"))
    )
    assert first == "I am [PERSON_1], password [SECRET_1]"
    assert second == "Thank you, [PERSON_1]: P:[SECRET_1];; for M. [PERSON_1]"


def test_a_word_of_a_name_that_is_also_a_word_stays():
    """Will Young's given name must not turn every question into a placeholder."""
    said = texts_of(redact(talk("My name is Will Young. Will it rain? I will see.", "It will, Mr Young.")))
    assert said == ["My name is [PERSON_1]. Will it rain? I will see.", "It will, Mr [PERSON_1]."]


def test_numbers_that_the_log_uses_already_are_skipped():
    """A log that was redacted before has placeholders of its own, for other values."""
    said = redacted_text("[EMAIL_1] and [EMAIL_3] wrote to a.b@c.example, d.e@f.example and g.h@i.example")
    assert said == "[EMAIL_1] and [EMAIL_3] wrote to [EMAIL_2], [EMAIL_4] and [EMAIL_5]"


def test_more_values_than_allowed_are_refused_with_counts_and_no_text():
    """A customer list is for a person to look at, and the evidence must not leak it."""
    rows = "\n".join(f"customer{n}@mail.example" for n in range(41))
    with pytest.raises(TooManyValues) as raised:
        redact(talk(rows), values_max=40)
    assert str(raised.value) == "EMAIL 41"
    assert redact(talk(rows.replace("customer0@mail.example", "")), values_max=40).n_values == 40
    assert redact(talk("a.b@c.example " * 100), values_max=1).counts["EMAIL"] == 100


def test_findings_that_overlap_are_settled_for_the_longer_and_then_the_first():
    """A replacement must not cut into another."""
    findings = [
        Finding(0, 5, "PHONE", "a"),
        Finding(3, 12, "CARD", "b"),
        Finding(3, 12, "IBAN", "c"),
        Finding(12, 13, "IP", "d"),
    ]
    assert settled(findings) == [Finding(3, 12, "CARD", "b"), Finding(12, 13, "IP", "d")]


def test_lower_case_keeps_every_character_in_its_place():
    """Places found in the lowered text are used in the text, and "İ" has two characters in lower case."""
    assert lowered("İSTANBUL: Ali@Posta.example") == "İstanbul: ali@posta.example"
    assert redacted_text("İİİİ my name is Ayşe Yılmaz") == "İİİİ my name is [PERSON_1]"


PIECES = st.sampled_from(
    [text for _, text, _ in FOUND]
    + LEFT_ALONE
    + ["[EMAIL_1]", "[SECRET_2]", " ", "\n", ",", '"', "=", ":", "a", "7", "+", "("]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=4).map("".join) | st.text(max_size=40), min_size=1, max_size=4))
def test_redacting_twice_is_redacting_once(texts):
    """A conversation that was logged again after it was published, placeholders and all, must not change."""
    once = redact(talk(*texts))
    again = redact(once.conversation)
    assert again.conversation == once.conversation
    assert again.counts == {}


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(len(FOUND))).map(lambda order: order[:5]))
def test_no_planted_value_survives_among_others(order):
    """Values stand beside each other in real text; one must not hide another."""
    chosen = [FOUND[n] for n in order]
    tree = canonical_bytes(redact(talk("\n\n".join(text for _, text, _ in chosen))).conversation.to_json()).decode()
    assert [value for _, _, value in chosen if value in tree] == []


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_recognising_never_fails_and_gives_places_in_order(text):
    """Conversation text is hostile, and one exception holds a conversation back."""
    findings = recognise(text)
    assert all(0 <= f.start < f.end <= len(text) for f in findings)
    assert all(a.end <= b.start for a, b in zip(findings, findings[1:], strict=False))


HOSTILE = [
    "a",
    "1 ",
    "1",
    "a@",
    "@a.",
    "'\"",
    "1.1.1.",
    "::1:",
    "aa:bb-",
    "password=",
    "://a:",
    "-----BEGIN " + "PRIVATE KEY-----",
    "My name is ",
    "A b ",
    "Dear\n",
    "DE89 3704 ",
    "+1 (",
    "/home/a",
    "eyJ.",
    "0 12 345 ",
    "1 Ab Street ",
    "born 1.1.",
    "[A_1]",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_takes_time_in_proportion_to_its_length(unit):
    """One message of 30 MB must not stop a night: four times the text may take eight times as long, not sixteen."""
    short, long = (_seconds((unit * n)[: 3 * n]) for n in (20_000, 80_000))
    assert long < 8 * max(short, 0.05)


def _seconds(text):
    started = time.process_time()
    recognise(text)
    return time.process_time() - started


def test_placeholders_have_the_form_that_the_reading_copy_marks():
    """The reading copy shows placeholders by their form."""
    said = redacted_text(" ".join(text for _, text, _ in FOUND))
    assert len(re.findall(r"\[[A-Z][A-Z0-9_]*_\d+\]", said)) == len(PLACEHOLDER.findall(said)) > 30
