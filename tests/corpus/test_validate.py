"""Samples: canonical, complete, and refused with every reason when a contract is broken."""

import orjson
import pytest

from corpus.stage import read_report, read_rows, rejects_path
from corpus.validate import build_samples
from schemas.canonical import canonical_bytes
from schemas.conversation import Feedback
from schemas.errors import InputError
from tests.corpus.judged_rows import conversation, message, row, write_selected


def samples(tmp_path, rows, **options):
    source, output = write_selected(tmp_path / "in.parquet", rows), tmp_path / "out.parquet"
    options = {"night": "2026-11-04", "publish_subjects": False, **options}
    report = build_samples(source, output, **options)
    return [orjson.loads(one["line"]) for one in read_rows(output)], report


def keys(value):
    """The keys at every depth; a list counts as its first element."""
    if isinstance(value, dict):
        return {key: keys(inner) for key, inner in value.items()}
    return [keys(value[0])] if isinstance(value, list) and value else None


def test_samples_are_sorted_canonical_lines(tmp_path):
    """A shard is append-only text: sorted by id, and equal values are equal bytes."""
    lines, report = samples(tmp_path, [row(number=n) for n in range(600)])
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)
    stored = [one["line"].encode() for one in read_rows(tmp_path / "out.parquet")]
    assert stored == [canonical_bytes(line) for line in lines]
    assert (report.n_in, report.kept) == (600, 600)
    assert read_report(tmp_path / "out.parquet").outputs == report.outputs
    assert list(read_rows(rejects_path(tmp_path / "out.parquet"))) == []


def test_a_sample_carries_its_provenance_and_no_cost(tmp_path):
    """A line can be traced; what judging cost, the hour and the contributor stay at home."""
    (line,), _ = samples(tmp_path, [row(subject="abc")])
    assert line["provenance"]["created_on"] == "2026-11-03"
    assert line["provenance"]["subject"] is None
    assert line["provenance"]["redactions"] == [{"name": "email", "value": 1}]
    assert line["verdict"]["criteria"] == [{"name": "clarity", "value": 7.0}]
    assert not {"seconds", "n_tokens"} & set(line["verdict"])
    (line,), _ = samples(tmp_path, [row(subject="abc")], publish_subjects=True)
    assert line["provenance"]["subject"] == "abc"


def test_every_line_has_the_same_keys(tmp_path):
    """Loaders infer types shard by shard; a key that comes and goes breaks them."""
    plain = row(model=None, language=None, created_at=None, acceptance=0.5, redactions="{}")
    full, _ = samples(tmp_path, [plain, row(number=1, extends="0" * 32)])
    for field in ("verdict", "provenance"):
        assert set(full[0][field]) == set(full[1][field])
    assert set(full[0]) == set(full[1])


def test_replies_beside_the_path_are_kept_with_their_votes(tmp_path):
    """Regenerations are preference pairs; failed, hidden, empty and repeated ones are none."""
    beside = [
        message("1b", "0", "assistant", "Four."),
        message("1c", "0", "assistant", "Five, I", status="stopped"),
        message("1d", "0", "assistant", "hidden", weight=0.0),
        message("1e", "0", "assistant", "4"),
        message("1f", "0", "assistant", "Four."),
        message("2b", "1", "user", "an edited question"),
        message("3b", "2", "assistant", "Bitte."),
    ]
    said = [
        Feedback("thumb", -1.0, "human", "1b"),
        Feedback("rank", 2, "human", "3b", scale_min=0),
        Feedback("thumb", 1.0, "code", "3b"),
        Feedback("thumb", "rather nice", "human", "3b"),
    ]
    talk = conversation("2 plus 2?", "4", "Thanks", "Welcome.", siblings=beside, feedback=said)
    (line,), _ = samples(tmp_path, [row(talk)])
    assert line["alternatives"] == [
        {"turn": 1, "content": "Four.", "rank": None, "vote": -1},
        {"turn": 3, "content": "Bitte.", "rank": 2, "vote": None},
    ]


