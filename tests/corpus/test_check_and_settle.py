"""What the check says of a branch is what settle does with it: who sees green can merge, who sees red cannot."""

import json
from collections.abc import Callable

import pytest

from corpus.bulk import BulkObjects
from corpus.check import Problem, check_change
from tests.corpus.reviewed_night import BRANCH, DECISIONS, PAGE, SHARD, Night, Person


@pytest.fixture
def night(tmp_path) -> Night:
    return Night(tmp_path)


def checked(night: Night) -> list[Problem]:
    head = night.project.head
    return check_change(BulkObjects(night.project.remote), head("main"), head(BRANCH))


def rewritten(person: Person, change: Callable[[str], str], path: str = SHARD) -> Person:
    person.write(path, change(person.read(path)))
    return person


def reformatted(text: str) -> str:
    """As a JSON formatter saves it: another order of keys, spaces, escapes."""
    return "".join(json.dumps(dict(reversed(json.loads(one).items()))) + "\n" for one in text.splitlines())


def javascript(text: str) -> str:
    """As a tool that knows one kind of number saves it."""
    return text.replace('"rating":5.0', '"rating":5')


def with_answer(text: str, sample_id: str, answer: str) -> str:
    """One line edited in place, as on a forge's page."""
    lines = []
    for line in text.splitlines():
        one = json.loads(line)
        if one["id"] == sample_id:
            one["messages"][-1]["content"] = answer
            line = json.dumps(one, sort_keys=True, separators=(",", ":"), ensure_ascii=False)  # noqa: PLW2901
        lines.append(line + "\n")
    return "".join(lines)


def twice(text: str) -> str:
    return text.splitlines(keepends=True)[0] + text


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (reformatted, {"not_canonical"}),
        (javascript, {"not_canonical"}),
        (lambda text: text.replace("\n", "\r\n"), {"line_ends"}),
        (lambda text: "\ufeff" + text, {"byte_order_mark"}),
        (lambda text: "\n" + text, {"empty_line"}),
        (lambda text: text[:-1], {"no_line_end"}),
        (twice, {"repeated_line"}),
        (lambda text: "".join(reversed(text.splitlines(keepends=True))), {"unsorted"}),
    ],
)
def test_what_an_editor_makes_of_a_shard_is_warned_of_and_mended(night, change, codes):
    """Nobody meant anything by it, so it needs no sign-off, is no vote, and the corpus gets the lines as proposed."""
    rewritten(night.person("ann"), change).commit(is_signed=False).push()
    found = checked(night)
    assert ({one.code for one in found}, all(one.is_mended for one in found)) == (codes, True)
    settled = night.settle()
    assert (settled.state, settled.counts["kept"], night.decisions()) == ("settled", 6, [])
    assert night.file(SHARD) == night.file(SHARD, night.proposal)


def test_a_hand_edit_that_a_formatter_saved_is_warned_of_and_taken(night):
    """People edit with what they have."""
    ann = rewritten(night.person("ann").edit(night.ids[0], "It is another number."), reformatted).done()
    assert {one.code for one in checked(night) if not one.is_mended} == set()
    assert night.settle().counts["edited"] == 1
    assert night.decisions() == [(night.ids[0], "edit", ann.reviewer)]


def test_two_peoples_edits_of_a_sample_are_no_duplicates(night):
    """They are alike because they are of one sample; which one stands is decided by settle's rule."""
    night.person("ann").edit(night.ids[0], "It is another number, and there is more to say of it.").done()
    bob = night.person("bob")
    mine = bob.read(SHARD)
    changed = bob.edit(night.ids[0], "It is another number, and there is much more to say of it.").read(SHARD)
    bob.write(SHARD, mine + "".join(line + "\n" for line in changed.splitlines() if "much more" in line))
    bob.done()
    assert [one for one in checked(night) if not one.is_mended] == []
    assert night.settle().state == "settled"


def test_merging_two_editors_brings_no_text_of_its_own(night):
    """Who merges signs off nothing: each line has its author."""
    ann, bob = night.person("ann"), night.person("bob")
    rewritten(ann, lambda text: with_answer(text, night.ids[0], "It is another number.")).done()
    rewritten(bob, lambda text: with_answer(text, night.ids[5], "It is one more number.")).commit().pull().push()
    assert [one for one in checked(night) if not one.is_mended] == []
    assert night.settle().counts["edited"] == 2


def test_putting_anothers_edit_back_needs_no_sign_off(night):
    """The proposed words are there already; and an edit that nobody sees any more keeps nobody waiting."""
    night.person("ann").edit(night.ids[0], "It is another number.").commit(is_signed=False).push()
    bob = night.person("bob")
    bob.write(SHARD, night.file(SHARD, night.proposal))
    bob.commit(is_signed=False).push()
    assert checked(night) == []
    assert night.settle().state == "settled"


