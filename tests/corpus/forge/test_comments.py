"""What people wrote on a pull request: all of it, in order, nothing of others, and nothing that does harm."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.forge.connection import TEXT_BYTES
from corpus.forge.remarks import COMMENT_CHARACTERS, Account, Remark, cleaned, in_order
from corpus.forge.shortened import shortened
from corpus.review import Comment
from tests.corpus.forge.asking import BRANCH, forge_at
from tests.corpus.forge.forge_server import Answer, serving
from tests.corpus.forge.servers import SERVERS


@pytest.fixture(params=sorted(SERVERS))
def server(request):
    with serving(SERVERS[request.param]()) as running:
        running.open("night/2026-11-03")
        running.open(BRANCH)
        yield running


def comments(server) -> list[Comment]:
    forge = forge_at(server)
    found = forge.find(BRANCH)
    assert found is not None
    return forge.comments(found)


def test_comments_come_in_order_with_their_authors(server):
    """Later words count over earlier ones, so the order is part of the meaning."""
    server.say(2, "bob", "/keep abcdef12", "2026-11-05T09:00:01Z")
    server.say(2, "ann", "/reject abcdef12 off topic", "2026-11-05T09:00:00Z")
    server.say(2, "cy", "/keep abcdef12", "2026-11-05T09:00:01Z")
    said = comments(server)
    assert [(one.author, one.at) for one in said] == [
        (f"{server.kind}:ann", "2026-11-05T09:00:00Z"),
        (f"{server.kind}:bob", "2026-11-05T09:00:01Z"),
        (f"{server.kind}:cy", "2026-11-05T09:00:01Z"),
    ]


def test_remarks_on_lines_count_like_the_conversation(server):
    """Where the ids stand in the difference, people answer beside them."""
    server.say(2, "ann", "/reject abcdef12 wrong", "2026-11-05T09:00:00Z", where="line")
    assert [one.body for one in comments(server)] == ["/reject abcdef12 wrong"]


def test_the_words_of_a_review_count_and_an_approval_without_words_does_not():
    """GitHub and Gitea keep reviews apart from comments."""
    for kind in ("github", "gitea"):
        with serving(SERVERS[kind]()) as server:
            server.open("night/2026-11-03")
            server.open(BRANCH)
            server.say(2, "ann", "/keep abcdef12", "2026-11-05T09:00:00Z", where="review")
            server.say(2, "bob", "", "2026-11-05T09:00:01Z", where="review")
            assert [one.author for one in comments(server)] == [f"{kind}:ann"]


def test_what_the_forge_itself_notes_is_no_comment():
    """GitLab writes 'added 1 commit' among the notes, in the name of whoever pushed."""
    with serving(SERVERS["gitlab"]()) as server:
        server.open("night/2026-11-03")
        server.open(BRANCH)
        server.say(2, "ann", "added 1 commit", "2026-11-05T09:00:00Z", where="system")
        assert comments(server) == []


def test_all_pages_are_read(server):
    """The 51st comment is as good as the first."""
    for n in range(120):
        server.say(2, "ann", f"comment {n}", f"2026-11-05T09:{n // 60:02}:{n % 60:02}Z")
    assert [one.body for one in comments(server)] == [f"comment {n}" for n in range(120)]


def test_all_reviews_are_read_where_no_next_page_is_named():
    """Gitea counts its reviews in a header and names no next page."""
    with serving(SERVERS["gitea"]()) as server:
        server.open("night/2026-11-03")
        server.open(BRANCH)
        for n in range(120):
            server.say(2, "ann", f"review {n}", f"2026-11-05T09:{n // 60:02}:{n % 60:02}Z", where="review")
        assert len(comments(server)) == 120


def test_comments_on_other_pull_requests_are_not_taken(server):
    """An answer about another one, from a forge that mixes them up, is left out; so is what really is elsewhere."""
    server.say(1, "ann", "/reject abcdef12 elsewhere", "2026-11-05T09:00:00Z")
    mixed_up = server.say(1, "eve", "/reject abcdef12 mixed up", "2026-11-05T09:00:00Z")
    own = server.say(2, "ann", "/keep abcdef12", "2026-11-05T09:00:00Z")

    def mix(request):
        if not request.path.endswith(("/2/comments", "/2/notes")) or "pulls" in request.path:
            return None
        own_reply, other_reply = (server.route(with_path(request, n)).value for n in (2, 1))
        return Answer(200, [*own_reply, *other_reply])

    def with_path(request, number):
        return type(request)(
            request.method, request.path.replace("/2/", f"/{number}/"), request.query, request.headers, None
        )

    server.fault_of = mix
    assert [one.body for one in comments(server)] == [own.text]
    assert mixed_up.text not in str(comments(server))


def test_a_removed_account_has_a_name_nobody_can_take(server):
    """Forges give no author for a deleted account."""
    server.say(2, None, "/keep abcdef12", "2026-11-05T09:00:00Z")
    assert [one.author for one in comments(server)] == [f"{server.kind}:ghost"]


def test_a_hundred_megabytes_by_a_stranger_cost_neither_memory_nor_the_others(server):
    """One enormous comment must not keep the rest of the review from counting."""
    server.say(2, "ann", "/keep abcdef12", "2026-11-05T09:00:00Z")
    server.say(2, "eve", '\\"é' + "A" * 100_000_000, "2026-11-05T09:00:01Z")
    server.say(2, "bob", "/reject abcdef12 no", "2026-11-05T09:00:02Z")
    said = comments(server)
    assert [one.author.split(":")[1] for one in said] == ["ann", "eve", "bob"]
    assert len(said[1].body) == COMMENT_CHARACTERS
    assert said[1].body.startswith('\\"éAAA')


def test_a_text_cut_inside_a_character_is_still_read(server):
    """Forges write letters as they are, in two bytes and more; a client that decodes strictly would lose the page."""
    asked = server.route

    def plain(request):
        answer = asked(request)
        return Answer(answer.status, json.dumps(answer.value, ensure_ascii=False).encode(), answer.headers)

    server.route = plain
    for beginning in ("", "x"):
        server.say(2, "eve", beginning + "é" * TEXT_BYTES, "2026-11-05T09:00:00Z")
    assert [one.body[:3] for one in comments(server)] == ["ééé", "xéé"]


def test_marks_that_turn_or_hide_text_are_taken_out(server):
    """A reason goes into a file that people read; it must say what it seems to say."""
    server.say(
        2, "ann", "/reject abcdef12 \u202egood\u202c \u0000\u001b[31m\u200bfine\r\nsecond", "2026-11-05T09:00:00Z"
    )
    assert [one.body for one in comments(server)] == ["/reject abcdef12 good [31mfine\nsecond"]


def test_a_flood_without_end_is_refused(server):
    """A forge, or somebody on it, that always names a next page."""
    said = {"id": 1, "body": "x", "created_at": "2026-11-05T09:00:00Z", "user": None, "author": None}
    endless = [{**said, "system": False, "noteable_iid": 2, "noteable_type": "MergeRequest"}] * 50

    def flood(request):
        if request.path.endswith(("comments", "notes", "reviews")):
            headers = {"Link": '<x>; rel="next"', "X-Next-Page": "9"}
            return Answer(200, endless, headers)
        return None

    server.fault_of = flood
    with pytest.raises(Exception, match="20,000"):
        comments(server)


@given(st.text(), st.booleans())
def test_cleaned_text_is_clean_and_cleaning_again_changes_nothing(text, surrogate):
    """The law that the decisions file rests on."""
    once = cleaned(text + "\ud800" * surrogate)
    assert cleaned(once) == once
    assert "\r" not in once and "\0" not in once and "\u202e" not in once
    once.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.integers(1, 9), st.booleans())
def test_short_texts_pass_the_cutter_unchanged(value, size, is_ascii):
    """However the network cuts the stream into pieces."""
    content = json.dumps(value, ensure_ascii=is_ascii).encode(errors="replace")
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    assert b"".join(shortened(pieces, 10_000)) == content


@given(st.text(min_size=1), st.integers(0, 20), st.integers(1, 9), st.booleans())
def test_a_long_text_keeps_its_beginning_and_the_json_around_it(text, limit, size, is_ascii):
    """Cut inside an escape or a character, the reply would be broken and the review lost."""
    content = json.dumps({"a": text, "b": [1, "x"]}, ensure_ascii=is_ascii).encode(errors="replace")
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    found = json.loads(b"".join(shortened(pieces, max(limit, 1))).decode(errors="replace"))
    assert found["b"] == [1, "x"]
    kept = found["a"].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").rstrip("\ufffd")
    assert text.encode(errors="replace").decode().startswith(kept)
    assert len(json.dumps(kept, ensure_ascii=is_ascii)) <= max(limit, 1) + 2


def test_equal_times_are_ordered_by_number():
    """Two comments of one second keep the order in which the forge took them."""
    at = datetime(2026, 11, 5, tzinfo=UTC)
    remarks = [Remark(9, Account(login="b"), at, "second"), Remark(3, Account(login="a"), at, "first")]
    assert [one.body for one in in_order("github", remarks)] == ["first", "second"]
