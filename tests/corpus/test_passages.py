"""A passage is found in every form in which the corpus writes it, and nothing else is."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.cut import cut_decisions, cut_page, cut_shard, numbers_of
from corpus.markdown import inline, quoted
from corpus.passages import Passages, chunks, letters

SAID = 'I am *Zora*, of 7 Thistledown Lane:\n\tmy "dog" <Biscuit> & I like a_b\\n \u00e6bleskiver, don\'t we? `yes`'
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Co"]), min_size=80, max_size=400)


def found(text: str, content: bytes) -> bool:
    return bool(Passages(chunks(text)).met(letters(content)))


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text.encode(),
        lambda text: orjson.dumps({"messages": [{"content": text}]}),
        lambda text: __import__("json").dumps({"content": text}).encode(),
        lambda text: quoted(text, limit=10_000).encode(),
        lambda text: f"| 1 | {inline(text, limit=80)} |".encode(),
        lambda text: text.encode("utf-16"),
        lambda text: f"> {text}".replace(" ", "\n> ").upper().encode(),
    ],
    ids=["plain", "json", "ascii json", "page", "list", "utf-16", "rewrapped"],
)
def test_a_message_is_found_in_every_form(form):
    """A retraction that overlooks an escaped copy is none."""
    assert found(SAID, b" " + form(SAID)) or found(SAID, form(SAID))


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_what_a_page_and_a_shard_show_is_found_again(text):
    """For any text of letters enough: JSON and the reading copy do not hide it."""
    if len(letters(b" " + text.encode())) < 24 or "&" in text:
        return
    assert found(text, orjson.dumps({"content": text}))
    assert found(text, b"# Page\n\n" + quoted(text, limit=10_000).encode())


@given(st.integers(0, 60), st.integers(47, 60))
@settings(max_examples=60, deadline=None)
def test_every_quotation_of_47_letters_holds_a_chunk(start, length):
    """24 + 23: however it is cut, a whole chunk of 24 lies in it."""
    text = "".join(chr(97 + (7 * n + n * n) % 26) for n in range(150))
    assert Passages(chunks(text)).met(text[start : start + length].encode())


def test_other_texts_are_left_alone():
    """Two conversations about the same thing share words, not passages."""
    assert not found(SAID, b"Zora likes biscuits; she has no dog, and does not live in a lane.")
    assert list(chunks("Yes, please")) == []


def test_many_passages_are_found_as_one_by_one():
    """The table of windows is a short cut, never a rule of its own."""
    texts = [f"sentence number {n} says something about {n * n} and {n**3} birds" for n in range(300)]
    wanted = {chunk for text in texts[::2] for chunk in chunks(text)}
    for text in texts:
        said = letters(b" " + text.encode())
        assert Passages(wanted).met(said) == {chunk for chunk in wanted if chunk in said}


ID, OTHER = "a" * 32, "b" * 32
PAGE = f"""# Night, page 1

[Index](index.md). Untick a box.

## Sample 1

- [x] keep `{ID}`

> I am Zora of 7 Thistledown Lane and I have a dog.

---

## Sample 2

- [x] keep `{OTHER}`
- Nearest: sample 1 `{ID}`

> I am Zora of 7 Thistledown Lane and I have a dog.
> Short.

Nearest by words:

> somebody else
> I am Zora of 7 Thistledown Lane and I have a dog.
> another line of that quotation

> What stays.

---
"""


def test_a_sample_leaves_a_page_with_what_its_neighbours_quote():
    """The heading and its number stay, so links to the others stay true; a block that quotes goes as a whole."""
    passages = Passages(chunks("I am Zora of 7 Thistledown Lane and I have a dog."))
    page = cut_page(PAGE, {ID}, numbers_of(PAGE, {ID}), passages)
    assert "Zora" not in page and ID not in page and "another line" not in page and "Short." not in page
    assert "## Sample 1\n\nWithdrawn.\n\n---\n" in page
    assert "What stays." in page and f"- [x] keep `{OTHER}`" in page and "Nearest by words:" in page
    assert cut_page(page, {ID}, set(), passages) == page, "a second time changes nothing"


def test_a_hostile_heading_in_a_conversation_ends_no_section():
    """Conversation text never stands at the beginning of a line."""
    page = PAGE.replace("> What stays.", "> ## Sample 2\n> - [x] keep `" + ID + "`")
    assert numbers_of(page, {ID}) == {"1"}


def test_shards_and_decisions_lose_what_was_withdrawn_and_nothing_else():
    """What cannot be read stays as it is, byte for byte: it may be somebody's."""
    shard = b'{"id":"' + ID.encode() + b'"}\n{broken\n{"id":"' + OTHER.encode() + b'"}'
    assert cut_shard(shard, {ID}) == (b'{broken\n{"id":"' + OTHER.encode() + b'"}', 1)
    line = orjson.dumps({"sample_id": ID, "reason": "says where Zora lives"}) + b"\n"
    other = orjson.dumps({"sample_id": OTHER, "reason": "fine"}) + b"\n"
    cut = cut_decisions(line + other, {ID}, Passages([]))
    assert b"Zora" not in cut and cut.endswith(other) and cut.count(b"\n") == 2