def test_turns_are_counted_as_in_the_messages(tmp_path):
    """A hidden message in the path is no turn, so what follows moves up by one."""
    talk = conversation("hi", "hello")
    hidden = message("0", None, "system", "secret", weight=0.0)
    talk = type(talk)(
        source=talk.source,
        messages=(
            hidden,
            message("u", "0", "user", "hi"),
            message("a", "u", "assistant", "hello"),
            message("b", "u", "assistant", "good day"),
        ),
        active_leaf="a",
    )
    (line,), _ = samples(tmp_path, [row(talk)])
    assert line["alternatives"][0]["turn"] == 1


BROKEN = {
    "consent": ({"consent": " "}, "consent: is not empty"),
    "no consent": ({"consent": None}, "consent: not_nullable"),
    "licence": ({"licence": "Proprietary"}, "licence: isin"),
    "rating": ({"rating": 3.0}, "rating: greater_than_or_equal_to(5.0)"),
    "id": ({"content_id": "0" * 32}, "spoken_id: is the id"),
    "expert": ({"expert": "../x"}, "expert: str_matches"),
    "tree": ({"tree": "{}"}, "cannot be made a sample"),
    "messages": ({"messages": [{"role": "user", "content": "a"}]}, "the path of the tree differs"),
    "night": ({}, "night: str_matches"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_contract_names_sample_column_and_check(tmp_path, name):
    """A violation is a defect of a step before; the message must lead to it."""
    change, says = BROKEN[name]
    night = "tonight" if name == "night" else "2026-11-04"
    bad = row(**{"rating": 7.0, **change}) if name != "rating" else row(rating=3.0)
    with pytest.raises(InputError) as caught:
        samples(tmp_path, [bad, row(number=1)], threshold=5.0, licences=["CC0-1.0"], night=night)
    assert says in str(caught.value)
    assert not (tmp_path / "out.parquet").exists()
    assert read_report(tmp_path / "out.parquet") is None


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (("hi", "hello", "more"), "roles: is: system"),
        (("hi", "hel\0lo"), "content: has no NUL"),
    ],
)
def test_what_is_said_must_be_a_conversation(tmp_path, texts, says):
    """Trainers read pairs of question and answer, and no NUL."""
    with pytest.raises(InputError, match=says):
        samples(tmp_path, [row(conversation(*texts))])


def test_the_same_role_twice_is_refused(tmp_path):
    """Chat templates refuse it, too."""
    talk = conversation("hi", "hello")
    talk = type(talk)(
        source=talk.source, messages=(*talk.messages, message("2", "1", "assistant", "again")), active_leaf="2"
    )
    with pytest.raises(InputError, match="no two users or assistants in a row"):
        samples(tmp_path, [row(talk)])


def test_equal_samples_are_refused(tmp_path):
    """The same text is in the corpus once."""
    twice = [row(conversation("hi", "hello there", native_id=name)) for name in "ab"]
    with pytest.raises(InputError, match="unique"):
        samples(tmp_path, twice)


def test_all_failures_are_counted_and_the_list_is_capped(tmp_path):
    """A systematic defect fails on every row: the count tells so without a wall of text."""
    with pytest.raises(InputError) as caught:
        samples(tmp_path, [row(number=n, consent=None) for n in range(300)])
    assert "in 300 places" in str(caught.value)
    assert "and 250 more" in str(caught.value)
    assert len(str(caught.value)) < 20_000


def test_the_start_of_a_long_value_is_enough(tmp_path):
    """An error is printed and logged; it must not carry a conversation along."""
    with pytest.raises(InputError) as caught:
        samples(tmp_path, [row(conversation("hi", "secret " * 1000 + "\0"))])
    assert "7001 characters" in str(caught.value)
    assert str(caught.value).count("secret") < 12
