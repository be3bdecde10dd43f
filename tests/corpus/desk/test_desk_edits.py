"""The review desk changes its mind: edits, undo, and what others did on the branch meanwhile."""

import orjson
import pytest

from corpus import desk_view as view
from corpus.review import collect
from schemas.conversation import Turn, content_id
from schemas.errors import InputError
from tests.corpus.desk_project import ANN, BOB, NIGHT, edited, ids_of


def test_undo_after_a_save_withdraws_the_decision(project):
    """What is saved is not carved in stone until the night is merged; settle must read it as withdrawn, too."""
    desk = project.desk()
    one, two, *_ = ids_of(desk)
    desk.decide(one, "keep")
    desk.decide(two, "keep")
    desk.save()
    assert desk.undo() == two
    assert desk.progress().n_unsaved == 1
    desk.save()
    assert [line["sample_id"] for line in project.decisions()] == [one]

    def collected(store):
        heads = store.heads()
        store.fetch(heads)
        return collect(store, NIGHT, base=heads["main"], tip=heads[f"night/{NIGHT}"])

    assert {vote.sample_id for vote in desk.place.work(collected).decisions} == {one}


def test_a_later_decision_replaces_an_earlier_one_of_the_same_second(project):
    """Votes are ordered by their second; a reviewer is quicker than that."""
    desk = project.desk(clock=lambda: "2026-11-05T08:00:00Z")
    one = ids_of(desk)[0]
    desk.decide(one, "reject")
    desk.save()
    desk.decide(one, "keep")
    desk.save()
    lines = sorted(project.decisions(), key=lambda line: line["decided_at"])
    assert [(line["verdict"], line["decided_at"][-3:]) for line in lines] == [("reject", "00Z"), ("keep", "01Z")]
    assert desk.ballot(one).verdict == "keep"


def test_an_edit_replaces_the_line_and_undo_restores_its_bytes(project):
    """The shard holds what would be merged: the edited sample under its own id, or the original as it was."""
    desk = project.desk()
    before = project.shard()
    one = ids_of(desk)[0]
    desk.decide(one, "edit", messages=edited(desk, one, "It is what it is."))
    desk.save()
    decision = project.decisions()[0]
    changed = [orjson.loads(line) for line in project.shard() if line not in before]
    assert [line["id"] for line in changed] == [decision["edited_id"]]
    assert changed[0]["id"] == content_id([Turn(**message) for message in changed[0]["messages"]])
    assert changed[0]["alternatives"][-1]["vote"] == -1
    ids = [orjson.loads(line)["id"] for line in project.shard()]
    assert ids == sorted(ids) and one not in ids
    assert desk.ballot(one).messages[1]["content"] == "It is what it is."
    desk.undo()
    desk.save()
    assert project.shard() == before
    assert project.decisions() == []


def test_an_edit_of_an_edit_leaves_one_line(project):
    """A second thought replaces the first; the original stays what it is an edit of."""
    desk = project.desk()
    one = ids_of(desk)[0]
    for text in ("First thought.", "Second thought."):
        desk.decide(one, "edit", messages=edited(desk, one, text))
        desk.save()
    assert len(project.shard()) == 6
    assert not any("First thought." in line for line in project.shard())
    assert desk.ballot(one).messages[1]["content"] == "Second thought."
    assert view.sample_view(desk, one)["changes"][0]["turn"] == 1


def test_another_reviewers_edit_is_what_is_decided_on(project):
    """What would be merged is what people must have read."""
    ann = project.desk(ANN)
    one = ids_of(ann)[0]
    ann.decide(one, "edit", messages=edited(ann, one, "Ann's words."))
    ann.save()
    bob = project.desk(BOB)
    new = project.decisions()[0]["edited_id"]
    assert one not in ids_of(bob) and new in ids_of(bob) and len(ids_of(bob)) == 6
    assert "Ann&#39;s" in view.sample_view(bob, new)["edited_from"][0]["html"]
    bob.decide(new, "edit", messages=edited(bob, new, "Bob's words."))
    bob.save()
    assert [orjson.loads(line)["messages"][1]["content"] for line in project.shard() if "words." in line] == [
        "Bob's words."
    ]
    bob.close()
    again = project.desk(BOB)
    assert again.ballot(new).messages[1]["content"] == "Bob's words.", "the line that he edited is in the history only"
    again.undo() or again.decide(new, None)
    again.save()
    assert any("Ann's words." in line for line in project.shard())


@pytest.mark.parametrize("change", [{"content": ""}, {"content": "\ud800"}])
def test_an_edit_that_is_none_is_refused_at_once(project, change):
    """A refusal at save time, an hour later, would help nobody."""
    desk = project.desk()
    one = ids_of(desk)[0]
    with pytest.raises(InputError):
        desk.decide(one, "edit", messages=edited(desk, one, change["content"]))
    with pytest.raises(InputError):
        desk.decide(one, "reject", reason="a\x00b")
    with pytest.raises(InputError):
        desk.decide("0" * 32, "keep")
    assert desk.journal.ballots == []


def test_a_box_unticked_with_git_counts_and_is_not_undone_here(project):
    """The ways to decide mean the same; what a box says only the box can take back."""
    tree = project.work_tree(who=ANN)
    one = project.desk(BOB).night.samples[0].id
    for page in (tree / f"review/{NIGHT}").glob("0*.md"):
        page.write_text(page.read_text().replace(f"- [x] keep `{one}`", f"- [ ] keep `{one}`"))
    project.push(tree, ANN)
    desk = project.desk(ANN)
    assert desk.ballot(one).verdict == "reject"
    with pytest.raises(InputError, match="tick or restore it there"):
        desk.decide(one, None)
    desk.decide(one, "keep")
    desk.save()
    assert desk.ballot(one).verdict == "keep"