def test_decisions_that_an_editor_rewrote_stay_their_authors(night):
    """Ann's line is still hers when Bob's editor writes it in another way beside his own."""
    ann = night.person("ann").decide(night.ids[0]).done()
    bob = night.person("bob").decide(night.ids[1])
    rewritten(bob, reformatted, DECISIONS)
    rewritten(bob, lambda text: text.replace("\n", "\r\n"), DECISIONS).done()
    found = checked(night)
    assert ({one.code for one in found}, all(one.is_mended for one in found)) == (
        {"line_ends", "not_canonical"} | ({"unsorted"} & {one.code for one in found}),
        True,
    )
    night.settle()
    assert {one[2] for one in night.decisions()} == {ann.reviewer, bob.reviewer}


def unsigned(person: Person, ids: list[str]) -> None:
    person.edit(ids[0], "It is another number.").commit(is_signed=False).push()


def beside_the_original(person: Person, ids: list[str]) -> None:
    before = person.read(SHARD)
    changed = person.edit(ids[0], "It is another number.").read(SHARD)
    person.write(SHARD, before + "".join(line + "\n" for line in changed.splitlines() if "another number" in line))
    person.done()


def key_twice(person: Person, _: list[str]) -> None:
    rewritten(person, lambda text: text.replace('"format":1', '"format":1,"format":1', 1)).done()


def decision_key_twice(person: Person, ids: list[str]) -> None:
    person.decide(ids[0])
    rewritten(person, lambda text: text.replace('{"', '{"verdict":"keep","', 1), DECISIONS).done()


def secret_in_between(person: Person, ids: list[str]) -> None:
    before = person.read(SHARD)
    person.edit(ids[0], "Write to jane.roe" + "@" + "example.com about it.").commit()
    person.write(SHARD, before)
    person.done()


def page_changed(person: Person, _: list[str]) -> None:
    rewritten(person, lambda text: text.replace("It is", "It was", 1), PAGE).done()


def speaks_for_bob(person: Person, ids: list[str]) -> None:
    person.decide(ids[0], as_who="r-000000000000").done()


@pytest.mark.parametrize(
    ("act", "code", "words"),
    [
        (unsigned, "sign_off", "--signoff -m"),
        (beside_the_original, "settle_refuses", "2 versions"),
        (key_twice, "duplicate_key", "twice"),
        (decision_key_twice, "duplicate_key", "twice"),
        (secret_in_between, "private", "a merge would publish"),
        (page_changed, "reading_copy_changed", "beyond its ballot boxes"),
        (speaks_for_bob, "not_your_decision", "speaks for"),
    ],
)
def test_what_settle_refuses_the_check_refuses(night, act, code, words):
    """And the base branch stays as it was."""
    act(night.person("ann"), night.ids)
    before = night.project.head("main")
    assert code in {one.code for one in checked(night) if not one.is_mended}
    settled = night.settle()
    assert (settled.state, night.project.head("main")) == ("refused", before)
    assert any(words in problem for problem in settled.problems), settled.problems


def test_a_forgotten_sign_off_is_made_good_by_a_later_commit(night):
    """As the message says: a branch on which several people work is not to be made anew for it. Only by its author."""
    ann, bob = night.person("ann"), night.person("bob")
    unsigned(ann, night.ids)
    (problem,) = [one for one in checked(night) if not one.is_mended]
    command = problem.message.split("`")[1]
    asked = f'git commit --allow-empty --signoff -m "Sign off {ann.git("rev-parse", "HEAD")[:12]}"'
    assert command == asked
    words = asked.split('"')[1]
    bob.pull().git("commit", "-q", "--allow-empty", "--signoff", "-m", words)
    bob.push()
    assert (night.settle().state, {one.code for one in checked(night) if not one.is_mended}) == (
        "refused",
        {"sign_off"},
    )
    ann.pull().git("commit", "-q", "--allow-empty", "--signoff", "-m", words)
    ann.push()
    assert [one for one in checked(night) if not one.is_mended] == []
    assert night.settle().counts["edited"] == 1


def test_anothers_decisions_that_were_removed_with_their_file_are_told_and_kept(night):
    """The change as a whole shows nothing: the file was not there before it either."""
    ann = night.person("ann").decide(night.ids[0]).done()
    bob = night.person("bob")
    (bob.tree / DECISIONS).unlink()
    bob.done()
    assert {one.code for one in checked(night)} == {"decision_removed"}
    night.settle()
    assert night.decisions() == [(night.ids[0], "reject", ann.reviewer)]
